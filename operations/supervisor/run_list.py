"""Lists the runs of a home, and removes runs.

Reads `<home>/runs/*/`; removes directories there. A directory whose run.json cannot be read is
listed, too, so that it can be removed.
"""

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from pydantic import JsonValue

from arena import topics
from arena.bounded_files import read_text_file
from arena.broker_state import local_state
from arena.errors import ArenaError, UsageError
from arena.export_files import Manifest, read_manifest
from arena.runs import (
    RECORDS,
    SPEC_FILE,
    RunRecord,
    find_run,
    has_export,
    read_run,
    run_directories,
    runs_newest_first,
)
from arena.strategy_files import describe_in
from operations.specs.arena_spec import parse_spec

RunState = Literal["running", "ended", "killed", "not started", "unreadable"]
REMOVED_PREFIX = ".removed-"
"""Start of the name of a run that is being removed; the next removal deletes what is left of it."""
DURATION = re.compile(r"(\d{1,6})\s*([smhdw])")
DURATION_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What is known about a run without its broker.

    Attributes:
        directory: Its directory.
        record: Its run.json; None if that cannot be read.
        state: "killed" is a run whose supervisor ended without closing it.
        agents: Names of its agents.
        snapshots: Number of market snapshots in its export; None without an export.
        version: Version of the arena that ran it; "" if it was not recorded.
        exported: True if its records can be read without a broker.
        size_bytes: Size of everything in its directory.
    """

    directory: Path
    record: RunRecord | None
    state: RunState
    agents: tuple[str, ...]
    snapshots: int | None
    version: str
    exported: bool
    size_bytes: int

    @property
    def name(self) -> str:
        """The name that commands accept."""
        return self.directory.name

    def document(self) -> dict[str, JsonValue]:
        """The run as JSON; keys are only added."""
        run = self.record
        started = None if run is None else run.started_at.astimezone(UTC).isoformat()
        ended = None if run is None or run.ended_at is None else run.ended_at
        return {
            "name": self.name,
            "kind": None if run is None else run.command,
            "title": None if run is None else run.name,
            "state": self.state,
            "started": started,
            "ended": None if ended is None else ended.astimezone(UTC).isoformat(),
            "agents": list(self.agents),
            "snapshots": self.snapshots,
            "version": self.version or None,
            "exported": self.exported,
            "prefix": None if run is None else run.prefix,
            "path": str(self.directory),
            "size_bytes": self.size_bytes,
        }


def list_runs(home: Path) -> list[RunInfo]:
    """Return every run, newest start first; runs that cannot be read come last."""
    readable = runs_newest_first(home)
    known = {directory for directory, _ in readable}
    others = [path for path in run_directories(home) if path not in known]
    return [describe_run(directory, run) for directory, run in readable] + [
        describe_run(path, None) for path in others
    ]


def describe_run(directory: Path, run: RunRecord | None) -> RunInfo:
    """Describe one run."""
    manifest = _manifest_of(directory)
    snapshots = None
    if manifest is not None and topics.SNAPSHOTS.name in manifest.topics:
        snapshots = manifest.topics[topics.SNAPSHOTS.name].count
    return RunInfo(
        directory=directory,
        record=run,
        state=_state_of(run),
        agents=_agents_of(directory, run, manifest),
        snapshots=snapshots,
        version=(run.version if run else "") or (manifest.version if manifest else ""),
        exported=run is not None and has_export(directory, run),
        size_bytes=_size_of(directory),
    )


def parse_duration(text: str) -> timedelta:
    """Parse a duration such as "7d", "12h", "30m" or "2w".

    Raises:
        UsageError: The text is not a duration.
    """
    found = DURATION.fullmatch(text.strip())
    if found is None:
        raise UsageError(
            f"--older-than {text!r} is not a duration",
            remedy="write a number and s, m, h, d or w. Examples: 7d, 12h",
        )
    return timedelta(**{DURATION_UNITS[found[2]]: int(found[1])})


def choose_runs_to_prune(
    runs: Sequence[RunInfo], now: datetime, *, keep: int | None, older_than: timedelta | None
) -> list[RunInfo]:
    """Return the runs that a prune removes: those that no given limit keeps.

    Args:
        runs: The newest first.
        now: UTC.
        keep: Keep this many of the newest; None for no such limit.
        older_than: Keep runs that ended less than this ago; None for no such limit.

    Returns:
        The runs to remove, without those that are running or whose run.json cannot be read.
    """
    known = [run for run in runs if run.record is not None]
    chosen = []
    for index, run in enumerate(known):
        assert run.record is not None
        ended = run.record.ended_at or run.record.started_at
        is_kept = keep is not None and index < keep
        is_young = older_than is not None and now - ended < older_than
        if run.state != "running" and not is_kept and not is_young:
            chosen.append(run)
    return chosen


def find_named_run(home: Path, name: str) -> RunInfo:
    """Find a run by name, also one of `<home>/runs` whose run.json cannot be read.

    Raises:
        UsageError: No run has this name.
    """
    for directory in run_directories(home):
        if directory.name == name and read_run(directory) is None:
            return describe_run(directory, None)
    directory, run = find_run(home, name)
    return describe_run(Path(os.path.abspath(directory)), run)


def require_removable(home: Path, run: RunInfo) -> None:
    """Require that a run is in this home and that nothing uses it.

    Raises:
        UsageError: It is in another folder: only runs of the home are removed.
        ArenaError: It is running, or its broker is.
    """
    if run.directory.parent.resolve() != (home / "runs").resolve():
        raise UsageError(
            f"{run.directory} is not in {home / 'runs'}",
            remedy="remove it like any folder: rm -r",
        )
    if run.state == "running" and run.record is not None:
        raise ArenaError(
            f"run {run.name} is running (pid {run.record.pid})", remedy="stop it first: Ctrl-C"
        )
    broker = local_state(run.directory)
    if broker is not None and broker.is_running():
        raise ArenaError(
            f"the broker of run {run.name} is running (pid {broker.pid})",
            remedy=f"`arena broker stop --home {run.directory}` stops it",
        )


def remove_run(home: Path, run: RunInfo) -> None:
    """Remove a run's directory; it leaves the list before its first file is deleted.

    Raises:
        ArenaError: It is in use, or not in this home.
        OSError: A file cannot be deleted.
    """
    require_removable(home, run)
    if run.directory.is_symlink():
        run.directory.unlink()
        return
    aside = run.directory.with_name(f"{REMOVED_PREFIX}{os.getpid()}-{run.name}")
    run.directory.rename(aside)
    shutil.rmtree(aside)


def remove_leftovers(home: Path) -> None:
    """Remove what is left of runs whose removal was interrupted."""
    for path in (home / "runs").glob(f"{REMOVED_PREFIX}*"):
        if not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)


def _state_of(run: RunRecord | None) -> RunState:
    if run is None:
        return "unreadable"
    if run.is_running():
        return "running"
    if run.ended_at is None:
        return "killed"
    return "ended" if run.processes or run.is_backtest else "not started"


def _manifest_of(directory: Path) -> Manifest | None:
    try:
        return read_manifest(directory / RECORDS)
    except ArenaError:
        return None


def _agents_of(
    directory: Path, run: RunRecord | None, manifest: Manifest | None
) -> tuple[str, ...]:
    """From its record; in runs of older versions, from its specification or its export."""
    if run is not None and run.agents:
        return run.agents
    with suppress(ArenaError, OSError, ValueError):
        text = read_text_file(directory / SPEC_FILE)
        folder = directory if run is None else Path(run.folder)
        found = parse_spec(text, path=SPEC_FILE, describe=describe_in(folder)).agents
        return tuple(agent.name for agent in found)
    exported = () if manifest is None else manifest.topics
    prefix = topics.INBOX.name
    return tuple(name.removeprefix(prefix) for name in exported if name.startswith(prefix))


def _size_of(directory: Path) -> int:
    return sum(_sizes(directory))


def _sizes(directory: Path) -> Iterator[int]:
    """Yield the size of every file below a directory; a deleted file has none."""
    with suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            with suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    yield from _sizes(Path(entry.path))
                else:
                    yield entry.stat(follow_symlinks=False).st_blocks * 512
