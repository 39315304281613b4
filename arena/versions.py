"""Which version of the arena wrote a record. Pure.

Records name it in the header `arena`. Those of 0.2.0 and older do not: they are told apart by a
field that 0.2.0 added to the message. What another version decided or rendered is compared with
this version's work, but a difference is not a fault: its rules and prompts were others.
"""

from arena import __version__
from arena.bus.base import Record
from arena.wire import VERSION_HEADER

FIRST, SECOND = "0.1.0", "0.2.0"
"""The versions that do not name themselves."""
ADDED = {
    "AccountOpened": b'"scrape":',
    "AgentSpec": b'"seed":',
    "OrderDecided": b'"scraped":',
    "Rules": b'"pacing":',
    "Turn": b'"replayed":',
}
"""Kind of message -> a key that 0.2.0 added to it; text in JSON has its quotes escaped."""
CHARS_MAX = 40
UNKNOWN = f"{SECOND} or older"


def recorded_by(record: Record) -> str:
    """The version that wrote a record; `UNKNOWN` if neither header nor fields tell.

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
    """Tells which records of one writer, in the order of its log, are of this version.

    After the first record that names this version every record is judged as this version's: a log
    is continued by newer versions only, so one that names an older version there, or none, is
    foreign, and a forged name must not excuse it. So the newest of its versions audits a log.
    """

    def __init__(self) -> None:
        """Start before the first record."""
        self._named = False

    def is_current(self, record: Record) -> bool:
        """True if this version wrote the record, or has to answer for it.

        Args:
            record: The next one in the log.
        """
        self._named = self._named or record.headers.get(VERSION_HEADER) == _TODAY
        return self._named


_TODAY = __version__.encode()
