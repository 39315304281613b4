"""`arena runs list|show|delete|prune`: the runs of this home.

Reads `<home>/runs`; `delete` and `prune` remove directories of it. Needs no broker.
"""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from arena.command_exit import report_error
from arena.errors import EXIT_NO, ArenaError, UsageError
from arena.options import AsJson
from arena.plural import counted
from arena.settings import Settings
from arena.visible_text import visible_line
from operations.supervisor.run_list import (
    RunInfo,
    choose_runs_to_prune,
    find_named_run,
    list_runs,
    parse_duration,
    remove_leftovers,
    remove_run,
    require_removable,
)

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Skip the confirmation.")]
Name = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help="A run's name, the beginning of it, its path, last or last~1."
    ),
]
MEGABYTE = 1_000_000
COLUMNS = (
    ("run", False),
    ("kind", False),
    ("state", False),
    ("began (UTC)", False),
    ("ran", True),
    ("agents", True),
    ("snapshots", True),
    ("arena", False),
    ("MB", True),
)


@app.command("list", epilog="Example: arena runs list --json")
def list_(as_json: AsJson = False) -> None:
    """List every run here, the newest first."""
    from arena.tables import print_table

    home = Settings().home
    found = list_runs(home)
    if as_json:
        print(json.dumps([run.document() for run in found], indent=2))
        return
    if not found:
        print(f"no runs in {home / 'runs'}; start one with `arena demo`")
        return
    total = sum(run.size_bytes for run in found) / MEGABYTE
    print_table(
        COLUMNS,
        [_cells(run) for run in found],
        remarks=[f"{counted(len(found), 'run')}, {total:,.0f} MB in {home / 'runs'}"],
    )


@app.command(epilog="Example: arena runs show last")
def show(name: Name = "last", as_json: AsJson = False) -> None:
    """Show one run: its processes, its records, and a command that reads them."""
    run = find_named_run(Settings().home, name)
    if as_json:
        print(json.dumps(run.document() | _more(run), indent=2))
    else:
        for line in show_lines(run):
            print(visible_line(line))


