"""Positions in the logs of the bus in memory, and waiting for new records."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable

from arena.bus.base import Record, Start
from arena.clock import Clock
from arena.errors import BrokenLog

Logs = dict[tuple[str, int], list[Record]]
MARKER = Record("", -1, -1, -1, None, None)
"""Represents an offset without a record in a log."""


def first_offset(logs: Logs, pair: tuple[str, int], start: Start) -> int:
    """The offset at which a reader starts in a partition."""
    if pair in start.offsets:
        return start.offsets[pair]
    log = logs[pair]
    if start.at == "earliest":
        return 0
    if start.at == "latest":
        return len(log)
    return next((r.offset for r in log if r.timestamp_ms >= start.time_ms), len(log))


class MemoryCursor:
    """Read positions in logs, and waiting for records.

    Attributes:
        logs: (topic, partition) -> its records.
        next: (topic, partition) -> offset of the next record to read.
        last: (topic, partition) -> the last record that was read.
    """

    def __init__(self, logs: Logs, grown: asyncio.Condition, clock: Clock) -> None:
        """Take the logs, the condition of their growth, and the reader's clock."""
        self.logs = logs
        self._grown = grown
        self._clock = clock
        self.next: dict[tuple[str, int], int] = {}
        self.last: dict[tuple[str, int], Record] = {}

    def take(self, pairs: Iterable[tuple[str, int]], max_records: int) -> list[Record]:
        """The next records of partitions, without markers."""
        records: list[Record] = []
        for pair in pairs:
            at = self.next[pair]
            found = self.logs[pair][at : at + max_records - len(records)]
            self.next[pair] = at + len(found)
            given = [record for record in found if record is not MARKER]
            if given:
                self.last[pair] = given[-1]
            records += given
        return records

    def prove(self, pairs: Iterable[tuple[str, int]]) -> None:
        """Check that the logs are the ones that were read, as the bus over Kafka does."""
        for pair in pairs:
            log, last, next_offset = self.logs[pair], self.last.get(pair), self.next[pair]
            name = "{}[{}]".format(*pair)
            if last is not None and (len(log) <= last.offset or log[last.offset] != last):
                raise BrokenLog(
                    f"{name}: the record at offset {last.offset}, which was read, is missing",
                    remedy="the log was cut, or deleted and created again; start again",
                )
            if next_offset > len(log):
                raise BrokenLog(f"{name} has no offset {next_offset}", remedy="start again")

    async def wait(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Return when `ready` is true, or after the time-out."""
        # Not asyncio.wait_for: before Python 3.12 it can swallow the cancellation of its caller.
        with contextlib.suppress(TimeoutError):
            async with self._clock.timeout(timeout_s), self._grown:
                await self._grown.wait_for(ready)
