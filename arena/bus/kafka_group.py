"""Reading Kafka as a member of a group, which knows its log again.

A member checks the places of its group when it is given partitions (`commit_marks.py`). Where a log
was cut, or deleted and created again, the group continues at the first record that was written
since the newest one it handled: nothing new is passed over, some may come twice. Where nothing is
known of that, it continues where a new group begins. A warning and the heartbeats tell of it. Until
the check is answered no record is given; it is asked again for as long.

A log may also be cut under a connected member, and aiokafka does not tell: it reads on at its
place, or starts over. So after its connection to a leader was replaced, the newest record that was
given is read again before more is given; and a record whose offset was given before ends the
process (`BrokenLog`), which checks its places when it starts again. So does a record that it
handled, and that is another one when it is given the partition again.
"""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.client import ConnectionGroup
from aiokafka.consumer import fetcher
from aiokafka.errors import (
    CommitFailedError,
    CorruptRecordException,
    IllegalStateError,
    KafkaError,
)

from arena.bus.base import Assignment, GroupReader, ReaderPosition, Record, plain_headers
from arena.bus.commit_marks import CommitMark, DeliveredRecords, why_not_resumable
from arena.bus.kafka_access import authorization_errors_explained, stop_client
from arena.bus.kafka_batches import DAMAGED, Batches
from arena.bus.kafka_proof import START_AGAIN
from arena.bus.kafka_sockets import close_within_limit
from arena.error_causes import error_message
from arena.errors import ArenaError, BrokenLog, BrokerUnavailable

fetcher.MemoryRecords = Batches
"""A subclass of aiokafka's fetcher would have to repeat the whole handling of an answer."""

log = logging.getLogger(__name__)

CHECK_S = 5.0
"""A member asks the log whether the places of its group are still in it."""
CHECK_AGAIN_S = 0.2
"""From a check that no broker answered to the next."""
POSITION_TIMEOUT_S = 1.0
"""A member that was just given a partition asks the group where to begin."""
SHORT_PROOFS_MAX = 20
"""Proofs in which a log ends too early: a new leader learns late how far it goes."""
SHORT_PROOF_S = 1.0
"""From one of them to the next."""

Pair = tuple[str, int]
Ends = Mapping[TopicPartition, int]
UNANSWERED = (KafkaError, ArenaError, TimeoutError)


class GroupConfig(NamedTuple):
    """What a member has to know of its group.

    Attributes:
        name: Without prefix. reset: Where it begins in a new partition, "earliest" or "latest".
        records_at: Reads the records at some offsets; what is not there is left out.
        note_lost: Keeps what is lost for the heartbeats: topic, partition, group, words.
    """

    name: str
    reset: str
    records_at: Callable[[Mapping[Pair, int]], Awaitable[Mapping[Pair, Record]]]
    note_lost: Callable[[str, int, str, str], None]


