"""The two ways to read Kafka: a log with a place of our own, and a member of a group."""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.consumer import fetcher
from aiokafka.errors import (
    CommitFailedError,
    CorruptRecordException,
    IllegalStateError,
    KafkaError,
)

from arena.bus.base import (
    Assignment,
    GroupReader,
    LogReader,
    Record,
    Standing,
    plain_headers,
)
from arena.bus.group_places import Handed, Handled, explain
from arena.bus.kafka_access import told_refusals
from arena.bus.kafka_batches import DAMAGED, Batches
from arena.bus.kafka_fetch import Fetches
from arena.bus.kafka_sockets import closed_soon
from arena.errors import ArenaError, BrokenLog, BrokerUnavailable
from arena.explain import in_words

fetcher.MemoryRecords = Batches
"""A subclass of aiokafka's fetcher would have to repeat the whole handling of an answer."""

log = logging.getLogger(__name__)

CHECK_S = 5.0
"""A member asks the log whether the places of its group are still in it."""
POSITION_TIMEOUT_S = 1.0
"""A member that was just given a partition asks the group where to begin."""


# Any: aiokafka's ConsumerRecord is untyped.
def _record(topic: str, raw: Any) -> Record:
    return Record(
        topic,
        raw.partition,
        raw.offset,
        raw.timestamp,
        raw.key,
        raw.value,
        plain_headers(raw.headers),
    )


