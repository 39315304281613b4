"""Readers of the simulated brokers: they see committed records only, and see them late."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from contextvars import Context, copy_context
from typing import TYPE_CHECKING

from arena.bus.base import (
    Assignment,
    GroupReader,
    LogReader,
    ReaderPosition,
    Record,
    Start,
)
from arena.errors import BrokenLog, BrokerUnavailable
from operations.simulation.cluster import Pair, SimulatedCluster
from operations.simulation.groups import Group, first_offset

if TYPE_CHECKING:
    from operations.simulation.bus import SimulatedBus

ENDS_TIMEOUT_S = 45.0
"""After how long a client that is cut off gives up asking for offsets."""


class _Positions:
    """The positions of a reader, and its waiting for records."""

    def __init__(self, connection: "SimulatedBus") -> None:
        self.connection = connection
        self.cluster = connection.cluster
        self.number = self.cluster.new_number()
        self.next: dict[Pair, int] = {}
        self.last: dict[Pair, Record] = {}
        self._waiter: asyncio.Future[None] | None = None

    def open(self, pair: Pair) -> None:
        self.cluster.partition(*pair).readers[self.number] = self.wake

    def close(self, pairs: Iterable[Pair]) -> None:
        for pair in pairs:
            self.cluster.partition(*pair).readers.pop(self.number, None)

    def wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _has_more(self, pairs: Iterable[Pair]) -> bool:
        partitions = self.cluster.partitions
        for pair in pairs:
            part = partitions[pair]
            if part.end > self.next[pair] and part.has_leader:
                return True
        return False

    async def wait(self, pairs: Callable[[], Iterable[Pair]], timeout_s: float) -> None:
        """Return when there are records, or after the time-out."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_s
        while True:
            cut = self.connection.cut_until_s - loop.time()
            if cut <= 0 and self._has_more(pairs()):
                delay = self.cluster.draws.latency()
                await asyncio.sleep(delay)
                if self._has_more(pairs()):
                    return
            left = until - loop.time()
            if left <= 0:
                await asyncio.sleep(0)
                return
            self._waiter = loop.create_future()
            timer = loop.call_later(min(left, cut) if cut > 0 else left, self.wake)
            try:
                await self._waiter
            finally:
                timer.cancel()
                self._waiter = None

    def take(self, pairs: Iterable[Pair], max_records: int) -> list[Record]:
        """The next records of partitions, or a part of them."""
        found: list[Record] = []
        for pair in pairs:
            part, at = self.cluster.partition(*pair), self.next[pair]
            if not part.has_leader or part.end <= at or len(found) >= max_records:
                continue
            until = min(part.end, at + max_records - len(found))
            until = at + self.cluster.draws.part(until - at)
            found += part.log[at:until]
            self.next[pair] = until
            self.last[pair] = found[-1]
        return found

    def prove(self, pairs: Iterable[Pair]) -> None:
        """Check that what was read is still in the logs, as the bus over Kafka does."""
        for pair in pairs:
            part, last = self.cluster.partition(*pair), self.last.get(pair)
            if last is not None and (part.end <= last.offset or part.log[last.offset] is not last):
                raise BrokenLog(
                    f"{pair[0]}[{pair[1]}]: the record at offset {last.offset} is missing",
                    remedy="start again",
                )

    async def ends(self, pairs: Iterable[Pair]) -> dict[Pair, int]:
        """Ask for the ends of the logs.

        Raises:
            BrokerUnavailable: The process is cut off, or an election takes too long.
        """
        loop = asyncio.get_running_loop()
        wanted = list(pairs)
        parts = [self.cluster.partition(*pair) for pair in wanted]
        began = loop.time()
        await asyncio.sleep(self.cluster.draws.latency())
        while (cut := self.connection.cut_until_s - loop.time()) > 0 or not all(
            part.has_leader for part in parts
        ):
            if loop.time() - began > ENDS_TIMEOUT_S:
                raise BrokerUnavailable("the broker did not return the ends of the logs")
            await asyncio.sleep(min(max(cut, 0.05), 1.0))
        found = {pair: part.end for pair, part in zip(wanted, parts, strict=True)}
        await asyncio.sleep(self.cluster.draws.latency())
        return found


