"""`arena ledger` keeps the books and prints what they say."""

import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arena.commands.where import AsJson, Prefix, Run, Servers, say
from arena.errors import EXIT_NO, ArenaError
from arena.node import Node, run_node
from arena.plural import counted
from arena.settings import Settings
from arena.written import write_whole
from ledger.locate import (
    books_in,
    books_of,
    exported_ends,
    find_books,
    named_with_books,
    opened,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from arena.bus.base import Bus
    from arena.commands.where import Where
    from ledger.statements import Sheet

SHOWN = 50

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Books = Annotated[
    str | None,
    typer.Option(
        "--database",
        help="Where the books lie, without a password. [DATABASE_URL, else below ARENA_HOME]",
    ),
]
Csv = Annotated[Path | None, typer.Option("--csv", help="Write CSV to this file.")]
Parquet = Annotated[Path | None, typer.Option("--parquet", help="Write Parquet to this file.")]


class Form(StrEnum):
    """The formats of `arena ledger export`."""

    PARQUET = "parquet"
    CSV = "csv"


Limit = Annotated[
    int | None,
    typer.Option(min=1, help=f"The newest so many rows. [table: {SHOWN}, else all]"),
]


@app.command(epilog="Example: arena ledger run")
def run(
    name: Annotated[str, typer.Option(help="Name of this process.")] = "ledger",
    database: Books = None,
    servers: Servers = None,
    prefix: Prefix = None,
) -> None:
    """Keep the books: post what the account log says, until stopped.

    Run it twice and one stands by. A database that is full or gone is waited for.
    """
    from arena.ids import check_name

    check_name("ledger", name)
    settings = Settings().override(bootstrap_servers=servers, prefix=prefix)
    location = find_books(settings, database)

    async def work(node: Node) -> None:
        from ledger.database import Database
        from ledger.service import serve_ledger

        await serve_ledger(node, Database(location))

    run_node("ledger", name, settings, work)


@app.command(epilog="Example: arena ledger balances --json")
def balances(
    database: Books = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
    csv: Csv = None,
    parquet: Parquet = None,
    run_name: Run = None,
) -> None:
    """Every account with its balance."""
    from ledger.statements import balance_sheet

    with reading(database, prefix, run_name) as connection:
        sheet = balance_sheet(connection)
    put(sheet, as_json=as_json, csv=csv, parquet=parquet)


@app.command("trial-balance", epilog="Example: arena ledger trial-balance")
def trial_balance(
    database: Books = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
    csv: Csv = None,
    parquet: Parquet = None,
    run_name: Run = None,
) -> None:
    """Debits and credits of every account; exit code 1 where a unit does not sum to zero."""
    from ledger import statements

    with reading(database, prefix, run_name) as connection:
        sheet, balanced = statements.trial_balance(connection)
    put(sheet, as_json=as_json, csv=csv, parquet=parquet)
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
    """The newest journal rows with their entries, oldest first."""
    from ledger.statements import journal_sheet

    with reading(database, prefix, run_name) as connection:
        sheet = journal_sheet(connection, limit or _shown(as_json, csv, parquet))
    put(sheet, as_json=as_json, csv=csv, parquet=parquet)


@app.command(epilog="Example: arena ledger statement momentum --limit 20")
def statement(
    agent: Annotated[str, typer.Argument(help="Whose accounts.")],
    database: Books = None,
    prefix: Prefix = None,
    limit: Limit = None,
    as_json: AsJson = False,
    csv: Csv = None,
    parquet: Parquet = None,
    run_name: Run = None,
) -> None:
    """What came into and went out of an agent's accounts; exit code 1 where it has none."""
    from ledger import statements

    with reading(database, prefix, run_name) as connection:
        sheet = statements.statement(connection, agent, limit or _shown(as_json, csv, parquet))
    put(sheet, as_json=as_json, csv=csv, parquet=parquet)
    if not sheet.rows:
        raise ArenaError(
            f"the books hold no account of {agent!r}", remedy="`arena ledger balances` lists them"
        )


@app.command(epilog="Example: arena ledger fills --limit 20")
def fills(
    agent: Annotated[str | None, typer.Option(help="Only this agent's.")] = None,
    database: Books = None,
    prefix: Prefix = None,
    limit: Limit = None,
    as_json: AsJson = False,
    csv: Csv = None,
    parquet: Parquet = None,
    run_name: Run = None,
) -> None:
    """The newest fills, oldest first; files and JSON hold every column."""
    from ledger.statements import FILLS_SHOWN, fills_sheet

    short = _shown(as_json, csv, parquet)
    with reading(database, prefix, run_name) as connection:
        sheet = fills_sheet(connection, agent, limit or short, FILLS_SHOWN if short else None)
    put(sheet, as_json=as_json, csv=csv, parquet=parquet)


@app.command(epilog="Example: arena ledger export books --format csv")
def export(
    folder: Annotated[Path, typer.Argument(help="Is made where it is not there.")],
    form: Annotated[Form, typer.Option("--format", help="Format of the files.")] = Form.PARQUET,
    database: Books = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
    run_name: Run = None,
) -> None:
    """Write every table of the books to a folder, one file each, all of the same moment."""
    from ledger.table_export import export_tables

    with reading(database, prefix, run_name) as connection:
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
    """Make the books anew from the log, compare them with the old ones, and use the new ones.

    Exit code 1 where the old books held something else; they are kept aside.
    """
    from arena.commands.progress import draw_progress
    from arena.commands.where import find_arena
    from arena.node import run_async

    named = named_with_books(database, servers, prefix, run_name)
    with find_arena(servers, prefix, named, offline=True) as where, draw_progress() as progress:
        location = books_in(where.settings, where.directory, database)

        async def work() -> None:
            from ledger.rebuild import rebuild as make_anew

            async with bus_of(where) as bus:
                made = await make_anew(bus, where.settings, location, progress)
            if as_json:
                print(json.dumps(asdict(made) | {"same": made.same}))
            else:
                print(f"{made.events:,} events, {made.postings:,} postings: {location}")
                print(f"digest     {made.digest}")
                if made.old_digest:
                    print(f"before     {made.old_digest}  {'same' if made.same else 'DIFFERENT'}")
                    print(f"kept aside {made.kept}")
            if not made.same:
                sys.exit(EXIT_NO)

        run_async(work)


@asynccontextmanager
async def bus_of(where: "Where") -> "AsyncIterator[Bus]":
    """A connected bus to what a command reads."""
    bus = where.bus("arena-ledger")
    await bus.start()
    try:
        yield bus
    finally:
        await bus.close()


@contextmanager
def reading(
    database: str | None, prefix: str | None, run_name: str | None
) -> "Iterator[Connection]":
    """One consistent view of the books a command means; says if an ended run's lack events."""
    from ledger.compare import behind_text, events_behind
    from ledger.posting import EVENTS
    from ledger.writer import booked_offsets_of

    ends = exported_ends(database, prefix, run_name).get(EVENTS, {})
    with opened(books_of(database, prefix, run_name)) as books, books.reading() as connection:
        positions = booked_offsets_of(connection)
        booked = {number: at.next_offset for (t, number), at in positions.items() if t == EVENTS}
        if words := behind_text(events_behind(ends, booked)):
            say(words)
        yield connection


def put(sheet: "Sheet", *, as_json: bool, csv: Path | None, parquet: Path | None) -> None:
    """Print a sheet, or write it to the files that were asked for."""
    from ledger import render

    if csv is not None:
        write_whole(csv, render.as_csv(sheet))
    if parquet is not None:
        render.write_parquet(sheet, parquet)
    for path in (csv, parquet):
        if path is not None:
            say(f"{counted(len(sheet.rows), 'row')} in {path}")
    if as_json:
        print(render.as_json(sheet))
    elif csv is None and parquet is None:
        from arena.commands.tables import print_table

        columns = [(name, kind in ("amount", "count")) for name, kind in sheet.columns]
        print_table(columns, render.cells(sheet, grouped=True), remarks=sheet.remarks)


def _shown(as_json: bool, csv: Path | None, parquet: Path | None) -> int | None:
    return None if as_json or csv or parquet else SHOWN
