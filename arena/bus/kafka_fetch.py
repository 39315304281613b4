"""Fetches of partitions with a place of our own, over aiokafka's connections and record parser.

aiokafka's consumer is made for groups: for each answer it makes a task, waits for several futures
and builds records of eleven fields. A log reader has fixed partitions, so one request at each of
their leaders is enough: held by the broker until there is something, and sent again as soon as it
is answered. Connections, logins, versions, metadata, and the decoding and checking of batches are
aiokafka's. The protocol: https://kafka.apache.org/43/design/protocol (Fetch).

Every record is read, in the order of its offset, also one of a transaction that was aborted or is
open: so all readers agree, and nobody's open transaction holds them up. The markers that end a
transaction take offsets and are no records; a reader passes over them.

A log may be cut, or deleted and created again, while nobody is connected to it. So where a request
failed, came from another broker or came late, the newest record that was fetched is fetched again
first (`kafka_proof.py`), and the log is read on only behind that same record.
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
"""From a failed request to the next."""
DOUBT_S = 0.1
"""From an answer to the next request: within that no topic is deleted, made and filled again."""
ANSWERS_MAX = 2
"""Answers that may wait to be read; then nothing more is asked for."""
PARTITION_BYTES_MAX = 1 << 20
ANSWER_BYTES_MAX = 8 << 20
READ_UNCOMMITTED = 0
NO_LEADER = -1

# Any: what aiokafka decodes from an answer is untyped.
Answer = Any


class FetchedPartition:
    """What one answer has of one partition, while it waits to be read.

    Attributes:
        partition: Full name. pair: The same without prefix. records: What is left of it.
        at: The next offset in it. end: The offset behind it. data: Its bytes.
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
        """Nothing of it was read."""
        self.partition = partition
        self.pair = pair
        self.records = records
        self.at = at
        self.end = end
        self.data = data


