"""Commit metadata of a group, by which its next member recognizes the log. Pure.

An offset alone matches any log that is long enough, even one that was truncated and grew again, or
was deleted and created again. So a commit also has the offset, time and digest of the newest
handled record.
"""

from collections import deque
from dataclasses import dataclass
from hashlib import sha256

from arena.bus.base import Record

DELIVERED_MAX = 10_000
"""Limit of the delivered, uncommitted records of a partition that are tracked."""
FIELDS = 3


@dataclass(frozen=True, slots=True)
class CommitMark:
    """The newest record that a group handled in a partition.

    Attributes:
        offset: Offset of the record.
        timestamp_ms: Timestamp of the record, Unix milliseconds.
        digest: Digest of its timestamp, key and value.
    """

    offset: int
    timestamp_ms: int
    digest: str

    @classmethod
    def of(cls, record: Record) -> "CommitMark":
        """The mark of a record."""
        found = sha256(b"%d\0" % record.timestamp_ms)
        for part in (record.key, record.value):
            found.update(b"\0" if part is None else b"\1%d\0" % len(part) + part)
        return cls(record.offset, record.timestamp_ms, found.hexdigest()[:32])

    @classmethod
    def read(cls, text: str | None) -> "CommitMark | None":
        """Parse commit metadata; None if it is not a mark."""
        parts = (text or "").split(":")
        if len(parts) != FIELDS:
            return None
        try:
            return cls(int(parts[0]), int(parts[1]), parts[2])
        except ValueError:
            return None

    def text(self) -> str:
        """The metadata of a commit."""
        return f"{self.offset}:{self.timestamp_ms}:{self.digest}"


class DeliveredRecords:
    """The delivered records of one partition that are not committed yet.

    Attributes:
        last_delivered: The newest record that this process received; kept when the partition is
            assigned to another member.
    """

    def __init__(self) -> None:
        """Start without records."""
        self._delivered: deque[CommitMark] = deque(maxlen=DELIVERED_MAX)
        self._committed: CommitMark | None = None
        self.last_delivered: CommitMark | None = None

    def note_delivered(self, record: Record) -> bool:
        """Note a delivered record; True if its offset or a later one was delivered before."""
        delivered, back = self._delivered, False
        while delivered and delivered[-1].offset >= record.offset:
            delivered.pop()
            back = True
        self.last_delivered = CommitMark.of(record)
        delivered.append(self.last_delivered)
        return back

    def restart(self, committed: CommitMark | None) -> None:
        """Restart after the committed record, and forget the delivered ones."""
        self._delivered.clear()
        self._committed = committed

    def newest(self) -> CommitMark | None:
        """The newest delivered record, or else the committed one; None if neither is known."""
        return self._delivered[-1] if self._delivered else self._committed

    def before(self, offset: int) -> CommitMark | None:
        """The newest record before a committed offset; older ones are forgotten."""
        while self._delivered and self._delivered[0].offset < offset:
            self._committed = self._delivered.popleft()
        known = self._committed
        return known if known is not None and known.offset < offset else None


def why_not_resumable(
    offset: int, begin: int, end: int, handled: CommitMark | None, found: CommitMark | None
) -> str:
    """Return why a group cannot continue at its committed offset, or "" if it can.

    Args:
        offset: The committed offset.
        begin: The first offset of the log.
        end: The offset after its last record.
        handled: The mark in the commit, or None.
        found: The mark of the record at that offset now; None if there is none or it is unknown.
    """
    if offset > end:
        return f"its log ends at {end}: it was cut, or deleted and created again"
    if offset < begin:
        return f"its log begins at {begin}: {begin - offset:,} offsets were deleted unread"
    if handled is not None and found is not None and found != handled:
        return (
            f"the record at offset {handled.offset} is not the one that was handled: "
            "its log was cut, or deleted and created again"
        )
    return ""