class KafkaLogReader(LogReader):
    """Assigned partitions with a place of our own; every offset must be the expected one."""

    def __init__(self, fetches: Fetches, lookup: AIOKafkaConsumer, prefix: str) -> None:
        """Take over fetches."""
        self._fetches = fetches
        self._lookup = lookup
        self._prefix = prefix
        self._next = fetches.read

    async def read(self, *, timeout_s: float = 0.5, max_records: int = 1000) -> list[Record]:
        """The next records; none is missing."""
        with self.reading(), told_refusals():
            return await self._fetches.take(timeout_s, max_records)

    def _tp(self, topic: str, partition: int) -> TopicPartition:
        return TopicPartition(self._prefix + topic, partition)

    def position(self, topic: str, partition: int) -> int:
        """The next offset of a partition."""
        return self._next[(topic, partition)]

    async def end_offsets(self) -> dict[tuple[str, int], int]:
        """The ends of the partitions, asked on a connection without fetches.

        Raises:
            BrokerUnavailable: Nobody answers.
        """
        try:
            ends = await self._lookup.end_offsets([self._tp(*pair) for pair in self._next])
        except KafkaError as error:
            raise BrokerUnavailable(
                f"no answer about the ends of the log: {in_words(error)}"
            ) from error
        skip = len(self._prefix)
        return {(tp.topic[skip:], tp.partition): end for tp, end in ends.items()}

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Go on at an offset."""
        self._fetches.seek(self._tp(topic, partition), offset)

    async def close(self) -> None:
        """Stop fetching."""
        self.closed = True
        await closed_soon(self._fetches.close())


class Group(NamedTuple):
    """What a member has to know of its group.

    Attributes:
        name: Without prefix. reset: Where it begins in a new partition, "earliest" or "latest".
        records_at: Reads the records at some offsets; what is not there is left out.
    """

    name: str
    reset: str
    records_at: Callable[
        [Mapping[tuple[str, int], int]], Awaitable[Mapping[tuple[str, int], Record]]
    ]


class KafkaGroupReader(GroupReader, ConsumerRebalanceListener):  # type: ignore[misc]  # untyped
    """A group member, which checks its places when it is given partitions.

    Where a log was cut, or deleted and created again, its group goes on at the first record that
    was written since the newest one it handled: nothing new is passed over, some may come twice.
    Where nothing is known of that, it goes on where a new group begins. A warning tells of it.
    """

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        lookup: AIOKafkaConsumer,
        prefix: str,
        on_change: Callable[[Assignment], None] | None,
        group: "Group",
    ) -> None:
        """Take over a consumer that is not started yet."""
        self._consumer = consumer
        self._lookup = lookup
        self._prefix = prefix
        self._on_change = on_change
        self._group = group
        self._assignment: Assignment = frozenset()
        self._handed: defaultdict[TopicPartition, Handed] = defaultdict(Handed)
        self._checked = asyncio.Event()
        self._moved: set[TopicPartition] = set()
        self._early: list[tuple[TopicPartition, Record]] = []

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Aiokafka calls this before a rebalance: nothing is ours until it ends."""
        self._checked.clear()
        self._early.clear()
        self._set(frozenset())

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Aiokafka calls this after a rebalance, and swallows what it raises."""
        partitions = list(assigned)
        self._moved.clear()
        try:
            async with asyncio.timeout(CHECK_S):
                await self._check_places(partitions)
        except (KafkaError, ArenaError, TimeoutError) as error:
            log.warning("group %s could not check its places: %r", self._group.name, error)
        self._checked.set()
        self._set(frozenset(map(self._pair, partitions)))

    def _pair(self, partition: TopicPartition) -> tuple[str, int]:
        return partition.topic[len(self._prefix) :], partition.partition

    async def _check_places(self, partitions: list[TopicPartition]) -> None:
        committed = await self._consumer._coordinator.fetch_committed_offsets(partitions)
        known = {tp: found for tp, found in committed.items() if found.offset >= 0}
        handled = {tp: Handled.read(found.metadata) for tp, found in known.items()}
        for partition in partitions:
            self._handed[partition].begin(handled.get(partition))
        if not known:
            return
        begins = await self._lookup.beginning_offsets(list(known))
        ends = await self._lookup.end_offsets(list(known))
        asked = {
            self._pair(tp): at.offset
            for tp, at in handled.items()
            if at is not None and begins[tp] <= at.offset < ends[tp]
        }
        records = await self._group.records_at(asked) if asked else {}
        for tp, found in known.items():
            record = records.get(self._pair(tp))
            now = None if record is None else Handled.of(record)
            why = explain(found.offset, begins[tp], ends[tp], handled[tp], now)
            if why:
                place = await self._place(tp, found.offset, begins[tp], ends[tp], handled[tp])
                self._moved.add(tp)
                self._handed[tp].begin(None)
                self._consumer.seek(tp, place)
                log.warning(
                    "group %s was at offset %d of %s[%d], but %s; it goes on at offset %d",
                    *(self._group.name, found.offset, *self._pair(tp), why, place),
                )

    async def _place(
        self, tp: TopicPartition, offset: int, begin: int, end: int, handled: Handled | None
    ) -> int:
        if offset < begin:
            return begin
        if handled is None:
            return begin if self._group.reset == "earliest" else end
        hit = (await self._lookup.offsets_for_times({tp: max(0, handled.timestamp_ms)}))[tp]
        return end if hit is None else int(hit.offset)

    def _set(self, assignment: Assignment) -> None:
        self._assignment = assignment
        if self._on_change is not None:
            self._on_change(assignment)

    async def read(self, *, timeout_s: float = 0.5, max_records: int = 500) -> list[Record]:
        """The next records of what is assigned now."""
        with self.reading(), told_refusals():
            try:
                fetched = await self._consumer.getmany(
                    timeout_ms=int(timeout_s * 1000), max_records=max_records
                )
            except CorruptRecordException as error:
                raise BrokenLog(f"group {self._group.name}: {error}", remedy=DAMAGED) from None
        skip = len(self._prefix)
        found = [
            (tp, _record(tp.topic[skip:], raw)) for tp, raws in fetched.items() for raw in raws
        ]
        found, self._early = self._early + found, []
        if found and not self._checked.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHECK_S):
                    await self._checked.wait()
            found = [pair for pair in found if pair[0] not in self._moved]
            if not self._checked.is_set():
                self._early = found
                return []
        for tp, record in found:
            if self._handed[tp].give(record):
                log.warning(
                    "group %s is given %s[%d] from offset %d again: its log was cut, or created"
                    " again, while it was read",
                    *(self._group.name, *record[:3]),
                )
        return [record for _, record in found]

    def assignment(self) -> Assignment:
        """What this member owns now."""
        return self._assignment

    async def commit(self, offsets: Mapping[tuple[str, int], int]) -> None:
        """Commit explicit offsets; what was lost in a rebalance is the new owner's to do."""
        owned: dict[TopicPartition, tuple[int, str]] = {}
        for pair, offset in offsets.items():
            if pair in self._assignment:
                partition = TopicPartition(self._prefix + pair[0], pair[1])
                handled = self._handed[partition].before(offset)
                owned[partition] = offset, handled.text() if handled else ""
        if not owned:
            return
        try:
            await self._consumer.commit(owned)
        except (CommitFailedError, IllegalStateError):
            return

    def pause(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Pause the partitions that are still assigned."""
        self._consumer.pause(*self._owned(partitions))

    def resume(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Resume the partitions that are still assigned."""
        self._consumer.resume(*self._owned(partitions))

    def _owned(self, partitions: Iterable[tuple[str, int]]) -> list[TopicPartition]:
        assigned = self._consumer.assignment()
        wanted = [TopicPartition(self._prefix + t, p) for t, p in partitions]
        return [tp for tp in wanted if tp in assigned]

    async def lag(self) -> int:
        """Sum over the partitions of the last known end less the position."""
        total = 0
        for tp in self._consumer.assignment():
            end = self._consumer.highwater(tp)
            if end is not None:
                total += max(0, end - await self._consumer.position(tp))
        return total

    async def standing(self) -> dict[tuple[str, int], Standing]:
        """Where it stands in the partitions that are not paused; position -1 where none is known.

        Raises:
            BrokerUnavailable: Nobody answers.
        """
        reading = self._consumer.assignment() - self._consumer.paused()
        try:
            ends = await self._lookup.end_offsets(list(reading)) if reading else {}
        except KafkaError as error:
            raise BrokerUnavailable(
                f"no answer about the ends of the log: {in_words(error)}"
            ) from error
        found: dict[tuple[str, int], Standing] = {}
        for tp, end in ends.items():
            position = -1
            with contextlib.suppress(TimeoutError, IllegalStateError):
                async with asyncio.timeout(POSITION_TIMEOUT_S):
                    position = await self._consumer.position(tp)
            found[tp.topic[len(self._prefix) :], tp.partition] = Standing(position, end)
        return found

    async def close(self) -> None:
        """Leave the group."""
        self.closed = True
        await closed_soon(self._consumer.stop())
