"""Finds the version of the arena that wrote a record. Pure.

The header `arena` has it. Records of 0.2.0 and older do not have the header and are distinguished
by a field that 0.2.0 added to the message. The audit also compares records of other versions with
this version's work, but a difference is not a fault: rules and prompts may have changed.
"""

from arena import __version__
from arena.bus.base import Record
from arena.wire import VERSION_HEADER

FIRST, SECOND = "0.1.0", "0.2.0"
"""The versions without the header."""
ADDED = {
    "AccountOpened": b'"scrape":',
    "AgentSpec": b'"seed":',
    "OrderDecided": b'"scraped":',
    "Rules": b'"pacing":',
    "Turn": b'"replayed":',
}
"""Message type -> a key that 0.2.0 added; it cannot be in a text, where quotes are escaped."""
CHARS_MAX = 40
UNKNOWN = f"{SECOND} or older"


def recorded_by(record: Record) -> str:
    """The version that wrote a record; `UNKNOWN` if neither header nor fields show it.

    Args:
        record: Any record of the arena.
    """
    if named := record.headers.get(VERSION_HEADER):
        return named.decode("utf-8", "backslashreplace")[:CHARS_MAX]
    added = ADDED.get(record.kind)
    if added is None:
        return UNKNOWN
    return SECOND if added in (record.value or b"") else FIRST


class VersionsInOrder:
    """Decides which records of one writer, in log order, count as written by this version.

    After the first record of this version, all records count as this version's: only newer versions
    continue a log, so a later record with an older version or without one is not genuine, and its
    header must not excuse a difference. So the newest version in a log audits it.
    """

    def __init__(self) -> None:
        """Start before the first record."""
        self._named = False

    def is_current(self, record: Record) -> bool:
        """True if the record counts as written by this version.

        Args:
            record: The next record in the log.
        """
        self._named = self._named or record.headers.get(VERSION_HEADER) == _TODAY
        return self._named


_TODAY = __version__.encode()
