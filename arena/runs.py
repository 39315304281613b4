"""`<home>/runs/<time>/`: what was run, where its records are, and the logs.

run.json is written whole by one rename, each time something changes. Every command that reads
records finds its run here: by name, by the beginning of a name, by path, or as "last" or "last~2".
Runs are ordered by the UTC time at which they began, never by name or by a file's time.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from arena.agent_health import DeadAgent
from arena.atomic_files import write_atomic
from arena.bounded_files import NotReadable, read_regular
from arena.broker_files import broker_files_of
from arena.errors import UsageError
from arena.plugins import PluginFile
from arena.plural import counted
from arena.processes import is_same_process

RUN_FILE = "run.json"
RUN_BYTES_MAX = 4 << 20
_LAST = re.compile(r"last(?:~(\d{1,6}))?")
KNOWN_MAX = 5
"""Runs that an error names."""
SPEC_FILE = "ARENA.toml"
LOGS = "logs"
RECORDS = "records"
"""The exported records of a run that has ended: see `arena.exports`."""
MANIFEST = Path(RECORDS) / "manifest.json"
FRAMES = "frames.jsonl.zst"
"""The raw frames of the feed, where the market is recorded."""
BOOKS = "ledger.db"
"""The books of a run with a broker of its own."""
MARKET = "market.json"
"""Where the simulated market of a run stands."""
SAME_SECOND_MAX = 100

ProcessState = Literal["waiting", "running", "restarting", "finished", "given_up", "stopped"]


class ProcessRecord(BaseModel):
    """One process of a run.

    Attributes:
        command: As one would type it.
        pid: Of its newest start; None before the first.
        restarts: How often it was started again.
        exit_code: Of its newest end.
        note: Why it was given up, or "".
    """

    model_config = ConfigDict(frozen=True)

    name: str
    command: tuple[str, ...]
    log: str
    pid: int | None = None
    state: ProcessState = "waiting"
    restarts: int = 0
    exit_code: int | None = None
    note: str = ""


class RunRecord(BaseModel):
    """What run.json holds.

    Attributes:
        command: "up", "demo" or "compete".
        folder: What the paths in its ARENA.toml are relative to.
        bootstrap: Kafka addresses of the run.
        broker_home: The home of the broker that was started for this run; None where it was
            there before. Its records can be read again by starting it there.
        durable: False where the broker kept everything in memory.
        pid: The supervisor's. pid_started_at: when that process was started, Unix seconds.
        ended_at: None while it runs, or where it was killed.
        dead: Agents that are dead, as far as a contest has seen.
        agents: Who played, by name; empty in records of older versions.
        version: Of the arena that ran it; "" in records of older versions.
        plugins: Files from outside the source tree that it loaded, with their hashes.
    """

    model_config = ConfigDict(frozen=True)

    command: str
    name: str
    folder: str = ""
    prefix: str
    bootstrap: str
    broker_kind: str = ""
    broker_version: str | None = None
    broker_home: str | None = None
    durable: bool = True
    simulated: bool = False
    speed: float = 1.0
    pid: int
    pid_started_at: float
    started_at: datetime
    ended_at: datetime | None = None
    processes: tuple[ProcessRecord, ...] = ()
    dead: tuple[DeadAgent, ...] = ()
    agents: tuple[str, ...] = ()
    version: str = ""
    plugins: tuple[PluginFile, ...] = ()

    def is_running(self) -> bool:
        """True while its supervisor lives."""
        return self.ended_at is None and is_same_process(self.pid, self.pid_started_at)


def new_run_directory(home: Path, now: datetime) -> Path:
    """Make `<home>/runs/<time>/logs` and return the run's directory.

    Args:
        home: The arena's local state.
        now: Local time, for the name.
    """
    stamp = now.strftime("%Y-%m-%dT%H-%M-%S")
    for number in range(1, SAME_SECOND_MAX):
        directory = home / "runs" / (stamp if number == 1 else f"{stamp}-{number}")
        try:
            directory.mkdir(parents=True)
        except FileExistsError:
            continue
        (directory / LOGS).mkdir()
        return directory
    raise UsageError(f"{SAME_SECOND_MAX} runs began at {stamp}", remedy="wait a second")


def write_run(directory: Path, run: RunRecord) -> None:
    """Replace the run's run.json, atomically."""
    write_atomic(directory / RUN_FILE, run.model_dump_json(indent=2) + "\n")


def read_run(directory: Path) -> RunRecord | None:
    """The run in a directory; None where there is none, or it cannot be understood."""
    try:
        return RunRecord.model_validate_json(read_regular(directory / RUN_FILE, RUN_BYTES_MAX))
    except (OSError, ValidationError, NotReadable):
        return None


class RunRequirement(NamedTuple):
    """What a command needs of a run.

    Attributes:
        text: For the error if a run lacks it: "exported records".
        remedy: How a run gets it.
        is_met: Whether a run has it.
    """

    text: str
    remedy: str
    is_met: Callable[[Path, RunRecord], bool]


