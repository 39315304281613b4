"""A member of a consumer group that detects a truncated or recreated log.

When partitions are assigned, a member checks the group's committed offsets (`commit_marks.py`). If
a log was truncated, or deleted and created again, the group continues at the first record that was
written after the newest one it handled: no new record is skipped, some may come twice. If the
newest handled record is unknown, the group continues at its start position. A warning and the
heartbeats report this. Before the check has an answer no record is delivered; it is retried.

A log may also be truncated while a member is connected, and aiokafka does not report it: it
continues at its offset, or starts again. So after the connection to a leader was replaced, or a
fetch failed so that the leaders were looked up again, the newest delivered record is read again
before more are delivered. A record whose offset was delivered
before ends the process (`BrokenLog`), which checks its offsets at the next start. So does a handled
record that has changed when the partition is assigned again.
"""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.consumer import fetcher
from aiokafka.errors import CommitFailedError, CorruptRecordException, IllegalStateError, KafkaError

from arena.bus.base import Assignment, GroupReader, ReaderPosition, Record, plain_headers
from arena.bus.commit_marks import CommitMark, DeliveredRecords, why_not_resumable
from arena.bus.kafka_access import authorization_errors_explained, stop_client
from arena.bus.kafka_batches import DAMAGED, Batches
from arena.bus.kafka_proof import START_AGAIN
from arena.bus.kafka_routes import Routes
from arena.bus.kafka_sockets import close_within_limit
from arena.error_causes import error_message
from arena.errors import ArenaError, BrokenLog, BrokerUnavailable

fetcher.MemoryRecords = Batches
"""Replaced here: a subclass of aiokafka's fetcher would have to copy its answer handling."""

log = logging.getLogger(__name__)

CHECK_S = 5.0
"""Time limit of a check of the group's offsets against the log."""
CHECK_AGAIN_S = 0.2
"""Pause after a check without an answer."""
POSITION_TIMEOUT_S = 1.0
"""Time limit for the position of a partition that was just assigned."""
SHORT_PROOFS_MAX = 20
"""Limit of proofs in which the log ends too early: a new leader learns its end late."""
SHORT_PROOF_S = 1.0
"""Pause after such a proof."""

Pair = tuple[str, int]
Ends = Mapping[TopicPartition, int]
UNANSWERED = (KafkaError, ArenaError, TimeoutError)


