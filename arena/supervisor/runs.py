"""`<home>/runs/<time>/`: what was run, where its records lie, and the logs.

run.json is written whole by one rename, each time something changes. `arena status` and
`arena tail` find the newest run through it.
"""

import re
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from arena.bounded_files import NotReadable, read_regular
from arena.errors import UsageError
from arena.localbroker.child import is_same_process
from arena.vitals import Dead
from arena.written import write_whole

RUN_FILE = "run.json"
RUN_BYTES_MAX = 4 << 20
_LAST = re.compile(r"last(?:~(\d{1,6}))?")
SPEC_FILE = "ARENA.toml"
LOGS = "logs"
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
    dead: tuple[Dead, ...] = ()

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
    write_whole(directory / RUN_FILE, run.model_dump_json(indent=2) + "\n")


def read_run(directory: Path) -> RunRecord | None:
    """The run in a directory; None where there is none, or it cannot be understood."""
    try:
        return RunRecord.model_validate_json(read_regular(directory / RUN_FILE, RUN_BYTES_MAX))
    except (OSError, ValidationError, NotReadable):
        return None


def newest_run(home: Path) -> tuple[Path, RunRecord] | None:
    """The directory and record of the run that began last; None where there was none."""
    return next(iter(_newest_first(home)), None)


def find_run(home: Path, name: str, *, command: str | None = None) -> tuple[Path, RunRecord]:
    """The run of a name such as "2026-11-21T09-12-03" or "last", or a path to its directory.

    Args:
        home: Where runs are kept.
        name: "last" is the newest run, "last~1" the one before it.
        command: Count only the runs of this command for "last".

    Raises:
        UsageError: There is no such run.
    """
    if nth := _LAST.fullmatch(name):
        runs = [pair for pair in _newest_first(home) if command in (None, pair[1].command)]
        if (place := int(nth[1] or 0)) < len(runs):
            return runs[place]
    for directory in (home / "runs" / name, Path(name)):
        if (run := read_run(directory)) is not None:
            return directory, run
    raise UsageError(f"no run {name!r} in {home / 'runs'}", remedy="look there for its name")


def _newest_first(home: Path) -> list[tuple[Path, RunRecord]]:
    found = [(d, run) for d in (home / "runs").glob("*/") if (run := read_run(d)) is not None]
    return sorted(found, key=lambda pair: pair[1].started_at, reverse=True)