class PartitionFetcher:
    """Asks the leaders of partitions for what comes behind a place.

    Nothing is asked for before the first `take`. Used by one task at a time. After a failure, every
    further `take` tells it again.

    Attributes:
        read: (topic without prefix, partition) -> the offset behind what `take` gave.
    """

    def __init__(
        self,
        client: AIOKafkaClient,
        prefix: str,
        places: dict[TopicPartition, int],
        wait_ms: int,
        begin_of: Callable[[TopicPartition], Awaitable[int]],
    ) -> None:
        """Take over a client that knows the topics.

        Args:
            client: Connected, for these fetches alone: a fetch that is held delays what follows it.
            prefix: Of the topics; records do not carry it.
            places: The first offset to read of each partition; full names of topics.
            wait_ms: How long a broker may hold a fetch that finds nothing.
            begin_of: Asks for the first offset that a partition still has.
        """
        self._client = client
        self._places = places
        self._wait_ms = wait_ms
        self._begin_of = begin_of
        self._pairs = {tp: (tp.topic[len(prefix) :], tp.partition) for tp in places}
        self._compacted = {tp for tp, pair in self._pairs.items() if spec_of(pair[0]).compacted}
        self.read = {self._pairs[tp]: offset for tp, offset in places.items()}
        self._last: dict[tuple[str, int], Record] = {}
        self._proofs: dict[TopicPartition, LogProof] = {}
        self._answers: deque[FetchedPartition] = deque()
        self._waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._room = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._failure: BrokenLog | None = None

    async def take(self, timeout_s: float, records_max: int) -> list[Record]:
        """What was fetched, oldest first within a partition; empty after the timeout.

        Raises:
            BrokenLog: A place is not in its log, a record is missing, a batch is damaged, or the
                log is not the one that was read.
            TopicAuthorizationFailedError: This login may not read the topic.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        if self._failure is None and not self._answers:
            await self._wait(timeout_s)
        records = self._fetched(records_max)
        while not records and self._asking() and (left := deadline - loop.time()) > 0:
            await self._wait(left)  # What came were markers, without a record.
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
        if answer.at != self.read[pair]:
            raise missing(*pair, self.read[pair], answer.at)
        found = list(islice(answer.records, wanted))
        if found:
            self._last[pair] = found[-1]
            self.read[pair] = answer.at = found[-1].offset + 1
        if len(found) < wanted:
            self.read[pair] = answer.end
            self._answers.popleft()
            self._room.set()
        return found

    def _asking(self) -> bool:
        return self._keeper is not None and not self._keeper.done()

    async def _wait(self, timeout_s: float) -> None:
        if self._keeper is None and self._places:
            self._keeper = asyncio.create_task(self._keep_asking())
            self._keeper.add_done_callback(lambda _: self._tell())
        self._raise_failure()
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer = loop.call_later(timeout_s, self._tell)
        try:
            await self._waiter
        finally:
            timer.cancel()
        self._raise_failure()

    def _raise_failure(self) -> None:
        # That a reader is closed meanwhile is no cancellation of the task that reads.
        if self._keeper is not None and self._keeper.done() and not self._keeper.cancelled():
            self._keeper.result()

    def _tell(self) -> None:
        if not self._waiter.done():
            self._waiter.set_result(None)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Go on at an offset; what was fetched of the partition is forgotten."""
        self._places[partition] = offset
        self.read[self._pairs[partition]] = offset
        self._last.pop(self._pairs[partition], None)
        self._proofs.pop(partition, None)
        self._answers = deque(answer for answer in self._answers if answer.partition != partition)
        self._room.set()

    async def close(self) -> None:
        """Ask for nothing more, and disconnect."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        await self._client.close()

    async def _keep_asking(self) -> None:
        """Keep a task at every leader; where one ends, find the leaders again."""
        tasks: dict[int, asyncio.Task[None]] = {}
        try:
            while True:
                leaders = {self._leader(partition) for partition in self._places}
                for node in leaders - tasks.keys() - {NO_LEADER}:
                    tasks[node] = asyncio.create_task(self._ask(node))
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

    async def _ask(self, node: int) -> None:
        """Ask one broker over and over, until it fails or leads none of the partitions."""
        loop = asyncio.get_running_loop()
        known: set[TopicPartition] = set()
        answered = 0.0
        while asked := [tp for tp in self._places if self._leader(tp) == node]:
            late = loop.time() - answered > DOUBT_S
            for partition in asked:
                if late or partition not in known:
                    self._doubt(partition)
            known = set(asked)
            places = {tp: self._places[tp] for tp in asked}
            try:
                answer = await self._client.send(node, self._request(places))
            except KafkaError as error:
                log.info("fetch from broker %d failed: %r", node, error)
                return
            if not self._sort(answer, places) or not await self._settle():
                return
            answered = loop.time()
            while len(self._answers) >= ANSWERS_MAX:
                self._room.clear()
                await self._room.wait()

    def _doubt(self, partition: TopicPartition) -> None:
        """Fetch the newest record of a partition again, before what comes behind it."""
        if partition in self._proofs:
            return
        compacted = partition in self._compacted
        waiting = [a.data for a in self._answers if a.partition == partition]
        found = (newest_record(*self._pairs[partition], data) for data in reversed(waiting))
        newest = next(filter(None, found), None) or self._last.get(self._pairs[partition])
        if newest is not None:
            self._proofs[partition] = LogProof(newest, self._places[partition], compacted)
            self._places[partition] = newest.offset

    def _request(self, places: dict[TopicPartition, int]) -> FetchRequest:
        topics: dict[str, list[tuple[int, int, int]]] = {}
        for (topic, partition), offset in places.items():
            topics.setdefault(topic, []).append((partition, offset, PARTITION_BYTES_MAX))
        return FetchRequest(
            self._wait_ms, 1, ANSWER_BYTES_MAX, READ_UNCOMMITTED, list(topics.items())
        )

    def _sort(self, answer: Answer, places: dict[TopicPartition, int]) -> bool:
        """Put what was found to the answers; False where a broker has to be found anew.

        Raises:
            BrokenLog: A place is not in its log, or the log is another one.
            TopicAuthorizationFailedError: This login may not read the topic.
        """
        sound = True
        for topic, partitions in answer.topics:
            for number, code, highwater, *_, data in partitions:
                partition = TopicPartition(topic, number)
                place = places[partition]
                if self._places[partition] != place:
                    continue  # It was sought elsewhere meanwhile.
                proof = self._proofs.get(partition)
                if proof is not None and for_code(code) is OffsetOutOfRangeError:
                    proof.out_of_range = True
                elif code:
                    sound = False
                    _check(partition, place, code)
                elif data:
                    self._add(partition, place, data)
                elif proof is not None and proof.nothing_found(highwater):
                    self._places[partition] = self._proofs.pop(partition).place
        return sound

    async def _settle(self) -> bool:
        """See why a record that proves a log is not in it; False where nobody tells.

        Raises:
            BrokenLog: It was cut off, and not deleted as too old.
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
                    self._places[partition] = self._proofs.pop(partition).place
        return True

    def _add(self, partition: TopicPartition, place: int, data: bytes) -> None:
        """Note where to go on, which a batch tells without being decoded."""
        batches = batches_of(data)
        if not batches:
            return
        compacted = partition in self._compacted
        pair = self._pairs[partition]
        records = _records(*pair, place, batches, data, compacted=compacted)
        at = place
        proof = self._proofs.get(partition)
        if proof is not None:
            records = proof.behind(records)
            at = proof.place
            del self._proofs[partition]
        self._places[partition] = max(at, batches[-1].next_offset)
        self._answers.append(
            FetchedPartition(partition, pair, records, at, self._places[partition], data)
        )
        self._tell()


def _check(partition: TopicPartition, place: int, code: int) -> None:
    """Return where asking the leaders again may help."""
    kind = for_code(code)
    if kind is OffsetOutOfRangeError:
        raise BrokenLog(
            f"{partition.topic}[{partition.partition}] has no offset {place}",
            remedy="it was deleted by the topic's retention, or the log lost its tail; "
            + START_AGAIN,
        )
    if kind is TopicAuthorizationFailedError:
        raise kind(partition.topic)
    log.info("fetch of %s[%d] failed: %s", *partition, kind.__name__)
