"""`arena ledger`: keeps the books and prints them."""

import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arena.atomic_files import write_atomic
from arena.errors import EXIT_NO, ArenaError
from arena.node import run_node
from arena.options import AsJson, Prefix, Run, Servers
from arena.output import print_note
from arena.plural import counted
from arena.settings import Settings
from ledger.cli_candles import candles_app
from ledger.locate import (
    books_in,
    books_of,
    exported_ends,
    find_books,
    open_read_only,
    run_path_with_books,
    run_with_books,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from arena.bus.base import Bus
    from arena.run_lookup import ArenaLocation
    from ledger.statements import Sheet

ROWS_SHOWN = 50

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(candles_app, name="candles", help="Candles of the cache for the books.")

Books = Annotated[
    str | None,
    typer.Option(
        "--database",
        help="Address of the books, without a password. [DATABASE_URL, else in ARENA_HOME]",
    ),
]
Csv = Annotated[Path | None, typer.Option("--csv", help="Write CSV to this file.")]
Parquet = Annotated[Path | None, typer.Option("--parquet", help="Write Parquet to this file.")]


class ExportFormat(StrEnum):
    """The formats of `arena ledger export`."""

    PARQUET = "parquet"
    CSV = "csv"


Limit = Annotated[
    int | None,
    typer.Option(min=1, help=f"Only the newest N rows. [table: {ROWS_SHOWN}, else all]"),
]


@app.command(epilog="Example: arena ledger run")
def run(
    name: Annotated[str, typer.Option(help="Name of this process.")] = "ledger",
    database: Books = None,
    servers: Servers = None,
    prefix: Prefix = None,
) -> None:
    """Keep the books: post the account log to the database, until stopped.

    A second process waits as a standby. If the database is full or down, it waits.
    """
    from arena.ids import check_name

    check_name("ledger", name)
    settings = Settings().override(bootstrap_servers=servers, prefix=prefix)
    location = find_books(settings, database)

    from ledger.process import LedgerOptions, serve

    run_node("ledger", name, settings, serve, LedgerOptions(location))


@app.command(epilog="Example: arena ledger balances --json")
def balances(
    database: Books = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
    csv: Csv = None,
    parquet: Parquet = None,
    run_name: Run = None,
) -> None:
    """Print every account with its balance."""
    from ledger.statements import balance_sheet

    with read_books(database, prefix, run_name) as connection:
        sheet = balance_sheet(connection)
    output_sheet(sheet, as_json=as_json, csv=csv, parquet=parquet)


@app.command("trial-balance", epilog="Example: arena ledger trial-balance")
def trial_balance(
    database: Books = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
    csv: Csv = None,
    parquet: Parquet = None,
    run_name: Run = None,
) -> None:
    """Print debits and credits of every account; exit code 1 if a unit does not sum to zero."""
    from ledger import statements

    with read_books(database, prefix, run_name) as connection:
        sheet, balanced = statements.trial_balance(connection)
    output_sheet(sheet, as_json=as_json, csv=csv, parquet=parquet)
    if not balanced:
        sys.exit(EXIT_NO)


@app.command(epilog="Example: arena ledger journal --limit 20")
def journal(
    database: Books = None,
    prefix: Prefix = None,
    limit: Limit = None,
    as_json: AsJson = False,
    csv: Csv = None,
    parquet: Parquet = None,
    run_name: Run = None,
) -> None:
    """Print the newest journal rows with their entries, oldest first."""
    from ledger.statements import journal_sheet

    with read_books(database, prefix, run_name) as connection:
        sheet = journal_sheet(connection, limit or _rows_shown(as_json, csv, parquet))
    events = {(shard, offset) for _, shard, offset, *_ in sheet.rows}
    _note_default_limit(len(events), limit, _rows_shown(as_json, csv, parquet))
    output_sheet(sheet, as_json=as_json, csv=csv, parquet=parquet)


@app.command(epilog="Example: arena ledger statement momentum --limit 20")
def statement(
    agent: Annotated[str, typer.Argument(help="Name of the agent.")],
    database: Books = None,
    prefix: Prefix = None,
    limit: Limit = None,
    as_json: AsJson = False,
    csv: Csv = None,
    parquet: Parquet = None,
    run_name: Run = None,
) -> None:
    """Print all entries in an agent's accounts; exit code 1 if it has no account."""
    from ledger import statements

    with read_books(database, prefix, run_name) as connection:
        sheet = statements.statement(connection, agent, limit or _rows_shown(as_json, csv, parquet))
    _note_default_limit(len(sheet.rows), limit, _rows_shown(as_json, csv, parquet))
    output_sheet(sheet, as_json=as_json, csv=csv, parquet=parquet)
    if not sheet.rows:
        raise ArenaError(
            f"the books hold no account of {agent!r}", remedy="`arena ledger balances` lists them"
        )


@app.command(epilog="Example: arena ledger fills --limit 20")
def fills(
    agent: Annotated[str | None, typer.Option(help="Only fills of this agent.")] = None,
    database: Books = None,
    prefix: Prefix = None,
    limit: Limit = None,
    as_json: AsJson = False,
    csv: Csv = None,
    parquet: Parquet = None,
    run_name: Run = None,
) -> None:
    """Print the newest fills, oldest first; files and JSON have every column."""
    from ledger.statements import fills_sheet, fills_shown

    short = _rows_shown(as_json, csv, parquet)
    with read_books(database, prefix, run_name) as connection:
        names = fills_shown(connection) if short else None
        sheet = fills_sheet(connection, agent, limit or short, names)
    _note_default_limit(len(sheet.rows), limit, short)
    output_sheet(sheet, as_json=as_json, csv=csv, parquet=parquet)


@app.command(epilog="Example: arena ledger export books --format csv")
def export(
    folder: Annotated[Path, typer.Argument(help="Output folder; created if missing.")],
    form: Annotated[
        ExportFormat, typer.Option("--format", help="Format of the files.")
    ] = ExportFormat.PARQUET,
    database: Books = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
    run_name: Run = None,
) -> None:
    """Write every table of the books to a folder, one file each, from one consistent view."""
    from ledger.table_export import export_tables

    with read_books(database, prefix, run_name) as connection:
        written = export_tables(connection, folder, form.value)
    if as_json:
        print(json.dumps({"folder": str(folder), "rows": written}))
        return
    for name, rows in written.items():
        print(f"{name:<18} {rows:>12,}")


@app.command(epilog="Example: arena ledger rebuild")
def rebuild(
    database: Books = None,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
    run_name: Run = None,
) -> None:
    """Rebuild the books from the log, compare them with the old ones, and use the new ones.

    Exit code 1 if the old books differ. The old books are kept under another name.
    """
    from arena.node import run_async
    from arena.progress_bars import draw_progress
    from arena.run_lookup import find_arena

    named = run_path_with_books(database, servers, prefix, run_name)
    with find_arena(servers, prefix, named, offline=True) as arena, draw_progress() as progress:
        location = books_in(arena.settings, arena.directory, database)

        async def work() -> None:
            from ledger.rebuild import rebuild as rebuild_books

            async with connected_bus(arena) as bus:
                result = await rebuild_books(bus, arena.settings, location, progress)
            if as_json:
                print(json.dumps(result.document()))
            else:
                print(f"{result.events:,} events, {result.postings:,} postings: {location}")
                print(f"digest     {result.digest}")
                if result.old_digest:
                    print(
                        f"before     {result.old_digest}  {'same' if result.same else 'DIFFERENT'}"
                    )
                    print(f"kept as    {result.old_kept_at}")
            if not result.same:
                sys.exit(EXIT_NO)

        run_async(work)


def _note_default_limit(rows: int, limit: int | None, default: int | None) -> None:
    """Print a note if the default limit may have left out rows."""
    if limit is None and default is not None and rows >= default:
        print_note(f"only the newest {counted(default, 'row')}; --limit N shows more")


@asynccontextmanager
async def connected_bus(location: "ArenaLocation") -> "AsyncIterator[Bus]":
    """Connect the bus that a command reads from."""
    bus = location.bus("arena-ledger")
    await bus.start()
    try:
        yield bus
    finally:
        await bus.close()


@contextmanager
def read_books(
    database: str | None, prefix: str | None, run_name: str | None
) -> "Iterator[Connection]":
    """Open one consistent view of the books; warn if the books of an ended run lack events."""
    from ledger.compare import behind_text, events_behind
    from ledger.posting import EVENTS
    from ledger.writer import booked_offsets_of

    ends = exported_ends(database, prefix, run_name).get(EVENTS, {})
    found = run_with_books(database, prefix, run_name)
    if found is not None and run_name is None:  # the newest run may have no books
        print_note(f"the books of run {found[0].name}")
    with (
        open_read_only(books_of(database, prefix, run_name)) as books,
        books.reading() as connection,
    ):
        booked_offsets = booked_offsets_of(connection)
        booked = {
            number: at.next_offset for (t, number), at in booked_offsets.items() if t == EVENTS
        }
        if words := behind_text(events_behind(ends, booked)):
            print_note(words)
        yield connection


def output_sheet(sheet: "Sheet", *, as_json: bool, csv: Path | None, parquet: Path | None) -> None:
    """Print a sheet, or write it to the requested files."""
    from ledger import render

    if csv is not None:
        write_atomic(csv, render.as_csv(sheet))
    if parquet is not None:
        render.write_parquet(sheet, parquet)
    for path in (csv, parquet):
        if path is not None:
            print_note(f"{counted(len(sheet.rows), 'row')} in {path}")
    if as_json:
        print(render.as_json(sheet))
    elif csv is None and parquet is None:
        from arena.tables import print_table

        columns = [(name, kind in ("amount", "count")) for name, kind in sheet.columns]
        print_table(columns, render.cells(sheet, grouped=True), remarks=sheet.remarks)


def _rows_shown(as_json: bool, csv: Path | None, parquet: Path | None) -> int | None:
    return None if as_json or csv or parquet else ROWS_SHOWN