class KafkaGroupReader(GroupReader, ConsumerRebalanceListener):  # type: ignore[misc]  # untyped
    """A member of a group."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        lookup: AIOKafkaConsumer,
        prefix: str,
        on_change: Callable[[Assignment], None] | None,
        group: GroupConfig,
    ) -> None:
        """Take over a consumer that is not started yet."""
        self._consumer = consumer
        self._lookup = lookup
        self._prefix = prefix
        self._on_change = on_change
        self._group = group
        self._assignment: Assignment = frozenset()
        self._handed: defaultdict[TopicPartition, DeliveredRecords] = defaultdict(DeliveredRecords)
        self._checked = asyncio.Event()
        self._checker: asyncio.Task[None] | None = None
        self._fetched: list[tuple[TopicPartition, Record]] = []
        self._links: dict[TopicPartition, object] = {}
        self._short_proofs = 0
        self._failure: BrokenLog | None = None
        self.resumed = self._resumed = dict[Pair, int]()
        self.committed = self._committed = dict[Pair, int]()

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Aiokafka calls this before a rebalance: nothing is ours until it ends."""
        if self._checker is not None:
            self._checker.cancel()
        self._checked.clear()
        self._fetched.clear()
        self._set(frozenset())

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Aiokafka calls this after a rebalance, and swallows what it raises."""
        partitions = list(assigned)
        self._resumed.clear()
        self._committed.clear()
        self._links.clear()
        if not await self._check(partitions):
            log.warning("group %s could not check its places; it asks again", self._group.name)
            self._checker = asyncio.create_task(self._check_again(partitions))

    async def _check_again(self, partitions: list[TopicPartition]) -> None:
        while True:
            await asyncio.sleep(CHECK_AGAIN_S)
            if await self._check(partitions):
                return

    async def _check(self, partitions: list[TopicPartition]) -> bool:
        """Check the places and begin; False if no broker answers."""
        try:
            async with asyncio.timeout(CHECK_S):
                # What this process handled must be there: it may know records by their offsets.
                own = {tp: self._handed[tp].given for tp in partitions}
                if not await self._prove(own):
                    return False
                await self._check_places(partitions)
        except BrokenLog as error:
            self._failure = error
        except UNANSWERED as error:
            log.info("group %s got no answer about its places: %r", self._group.name, error)
            return False
        self._begin(partitions)
        return True

    def _begin(self, partitions: Iterable[TopicPartition]) -> None:
        self._checked.set()
        self._set(frozenset(map(self._pair, partitions)))

    def _pair(self, partition: TopicPartition) -> Pair:
        return partition.topic[len(self._prefix) :], partition.partition

    async def _check_places(self, partitions: list[TopicPartition]) -> None:
        committed = await self._consumer._coordinator.fetch_committed_offsets(partitions)
        known = {tp: found for tp, found in committed.items() if found.offset >= 0}
        handled = {tp: CommitMark.read(found.metadata) for tp, found in known.items()}
        for partition in partitions:
            self._handed[partition].begin(handled.get(partition))
        if not known:
            return
        begins, ends, records = await self._look_up(handled)
        self._committed |= {self._pair(tp): found.offset for tp, found in known.items()}
        for tp, found in known.items():
            record = records.get(self._pair(tp))
            now = None if record is None else CommitMark.of(record)
            why = why_not_resumable(found.offset, begins[tp], ends[tp], handled[tp], now)
            if not why:
                self._resumed[self._pair(tp)] = found.offset
                continue
            place = await self._place(tp, found.offset, begins[tp], ends[tp], handled[tp])
            self._move(tp, place, f"at offset {found.offset}", why)

    async def _look_up(
        self, handled: Mapping[TopicPartition, CommitMark | None]
    ) -> tuple[Ends, Ends, Mapping[Pair, Record]]:
        """The first and the next offset of logs, and the records now at those handled."""
        begins = await self._lookup.beginning_offsets(list(handled))
        ends = await self._lookup.end_offsets(list(handled))
        asked = {
            self._pair(tp): at.offset
            for tp, at in handled.items()
            if at is not None and begins[tp] <= at.offset < ends[tp]
        }
        return begins, ends, await self._group.records_at(asked) if asked else {}

    async def _place(
        self, tp: TopicPartition, offset: int, begin: int, end: int, handled: CommitMark | None
    ) -> int:
        if offset < begin:
            return begin
        if handled is None:
            return begin if self._group.reset == "earliest" else end
        hit = (await self._lookup.offsets_for_times({tp: max(0, handled.timestamp_ms)}))[tp]
        return end if hit is None else int(hit.offset)

    def _move(self, tp: TopicPartition, place: int, was: str, why: str) -> None:
        """Continue elsewhere, and say so."""
        topic, partition = self._pair(tp)
        self._handed[tp].begin(None)
        self._consumer.seek(tp, place)
        # What was fetched before is not what comes at the new place.
        self._fetched = [pair for pair in self._fetched if pair[0] != tp]
        name = self._group.name
        words = f"group {name} was {was} of {topic}[{partition}], but {why}; it continues at offset"
        log.warning("%s %d", words, place)
        self._group.note_lost(topic, partition, name, f"{words} {place}")

    def _set(self, assignment: Assignment) -> None:
        self._assignment = assignment
        if self._on_change is not None:
            self._on_change(assignment)

    async def read(self, *, timeout_s: float = 0.5, max_records: int = 500) -> list[Record]:
        """The next records of what is assigned now.

        Raises:
            BrokenLog: A log is not the one that was read, or a batch is damaged.
        """
        self._raise_failure()
        with self.reading(), authorization_errors_explained():
            if not self._fetched:  # What waits for a check is given before more is fetched.
                self._fetched = await self._fetch(timeout_s, max_records)
        if not await self._may_give():
            return []
        found, self._fetched = self._fetched, []
        for tp, record in found:
            if self._handed[tp].give(record):
                raise BrokenLog(
                    "{}[{}]: offset {} comes again: its log was cut, or created again".format(
                        *record[:3]
                    ),
                    remedy=START_AGAIN,
                )
        return [record for _, record in found]

    async def _fetch(
        self, timeout_s: float, max_records: int
    ) -> list[tuple[TopicPartition, Record]]:
        try:
            fetched = await self._consumer.getmany(
                timeout_ms=int(timeout_s * 1000), max_records=max_records
            )
        except CorruptRecordException as error:
            raise BrokenLog(f"group {self._group.name}: {error}", remedy=DAMAGED) from None
        skip = len(self._prefix)
        return [(tp, _record(tp.topic[skip:], raw)) for tp, raws in fetched.items() for raw in raws]

    async def _may_give(self) -> bool:
        """True where every place was checked, and the logs are proved after a lost connection."""
        if self._fetched and not self._checked.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHECK_S):
                    await self._checked.wait()
            if not self._checked.is_set():
                return False
        self._raise_failure()
        links = {tp: self._link(tp) for tp in self._consumer.assignment()}
        fetched = {tp for tp, _ in self._fetched}
        doubted = [tp for tp in fetched if self._links.get(tp, links.get(tp)) is not links.get(tp)]
        if doubted:
            try:
                async with asyncio.timeout(CHECK_S):
                    if not await self._prove({tp: self._handed[tp].newest() for tp in doubted}):
                        return False
            except BrokenLog:
                raise
            except UNANSWERED as error:
                log.info("group %s could not prove its logs: %r", self._group.name, error)
                await asyncio.sleep(CHECK_AGAIN_S)
                return False
        given = {tp: link for tp, link in links.items() if tp in fetched or tp not in self._links}
        self._links |= {tp: link for tp, link in given.items() if link is not None}
        return True

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _link(self, tp: TopicPartition) -> object:
        """The connection to the leader of a partition, or None: a new one is another object."""
        client = self._consumer._client
        leader = client.cluster.leader_for_partition(tp)
        return client._conns.get((leader, ConnectionGroup.DEFAULT))

    async def _prove(self, known: Mapping[TopicPartition, CommitMark | None]) -> bool:
        """See that records which were handled are still there; False to ask again.

        Raises:
            BrokenLog: Another one is, or the log stays too short.
        """
        newest = {tp: handled for tp, handled in known.items() if handled is not None}
        if not newest:
            return True
        begins, ends, records = await self._look_up(newest)
        for tp, handled in newest.items():
            record = records.get(self._pair(tp))
            if record is not None and CommitMark.of(record) == handled:
                continue
            if record is None and (begins[tp] > handled.offset or ends[tp] > handled.offset):
                continue  # It was deleted as too old, or cannot be read: which proves nothing.
            if record is None and self._short_proofs < SHORT_PROOFS_MAX:
                self._short_proofs += 1
                await asyncio.sleep(SHORT_PROOF_S)
                return False
            topic, partition = self._pair(tp)
            raise BrokenLog(
                f"{topic}[{partition}]: the record at offset {handled.offset}, which was handled,"
                f" is {'gone' if record is None else 'another one now'}",
                remedy="the log was cut, or deleted and created again; " + START_AGAIN,
            )
        self._short_proofs = 0
        return True

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

    async def positions(self) -> dict[tuple[str, int], ReaderPosition]:
        """Where it stands in the partitions that are not paused; position -1 where none is known.

        Raises:
            BrokerUnavailable: No broker answers.
        """
        reading = self._consumer.assignment() - self._consumer.paused()
        try:
            ends = await self._lookup.end_offsets(list(reading)) if reading else {}
        except KafkaError as error:
            raise BrokerUnavailable(
                f"no answer about the ends of the log: {error_message(error)}",
                remedy="does the broker run? `arena broker status` asks it",
            ) from error
        found: dict[tuple[str, int], ReaderPosition] = {}
        for tp, end in ends.items():
            position = -1
            with contextlib.suppress(TimeoutError, IllegalStateError):
                async with asyncio.timeout(POSITION_TIMEOUT_S):
                    position = await self._consumer.position(tp)
            found[tp.topic[len(self._prefix) :], tp.partition] = ReaderPosition(position, end)
        return found

    async def close(self) -> None:
        """Leave the group."""
        self.closed = True
        if self._checker is not None:
            self._checker.cancel()
        await close_within_limit(stop_client(self._consumer))


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
