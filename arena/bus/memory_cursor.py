"""Positions in the logs of the bus in memory, and waiting for new records."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, MutableSequence

from arena.bus.base import Record, Start
from arena.errors import BrokenLog

Logs = dict[tuple[str, int], MutableSequence[Record]]
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


class Waiters:
    """Readers that wait for records, by partition: an append wakes only those that read it."""

    def __init__(self) -> None:
        """Start without any."""
        self._waiting: dict[tuple[str, int], dict[asyncio.Future[None], None]] = defaultdict(dict)

    def add(self, pairs: Iterable[tuple[str, int]], woken: "asyncio.Future[None]") -> None:
        """Let an append to one of the partitions wake a reader."""
        for pair in pairs:
            self._waiting[pair][woken] = None

    def remove(self, pairs: Iterable[tuple[str, int]], woken: "asyncio.Future[None]") -> None:
        """Undo `add`."""
        for pair in pairs:
            self._waiting[pair].pop(woken, None)

    def wake(self, pair: tuple[str, int]) -> None:
        """Wake the readers of a partition, in the order in which they began to wait."""
        for woken in self._waiting.get(pair, ()):
            if not woken.done():
                woken.set_result(None)


def _is(record: Record, other: Record) -> bool:
    return record is other or record == other


class MemoryCursor:
    """Read positions in logs, and waiting for records.

    Attributes:
        logs: (topic, partition) -> its records.
        next: (topic, partition) -> offset of the next record to read.
        last: (topic, partition) -> the last record that was read.
    """

    def __init__(self, logs: Logs, waiters: Waiters) -> None:
        """Take the logs, and the readers that wait for them."""
        self.logs = logs
        self._waiters = waiters
        self._woken: asyncio.Future[None] | None = None
        self._is_over = False
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
            end = len(log)
            if last is not None and (end <= last.offset or not _is(log[last.offset], last)):
                name = "{}[{}]".format(*pair)
                raise BrokenLog(
                    f"{name}: the record at offset {last.offset}, which was read, is missing",
                    remedy="the log was cut, or deleted and created again; start again",
                )
            if next_offset > end:
                raise BrokenLog(
                    "{}[{}] has no offset {}".format(*pair, next_offset), remedy="start again"
                )

    async def wait(self, pairs: Callable[[], Iterable[tuple[str, int]]], timeout_s: float) -> None:
        """Return when a partition has a record to read, or after the time-out.

        Args:
            pairs: The partitions; called again after each wake.
            timeout_s: Seconds of the loop's time.
        """
        if self._has_record(pairs()):
            return
        loop = asyncio.get_running_loop()
        # Not asyncio.timeout: this costs a third of it, and a turn waits ten times.
        ended = loop.call_later(timeout_s, self._end_wait)
        self._is_over = False
        try:
            while not self._is_over and not self._has_record(waited := list(pairs())):
                await self._wait_for(loop, waited)
        finally:
            ended.cancel()

    def _end_wait(self) -> None:
        self._is_over = True
        self.wake()

    def wake(self) -> None:
        """Let a waiting reader look again: its partitions have changed."""
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    async def _wait_for(
        self, loop: asyncio.AbstractEventLoop, pairs: Iterable[tuple[str, int]]
    ) -> None:
        woken = self._woken = loop.create_future()
        self._waiters.add(pairs, woken)
        try:
            await woken
        finally:
            self._waiters.remove(pairs, woken)
            self._woken = None

    def _has_record(self, pairs: Iterable[tuple[str, int]]) -> bool:
        logs, places = self.logs, self.next
        return any(len(logs[pair]) > places[pair] for pair in pairs)
