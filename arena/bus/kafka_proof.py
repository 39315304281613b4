"""Proves that a log is the one that was read, by reading its newest read record again. Pure.

A log that was truncated, or deleted and created again, and has grown past a reader's offset looks
normal: the broker answers, the offsets match, and the records at reused offsets would be skipped.
The record before the reader's offset shows the difference.
"""

import time
from collections.abc import Iterator
from itertools import chain

from arena.bus.base import Record
from arena.errors import BrokenLog

SHORT_S = 10.0
"""How long a log may seem to end before the record, because a new leader learns its end late."""
ANSWER_S_MAX = 1.0
"""Limit of the time that one answer adds: a frozen process has not asked meanwhile."""
START_AGAIN = "start again: at its start a process checks how far its log is unchanged"


class LogProof:
    """The record that must come first before reading of a partition continues.

    Attributes:
        resume_at: The offset at which reading continues after it.
        out_of_range: True if the broker reported that it does not have the offset.
    """

    def __init__(self, newest: Record, resume_at: int, compacted: bool) -> None:
        """Take the record and the offset at which to continue.

        Args:
            newest: The newest fetched record.
            resume_at: The offset after it and after the markers that followed.
            compacted: True if the record may have been removed by compaction.
        """
        self.resume_at = resume_at
        self.out_of_range = False
        self._newest = newest
        self._compacted = compacted
        self._short_s = 0.0
        self._short_at: float | None = None

    def records_after(self, records: Iterator[Record]) -> Iterator[Record]:
        """Check the record and return the records after it.

        Args:
            records: Records from its offset on.

        Raises:
            BrokenLog: Another record is at the offset, or none.
        """
        newest = self._newest
        first = next(records, None)
        if first is None or first.offset != newest.offset:
            if not self._compacted:
                raise self._other("is not in the log any more")
        elif _seen(first) != _seen(newest):
            raise self._other("has changed")
        else:
            first = next(records, None)
        if first is None:
            return iter(())
        if first.offset < self.resume_at:
            raise self._other(f"is followed by offset {first.offset} now, which was not a record")
        return chain((first,), records)

    def note_no_record(self, end: int) -> bool:
        """Note an answer without records from the record's offset on.

        Args:
            end: End of the log, as far as its leader knows.

        Returns:
            True if the reader may continue; False to try again.

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
        """Check the first offset of a log that does not have the record's offset.

        Raises:
            BrokenLog: The record was not deleted by retention: the log ends before it.
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
