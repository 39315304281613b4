"""Books of agents with accounts in several currencies."""

from typing import Any

import orjson
import pytest
from sqlalchemy import Table, TextClause, select, text
from sqlalchemy.exc import DBAPIError

from arena.messages import CandleWindow, MarketSnapshot
from arena.money import SCALE, to_units, units_text
from ledger import schema
from ledger.amounts import field_widths
from ledger.batch import RowBatch
from ledger.compare import COUNT, FigureKey, compare, fold_figures
from ledger.dashboard_figures import read_document
from ledger.database import Database
from ledger.digest import books_digest
from ledger.location import BooksLocation
from ledger.non_account_rows import NonAccountRows, venue_in_books
from ledger.posting import Poster
from ledger.projector import Projector
from ledger.reconcile import book_figures
from ledger.render import cells
from ledger.statements import balance_sheet, fills_shown, statement, trial_balance
from ledger.writer import Writer
from tests.ledger.audit.contest_log import EVENTS
from tests.ledger.helpers import records_of, written_log
from tests.ledger.test_database import LATER
from tests.ledger.test_non_account_rows import snapshot
from tests.ledger.wallet_log import DOLLARS, TETHERS, WalletArena

Json = dict[str, Any]  # Any: decoded JSON


@pytest.fixture(scope="module")
def arena() -> WalletArena:
    """The records of two agents with dollars and tethers."""
    return WalletArena()


@pytest.fixture
def books(database: Database, arena: WalletArena) -> Database:
    """Books of these records, on either engine."""
    Writer(database).write(Projector(Poster(), {}).batch(arena.records[EVENTS]))
    return database


def test_books_balance_in_every_unit(books: Database, arena: WalletArena) -> None:
    """Every figure of the fold is in the books, per currency and per product, and no other one."""
    with books.reading() as connection:
        sheet, balanced = trial_balance(connection)
        found = book_figures(connection)
    fold = fold_figures({0: arena.shard})

    assert balanced
    assert {"USD", "USDT", "BTC"} == {row[0] for row in sheet.rows}
    assert [] == [line for line in compare(fold, found, {}, {}) if line.drifts]
    positions = {key.unit for key in found if key.what == "position" and key.owner == "brain"}
    assert {"BTC", TETHERS} == positions
    wallet = arena.shard.wallets["momentum"]["USDT"]
    assert {"fees": wallet.fees, "realised": wallet.realised, "scraped": wallet.scraped} == {
        what: found[FigureKey("momentum", what, "USDT")] for what in ("fees", "realised", "scraped")
    }
    assert found[FigureKey("momentum", "fees", "USD")] != wallet.fees
    assert wallet.scraped > 0
    assert 4 == found[FigureKey("momentum", "fills", COUNT)]


def test_statement_has_a_balance_per_product(books: Database, arena: WalletArena) -> None:
    """Bitcoin of two venues are two positions, although both are in BTC."""
    with books.reading() as connection:
        sheet = statement(connection, "brain")
    names = [name for name, _ in sheet.columns]
    rows = [dict(zip(names, row, strict=True)) for row in cells(sheet)]
    newest = {(r["account"], r["unit"], r["product"]): r["balance"] for r in rows}
    main, wallet = arena.shard.accounts["brain"], arena.shard.wallets["brain"]["USDT"]

    assert units_text(main.positions[DOLLARS].quantity) == newest["position", "BTC", DOLLARS]
    assert units_text(wallet.positions[TETHERS].quantity) == newest["position", "BTC", TETHERS]
    cash = {r["unit"]: r["balance"] for r in rows if r["account"] == "cash"}
    assert {"USD": units_text(main.cash), "USDT": units_text(wallet.cash)} == cash


