"""Several topics as one stream in the order of their records' times.

A topic is read on only when nothing of it is waiting, so the memory is bounded by one read per
topic. A record is given out when no topic can still bring an older one: each has a record waiting,
or was read to its end. Within a partition the order is that of its offsets, whatever the times say:
they are the clocks of whoever wrote.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping

from arena.bus.base import LogReader, Record
from arena.errors import BrokenLog

READ_MAX = 2_000
STALL_S = 20.0
"""A topic that is behind and gives nothing for so long is damaged."""


class MergedReader:
    """One stream out of a reader per topic.

    Attributes:
        readers: By topic; closed with this.
    """

    def __init__(self, readers: Mapping[str, LogReader]) -> None:
        """Nothing is read yet."""
        self.readers = readers
        self._waiting: dict[str, dict[int, deque[Record]]] = {topic: {} for topic in readers}
        self._reading: dict[str, asyncio.Task[list[Record]]] = {}
        self._taken: dict[tuple[str, int], int] = {}

    async def read(self, *, timeout_s: float, max_records: int = READ_MAX) -> list[Record]:
        """The next records of all topics, oldest first; empty after the timeout.

        Raises:
            BrokenLog: A topic has more records but gives none.
            BrokerUnavailable: No broker answers.
        """
        await self._fill(timeout_s)
        behind = await self._behind()
        records: list[Record] = []
        while len(records) < max_records:
            if any(not self._waiting[topic] for topic in behind):
                break
            oldest = min(self._queues(), key=lambda queue: queue[0].timestamp_ms, default=None)
            if oldest is None:
                break
            records.append(self._pop(oldest))
        return records

    async def lag(self, topic: str) -> int:
        """Records of a topic that were not given out yet."""
        return await self.readers[topic].behind() + sum(map(len, self._waiting[topic].values()))

    async def ends(self) -> dict[tuple[str, int], int]:
        """Where every partition ends now; call it before `is_past`."""
        found: dict[tuple[str, int], int] = {}
        for reader in self.readers.values():
            found |= await reader.end_offsets()
        for part in found:
            self._taken.setdefault(part, 0)
        return found

    def is_past(self, ends: Mapping[tuple[str, int], int]) -> bool:
        """True if everything before these ends was given out.

        A reader's position says nothing of it: it moves before the records are handed over.
        """
        waiting = (
            queue[0].offset < ends.get((topic, part), 0)
            for topic, queues in self._waiting.items()
            for part, queue in queues.items()
        )
        return not any(waiting) and all(self._taken[part] >= end for part, end in ends.items())

    async def close(self) -> None:
        """Stop reading."""
        for task in self._reading.values():
            task.cancel()
        await asyncio.gather(*self._reading.values(), return_exceptions=True)
        await asyncio.gather(*(reader.close() for reader in self.readers.values()))

    async def _fill(self, timeout_s: float) -> None:
        """Read on where nothing waits; return as soon as there is anything."""
        for topic, queue in self._waiting.items():
            if not queue and topic not in self._reading:
                reader = self.readers[topic]
                self._reading[topic] = asyncio.create_task(
                    reader.read(timeout_s=timeout_s, max_records=READ_MAX)
                )
        if any(self._waiting.values()):
            await asyncio.sleep(0)
        elif self._reading:
            await asyncio.wait(
                self._reading.values(), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
        for topic, task in list(self._reading.items()):
            if task.done():
                self._take(topic)

    async def _behind(self) -> set[str]:
        """Topics that have more than was read; one with nothing waiting is waited for."""
        behind = set()
        for topic, queue in self._waiting.items():
            if await self.readers[topic].behind() == 0:
                continue
            behind.add(topic)
            if not queue and topic in self._reading:
                await self._wait_for(topic)
        return behind

    async def _wait_for(self, topic: str) -> None:
        try:
            async with asyncio.timeout(STALL_S):
                while not self._waiting[topic]:
                    if topic not in self._reading:
                        self._reading[topic] = asyncio.create_task(
                            self.readers[topic].read(timeout_s=STALL_S, max_records=READ_MAX)
                        )
                    await asyncio.wait([self._reading[topic]])
                    self._take(topic)
        except TimeoutError:
            raise BrokenLog(
                f"{topic} has more records but gives none for {STALL_S:.0f} s",
                remedy="compare the log with an export",
            ) from None

    def _take(self, topic: str) -> None:
        for record in self._reading.pop(topic).result():
            self._waiting[topic].setdefault(record.partition, deque()).append(record)
        for name, part in self._taken:
            if name == topic:
                self._taken[name, part] = self.readers[topic].position(topic, part)

    def _queues(self) -> Iterator[deque[Record]]:
        """Of every partition of which something waits; none is empty."""
        for queues in self._waiting.values():
            yield from queues.values()

    def _pop(self, queue: deque[Record]) -> Record:
        record = queue.popleft()
        if not queue:
            del self._waiting[record.topic][record.partition]
        return record
