"""The runs of a home, from their folders."""

from pathlib import Path

from arena.bounded_files import NotReadable, read_regular
from arena.runs import RunRecord, has_records, runs_newest_first
from dashboard.model.queries import UnknownName
from dashboard.model.results import Runs, RunSummary

RUNS_MAX = 200
REPORT = Path("report") / "index.html"
REPORT_BYTES_MAX = 64 << 20


def runs(home: Path) -> Runs:
    """The newest runs of a home.

    Args:
        home: The home.
    """
    found = runs_newest_first(home)[:RUNS_MAX]
    return Runs(runs=tuple(_summary(directory, run) for directory, run in found))


def report(home: Path, name: str) -> str:
    """The report of a run, as HTML.

    Args:
        home: The home.
        name: The whole name of the run.

    Raises:
        UnknownName: There is no such run, or it has no report that can be read.
    """
    found = (directory for directory, _ in runs_newest_first(home) if directory.name == name)
    directory = next(found, None)
    if directory is None:
        raise UnknownName(f"unknown run {name!r}", remedy="see /runs")
    try:
        content = read_regular(directory / REPORT, REPORT_BYTES_MAX, inside=directory)
        return content.decode()
    except (OSError, NotReadable, UnicodeDecodeError):
        raise UnknownName(
            f"run {name} has no report",
            remedy="`arena compete report` writes one for a contest",
        ) from None


def _summary(directory: Path, run: RunRecord) -> RunSummary:
    return RunSummary(
        name=directory.name,
        kind=run.command,
        started_at=run.started_at,
        ended_at=run.ended_at,
        state=_state(directory, run),
        report=(directory / REPORT).is_file(),
    )


def _state(directory: Path, run: RunRecord) -> str:
    if run.is_running():
        return "running"
    if not has_records(directory, run):
        return "records are gone"
    return "ended" if run.ended_at else "killed"