class GroupConfig(NamedTuple):
    """Configuration of a group's member.

    Attributes:
        name: Name of the group, without prefix.
        reset: Start in a partition without a committed offset: "earliest" or "latest".
        records_at: Reads the records at some offsets; missing ones are left out.
        leader_lookups: How often the member has looked up the leaders because something failed.
        note_lost: Reports lost records for the heartbeats: topic, partition, group, description.
    """

    name: str
    reset: str
    records_at: Callable[[Mapping[Pair, int]], Awaitable[Mapping[Pair, Record]]]
    leader_lookups: Callable[[], int]
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
        """Take a consumer that is not started yet, and a consumer for lookups."""
        self._consumer = consumer
        self._lookup = lookup
        self._prefix = prefix
        self._on_change = on_change
        self._group = group
        self._assignment: Assignment = frozenset()
        self._delivered = defaultdict[TopicPartition, DeliveredRecords](DeliveredRecords)
        self._checked = asyncio.Event()
        self._checker: asyncio.Task[None] | None = None
        self._fetched: list[tuple[TopicPartition, Record]] = []
        self._routes = Routes(consumer, group.leader_lookups)
        self._short_proofs = 0
        self._failure: BrokenLog | None = None
        self.resumed = self._resumed = dict[Pair, int]()
        self.committed = self._committed = dict[Pair, int]()

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Called by aiokafka before a rebalance: no partition is owned until it ends."""
        if self._checker is not None:
            self._checker.cancel()
        self._checked.clear()
        self._fetched.clear()
        self._set(frozenset())

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Called by aiokafka after a rebalance; it swallows exceptions."""
        partitions = list(assigned)
        self._resumed.clear()
        self._committed.clear()
        self._routes.clear()
        if not await self._check(partitions):
            log.warning("group %s could not check its offsets; retrying", self._group.name)
            self._checker = asyncio.create_task(self._check_again(partitions))

    async def _check_again(self, partitions: list[TopicPartition]) -> None:
        while True:
            await asyncio.sleep(CHECK_AGAIN_S)
            if await self._check(partitions):
                return

    async def _check(self, partitions: list[TopicPartition]) -> bool:
        """Check the committed offsets and start; False if no broker answers."""
        try:
            async with asyncio.timeout(CHECK_S):
                # Records that this process handled must exist: it may refer to their offsets.
                own = {tp: self._delivered[tp].last_delivered for tp in partitions}
                if not await self._prove(own):
                    return False
                await self._check_offsets(partitions)
        except BrokenLog as error:
            self._failure = error
        except UNANSWERED as error:
            log.info("group %s got no answer about its offsets: %r", self._group.name, error)
            return False
        self._begin(partitions)
        return True

    def _begin(self, partitions: Iterable[TopicPartition]) -> None:
        self._checked.set()
        self._set(frozenset(map(self._pair, partitions)))

    def _pair(self, partition: TopicPartition) -> Pair:
        return partition.topic[len(self._prefix) :], partition.partition

    async def _check_offsets(self, partitions: list[TopicPartition]) -> None:
        committed = await self._consumer._coordinator.fetch_committed_offsets(partitions)
        known = {tp: found for tp, found in committed.items() if found.offset >= 0}
        handled = {tp: CommitMark.read(found.metadata) for tp, found in known.items()}
        for partition in partitions:
            self._delivered[partition].restart(handled.get(partition))
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
            resume_at = await self._resume_offset(
                tp, found.offset, begins[tp], ends[tp], handled[tp]
            )
            self._move(tp, resume_at, f"at offset {found.offset}", why)

    async def _look_up(
        self, handled: Mapping[TopicPartition, CommitMark | None]
    ) -> tuple[Ends, Ends, Mapping[Pair, Record]]:
        """First and end offsets of logs, and the current records at the handled offsets."""
        begins = await self._lookup.beginning_offsets(list(handled))
        ends = await self._lookup.end_offsets(list(handled))
        asked = {
            self._pair(tp): at.offset
            for tp, at in handled.items()
            if at is not None and begins[tp] <= at.offset < ends[tp]
        }
        return begins, ends, await self._group.records_at(asked) if asked else {}

    async def _resume_offset(
        self, tp: TopicPartition, offset: int, begin: int, end: int, handled: CommitMark | None
    ) -> int:
        if offset < begin:
            return begin
        if handled is None:
            return begin if self._group.reset == "earliest" else end
        hit = (await self._lookup.offsets_for_times({tp: max(0, handled.timestamp_ms)}))[tp]
        return end if hit is None else int(hit.offset)

    def _move(self, tp: TopicPartition, resume_at: int, was: str, why: str) -> None:
        """Continue at another offset, and report it."""
        topic, partition = self._pair(tp)
        self._delivered[tp].restart(None)
        self._consumer.seek(tp, resume_at)
        # Records that were fetched before are not those at the new offset.
        self._fetched = [pair for pair in self._fetched if pair[0] != tp]
        name = self._group.name
        words = f"group {name} was {was} of {topic}[{partition}], but {why}; it continues at offset"
        log.warning("%s %d", words, resume_at)
        self._group.note_lost(topic, partition, name, f"{words} {resume_at}")

    def _set(self, assignment: Assignment) -> None:
        self._assignment = assignment
        if self._on_change is not None:
            self._on_change(assignment)

    async def read(self, *, timeout_s: float = 0.5, max_records: int = 500) -> list[Record]:
        """The next records of the assigned partitions.

        Raises:
            BrokenLog: A log is not the one that was read, or a batch is damaged.
        """
        self._raise_failure()
        with self.reading(), authorization_errors_explained():
            if not self._fetched:  # Fetched records that wait for a check come first.
                self._fetched = await self._fetch(timeout_s, max_records)
        if not await self._may_deliver():
            return []
        found, self._fetched = self._fetched, []
        for tp, record in found:
            if self._delivered[tp].note_delivered(record):
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

    async def _may_deliver(self) -> bool:
        """True if all offsets were checked, and the logs were proved after a lost connection."""
        if self._fetched and not self._checked.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHECK_S):
                    await self._checked.wait()
            if not self._checked.is_set():
                return False
        self._raise_failure()
        fetched = {tp for tp, _ in self._fetched}
        routes = self._routes.now()
        unproven = self._routes.changed(routes, fetched)
        if unproven:
            try:
                async with asyncio.timeout(CHECK_S):
                    if not await self._prove({tp: self._delivered[tp].newest() for tp in unproven}):
                        return False
            except BrokenLog:
                raise
            except UNANSWERED as error:
                log.info("group %s could not prove its logs: %r", self._group.name, error)
                await asyncio.sleep(CHECK_AGAIN_S)
                return False
        self._routes.note(routes, fetched)
        return True

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    async def _prove(self, known: Mapping[TopicPartition, CommitMark | None]) -> bool:
        """Check that handled records still exist; False to try again.

        Raises:
            BrokenLog: Another record is at the offset, or the log stays too short.
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
                continue  # Deleted by retention, or unreadable: this proves nothing.
            if record is None and self._short_proofs < SHORT_PROOFS_MAX:
                self._short_proofs += 1
                await asyncio.sleep(SHORT_PROOF_S)
                return False
            topic, partition = self._pair(tp)
            raise BrokenLog(
                f"{topic}[{partition}]: the record at offset {handled.offset}, which was handled,"
                f" {'is gone' if record is None else 'has changed'}",
                remedy="the log was cut, or deleted and created again; " + START_AGAIN,
            )
        self._short_proofs = 0
        return True

    def assignment(self) -> Assignment:
        """The partitions that this member owns now."""
        return self._assignment

    async def commit(self, offsets: Mapping[tuple[str, int], int]) -> None:
        """Commit offsets of owned partitions; others belong to a new owner after a rebalance."""
        owned: dict[TopicPartition, tuple[int, str]] = {}
        for pair, offset in offsets.items():
            if pair in self._assignment:
                partition = TopicPartition(self._prefix + pair[0], pair[1])
                handled = self._delivered[partition].before(offset)
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
        """Sum over the partitions of the last known end minus the position."""
        total = 0
        for tp in self._consumer.assignment():
            end = self._consumer.highwater(tp)
            if end is not None:
                total += max(0, end - await self._consumer.position(tp))
        return total

    async def positions(self) -> dict[tuple[str, int], ReaderPosition]:
        """Positions in the partitions that are not paused; -1 for an unknown position.

        Raises:
            BrokerUnavailable: No broker answers.
        """
        reading = self._consumer.assignment() - self._consumer.paused()
        try:
            ends = await self._lookup.end_offsets(list(reading)) if reading else {}
        except KafkaError as error:
            raise BrokerUnavailable(
                f"no answer about the ends of the log: {error_message(error)}",
                remedy="check that the broker runs: `arena broker status`",
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
    headers = plain_headers(raw.headers)
    return Record(topic, raw.partition, raw.offset, raw.timestamp, raw.key, raw.value, headers)
