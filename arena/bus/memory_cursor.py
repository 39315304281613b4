"""Positions in the logs of the bus in memory, and waiting for new records."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable, MutableSequence

from arena.bus.base import Record, Start
from arena.clock import Clock
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


class MemoryCursor:
    """Read positions in logs, and waiting for records.

    Attributes:
        logs: (topic, partition) -> its records.
        next: (topic, partition) -> offset of the next record to read.
        last: (topic, partition) -> the last record that was read.
    """

    def __init__(self, logs: Logs, waiters: Waiters, clock: Clock) -> None:
        """Take the logs, those who wait for their growth, and the reader's clock."""
        self.logs = logs
        self._waiters = waiters
        self._clock = clock
        self._woken: asyncio.Future[None] | None = None
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

    async def wait(self, pairs: Callable[[], Iterable[tuple[str, int]]], timeout_s: float) -> None:
        """Return when a partition has a record to read, or after the time-out.

        Args:
            pairs: The partitions; called again after each wake.
            timeout_s: Seconds of the reader's clock.
        """
        if self._has_record(pairs()):
            return
        # Not asyncio.wait_for: before Python 3.12 it can swallow the cancellation of its caller.
        with contextlib.suppress(TimeoutError):
            async with self._clock.timeout(timeout_s):
                while not self._has_record(waited := list(pairs())):
                    await self._wait_for(waited)

    def wake(self) -> None:
        """Let a waiting reader look again: its partitions have changed."""
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    async def _wait_for(self, pairs: Iterable[tuple[str, int]]) -> None:
        woken = self._woken = asyncio.get_running_loop().create_future()
        self._waiters.add(pairs, woken)
        try:
            await woken
        finally:
            self._waiters.remove(pairs, woken)
            self._woken = None

    def _has_record(self, pairs: Iterable[tuple[str, int]]) -> bool:
        logs, places = self.logs, self.next
        return any(len(logs[pair]) > places[pair] for pair in pairs)
