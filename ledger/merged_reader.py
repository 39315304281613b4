"""Merges several topics into one stream, ordered by the timestamps of the records.

A topic is read further only when its buffer is empty, so memory is bounded by one read per topic. A
record is returned when no topic can still deliver an older one: each has a record in its buffer, or
was read to its end. Within a partition records stay in offset order, because their timestamps come
from the clocks of their writers.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping

from arena.bus.base import LogReader, Record
from arena.errors import BrokenLog
from arena.tasks import wait_for_tasks

READ_MAX = 2_000
STALL_S = 20.0
"""A topic that is not at its end and returns nothing for this long is damaged."""


class MergedReader:
    """One stream from one reader per topic.

    Attributes:
        readers: The readers by topic; `close` closes them.
    """

    def __init__(self, readers: Mapping[str, LogReader]) -> None:
        """Merge some readers.

        Args:
            readers: Topic -> its reader.
        """
        self.readers = readers
        self._clock = next(iter(readers.values())).clock
        self._buffers: dict[str, dict[int, deque[Record]]] = {topic: {} for topic in readers}
        self._reads: dict[str, asyncio.Task[list[Record]]] = {}
        self._read_to: dict[tuple[str, int], int] = {}

    async def read(self, *, timeout_s: float, max_records: int = READ_MAX) -> list[Record]:
        """Return the next records of all topics, oldest first; none after the timeout.

        Raises:
            BrokenLog: A topic has more records but returns none.
            BrokerUnavailable: No broker answers.
        """
        await self._fill(timeout_s)
        behind = await self._behind()
        records: list[Record] = []
        while len(records) < max_records:
            if any(not self._buffers[topic] for topic in behind):
                break
            oldest = min(self._queues(), key=lambda queue: queue[0].timestamp_ms, default=None)
            if oldest is None:
                break
            records.append(self._pop(oldest))
        return records

    async def lag(self, topic: str) -> int:
        """Return how many records of a topic were not returned yet."""
        return await self.readers[topic].lag() + sum(map(len, self._buffers[topic].values()))

    async def ends(self) -> dict[tuple[str, int], int]:
        """Return the end offset of every partition; call it before `has_reached`."""
        found: dict[tuple[str, int], int] = {}
        for reader in self.readers.values():
            found |= await reader.end_offsets()
        for part in found:
            self._read_to.setdefault(part, 0)
        return found

    def has_reached(self, ends: Mapping[tuple[str, int], int]) -> bool:
        """True if everything before these ends was returned by `read`.

        The position of a reader does not show this: it moves before the records are returned.
        """
        waiting = (
            queue[0].offset < ends.get((topic, part), 0)
            for topic, queues in self._buffers.items()
            for part, queue in queues.items()
        )
        return not any(waiting) and all(self._read_to[part] >= end for part, end in ends.items())

    async def close(self) -> None:
        """Stop reading."""
        for task in self._reads.values():
            task.cancel()
        await asyncio.gather(*self._reads.values(), return_exceptions=True)
        await asyncio.gather(*(reader.close() for reader in self.readers.values()))

    async def _fill(self, timeout_s: float) -> None:
        """Read the topics whose buffer is empty; return as soon as any buffer holds a record."""
        for topic, queue in self._buffers.items():
            if not queue and topic not in self._reads:
                reader = self.readers[topic]
                self._reads[topic] = asyncio.create_task(
                    reader.read(timeout_s=timeout_s, max_records=READ_MAX)
                )
        if any(self._buffers.values()):
            await self._clock.sleep(0)
        elif self._reads:
            await wait_for_tasks(self._reads.values(), timeout_s, self._clock)
        for topic, task in list(self._reads.items()):
            if task.done():
                self._buffer(topic)

    async def _behind(self) -> set[str]:
        """Return the topics that have more records, each with a record in its buffer."""
        behind = set()
        for topic, queue in self._buffers.items():
            if await self.readers[topic].lag() == 0:
                continue
            behind.add(topic)
            if not queue and topic in self._reads:
                await self._wait_for(topic)
        return behind

    async def _wait_for(self, topic: str) -> None:
        try:
            async with self._clock.timeout(STALL_S):
                while not self._buffers[topic]:
                    if topic not in self._reads:
                        self._reads[topic] = asyncio.create_task(
                            self.readers[topic].read(timeout_s=STALL_S, max_records=READ_MAX)
                        )
                    await asyncio.wait([self._reads[topic]])
                    self._buffer(topic)
        except TimeoutError:
            raise BrokenLog(
                f"{topic} has more records but returned none for {STALL_S:.0f} s",
                remedy="compare the log with an export",
            ) from None

    def _buffer(self, topic: str) -> None:
        for record in self._reads.pop(topic).result():
            self._buffers[topic].setdefault(record.partition, deque()).append(record)
        for name, part in self._read_to:
            if name == topic:
                self._read_to[name, part] = self.readers[topic].position(topic, part)

    def _queues(self) -> Iterator[deque[Record]]:
        """Yield the buffer of every partition that has records."""
        for queues in self._buffers.values():
            yield from queues.values()

    def _pop(self, queue: deque[Record]) -> Record:
        record = queue.popleft()
        if not queue:
            del self._buffers[record.topic][record.partition]
        return record
