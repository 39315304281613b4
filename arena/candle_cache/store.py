"""Reads and replaces days of the cache.

Several processes may use a cache at once: each change of a series is made under an exclusive lock
on the series' `.lock`, and readers of several days hold a shared one (`CandleStore.reading`).
"""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Final

from arena.atomic_files import disk_full_named
from arena.bounded_files import NotReadable, read_regular
from arena.candle_cache.day_file import decode_day, encode_day
from arena.candle_cache.manifest import DayEntry, Manifest, decode_manifest, encode_manifest
from arena.candle_cache.series import (
    DAY_S,
    FOLDER,
    Series,
    checked_series,
    day_name,
    day_of,
    days_of,
)
from arena.candle_cache.spans import Spans, missing, union, within
from arena.errors import BrokenLog, UsageError

MANIFEST_FILE: Final = "manifest.json"
LOCK_FILE: Final = ".lock"
MANIFEST_BYTES_MAX: Final = 64 << 20
DAY_BYTES_MAX: Final = 4 << 20
SERIES_MAX: Final = 100_000
SOURCE_CHARS_MAX: Final = 200


class DayState(StrEnum):
    """State of a day's file compared with the manifest."""

    OK = "ok"
    MISSING = "missing"
    CHANGED = "changed"
    NOT_LISTED = "not listed"


@dataclass(frozen=True, slots=True)
class NewDay:
    """A day to be stored.

    Attributes:
        lines: Start of a candle -> its numbers, as in `day_file`.
        covers: The parts of the day that the source was asked for.
        source: The host or the file that they came from.
    """

    lines: Mapping[int, str]
    covers: Spans
    source: str