def test_balances_and_fills_name_product_and_currency(books: Database, arena: WalletArena) -> None:
    """Each position has its row, and each fill its currency."""
    with books.reading() as connection:
        sheet = balance_sheet(connection)
        shown = fills_shown(connection)
        rows = connection.execute(select(schema.fills.c.product_id, schema.fills.c.currency)).all()
    held = {(row[0], row[5]): row[4] for row in sheet.rows if row[1] == "position"}
    main, wallet = arena.shard.accounts["brain"], arena.shard.wallets["brain"]["USDT"]

    assert "currency" == shown[-1]
    assert {(DOLLARS, "USD"), (TETHERS, "USDT")} == {tuple(row) for row in rows}
    assert main.positions[DOLLARS].quantity == held["agent/brain/position", ""]
    assert wallet.positions[TETHERS].quantity == held["agent/brain/position", TETHERS]


def test_sheets_of_one_currency_are_unchanged(database: Database) -> None:
    """No column is added where dollars are the only currency."""
    Writer(database).write(Projector(Poster(), {}).batch(records_of(written_log(20))))
    with database.reading() as connection:
        assert "balance" == statement(connection, "a").columns[-1][0]
        assert "balance" == balance_sheet(connection).columns[-1][0]
        assert "cash_after" == fills_shown(connection)[-1]


def test_equity_is_per_currency(arena: WalletArena) -> None:
    """A snapshot gives one row per agent and currency; a product's venue is that of its id."""
    batch, prices = RowBatch(), snapshot()
    view = prices.products[0]
    assert view.ticker is not None
    seen = view.ticker.model_copy(update={"product_id": TETHERS})
    other = view.model_copy(update={"product_id": TETHERS, "ticker": seen})
    both: MarketSnapshot = prices.model_copy(update={"products": (view, other)})
    NonAccountRows().add(arena.records[EVENTS][0], both, {0: arena.shard}, batch)
    names = [name for name, _ in field_widths(schema.equity_snapshots)]
    rows = batch.rows[schema.equity_snapshots]
    wallet = arena.shard.wallets["brain"]["USDT"]
    bids = {TETHERS: to_units(seen.best_bid) * 10**10}

    assert "currency" == names[-1]
    assert [("brain", "USD"), ("brain", "USDT"), ("momentum", "USD"), ("momentum", "USDT")] == (
        sorted((str(row[1]), str(row[-1])) for row in rows)
    )
    (row,) = [row for row in rows if (row[1], row[-1]) == ("brain", "USDT")]
    assert divmod(wallet.cash, 10**8) == tuple(row[5:7])
    assert divmod(wallet.equity(bids), 10**8) == tuple(row[9:11])  # type: ignore[arg-type]
    assert {("test", "BTC-USD"), ("binance", TETHERS)} == {
        (row[0], row[1]) for row in batch.rows[schema.candles]
    }
    assert all(isinstance(window, CandleWindow) for window in view.windows.values())
    joint: MarketSnapshot = both.model_copy(update={"venue": "binance+coinbase"})
    assert ["coinbase", "binance"] == [venue_in_books(name, joint) for name in (DOLLARS, TETHERS)]


@pytest.mark.parametrize(
    ("change", "drifts"),
    [
        (
            "UPDATE entries SET amount_whole = amount_whole + 1 WHERE (log_offset, leg) IN ("
            " SELECT log_offset, leg FROM entries JOIN accounts USING (account_id)"
            " WHERE name = 'agent/brain/cash' AND unit = 'USDT' ORDER BY log_offset LIMIT 1)",
            {FigureKey("brain", "cash", "USDT")},
        ),
        (
            f"UPDATE fills SET product_id = '{DOLLARS}' WHERE agent = 'brain'"
            f" AND product_id = '{TETHERS}' AND action = 'sell'",
            {FigureKey("brain", "position", "BTC"), FigureKey("brain", "position", TETHERS)},
        ),
        (
            "UPDATE fills SET currency = 'USD' WHERE agent = 'brain' AND action = 'sell'",
            {
                FigureKey("brain", what, currency)
                for what in ("fees", "realised", "slippage")
                for currency in ("USD", "USDT")
            },
        ),
    ],
)
def test_forged_figure_of_a_wallet_drifts(
    books: Database, arena: WalletArena, change: str, drifts: set[FigureKey]
) -> None:
    """An amount, a product or a currency that the owner of the database changed is found."""
    with books.reading() as connection:
        before = books_digest(connection)
    with books.engine.begin() as connection:
        table = change.split()[1]
        name = f"{table}_no_update" if books.is_sqlite else f"no_change ON {table}"
        connection.exec_driver_sql(f"DROP TRIGGER {name}")
        assert 1 == connection.execute(text(change)).rowcount
    with books.reading() as connection:
        found = compare(fold_figures({0: arena.shard}), book_figures(connection), {}, {})
        after = books_digest(connection)

    assert drifts == {line.key for line in found if line.drifts}
    assert before != after