@app.command(epilog="Example: arena runs delete 2026-11-21T09-12-03 --yes")
def delete(
    names: Annotated[
        list[str],
        typer.Argument(metavar="RUN...", help="Runs to delete, as `arena runs list` names them."),
    ],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete runs with their records, books, report and logs; a run in use is refused."""
    home = Settings().home
    chosen = list({run.directory: run for run in (find_named_run(home, n) for n in names)}.values())
    for run in chosen:
        require_removable(home, run)
    if not yes:
        _confirm(chosen, command="arena runs delete", needs_terminal=True)
    _remove(home, chosen, as_json=as_json)


@app.command(epilog="Example: arena runs prune --keep 20 --older-than 7d --dry-run")
def prune(
    keep: Annotated[
        int | None, typer.Option("--keep", min=0, metavar="N", help="Keep the newest N runs.")
    ] = None,
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than", metavar="SPAN", help="Keep runs that ended within SPAN: 7d, 12h."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be deleted, and delete nothing.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete old runs. With both limits a run is kept if either keeps it; running ones are kept.

    Asks first on a terminal; elsewhere it deletes without asking.
    """
    if keep is None and older_than is None:
        raise UsageError("a limit is missing", remedy="give --keep N, --older-than SPAN, or both")
    span = None if older_than is None else parse_duration(older_than)
    home = Settings().home
    chosen = choose_runs_to_prune(list_runs(home), datetime.now(UTC), keep=keep, older_than=span)
    if not dry_run:
        remove_leftovers(home)
        if chosen and not yes:
            _confirm(chosen, command="arena runs prune", needs_terminal=False)
        _remove(home, chosen, as_json=as_json)
    elif as_json:
        print(json.dumps({"would_delete": [run.document() for run in chosen]}, indent=2))
    else:
        for run in chosen:
            print(f"would delete {_summary(run)}")
        print(f"{_total(chosen)} would be deleted; nothing was")


def show_lines(run: RunInfo) -> list[str]:
    """The lines of one run."""
    cells = dict(zip((heading for heading, _ in COLUMNS), _cells(run), strict=True))
    lines = [f"{heading:<12} {cell}" for heading, cell in cells.items()]
    if run.agents:
        lines.append(f"{'names':<12} {', '.join(run.agents)}")
    record = run.record
    if record is not None:
        broker = f"{record.broker_home or record.bootstrap}, prefix {record.prefix!r}"
        if record.is_backtest:
            broker = "none: all processes ran in one, on virtual time"
        lines.append(f"{'broker':<12} {broker}")
        lines += [
            f"{'process':<12} {p.name}: {p.state}"
            + (f", exit code {p.exit_code}" if p.exit_code is not None else "")
            + (f", {p.restarts} restarts" if p.restarts else "")
            for p in record.processes
        ]
        lines += [f"{'dead':<12} {one.agent}: {one.cause}; {one.remedy}" for one in record.dead]
    records = "exported, read without a broker" if run.exported else "in the broker"
    lines += [f"{'records':<12} {records}", f"{'path':<12} {run.directory}"]
    if record is not None:
        lines.append(f"{'read it':<12} arena tail account.events --run {run.name}")
    return lines


def _more(run: RunInfo) -> dict[str, object]:
    record = run.record
    if record is None:
        return {"processes": [], "dead": []}
    return {
        "processes": [process.model_dump(mode="json") for process in record.processes],
        "dead": [one.document() for one in record.dead],
    }


def _cells(run: RunInfo) -> tuple[str, ...]:
    record = run.record
    size = f"{run.size_bytes / MEGABYTE:,.0f}"
    if record is None:
        return (run.name, "", run.state, "", "", "", "", "", size)
    ran = "" if record.ended_at is None else _duration(record.started_at, record.ended_at)
    return (
        run.name,
        record.command,
        run.state,
        f"{record.started_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
        ran,
        str(len(run.agents)) if run.agents else "",
        "" if run.snapshots is None else f"{run.snapshots:,}",
        run.version,
        size,
    )


def _duration(started: datetime, ended: datetime) -> str:
    minutes, seconds = divmod(max(0, round((ended - started).total_seconds())), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _summary(run: RunInfo) -> str:
    kind = "" if run.record is None else f" {run.record.command},"
    return f"{run.name}:{kind} {run.state}, {run.size_bytes / MEGABYTE:,.0f} MB"


def _total(runs: Sequence[RunInfo]) -> str:
    size = sum(run.size_bytes for run in runs) / MEGABYTE
    return f"{counted(len(runs), 'run')}, {size:,.0f} MB,"


def _confirm(runs: Sequence[RunInfo], *, command: str, needs_terminal: bool) -> None:
    """Ask at the terminal; any answer but yes ends the command with exit 1.

    Raises:
        UsageError: There is no terminal, and the caller needs an answer.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        if needs_terminal:
            raise UsageError(f"{command} asks first", remedy="add --yes without a terminal")
        return
    for run in runs:
        print(f"delete {_summary(run)}", file=sys.stderr)
    text = "This deletes their records, books, reports and logs. Delete? [y/N] "
    print(text, end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().casefold() not in ("y", "yes"):
        print("nothing was deleted", file=sys.stderr)
        sys.exit(EXIT_NO)


def _remove(home: Path, runs: Sequence[RunInfo], *, as_json: bool) -> None:
    """Remove runs one by one; one that cannot be removed does not stop the rest."""
    removed, codes = [], [0]
    for run in runs:
        directory = str(run.directory.resolve())
        try:
            remove_run(home, run)
        except (ArenaError, OSError) as error:  # the next run is tried
            codes.append(report_error(error))
            continue
        removed.append(run)
        if not as_json:
            print(f"deleted {_summary(run)}")
            record = run.record
            kept = record is not None and not record.is_backtest
            if record is not None and kept and record.broker_home != directory:
                print(f"  its topics stay in the broker: prefix {record.prefix!r}")
    if as_json:
        print(json.dumps({"deleted": [run.document() for run in removed]}, indent=2))
    elif not runs:
        print("no run is that old; nothing was deleted")
    if max(codes):
        sys.exit(max(codes))
