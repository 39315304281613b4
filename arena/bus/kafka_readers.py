"""The two ways to read Kafka: a log with a place of our own, and a member of a group."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.consumer import fetcher
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from arena.bus.base import (
    Assignment,
    GroupReader,
    LogReader,
    Record,
    Standing,
    plain_headers,
)
from arena.bus.kafka_access import told_refusals
from arena.bus.kafka_batches import Batches
from arena.bus.kafka_fetch import Fetches
from arena.errors import BrokerUnavailable

fetcher.MemoryRecords = Batches
"""A subclass of aiokafka's fetcher would have to repeat the whole handling of an answer."""

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
            raise BrokerUnavailable(f"no answer about the ends of the log: {error!r}") from error
        skip = len(self._prefix)
        return {(tp.topic[skip:], tp.partition): end for tp, end in ends.items()}

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Go on at an offset."""
        self._fetches.seek(self._tp(topic, partition), offset)

    async def close(self) -> None:
        """Stop fetching."""
        self.closed = True
        await self._fetches.close()


class KafkaGroupReader(GroupReader, ConsumerRebalanceListener):  # type: ignore[misc]  # untyped
    """A group member; the rebalance callbacks only set flags (aiokafka swallows their errors)."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        lookup: AIOKafkaConsumer,
        prefix: str,
        on_change: Callable[[Assignment], None] | None,
    ) -> None:
        """Take over a consumer that is not started yet."""
        self._consumer = consumer
        self._lookup = lookup
        self._prefix = prefix
        self._on_change = on_change
        self._assignment: Assignment = frozenset()

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Aiokafka calls this before a rebalance: nothing is ours until it ends."""
        self._set(frozenset())

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Aiokafka calls this after a rebalance."""
        skip = len(self._prefix)
        self._set(frozenset((tp.topic[skip:], tp.partition) for tp in assigned))

    def _set(self, assignment: Assignment) -> None:
        self._assignment = assignment
        if self._on_change is not None:
            self._on_change(assignment)

    async def read(self, *, timeout_s: float = 0.5, max_records: int = 500) -> list[Record]:
        """The next records of what is assigned now."""
        with self.reading(), told_refusals():
            fetched = await self._consumer.getmany(
                timeout_ms=int(timeout_s * 1000), max_records=max_records
            )
        skip = len(self._prefix)
        return [_record(tp.topic[skip:], raw) for tp, raws in fetched.items() for raw in raws]

    def assignment(self) -> Assignment:
        """What this member owns now."""
        return self._assignment

    async def commit(self, offsets: Mapping[tuple[str, int], int]) -> None:
        """Commit explicit offsets; what was lost in a rebalance is the new owner's to do."""
        owned = {
            TopicPartition(self._prefix + topic, partition): offset
            for (topic, partition), offset in offsets.items()
            if (topic, partition) in self._assignment
        }
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
            raise BrokerUnavailable(f"no answer about the ends of the log: {error!r}") from error
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
        await self._consumer.stop()