class CandleStore:
    """The cache of a home.

    Args:
        home: The folder of local state, `ARENA_HOME`.
    """

    def __init__(self, home: Path) -> None:
        """Take the home of the cache."""
        self._home = home

    @property
    def folder(self) -> Path:
        """The folder of the cache."""
        return self._home / FOLDER

    def all_series(self) -> list[Series]:
        """The series that have a manifest, sorted."""
        found = []
        for path in sorted(self.folder.glob(f"*/*/*/{MANIFEST_FILE}"))[:SERIES_MAX]:
            with contextlib.suppress(UsageError):
                found.append(checked_series(*path.parent.relative_to(self.folder).parts))
        return sorted(found)

    def folder_of(self, series: Series) -> Path:
        """The folder of a series."""
        return series.folder(self._home)

    def file(self, series: Series, day_s: int) -> Path:
        """The file of a day."""
        return self.folder_of(series) / f"{day_name(day_s)}.parquet"

    def manifest(self, series: Series) -> Manifest:
        """The manifest of a series; empty if the cache does not have the series.

        Raises:
            UsageError: It cannot be read.
        """
        path = self.folder_of(series) / MANIFEST_FILE
        try:
            return decode_manifest(read_regular(path, MANIFEST_BYTES_MAX), series)
        except FileNotFoundError:
            return Manifest(series)
        except (OSError, ValueError, NotReadable) as error:
            raise UsageError(
                f"{path} cannot be read: {str(error)[:200]}",
                remedy=f"remove the folder {path.parent}, and fetch or import its candles again",
            ) from None

    def states(self, manifest: Manifest, days: Sequence[int]) -> dict[int, DayState]:
        """The states of the files of days, compared by SHA-256."""
        return {day: self._state(manifest, day) for day in days}

    def whole_days(self, series: Series, start_s: int, end_s: int) -> Manifest:
        """The manifest of the days of a range, without those whose files are missing.

        Raises:
            UsageError: A file was changed, or the manifest cannot be read.
        """
        with self.reading(series):
            manifest = self.manifest(series)
            wanted = [day for day in days_of(start_s, end_s) if day in manifest.days]
            states = self.states(manifest, wanted)
        if changed := [day for day, state in states.items() if state is DayState.CHANGED]:
            raise self._changed(series, changed[0])
        days = {day: manifest.days[day] for day, state in states.items() if state is DayState.OK}
        return Manifest(series, days)

    @contextlib.contextmanager
    def reading(self, series: Series) -> Iterator[None]:
        """Within the block no process changes the series; it may be nested."""
        try:
            descriptor = os.open(self.folder_of(series) / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:  # A series without a lock was never written.
            yield
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            yield
        finally:
            os.close(descriptor)

    def not_listed(self, manifest: Manifest) -> list[Path]:
        """Files of days that the manifest does not have."""
        known = {self.file(manifest.series, day).name for day in manifest.days}
        files = sorted(self.folder_of(manifest.series).glob("*.parquet"))
        return [path for path in files if path.name not in known]

    def read_day(self, series: Series, day_s: int, entry: DayEntry) -> dict[int, str]:
        """The rows of a day.

        Raises:
            UsageError: The file is missing, or not the one of the manifest.
            OSError: It cannot be read.
        """
        path = self.file(series, day_s)
        try:
            found = sha256(read_regular(path, DAY_BYTES_MAX)).hexdigest()
            lines = decode_day(path) if found == entry.sha256 else None
        except FileNotFoundError:
            again = f"fetch or import {day_name(day_s)} again"
            raise UsageError(f"{path} is missing", remedy=again) from None
        except (ValueError, BrokenLog, NotReadable):
            lines = None
        if lines is None or len(lines) != entry.rows:
            raise self._changed(series, day_s)
        return lines

    def replace(
        self,
        series: Series,
        days: Mapping[int, NewDay],
        now: datetime,
        merge: "Merge | None" = None,
    ) -> None:
        """Store days: all of them, or none if a merge is refused.

        Args:
            series: The series.
            days: Start of a day -> its candles.
            now: Wall time.
            merge: Joins stored rows with new ones; None if the new ones replace those in the
                parts that they cover.

        Raises:
            UsageError: A stored file was changed, or the rows contradict each other.
            OSError: A file cannot be written.
        """
        folder = self.folder_of(series)
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder / LOCK_FILE):
            _clear_drafts(folder)
            manifest = self.manifest(series)
            entries: dict[int, DayEntry] = {}
            contents: dict[int, bytes] = {}
            for day, new in days.items():
                lines, covers, source = self._joined(manifest, day, new, merge or newest_wins)
                contents[day] = encode_day(lines)
                before = manifest.days.get(day)
                entries[day] = DayEntry(
                    rows=len(lines),
                    sha256=sha256(contents[day]).hexdigest(),
                    covers=covers,
                    gaps=missing(lines, covers, series.step_s),
                    source=source,
                    fetched_at=now,
                    replaces=before.sha256 if before else "",
                )
            files = {self.file(series, day): content for day, content in contents.items()}
            listed = encode_manifest(manifest.with_days(entries))
            try:
                drafts = {path: _draft(path, content) for path, content in files.items()}
                _draft(folder / MANIFEST_FILE, listed).replace(folder / MANIFEST_FILE)
                for path, draft in drafts.items():
                    draft.replace(path)
            except OSError:
                _clear_drafts(folder)
                raise

    def _joined(
        self, manifest: Manifest, day_s: int, new: NewDay, merge: "Merge"
    ) -> tuple[Mapping[int, str], Spans, str]:
        entry = manifest.days.get(day_s)
        state = self._state(manifest, day_s)
        if state is DayState.CHANGED:
            raise self._changed(manifest.series, day_s)
        if entry is None or state is not DayState.OK:
            return dict(new.lines), union(new.covers), new.source
        before = self.read_day(manifest.series, day_s, entry)
        source = new.source
        if within(new.covers, day_s, day_s + DAY_S) != ((day_s, day_s + DAY_S),):
            source = entry.source if source in entry.source else f"{entry.source}, {source}"
        covers = union((*entry.covers, *new.covers))
        return merge(before, new), covers, source[:SOURCE_CHARS_MAX]

    def _state(self, manifest: Manifest, day_s: int) -> DayState:
        path = self.file(manifest.series, day_s)
        entry = manifest.days.get(day_s)
        try:
            found = sha256(read_regular(path, DAY_BYTES_MAX)).hexdigest()
        except FileNotFoundError:
            return DayState.MISSING
        except NotReadable:
            return DayState.CHANGED if entry else DayState.NOT_LISTED
        if entry is None:
            return DayState.NOT_LISTED
        if found == entry.sha256:
            return DayState.OK
        return DayState.MISSING if found == entry.replaces else DayState.CHANGED

    def _changed(self, series: Series, day_s: int) -> UsageError:
        return UsageError(
            f"{self.file(series, day_s)} is not the file that the manifest names: it was changed "
            "or damaged",
            remedy=f"remove it, and fetch or import {day_name(day_s)} again",
        )


Merge = Callable[[Mapping[int, str], NewDay], Mapping[int, str]]
"""Joins the rows of a day with new ones."""


def newest_wins(before: Mapping[int, str], new: NewDay) -> Mapping[int, str]:
    """The new rows, and the earlier ones outside of what the new ones cover."""
    kept = {
        start: line
        for start, line in before.items()
        if not any(first <= start < last for first, last in new.covers)
    }
    return kept | dict(new.lines)


def by_day(lines: Mapping[int, str]) -> dict[int, dict[int, str]]:
    """Rows by the start of their day, oldest first."""
    found: dict[int, dict[int, str]] = {}
    for start in sorted(lines):
        found.setdefault(day_of(start), {})[start] = lines[start]
    return found


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the exclusive lock of a file; it is also released when the process ends."""
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _clear_drafts(folder: Path) -> None:
    """Remove drafts of a killed process; call it under the lock."""
    for path in folder.glob(".*.draft"):
        path.unlink(missing_ok=True)


def _draft(path: Path, content: bytes) -> Path:
    """Write and sync a file beside the one that it will replace."""
    draft = path.with_name(f".{path.name}.draft")
    with disk_full_named(path), draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return draft
