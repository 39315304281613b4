"""Counts which versions of the arena wrote the records of a source. Pure."""

from collections import Counter

from arena import __version__
from arena.bus.base import Record
from arena.plural import counted
from arena.versions import FIRST, SECOND, UNKNOWN, recorded_by
from arena.wire import VERSION_HEADER

CACHED_MAX = 8
"""Versions that are counted separately; the rest are counted as one."""
OTHERS = "others"


class VersionCounts:
    """Counts the records of each version."""

    def __init__(self) -> None:
        """Start without records."""
        self._counts: Counter[str] = Counter()
        self._unnamed = False

    def take(self, record: Record) -> None:
        """Count one record."""
        version = recorded_by(record)
        if version not in self._counts and len(self._counts) > CACHED_MAX:
            version = OTHERS
        self._counts[version] += 1
        self._unnamed = self._unnamed or VERSION_HEADER not in record.headers

    def versions(self) -> dict[str, int]:
        """Return version -> number of its records, oldest first.

        Records without a version count for the newest version that did not write it.
        """
        found = Counter(self._counts)
        silent_version = next((version for version in (SECOND, FIRST) if version in found), None)
        if silent_version is not None and UNKNOWN in found:
            found[silent_version] += found.pop(UNKNOWN)
        return dict(sorted(found.items()))

    def describe(self) -> str:
        """Name the versions if any record is of another version than this or of none; else ""."""
        found = self.versions()
        if not self._unnamed and not found.keys() - {__version__}:
            return ""
        named = ", ".join(f"{one} ({counted(count, 'record')})" for one, count in found.items())
        return f"recorded by {named}; this is {__version__}"
