"""That a log is still the one that was read: its newest record that was read is read again.

A log that was cut, or deleted and created again, and has grown past a reader's place looks like
any other: the broker answers, the offsets fit, and what was appended at reused offsets is never
seen. The record before the place tells the difference.
"""

import time
from collections.abc import Iterator
from itertools import chain

from arena.bus.base import Record
from arena.errors import BrokenLog

SHORT_S = 10.0
"""How long a log may seem to end before the record: a new leader learns late how far it reaches."""
ANSWER_S_MAX = 1.0
"""What one answer adds to that time: a process that was frozen has asked nothing meanwhile."""
START_AGAIN = "start again: at its start a process sees how far the log is the one it read"


class LogProof:
    """The record that must come first, before a partition is read on.

    Attributes:
        place: Where to read on behind it.
        out_of_range: The broker said that it has no such offset.
    """

    def __init__(self, newest: Record, place: int, compacted: bool) -> None:
        """Nothing was asked yet.

        Args:
            newest: The newest record that was fetched.
            place: Behind it, and behind the markers that followed.
            compacted: The record may have been compacted away, which proves nothing.
        """
        self.place = place
        self.out_of_range = False
        self._newest = newest
        self._compacted = compacted
        self._short_s = 0.0
        self._short_at: float | None = None

    def behind(self, records: Iterator[Record]) -> Iterator[Record]:
        """What follows the record.

        Args:
            records: Fetched from the record's offset on.

        Raises:
            BrokenLog: Another record is there, or none.
        """
        newest = self._newest
        first = next(records, None)
        if first is None or first.offset != newest.offset:
            if not self._compacted:
                raise self._other("is not in the log any more")
        elif _seen(first) != _seen(newest):
            raise self._other("is another one now")
        else:
            first = next(records, None)
        if first is None:
            return iter(())
        if first.offset < self.place:
            raise self._other(f"is followed by offset {first.offset} now, which was no record")
        return chain((first,), records)

    def nothing_found(self, end: int) -> bool:
        """Take in that nothing was fetched from the record's offset on.

        Args:
            end: Where the log ends, as far as its leader knows.

        Returns:
            True where this proves nothing and the reader may go on; False to ask again.

        Raises:
            BrokenLog: The log has ended before the record for too long.
        """
        if self._compacted and end > self._newest.offset:
            return True
        now = time.monotonic()
        if self._short_at is not None:
            self._short_s += min(now - self._short_at, ANSWER_S_MAX)
        self._short_at = now
        if self._short_s > SHORT_S:
            raise self._other(f"is not in the log any more, which ends at {end}")
        return False

    def check_begin(self, begin: int) -> None:
        """Take in where a log begins that does not have the record's offset.

        Raises:
            BrokenLog: The record was not deleted as too old: the log ends before it.
        """
        if begin <= self._newest.offset:
            raise self._other("is not in the log any more, which ends before it")

    def _other(self, what: str) -> BrokenLog:
        topic, partition, offset, *_ = self._newest
        return BrokenLog(
            f"{topic}[{partition}]: the record at offset {offset}, which was read, {what}",
            remedy="the log was cut, or deleted and created again; " + START_AGAIN,
        )


def _seen(record: Record) -> tuple[int, bytes | None, bytes | None]:
    return record.timestamp_ms, record.key, record.value
