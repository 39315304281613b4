"""`arena reconcile run`: compares the fold of the log, the books and the dashboard."""

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from arena.errors import EXIT_NO, UsageError
from arena.ids import check_name
from arena.money import parse_decimal, to_units
from arena.node import run_async, run_node
from arena.options import AsJson, Prefix, Run, Servers
from arena.output import print_note
from arena.plural import counted
from arena.run_lookup import find_arena
from arena.settings import Settings
from arena.visible_text import visible_line
from ledger.cli import Books, connected_bus
from ledger.locate import books_in, find_books, open_read_only, require_books, run_path_with_books

if TYPE_CHECKING:
    from ledger.reconcile import Reconciliation


def run(
    threshold: Annotated[
        str, typer.Option(help="Ignore differences up to this amount, in any unit.")
    ] = "0",
    watch: Annotated[
        bool, typer.Option("--watch", help="Keep comparing; publish every drift.")
    ] = False,
    every_s: Annotated[
        float, typer.Option("--every-s", "--every", min=1, help="Seconds between comparisons.")
    ] = 60.0,
    dashboard: Annotated[
        bool, typer.Option(help="Also compare the dashboard; --no-dashboard: fold and books only.")
    ] = True,
    name: Annotated[str, typer.Option(help="Name of this process, with --watch.")] = "reconcile",
    database: Books = None,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
    run_name: Run = None,
) -> None:
    """Compare the fold of the log, the books and the dashboard, per agent and unit.

    Exit code 1 if a figure differs, or if the books of an ended run lack its newest events. With
    --watch it runs as a service that publishes every drift to the topic ledger.drift.

    Example: arena reconcile run --threshold 0
    """
    units = _units(threshold)
    if watch:
        _watch(
            name,
            Settings().override(bootstrap_servers=servers, prefix=prefix),
            database,
            units,
            every_s=every_s,
            dashboard=dashboard,
        )
    named = run_path_with_books(database, servers, prefix, run_name)
    with find_arena(servers, prefix, named, offline=True) as arena:
        location = books_in(arena.settings, arena.directory, database)
        require_books(location)

        async def work() -> None:
            from ledger.compare import behind_text
            from ledger.reconcile import Reconciler

            run_read = arena.directory if arena.records is not None else None
            async with connected_bus(arena) as bus:
                with open_read_only(location) as books:
                    reconciler = Reconciler(bus, arena.settings, books, run_read)
                    found = await reconciler.compare(threshold=units, dashboard=dashboard)
            print(as_document(found) if as_json else "\n".join(as_lines(found)))
            short = found.behind > 0 and arena.run is not None and not arena.run.is_running()
            if short:
                print_note(behind_text(found.behind))
            if found.drifts or found.remarks or short:
                sys.exit(EXIT_NO)

        run_async(work)


def as_lines(found: "Reconciliation") -> list[str]:
    """Return one line per figure: OK or DRIFT, and its value in each of the three."""
    from ledger.compare import amount

    lines = []
    for line in found.lines:
        key = line.key
        values = f"fold {amount(line.fold, key.unit)}  books {amount(line.books, key.unit)}"
        if line.dashboard is not None:
            values += f"  dashboard {amount(line.dashboard, key.unit)}"
        head = (
            f"{'DRIFT' if line.drifts else 'OK':<5}  {key.owner:<20} {key.what:<10} {key.unit:<6}"
        )
        lines.append(f"{head} {values}" + (f"  ({line.differences()})" if line.drifts else ""))
    offsets = ", ".join(f"{shard}: {offset:,}" for shard, offset in found.offsets.items())
    lines += [f"DRIFT  {remark}" for remark in found.remarks]
    behind = f", {counted(found.behind, 'event')} behind the log" if found.behind else ""
    lines.append(
        f"{len(found.lines)} figures, {len(found.drifts)} drift; "
        f"the books are at offset {offsets or '0'}{behind}"
    )
    return [visible_line(line) for line in lines]


def as_document(found: "Reconciliation") -> str:
    """Return the result for programs; amounts are text."""
    from ledger.compare import amount

    rows = [
        {
            "owner": line.key.owner,
            "what": line.key.what,
            "unit": line.key.unit,
            "fold": amount(line.fold, line.key.unit),
            "books": amount(line.books, line.key.unit),
            "dashboard": None if line.dashboard is None else amount(line.dashboard, line.key.unit),
            "drifts": line.drifts,
            "differs": line.differences(),
        }
        for line in found.lines
    ]
    return json.dumps(
        {
            "offsets": found.offsets,
            "behind": found.behind,
            "remarks": found.remarks,
            "figures": rows,
        },
        indent=2,
    )


def _units(threshold: str) -> int:
    try:
        units = to_units(parse_decimal(threshold))
    except ValueError as error:
        raise UsageError(f"--threshold: {error}", remedy="such as 0.00000001") from None
    if units < 0:
        raise UsageError(f"--threshold {threshold} is negative", remedy="such as 0.00000001")
    return units


def _watch(
    name: str,
    settings: Settings,
    database: str | None,
    units: int,
    *,
    every_s: float,
    dashboard: bool,
) -> None:
    check_name("reconcile", name)
    location = find_books(settings, database)

    from ledger.process import ReconcileOptions, serve_reconcile

    options = ReconcileOptions(location, units, every_s, dashboard)
    run_node("reconcile", name, settings, serve_reconcile, options)
