"""What a group commits beside an offset, so that its next member knows the log again. Pure.

An offset alone fits any log that is long enough: one that was cut and has grown, or one that was
deleted and made again. So a commit carries where the newest handled record stood, when it was
written, and a digest of it.
"""

from collections import deque
from dataclasses import dataclass
from hashlib import sha256

from arena.bus.base import Record

DELIVERED_MAX = 10_000
"""Records of a partition that were given and not committed, and are remembered."""
FIELDS = 3


@dataclass(frozen=True, slots=True)
class CommitMark:
    """The newest record that a group handled in a partition.

    Attributes:
        offset: Where it stood. timestamp_ms: When it was written, Unix milliseconds.
        digest: Of its time, key and value.
    """

    offset: int
    timestamp_ms: int
    digest: str

    @classmethod
    def of(cls, record: Record) -> "CommitMark":
        """What is committed of a record."""
        found = sha256(b"%d\0" % record.timestamp_ms)
        for part in (record.key, record.value):
            found.update(b"\0" if part is None else b"\1%d\0" % len(part) + part)
        return cls(record.offset, record.timestamp_ms, found.hexdigest()[:32])

    @classmethod
    def read(cls, text: str | None) -> "CommitMark | None":
        """What was committed, or None where nothing of this kind was."""
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
    """The records of one partition that were given and are not committed yet.

    Attributes:
        given: The newest record that this process was given; the partition may have moved since.
    """

    def __init__(self) -> None:
        """None yet."""
        self._given: deque[CommitMark] = deque(maxlen=DELIVERED_MAX)
        self._committed: CommitMark | None = None
        self.given: CommitMark | None = None

    def give(self, record: Record) -> bool:
        """Note a record that is given; True where its offset or a later one was given before."""
        given, back = self._given, False
        while given and given[-1].offset >= record.offset:
            given.pop()
            back = True
        self.given = CommitMark.of(record)
        given.append(self.given)
        return back

    def begin(self, committed: CommitMark | None) -> None:
        """Go on behind what was committed; what was given is forgotten."""
        self._given.clear()
        self._committed = committed

    def newest(self) -> CommitMark | None:
        """The newest record that was given, or else committed; None where neither is known."""
        return self._given[-1] if self._given else self._committed

    def before(self, offset: int) -> CommitMark | None:
        """The newest record before an offset that is committed; older ones are forgotten."""
        while self._given and self._given[0].offset < offset:
            self._committed = self._given.popleft()
        known = self._committed
        return known if known is not None and known.offset < offset else None


def why_not_resumable(
    offset: int, begin: int, end: int, handled: CommitMark | None, found: CommitMark | None
) -> str:
    """Why a group cannot go on at its committed offset, or "" where it can.

    Args:
        offset: Committed.
        begin: The first offset of the log.
        end: Behind its last record.
        handled: What was committed beside the offset, or None.
        found: What the log has at that record's offset now, or None where nothing or unknown.
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
