"""Fetches of partitions with a place of our own, over aiokafka's connections and record parser.

aiokafka's consumer is made for groups: for each answer it makes a task, waits for several futures
and builds records of eleven fields. A log reader has fixed partitions, so one request at each of
their leaders is enough: held by the broker until there is something, and sent again as soon as it
is answered. Connections, logins, versions, metadata, and the decoding and checking of batches are
aiokafka's. The protocol: https://kafka.apache.org/43/design/protocol (Fetch).
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterator
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
from aiokafka.record.memory_records import MemoryRecords

from arena.bus.base import Record
from arena.errors import BrokenLog

log = logging.getLogger(__name__)

RETRY_S = 0.05
"""From a failed request to the next."""
ANSWERS_MAX = 2
"""Answers that may wait to be read; then nothing more is asked for."""
PARTITION_BYTES_MAX = 1 << 20
ANSWER_BYTES_MAX = 8 << 20
READ_UNCOMMITTED = 0
NO_LEADER = -1

_new_record = tuple.__new__
"""Makes a `Record` without a call into Python: one is made for every record that is read."""

# Any: what aiokafka decodes from an answer is untyped.
Answer = Any


class Fetches:
    """Asks the leaders of partitions for what comes behind a place.

    Nothing is asked for before the first `take`. Used by one task at a time. After a failure, every
    further `take` tells it again.
    """

    def __init__(
        self, client: AIOKafkaClient, prefix: str, places: dict[TopicPartition, int], wait_ms: int
    ) -> None:
        """Take over a client that knows the topics.

        Args:
            client: Connected, for these fetches alone: a fetch that is held delays what follows it.
            prefix: Of the topics; records do not carry it.
            places: The first offset to read of each partition; full names of topics.
            wait_ms: How long a broker may hold a fetch that finds nothing.
        """
        self._client = client
        self._prefix = prefix
        self._places = places
        self._wait_ms = wait_ms
        self._answers: deque[tuple[TopicPartition, Iterator[Record]]] = deque()
        self._waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._room = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._failure: BrokenLog | None = None

    async def take(self, timeout_s: float, records_max: int) -> list[Record]:
        """What was fetched, oldest first within a partition; empty after the timeout.

        Raises:
            BrokenLog: A place is not in its log, or a batch is damaged.
            TopicAuthorizationFailedError: This login may not read the topic.
        """
        if self._failure is not None:
            raise self._failure
        if not self._answers:
            await self._wait(timeout_s)
        records: list[Record] = []
        while self._answers and len(records) < records_max:
            wanted = records_max - len(records)
            try:
                found = list(islice(self._answers[0][1], wanted))
            except BrokenLog as error:
                self._failure = error
                raise
            records += found
            if len(found) < wanted:
                self._answers.popleft()
                self._room.set()
        return records

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
        self._answers = deque(answer for answer in self._answers if answer[0] != partition)
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
        while asked := [tp for tp in self._places if self._leader(tp) == node]:
            places = {tp: self._places[tp] for tp in asked}
            try:
                answer = await self._client.send(node, self._request(places))
            except KafkaError as error:
                log.info("fetch from broker %d failed: %r", node, error)
                return
            if not self._sort(answer, places):
                return
            while len(self._answers) >= ANSWERS_MAX:
                self._room.clear()
                await self._room.wait()

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
            BrokenLog: A place is not in its log.
            TopicAuthorizationFailedError: This login may not read the topic.
        """
        sound = True
        for topic, partitions in answer.topics:
            for number, code, *_, data in partitions:
                partition = TopicPartition(topic, number)
                place = places[partition]
                if code:
                    sound = False
                    _check(partition, place, code)
                elif data and self._places[partition] == place:
                    self._add(partition, place, MemoryRecords(data))
        return sound

    def _add(self, partition: TopicPartition, place: int, fetched: Any) -> None:
        """Note where to go on, which a batch tells without being decoded."""
        batches = []
        while fetched.has_next():
            batches.append(fetched.next_batch())
        if not batches:
            return
        self._places[partition] = batches[-1].next_offset
        name = partition.topic[len(self._prefix) :]
        self._answers.append((partition, _records(name, partition.partition, place, batches)))
        self._tell()


def _records(topic: str, partition: int, place: int, batches: list[Any]) -> Iterator[Record]:
    """Decode batches one by one, as they are read.

    Raises:
        BrokenLog: A batch fails its checksum.
    """
    for batch in batches:
        if not batch.validate_crc():
            raise BrokenLog(
                f"{topic}[{partition}]: the batch at offset {batch.base_offset} fails its checksum",
                remedy="the broker's disk or the network altered it; compare it with an export",
            )
        if batch.is_control_batch:
            continue
        for raw in batch:
            offset = raw.offset
            if offset >= place:
                fields = (
                    topic,
                    partition,
                    offset,
                    raw.timestamp,
                    raw.key,
                    raw.value,
                    dict(raw.headers),
                )
                yield _new_record(Record, fields)


def _check(partition: TopicPartition, place: int, code: int) -> None:
    """Return where asking the leaders again may help."""
    kind = for_code(code)
    if kind is OffsetOutOfRangeError:
        raise BrokenLog(
            f"{partition.topic}[{partition.partition}] has no offset {place}",
            remedy="it was deleted by the topic's retention, or the log lost its tail",
        )
    if kind is TopicAuthorizationFailedError:
        raise kind(partition.topic)
    log.info("fetch of %s[%d] failed: %s", *partition, kind.__name__)