def has_export(directory: Path, run: RunRecord) -> bool:
    """True if the exported records of a run are there and were written after it ended.

    A run that was resumed and cut off again keeps the export of its earlier end: its broker knows
    more. The times are those of this machine.
    """
    try:
        written = datetime.fromtimestamp((directory / MANIFEST).lstat().st_mtime, UTC)
    except OSError:
        return False
    return not run.is_running() and written >= (run.ended_at or run.started_at)


def has_records(directory: Path, run: RunRecord) -> bool:
    """True if the records of a run can be read: from its export, or from its broker."""
    if run.is_running() or has_export(directory, run):
        return True
    if run.broker_home is None:
        return run.durable  # they are on a broker that was there before; only it can tell
    return run.durable and broker_files_of(Path(run.broker_home)).root.is_dir()


RECORDS_NEEDED = RunRequirement(
    "records that can be read", "`arena demo` makes a run that has some", has_records
)
EXPORT_NEEDED = RunRequirement(
    "exported records",
    "`arena compete run` makes them at its end; continue one that stopped with `--resume last`",
    lambda directory, _: (directory / MANIFEST).exists(),
)


def newest_run(home: Path, need: RunRequirement | None = None) -> tuple[Path, RunRecord] | None:
    """The directory and record of the run that began last; None if no run has what is needed."""
    met = (pair for pair in runs_newest_first(home) if need is None or need.is_met(*pair))
    return next(met, None)


def find_run(
    home: Path, name: str, *, command: str | None = None, need: RunRequirement | None = None
) -> tuple[Path, RunRecord]:
    """The run of a name such as "2026-11-21T09-12-03" or "last", or a path to its directory.

    Args:
        home: Where runs are kept.
        name: "last" is the newest run, "last~1" the one before it; else a name, the beginning of
            one name only, or a path.
        command: Count only the runs of this command for "last".
        need: Count only the runs that have this for "last"; another run must have it.

    Raises:
        UsageError: No run has this name, several begin with it, or it lacks what is needed.
    """
    runs = runs_newest_first(home)
    if nth := _LAST.fullmatch(name):
        fit = [
            pair
            for pair in runs
            if command in (None, pair[1].command) and (need is None or need.is_met(*pair))
        ]
        if (back := int(nth[1] or 0)) < len(fit):
            return fit[back]
        raise _not_that_many(home, name, fit, command, need)
    directory, run = _named(home, name, runs)
    if need is not None and not need.is_met(directory, run):
        fit = [pair for pair in runs if need.is_met(*pair)]
        raise UsageError(
            f"run {directory.name} has no {need.text}",
            remedy=known_runs_text(fit, f"with {need.text}") if fit else need.remedy,
        )
    return directory, run


def runs_newest_first(home: Path) -> list[tuple[Path, RunRecord]]:
    """Every run of a home whose record can be read, by the UTC time at which it began."""
    found = [(d, run) for d in run_directories(home) if (run := read_run(d)) is not None]
    return sorted(found, key=lambda pair: (pair[1].started_at, pair[0].name), reverse=True)


def run_directories(home: Path) -> list[Path]:
    """The directories of `<home>/runs`, by name; those with a leading dot are not runs."""
    try:
        inside = sorted((home / "runs").iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [path for path in inside if not path.name.startswith(".") and path.is_dir()]


def known_runs_text(runs: Sequence[tuple[Path, RunRecord]], what: str = "known") -> str:
    """Which runs there are, for an error: the newest few by name."""
    named = ", ".join(directory.name for directory, _ in runs[:KNOWN_MAX])
    more = f" and {len(runs) - KNOWN_MAX} older" if len(runs) > KNOWN_MAX else ""
    return f"runs {what}: {named}{more}; `arena runs list` shows all"


def _named(home: Path, name: str, runs: Sequence[tuple[Path, RunRecord]]) -> tuple[Path, RunRecord]:
    """A run by its name, its path, or the beginning of its name."""
    exact = [pair for pair in runs if pair[0].name == name]
    if exact:
        return exact[0]
    path = Path(name)
    if name and (run := read_run(path)) is not None:
        return path, run
    begun = [pair for pair in runs if name and pair[0].name.startswith(name)]
    if len(begun) > 1:
        raise UsageError(
            f"{len(begun)} runs begin with {name!r}", remedy=known_runs_text(begun, "that do")
        )
    if begun:
        return begun[0]
    remedy = known_runs_text(runs) if runs else "`arena demo` or `arena compete run` makes one"
    raise UsageError(f"no run {name!r} in {home / 'runs'}", remedy=remedy)


def _not_that_many(
    home: Path,
    name: str,
    fit: Sequence[tuple[Path, RunRecord]],
    command: str | None,
    need: RunRequirement | None,
) -> UsageError:
    kind = f" of `arena {command}`" if command else ""
    lacking = f" with {need.text}" if need else ""
    count = f"{counted(len(fit), 'run')}{kind}{lacking}"
    remedy = known_runs_text(fit, f"{kind}{lacking}".strip() or "known") if fit else ""
    remedy = remedy or (need.remedy if need else "`arena demo` or `arena compete run` makes one")
    return UsageError(f"no run {name!r}: {home / 'runs'} has {count}", remedy=remedy)