def test_older_books_get_their_currency(location: BooksLocation) -> None:
    """Rows of revision 0004 have the accounts' currency; the digest stays; triggers work."""
    batch = Projector(Poster(), {}).batch(records_of(written_log(30)))
    equity = {c.name: "x" for c in schema.equity_snapshots.c}
    old, new = Database(location), Database(location.with_suffix("new"))
    old.upgrade("0004")
    with old.engine.begin() as connection:
        for table, rows in batch.rows.items():
            for row in rows:
                connection.execute(*_insert_old(table, dict(zip(table.c.keys(), row, strict=True))))
        numbers = {c.name: 7 for c in schema.equity_snapshots.c if c.name not in _TEXTS}
        connection.execute(*_insert_old(schema.equity_snapshots, equity | numbers))
    old.upgrade()
    new.upgrade()
    Writer(new).write(batch)
    with old.reading() as carried, new.reading() as fresh:
        assert books_digest(fresh) == books_digest(carried)
        assert {"USD"} == {*carried.execute(select(schema.fills.c.currency)).scalars()}
        assert book_figures(fresh) == book_figures(carried)
        assert trial_balance(carried)[1]
    wallet = RowBatch()
    for currency in ("USD", "USDT"):
        values = equity | numbers | {"currency": currency}
        wallet.rows[schema.equity_snapshots].append(tuple(values.values()))
    Writer(old).write(wallet)
    with old.reading() as carried:
        found = carried.execute(select(schema.equity_snapshots.c.currency)).scalars()
        assert ["USD", "USDT"] == sorted(found)
    with pytest.raises(DBAPIError, match="never changed"), old.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE fills SET currency = 'EUR'")
    old.close()
    new.close()


_TEXTS = ("snapshot_id", "agent", "venue", "currency")


def _insert_old(table: Table, values: Json) -> tuple[TextClause, Json]:
    """The statement that adds a row as in revision 0004, and its values."""
    names = [c.name for c in table.c if c.name not in LATER]
    marks = ", ".join(f":{name}" for name in names)
    words = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({marks})"
    return text(words), {name: values[name] for name in names}


def test_currencies_in_the_dashboards_document_are_compared() -> None:
    """An agent's row lists its accounts, and the positions of all of them."""
    row: Json = {"agent": "a", "cash_usd": "5", "trades": 3, "rejections": 0}
    row["positions"] = {"BTC-USD": "0.5", TETHERS: "0.25"}
    accounts = [{"currency": "USD", "cash": "5"}, {"currency": "USDT", "cash": "7", "fees": "1"}]
    fold = {FigureKey("a", "position", unit): 1 for unit in ("BTC", TETHERS, "binance:ETHUSDT")}
    document = {"digest": "d", "currency": "USD", "agents": [row | {"currencies": accounts}]}
    shown = read_document(orjson.dumps(document)).with_missing_positions(fold)

    assert [50_000_000, 25_000_000, 0] == [shown[key] for key in fold]
    found = {(key.what, key.unit): units for key, units in shown.items() if key not in fold}
    assert {
        ("cash", "USD"): 5 * SCALE,
        ("cash", "USDT"): 7 * SCALE,
        ("fees", "USDT"): SCALE,
        ("fills", COUNT): 3,
        ("rejections", COUNT): 0,
    } == found
