"""The folders of runs, `<home>/runs/<time>/`, with run.json, logs and records.

Reads and writes run.json, which is replaced atomically at each change. Every command that reads
records finds its run here: by name, by the start of a name, by path, or as "last" or "last~2". Runs
are ordered by their UTC start time, never by name or file time.
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
"""Number of runs that an error names."""
SPEC_FILE = "ARENA.toml"
LOGS = "logs"
RECORDS = "records"
"""Folder of the exported records of a finished run: see `arena.exports`."""
MANIFEST = Path(RECORDS) / "manifest.json"
FRAMES = "frames.jsonl.zst"
"""Raw frames of the feed, if the market is recorded."""
BOOKS = "ledger.db"
"""Books of a run with its own broker."""
MARKET = "market.json"
"""State of a run's simulated market."""
SAME_SECOND_MAX = 100

ProcessState = Literal["waiting", "running", "restarting", "finished", "given_up", "stopped"]


class ProcessRecord(BaseModel):
    """One process of a run.

    Attributes:
        command: The command line.
        pid: Process id of the newest start; None before the first.
        restarts: Number of restarts.
        exit_code: Exit code of the newest end.
        note: Why the supervisor gave it up, or "".
        kind: Name of its kind; "" in records of older versions.
        since: Wall time at which it got its state; None in records of older versions.
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
    kind: str = ""
    since: datetime | None = None


MEMORY = "memory"
"""The kind of the broker of a backtest."""


class RunRecord(BaseModel):
    """The content of run.json.

    Attributes:
        command: "up", "demo", "compete" or "backtest".
        folder: Folder to which the paths in the ARENA.toml are relative.
        bootstrap: Kafka addresses of the run.
        broker_home: Home of the broker that was started for this run, which can be started again
            to read the records; None for a broker that was already running.
        durable: False if the broker had its data in memory only.
        pid: Process id of the supervisor.
        pid_started_at: Start time of that process, Unix seconds.
        ended_at: None while the run runs, or if it was killed.
        dead: Dead agents, as far as a contest has detected them.
        agents: Names of the agents; empty in records of older versions.
        version: Version of the arena; "" in records of older versions.
        plugins: Files from outside the source tree that were loaded, with their hashes.
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

    @property
    def is_backtest(self) -> bool:
        """True if it had neither a broker nor further processes: its export is all there is."""
        return self.broker_kind == MEMORY

    def is_running(self) -> bool:
        """True while its supervisor is running."""
        return self.ended_at is None and is_same_process(self.pid, self.pid_started_at)


def new_run_directory(home: Path, now: datetime) -> Path:
    """Create `<home>/runs/<time>/logs` and return the run's directory.

    Args:
        home: The arena's home.
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
    raise UsageError(f"{SAME_SECOND_MAX} runs started at {stamp}", remedy="wait a second")


def write_run(directory: Path, run: RunRecord) -> None:
    """Write the run's run.json, atomically."""
    write_atomic(directory / RUN_FILE, run.model_dump_json(indent=2) + "\n")


def read_run(directory: Path) -> RunRecord | None:
    """Read the run in a directory; None if run.json is missing or malformed."""
    try:
        return RunRecord.model_validate_json(read_regular(directory / RUN_FILE, RUN_BYTES_MAX))
    except (OSError, ValidationError, NotReadable):
        return None


class RunRequirement(NamedTuple):
    """A requirement of a command on a run.

    Attributes:
        text: Name of the requirement, for errors: "exported records".
        remedy: How a run comes to meet it.
        is_met: Returns whether a run meets it.
    """

    text: str
    remedy: str
    is_met: Callable[[Path, RunRecord], bool]


def has_export(directory: Path, run: RunRecord) -> bool:
    """True if a run has exported records that were written after its end.

    A run that was resumed and then killed has an export of its earlier end, while its broker has
    more records. The times are by this machine's clock.
    """
    try:
        written = datetime.fromtimestamp((directory / MANIFEST).lstat().st_mtime, UTC)
    except OSError:
        return False
    return not run.is_running() and written >= (run.ended_at or run.started_at)


def has_records(directory: Path, run: RunRecord) -> bool:
    """True if the records of a run can be read, from its export or its broker."""
    if run.is_running() or has_export(directory, run):
        return True
    if run.broker_home is None:
        return run.durable  # they are on an external broker, if it still has them
    return run.durable and broker_files_of(Path(run.broker_home)).root.is_dir()


RECORDS_NEEDED = RunRequirement(
    "readable records", "`arena demo` creates a run with records", has_records
)
EXPORT_NEEDED = RunRequirement(
    "exported records",
    "`arena compete run` exports them at its end; continue a stopped one with `--resume last`",
    lambda directory, _: (directory / MANIFEST).exists(),
)


def newest_run(home: Path, need: RunRequirement | None = None) -> tuple[Path, RunRecord] | None:
    """Directory and record of the newest run that meets a requirement; None if there is none."""
    met = (pair for pair in runs_newest_first(home) if need is None or need.is_met(*pair))
    return next(met, None)


def find_run(
    home: Path, name: str, *, command: str | None = None, need: RunRequirement | None = None
) -> tuple[Path, RunRecord]:
    """Find a run by a name such as "2026-11-21T09-12-03", by "last", or by its path.

    Args:
        home: The home with the runs.
        name: "last" is the newest run, "last~1" the one before it; else a name, the start of one
            name only, or a path.
        command: For "last", consider only runs of this command.
        need: For "last", consider only runs that meet this; a named run must meet it.

    Raises:
        UsageError: No run has this name, several start with it, or it does not meet `need`.
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
    """Every run of a home with a readable record, newest start first."""
    found = [(d, run) for d in run_directories(home) if (run := read_run(d)) is not None]
    return sorted(found, key=lambda pair: (pair[1].started_at, pair[0].name), reverse=True)


def run_directories(home: Path) -> list[Path]:
    """Directories in `<home>/runs`, by name, without those with a leading dot."""
    try:
        inside = sorted((home / "runs").iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [path for path in inside if not path.name.startswith(".") and path.is_dir()]


def known_runs_text(runs: Sequence[tuple[Path, RunRecord]], what: str = "known") -> str:
    """The newest few runs by name, for an error."""
    named = ", ".join(directory.name for directory, _ in runs[:KNOWN_MAX])
    more = f" and {len(runs) - KNOWN_MAX} older" if len(runs) > KNOWN_MAX else ""
    return f"runs {what}: {named}{more}; `arena runs list` shows all"


def _named(home: Path, name: str, runs: Sequence[tuple[Path, RunRecord]]) -> tuple[Path, RunRecord]:
    """A run by its name, its path, or the start of its name."""
    exact = [pair for pair in runs if pair[0].name == name]
    if exact:
        return exact[0]
    path = Path(name)
    if name and (run := read_run(path)) is not None:
        return path, run
    begun = [pair for pair in runs if name and pair[0].name.startswith(name)]
    if len(begun) > 1:
        raise UsageError(
            f"{len(begun)} runs start with {name!r}", remedy=known_runs_text(begun, "that do")
        )
    if begun:
        return begun[0]
    remedy = known_runs_text(runs) if runs else "`arena demo` or `arena compete run` creates one"
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
    remedy = remedy or (need.remedy if need else "`arena demo` or `arena compete run` creates one")
    return UsageError(f"no run {name!r}: {home / 'runs'} has {count}", remedy=remedy)