class SimulatedLogReader(LogReader):
    """Reads logs at its own offsets."""

    def __init__(self, connection: "SimulatedBus", offsets: Mapping[Pair, int]) -> None:
        """Take the connection and where to start."""
        self.clock = connection.clock
        self.number = connection.cluster.new_number()
        self._at = _Positions(connection)
        self._at.next = dict(offsets)
        for pair in offsets:
            self._at.open(pair)

    def __hash__(self) -> int:
        """Its number: sets of readers have the same order in every run."""
        return self.number

    async def read(self, *, timeout_s: float = 0.5, max_records: int = 1000) -> list[Record]:
        """The next records."""
        at = self._at
        with self.reading():
            at.prove(at.last)
            await at.wait(lambda: at.next, timeout_s)
        return at.take(list(at.next), max_records)

    def position(self, topic: str, partition: int) -> int:
        """The next offset of a partition."""
        return self._at.next[topic, partition]

    async def end_offsets(self) -> dict[Pair, int]:
        """The ends of the logs."""
        return await self._at.ends(self._at.next)

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Continue at an offset."""
        self._at.next[topic, partition] = offset
        self._at.last.pop((topic, partition), None)

    async def close(self) -> None:
        """Stop reading."""
        self.closed = True
        self._at.close(self._at.next)
        self._at.wake()


class SimulatedGroupReader(GroupReader):
    """A member of a group.

    Attributes:
        topics: What it reads.
        connection: The process's connection.
        number: Tells it apart from other members.
        gave_up: It has no partitions, and waits for the end of a rebalance.
    """

    def __init__(
        self,
        connection: "SimulatedBus",
        group: Group,
        topics: tuple[str, ...],
        start: Start,
        on_change: Callable[[Assignment], None] | None,
    ) -> None:
        """Take the group; `joined` returns after the first assignment."""
        self.topics = topics
        self.connection = connection
        self.clock = connection.clock
        self.gave_up = True
        self._at = _Positions(connection)
        self.number = self._at.number
        self._group = group
        self._start = start
        self._on_change = on_change
        self._context: Context = copy_context()
        self._assignment: Assignment = frozenset()
        self._paused: set[Pair] = set()
        self._first = asyncio.Event()
        self.resumed = self._resumed = dict[Pair, int]()
        self.committed = self._committed = dict[Pair, int]()

    def __hash__(self) -> int:
        """Its number: sets of readers have the same order in every run."""
        return self.number

    def later(self, delay_s: float, call: Callable[..., None], *args: object) -> None:
        """Call something in this member's process; not before it is awake."""
        loop = asyncio.get_running_loop()
        loop.call_later(delay_s, call, *args, context=self._context)

    async def joined(self) -> None:
        """Join, and return when the first partitions are assigned."""
        await asyncio.sleep(self.connection.cluster.draws.latency())
        self._group.join(self)
        await self._first.wait()

    def give_up(self) -> None:
        """A rebalance begins: no partition is owned until it ends."""
        self.gave_up = True
        self._set(frozenset())

    def notice_removal(self) -> None:
        """The group has removed this member, which was silent: join again."""
        if self.closed or self in self._group.members:
            return
        if self.connection.is_cut:
            self.later(0.5, self.notice_removal)
            return
        self.give_up()
        self._group.join(self)

    def assign(self, assignment: Assignment) -> None:
        """A rebalance has ended."""
        if self.closed:
            return
        at, group = self._at, self._group
        self.gave_up = False
        self._resumed.clear()
        self._committed.clear()
        self._paused.clear()
        for pair in sorted(assignment):
            first, committed, same = group.first_offset(
                pair, self._start, self.connection.note_lost
            )
            at.next[pair] = first
            at.last.pop(pair, None)
            at.open(pair)
            if committed is not None:
                self._committed[pair] = committed
                if same:
                    self._resumed[pair] = committed
        self._set(assignment)
        self._first.set()
        at.wake()

    def _set(self, assignment: Assignment) -> None:
        self._at.close(self._assignment - assignment)
        self._assignment = assignment
        if self._on_change is not None:
            self._on_change(assignment)

    def _readable(self) -> list[Pair]:
        return sorted(self._assignment - self._paused)

    async def read(self, *, timeout_s: float = 0.5, max_records: int = 500) -> list[Record]:
        """The next records of assigned partitions that are not paused."""
        with self.reading():
            self._at.prove(self._readable())
            await self._at.wait(self._readable, timeout_s)
        return self._at.take(self._readable(), max_records)

    def assignment(self) -> Assignment:
        """The partitions that this member believes to own."""
        return self._assignment

    async def commit(self, offsets: Mapping[Pair, int]) -> None:
        """Commit offsets of owned partitions; refused if the group has removed this member."""
        owned = {pair: at for pair, at in offsets.items() if pair in self._assignment}
        await asyncio.sleep(self.connection.cluster.draws.latency())
        await self.connection.healed()
        if self in self._group.members and not self.gave_up:
            for pair, offset in owned.items():
                self._group.commit(pair, offset)

    def pause(self, partitions: Iterable[Pair]) -> None:
        """Deliver nothing from partitions that are assigned."""
        self._paused |= set(partitions) & self._assignment

    def resume(self, partitions: Iterable[Pair]) -> None:
        """Deliver from partitions again."""
        self._paused -= set(partitions)
        self._at.wake()

    async def lag(self) -> int:
        """Number of records after the positions, as far as this member knows."""
        parts = self._at.cluster.partitions
        return sum(max(0, parts[p].end - self._at.next[p]) for p in self._assignment)

    async def positions(self) -> dict[Pair, ReaderPosition]:
        """Positions and ends of the partitions that are not paused."""
        reading = self._readable()
        ends = await self._at.ends(reading)
        return {pair: ReaderPosition(self._at.next[pair], end) for pair, end in ends.items()}

    async def close(self) -> None:
        """Leave the group."""
        self.closed = True
        self._at.close(self._assignment)
        self._assignment = frozenset()
        self._at.wake()
        with contextlib.suppress(ValueError):
            self._group.leave(self)


def start_offsets(
    cluster: SimulatedCluster, pairs: Iterable[Pair], start: Start
) -> dict[Pair, int]:
    """Where a reader starts in partitions."""
    found = {}
    for pair in pairs:
        part = cluster.partition(*pair)
        found[pair] = first_offset(part.log[: part.end], pair, start)
    return found
