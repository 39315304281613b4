"""`arena ledger candles import`: candles of the cache for the books."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from arena.errors import UsageError
from arena.options import AsJson, Prefix
from arena.plural import counted
from arena.settings import Settings
from ledger.locate import books_of

if TYPE_CHECKING:
    from arena.candle_cache.series import Series
    from arena.candle_cache.store import CandleStore

candles_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@candles_app.command("import", epilog="Example: arena ledger candles import --venue coinbase")
def import_(
    venue: Annotated[
        str | None, typer.Option("--venue", help="Only candles of this venue.")
    ] = None,
    products: Annotated[
        list[str] | None,
        typer.Option("--products", help="Only these products, by their ids at the venue."),
    ] = None,
    granularity: Annotated[
        str | None, typer.Option("--granularity", help="Only candles of this length: 1m, 1h ...")
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            "--database",
            help="Address of the books, without a password. [DATABASE_URL, else in ARENA_HOME]",
        ),
    ] = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
) -> None:
    """Add candles of the cache to the table `candles` of the books.

    Candles that the books have stay as they are. Books that are rebuilt from the log need it again.
    """
    from arena.candle_cache.store import CandleStore
    from ledger.cached_candles import import_candles
    from ledger.database import Database

    store = CandleStore(Settings().cache_home)
    wanted = [word.strip() for text in products or () for word in text.split(",") if word.strip()]
    chosen = _chosen(store, venue, wanted, granularity)
    books = Database(books_of(database, prefix))
    try:
        found = import_candles(books, store, chosen)
    finally:
        books.close()
    if as_json:
        body = {"series": found.series, "rows": found.rows, "added": found.added}
        print(json.dumps({**body, "books": str(books.location)}, indent=2))
        return
    print(
        f"{counted(found.rows, 'candle')} of {counted(found.series, 'series', 'series')}, "
        f"{found.added:,} new in {books.location}"
    )


def _chosen(
    store: "CandleStore", venue: str | None, products: list[str], granularity: str | None
) -> list["Series"]:
    """The series that the flags choose.

    Raises:
        UsageError: There are none.
    """
    found = [
        series
        for series in store.all_series()
        if venue in (None, series.venue)
        and granularity in (None, series.granularity)
        and (not products or {series.symbol, series.product_id} & set(products))
    ]
    if not found:
        raise UsageError(
            f"the cache in {store.folder} has no such candles",
            remedy="`arena candles list` shows what it has, `arena candles fetch` adds some",
        )
    return found
