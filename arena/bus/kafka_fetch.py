"""Fetches partitions at our own offsets, with aiokafka's connections and record parser.

aiokafka's consumer is made for groups: for each answer it creates a task, waits for several futures
and builds records with eleven fields. A log reader has fixed partitions, so one request per leader
is enough: the broker holds it until there are records, and it is sent again after each answer.
Connections, logins, versions, metadata, and the decoding and checks of batches are aiokafka's. The
protocol: https://kafka.apache.org/43/design/protocol (Fetch).

Every record is read in offset order, even one of an aborted or open transaction: so all readers
agree, and an open transaction does not delay them. Transaction markers take offsets but are not
records; a reader skips them.

A log may be truncated, or deleted and created again, while this process is disconnected. So if a
request failed, went to another broker or was late, the newest fetched record is fetched again first
(`kafka_proof.py`), and reading continues only after that same record.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from itertools import islice
from typing import Any

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    KafkaError,
    OffsetOutOfRangeError,
    TopicAuthorizationFailedError,
    for_code,
)
from aiokafka.protocol.fetch import FetchRequest

from arena.bus.base import Record
from arena.bus.kafka_batches import batches_of, missing, newest_record
from arena.bus.kafka_batches import records_of as _records
from arena.bus.kafka_proof import START_AGAIN, LogProof
from arena.errors import BrokenLog
from arena.topics import spec_of

log = logging.getLogger(__name__)

RETRY_S = 0.05
"""Pause after a failed request."""
PROOF_AFTER_S = 0.1
"""Time from an answer to the next request after which the log is proved again. In less time a topic
cannot be deleted, created and filled again."""
ANSWERS_MAX = 2
"""Limit of unread answers; at the limit no more requests are sent."""
PARTITION_BYTES_MAX = 1 << 20
ANSWER_BYTES_MAX = 8 << 20
READ_UNCOMMITTED = 0
NO_LEADER = -1

# Any: what aiokafka decodes from an answer is untyped.
Answer = Any


class FetchedPartition:
    """The unread records of one partition in one answer.

    Attributes:
        partition: Topic with prefix, and partition.
        pair: Topic without prefix, and partition.
        records: The remaining records.
        at: The next offset to read.
        end: The offset after the answer.
        data: The bytes of the answer.
    """

    __slots__ = ("at", "data", "end", "pair", "partition", "records")

    def __init__(
        self,
        partition: TopicPartition,
        pair: tuple[str, int],
        records: Iterator[Record],
        at: int,
        end: int,
        data: bytes,
    ) -> None:
        """Take the records of an answer; see the attributes."""
        self.partition = partition
        self.pair = pair
        self.records = records
        self.at = at
        self.end = end
        self.data = data


class PartitionFetcher:
    """Fetches records from the leaders of partitions, from given offsets on.

    The first request is sent by the first `take`. Used by one task at a time. After a failure,
    every further `take` raises it again.

    Attributes:
        next_offsets: (topic without prefix, partition) -> the offset after the records of `take`.
    """

    def __init__(
        self,
        client: AIOKafkaClient,
        prefix: str,
        offsets: dict[TopicPartition, int],
        wait_ms: int,
        begin_of: Callable[[TopicPartition], Awaitable[int]],
    ) -> None:
        """Take a client that has the topics' metadata.

        Args:
            client: Connected, used for these fetches only: a held fetch delays later requests.
            prefix: Prefix of the topics, which records do not have.
            offsets: First offset to read of each partition; topics with prefix.
            wait_ms: How long a broker may hold a fetch without records.
            begin_of: Looks up the first offset of a partition.
        """
        self._client = client
        self._offsets = offsets
        self._wait_ms = wait_ms
        self._begin_of = begin_of
        self._pairs = {tp: (tp.topic[len(prefix) :], tp.partition) for tp in offsets}
        self._compacted = {tp for tp, pair in self._pairs.items() if spec_of(pair[0]).compacted}
        self.next_offsets = {self._pairs[tp]: offset for tp, offset in offsets.items()}
        self._last: dict[tuple[str, int], Record] = {}
        self._proofs: dict[TopicPartition, LogProof] = {}
        self._answers: deque[FetchedPartition] = deque()
        self._waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._room = asyncio.Event()
        self._fetch_task: asyncio.Task[None] | None = None
        self._failure: BrokenLog | None = None

    async def take(self, timeout_s: float, records_max: int) -> list[Record]:
        """Fetched records, oldest first within a partition; empty after the timeout.

        Raises:
            BrokenLog: An offset is not in its log, a record is missing, a batch is damaged, or the
                log is not the one that was read.
            TopicAuthorizationFailedError: This login may not read the topic.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        if self._failure is None and not self._answers:
            await self._wait(timeout_s)
        records = self._fetched(records_max)
        while not records and self._is_fetching() and (left := deadline - loop.time()) > 0:
            await self._wait(left)  # The answers had markers only.
            records = self._fetched(records_max)
        return records

    def _fetched(self, records_max: int) -> list[Record]:
        if self._failure is not None:
            raise self._failure
        records: list[Record] = []
        try:
            while self._answers and len(records) < records_max:
                records += self._next_of(self._answers[0], records_max - len(records))
        except BrokenLog as error:
            self._failure = error
            raise
        return records

    def _next_of(self, answer: FetchedPartition, wanted: int) -> list[Record]:
        pair = answer.pair
        if answer.at != self.next_offsets[pair]:
            raise missing(*pair, self.next_offsets[pair], answer.at)
        found = list(islice(answer.records, wanted))
        if found:
            self._last[pair] = found[-1]
            self.next_offsets[pair] = answer.at = found[-1].offset + 1
        if len(found) < wanted:
            self.next_offsets[pair] = answer.end
            self._answers.popleft()
            self._room.set()
        return found

    def _is_fetching(self) -> bool:
        return self._fetch_task is not None and not self._fetch_task.done()

    async def _wait(self, timeout_s: float) -> None:
        if self._fetch_task is None and self._offsets:
            self._fetch_task = asyncio.create_task(self._fetch_from_leaders())
            self._fetch_task.add_done_callback(lambda _: self._wake())
        self._raise_failure()
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer = loop.call_later(timeout_s, self._wake)
        try:
            await self._waiter
        finally:
            timer.cancel()
        self._raise_failure()

    def _raise_failure(self) -> None:
        # If the reader is closed meanwhile, the reading task must not be cancelled.
        if (
            self._fetch_task is not None
            and self._fetch_task.done()
            and not self._fetch_task.cancelled()
        ):
            self._fetch_task.result()

    def _wake(self) -> None:
        if not self._waiter.done():
            self._waiter.set_result(None)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Continue at an offset, and drop the fetched records of the partition."""
        self._offsets[partition] = offset
        self.next_offsets[self._pairs[partition]] = offset
        self._last.pop(self._pairs[partition], None)
        self._proofs.pop(partition, None)
        self._answers = deque(answer for answer in self._answers if answer.partition != partition)
        self._room.set()

    async def close(self) -> None:
        """Stop fetching, and disconnect."""
        if self._fetch_task is not None:
            self._fetch_task.cancel()
            await asyncio.gather(self._fetch_task, return_exceptions=True)
        await self._client.close()

    async def _fetch_from_leaders(self) -> None:
        """Keep a task per leader; when one ends, look up the leaders again."""
        tasks: dict[int, asyncio.Task[None]] = {}
        try:
            while True:
                leaders = {self._leader(partition) for partition in self._offsets}
                for node in leaders - tasks.keys() - {NO_LEADER}:
                    tasks[node] = asyncio.create_task(self._fetch_from(node))
                if NO_LEADER not in leaders:
                    await asyncio.wait(tasks.values(), return_when=asyncio.FIRST_COMPLETED)
                for node in [node for node, task in tasks.items() if task.done()]:
                    tasks.pop(node).result()
                await asyncio.sleep(RETRY_S)
                await self._client.force_metadata_update()
        finally:
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)

    def _leader(self, partition: TopicPartition) -> int:
        node = self._client.cluster.leader_for_partition(partition)
        return NO_LEADER if node is None else node

    async def _fetch_from(self, node: int) -> None:
        """Fetch from one broker repeatedly, until it fails or leads none of the partitions."""
        loop = asyncio.get_running_loop()
        known: set[TopicPartition] = set()
        answered = 0.0
        while asked := [tp for tp in self._offsets if self._leader(tp) == node]:
            late = loop.time() - answered > PROOF_AFTER_S
            for partition in asked:
                if late or partition not in known:
                    self._prove_newest(partition)
            known = set(asked)
            offsets = {tp: self._offsets[tp] for tp in asked}
            try:
                answer = await self._client.send(node, self._request(offsets))
            except KafkaError as error:
                log.info("fetch from broker %d failed: %r", node, error)
                return
            if not self._store(answer, offsets) or not await self._check_proofs():
                return
            answered = loop.time()
            while len(self._answers) >= ANSWERS_MAX:
                self._room.clear()
                await self._room.wait()

    def _prove_newest(self, partition: TopicPartition) -> None:
        """Fetch the newest record of a partition again, before the records after it."""
        if partition in self._proofs:
            return
        compacted = partition in self._compacted
        waiting = [a.data for a in self._answers if a.partition == partition]
        found = (newest_record(*self._pairs[partition], data) for data in reversed(waiting))
        newest = next(filter(None, found), None) or self._last.get(self._pairs[partition])
        if newest is not None:
            self._proofs[partition] = LogProof(newest, self._offsets[partition], compacted)
            self._offsets[partition] = newest.offset

    def _request(self, offsets: dict[TopicPartition, int]) -> FetchRequest:
        topics: dict[str, list[tuple[int, int, int]]] = {}
        for (topic, partition), offset in offsets.items():
            topics.setdefault(topic, []).append((partition, offset, PARTITION_BYTES_MAX))
        return FetchRequest(
            self._wait_ms, 1, ANSWER_BYTES_MAX, READ_UNCOMMITTED, list(topics.items())
        )

    def _store(self, answer: Answer, offsets: dict[TopicPartition, int]) -> bool:
        """Store the records of an answer; False if the leaders must be looked up again.

        Raises:
            BrokenLog: An offset is not in its log, or the log is another one.
            TopicAuthorizationFailedError: This login may not read the topic.
        """
        sound = True
        for topic, partitions in answer.topics:
            for number, code, highwater, *_, data in partitions:
                partition = TopicPartition(topic, number)
                offset = offsets[partition]
                if self._offsets[partition] != offset:
                    continue  # A seek has moved it meanwhile.
                proof = self._proofs.get(partition)
                if proof is not None and for_code(code) is OffsetOutOfRangeError:
                    proof.out_of_range = True
                elif code:
                    sound = False
                    _check(partition, offset, code)
                elif data:
                    self._add(partition, offset, data)
                elif proof is not None and proof.note_no_record(highwater):
                    self._offsets[partition] = self._proofs.pop(partition).resume_at
        return sound

    async def _check_proofs(self) -> bool:
        """Check why a record that would prove a log is not in it; False without an answer.

        Raises:
            BrokenLog: It was truncated, not deleted by retention.
        """
        for partition, proof in list(self._proofs.items()):
            if proof.out_of_range:
                proof.out_of_range = False
                try:
                    proof.check_begin(await self._begin_of(partition))
                except KafkaError as error:
                    log.info("no answer about the start of %s[%d]: %r", *partition, error)
                    return False
                if self._proofs.get(partition) is proof:
                    self._offsets[partition] = self._proofs.pop(partition).resume_at
        return True

    def _add(self, partition: TopicPartition, offset: int, data: bytes) -> None:
        """Store batches and note the next offset, without decoding them."""
        batches = batches_of(data)
        if not batches:
            return
        compacted = partition in self._compacted
        pair = self._pairs[partition]
        records = _records(*pair, offset, batches, data, compacted=compacted)
        at = offset
        proof = self._proofs.get(partition)
        if proof is not None:
            records = proof.records_after(records)
            at = proof.resume_at
            del self._proofs[partition]
        self._offsets[partition] = max(at, batches[-1].next_offset)
        self._answers.append(
            FetchedPartition(partition, pair, records, at, self._offsets[partition], data)
        )
        self._wake()


def _check(partition: TopicPartition, offset: int, code: int) -> None:
    """Raise the error of a fetch, unless a lookup of the leaders may help."""
    kind = for_code(code)
    if kind is OffsetOutOfRangeError:
        raise BrokenLog(
            f"{partition.topic}[{partition.partition}] has no offset {offset}",
            remedy="it was deleted by the topic's retention, or the log lost its tail; "
            + START_AGAIN,
        )
    if kind is TopicAuthorizationFailedError:
        raise kind(partition.topic)
    log.info("fetch of %s[%d] failed: %s", *partition, kind.__name__)
