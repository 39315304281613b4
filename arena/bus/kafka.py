"""The bus over Kafka. Only this module and the `kafka_*` modules beside it import aiokafka.

Properties of aiokafka that this module guards against (aiokafka 0.14, Kafka 4.3):

* Its defaults lose records (acks=1, auto-commit, start at the end): all are set here.
* A refused record makes an idempotent producer unusable for its partition: sizes are checked before
  a send (`Bus.send`), and any failed append ends the process (`Bus.failed`).
* A send that failed or timed out may still be written later: no record is sent again.
* Its partitioner depends on the order of a set: partitions are always given.
* A held fetch delays every other request on its connection: end offsets are requested on a separate
  connection.
* A consumer's seek can lose to a reset in progress: log readers fetch by themselves
  (`kafka_fetch.py`), and an offset that is not in the log is an error.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError

from arena.broker_clock import BrokerClock
from arena.bus.base import (
    BROKER_TIME,
    EARLIEST,
    AppendAck,
    Assignment,
    Bus,
    GroupReader,
    LogReader,
    Record,
    Start,
)
from arena.bus.kafka_access import (
    authorization_errors_explained,
    connection_options,
    start_client,
    stop_client,
    unreachable_remedy,
)
from arena.bus.kafka_assignor import oldest_first
from arena.bus.kafka_connect_errors import connection_error
from arena.bus.kafka_fetch import PartitionFetcher
from arena.bus.kafka_group import GroupConfig, KafkaGroupReader
from arena.bus.kafka_old_groups import adopt_offsets
from arena.bus.kafka_readers import KafkaLogReader
from arena.bus.kafka_routes import count_leader_lookups
from arena.bus.kafka_topics import KafkaTopics
from arena.clock import SystemClock
from arena.error_causes import append_failed
from arena.errors import BrokenLog, BrokerUnavailable
from arena.settings import Settings
from arena.topics import RECORD_BYTES_MAX, Compression, TopicSpec, spec_of
from arena.wire import Headers

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 10.0
BATCH_BYTES_MAX = 1 << 17
"""Most bytes of a batch: as many as the executor appends ahead of their acks. With the usual 16 KiB
64 orders with their verdicts take nine requests."""
REQUEST_TIMEOUT_MS = 15_000
LOOKUPS_MAX = 3
"""A new broker with little CPU may need more than one request time-out to return offsets."""
SESSION_TIMEOUT_MS = 10_000
METADATA_AGE_MS = 10_000
"""How long until a member notices that a topic was created again; aiokafka's default is 5 min."""
FETCH_BYTES_MAX = 8 << 20


class KafkaBus(Bus):
    """Topics of one arena on a Kafka cluster.

    Args:
        settings: Addresses of the brokers and the arena's prefix.
        client_id: Shown in the broker's logs.
    """

    def __init__(self, settings: Settings, *, client_id: str = "arena") -> None:
        """Take the settings; `start` connects."""
        super().__init__()
        self._settings = settings
        self._prefix = settings.prefix
        self._client_id = client_id
        self._idempotence = settings.idempotence
        self._fetch_wait_ms = settings.fetch_wait_ms
        self._producers: dict[Compression, AIOKafkaProducer] = {}
        self._producers_lock = asyncio.Lock()
        self._partitions: dict[str, int] = {}
        self._compression: dict[str, Compression] = {}
        self._lookup: AIOKafkaConsumer | None = None
        self._topics = KafkaTopics(settings, client_id)
        self._clock = BrokerClock(SystemClock())

    async def start(self) -> None:
        """Connect, and keep one consumer without fetches for lookups of offsets."""
        self.failed = asyncio.get_running_loop().create_future()
        lookup = self._consumer(group=None, reset="none")
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await start_client(lookup)
        except (KafkaConnectionError, TimeoutError, OSError):
            lead = f"broker {self._settings.bootstrap_servers} did not answer"
            raise await connection_error(
                self._settings, lead, f" in {CONNECT_TIMEOUT_S:.0f} s"
            ) from None
        self._lookup = lookup

    async def close(self) -> None:
        """Flush and stop the producers, then close the other connections."""
        for producer in self._producers.values():
            await stop_client(producer)
        self._producers.clear()
        await self._topics.close()
        if self._lookup is not None:
            await stop_client(self._lookup)
            self._lookup = None

    async def ensure_topics(self, specs: Sequence[TopicSpec]) -> None:
        """Create missing topics; on three or more brokers with three replicas and two acks."""
        await self._topics.ensure(specs)
        self.other_arenas = self._topics.other_arenas

    async def partitions(self, topic: str) -> int:
        """Number of partitions, looked up once per topic.

        Raises:
            BrokerUnavailable: The topic does not exist.
        """
        known = self._partitions.get(topic)
        if known is None:
            known = self._partitions[topic] = await self.partitions_now(topic)
        return known

    async def all_partitions_now(self, topics: Iterable[str]) -> dict[str, int]:
        """Current number of partitions of topics, without a cache."""
        return await self._topics.partitions(topics)

    async def existing_topics(self, topics: Iterable[str]) -> list[str]:
        """The given topics that exist and that this login may see."""
        topics = list(topics)
        existing = await self._topics.existing(topics)
        return [topic for topic in topics if topic in existing]

    async def send_bytes(
        self, topic: str, value: bytes, *, key: bytes | None, partition: int, headers: Headers
    ) -> asyncio.Future[AppendAck]:
        """Send one record with the producer for the topic's compression."""
        assert self.failed is not None, "the bus is not started"
        if self.failed.done():
            raise append_failed("an earlier append failed", self.failed.result())
        compression = self._compression.get(topic, ...)
        if compression is ...:
            compression = self._compression[topic] = spec_of(topic).compression
        producer = self._producers.get(compression) or await self._producer(compression)
        try:
            future = await producer.send(
                self._prefix + topic, value, key=key, partition=partition, headers=list(headers)
            )
        except KafkaError as error:
            self._fail(error)
            raise append_failed(f"could not append to {topic}", error) from error
        future.add_done_callback(lambda done: self._check(done, topic))
        return future  # type: ignore[no-any-return]  # aiokafka is not typed

    # Any: aiokafka's RecordMetadata
    def _check(self, future: "asyncio.Future[Any]", topic: str) -> None:
        if future.cancelled():
            return
        if (error := future.exception()) is not None:
            self._fail(error)
        elif (acked := future.result()) is not None:
            self.note_acked(topic, acked.partition, acked.offset)
            if acked.timestamp_type == BROKER_TIME:
                self._clock.note_append(acked.timestamp)

    def _fail(self, error: BaseException) -> None:
        if self.failed is not None and not self.failed.done():
            self.failed.set_result(error)

    async def _producer(self, compression: Compression) -> AIOKafkaProducer:
        async with self._producers_lock:
            if compression not in self._producers:
                producer = AIOKafkaProducer(
                    **connection_options(self._settings),
                    client_id=self._client_id,
                    acks="all",
                    enable_idempotence=self._idempotence,
                    linger_ms=0,
                    max_batch_size=BATCH_BYTES_MAX,
                    compression_type=compression,
                    max_request_size=RECORD_BYTES_MAX + 5_000,
                    request_timeout_ms=REQUEST_TIMEOUT_MS,
                    retry_backoff_ms=50,
                )
                await start_client(producer)
                self._producers[compression] = producer
            return self._producers[compression]

    def _consumer(self, *, group: str | None, reset: str) -> AIOKafkaConsumer:
        known: list[AIOKafkaConsumer] = []

        def member_id() -> str:
            coordinator = known[0]._coordinator if known else None  # there is no public attribute
            return getattr(coordinator, "member_id", None) or ""

        consumer = AIOKafkaConsumer(
            **connection_options(self._settings),
            client_id=self._client_id,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset=reset,
            max_partition_fetch_bytes=FETCH_BYTES_MAX,
            fetch_max_wait_ms=self._fetch_wait_ms,
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=SESSION_TIMEOUT_MS // 5,
            rebalance_timeout_ms=30_000,
            metadata_max_age_ms=METADATA_AGE_MS,
            max_poll_interval_ms=300_000,
            partition_assignment_strategy=[
                oldest_first(member_id, lambda: int(self._clock.now().timestamp() * 1_000))
            ],
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            retry_backoff_ms=50,
        )
        known.append(consumer)
        return consumer

    async def _fetch_client(self, topics: set[str]) -> AIOKafkaClient:
        client = AIOKafkaClient(
            **connection_options(self._settings),
            client_id=self._client_id,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            retry_backoff_ms=50,
        )
        try:
            await client.bootstrap()
            await client.set_topics(topics)
        except BaseException as error:
            await client.close()
            if not isinstance(error, KafkaConnectionError):
                raise
            lead = f"broker {self._settings.bootstrap_servers} did not answer"
            raise await connection_error(self._settings, lead) from None
        return client

    async def log_reader(self, *topics: str, start: Start = EARLIEST) -> LogReader:
        """A reader of every partition that the topics have now."""
        counts = await self.all_partitions_now(topics)
        reader = await self._log_reader([(t, p) for t in topics for p in range(counts[t])], start)
        reader.partition_counts = counts
        return reader

    async def partition_reader(self, topic: str, partition: int, start: Start) -> LogReader:
        """A reader of one partition."""
        return await self._log_reader([(topic, partition)], start)

    async def _log_reader(self, pairs: list[tuple[str, int]], start: Start) -> LogReader:
        assert self._lookup is not None, "the bus is not started"
        offsets = await self._first_offsets(pairs, start)
        starts = {TopicPartition(self._prefix + t, p): at for (t, p), at in offsets.items()}
        client = await self._fetch_client({start.topic for start in starts})
        fetches = PartitionFetcher(
            client, self._prefix, starts, self._fetch_wait_ms, self._begin_of
        )
        reader = KafkaLogReader(fetches, self._lookup, self._prefix)
        self.readers.add(reader)
        return reader

    async def _begin_of(self, partition: TopicPartition) -> int:
        assert self._lookup is not None, "the bus is not started"
        return int((await self._lookup.beginning_offsets([partition]))[partition])

    async def _records_at(
        self, offsets: Mapping[tuple[str, int], int]
    ) -> dict[tuple[str, int], Record]:
        try:
            found = await self._read_at(offsets)
        except BrokenLog as error:
            log.info("handled records could not be read again: %s", error)
            if len(offsets) == 1:
                return {}
            each = [await self._records_at({pair: at}) for pair, at in offsets.items()]
            return {pair: record for one in each for pair, record in one.items()}
        return {
            pair: record
            for pair, record in found.items()
            if record.offset == offsets[pair] or not spec_of(pair[0]).compacted
        }

    async def _read_at(
        self, offsets: Mapping[tuple[str, int], int]
    ) -> dict[tuple[str, int], Record]:
        found: dict[tuple[str, int], Record] = {}
        reader = await self._log_reader(list(offsets), Start(offsets=offsets))
        try:
            while any(reader.position(*pair) <= at for pair, at in offsets.items()):
                for record in await reader.read():
                    found.setdefault(record[:2], record)
        finally:
            await reader.close()
        return found

    async def _first_offsets(
        self, pairs: list[tuple[str, int]], start: Start
    ) -> dict[tuple[str, int], int]:
        assert self._lookup is not None
        given = {pair: start.offsets[pair] for pair in pairs if pair in start.offsets}
        rest = {
            TopicPartition(self._prefix + t, p): (t, p) for t, p in pairs if (t, p) not in given
        }
        if not rest:
            return given
        for _ in range(LOOKUPS_MAX):
            with suppress(KafkaTimeoutError):
                found = await self._look_up(list(rest), start)
                return given | {rest[tp]: offset for tp, offset in found.items()}
        names = ", ".join(sorted({topic for topic, _ in rest.values()}))
        raise BrokerUnavailable(
            f"the broker did not return the offsets of {names} "
            f"in {LOOKUPS_MAX * REQUEST_TIMEOUT_MS / 1000:.0f} s",
            remedy=unreachable_remedy(self._settings),
        )

    async def _look_up(
        self, partitions: list[TopicPartition], start: Start
    ) -> dict[TopicPartition, int]:
        assert self._lookup is not None, "the bus is not started"
        if start.at == "earliest":
            return dict(await self._lookup.beginning_offsets(partitions))
        found = dict(await self._lookup.end_offsets(partitions))
        if start.at == "time":
            times = await self._lookup.offsets_for_times(dict.fromkeys(partitions, start.time_ms))
            found |= {tp: hit.offset for tp, hit in times.items() if hit is not None}
        return found

    async def group_reader(
        self,
        group: str,
        *topics: str,
        start: Start = EARLIEST,
        on_change: Callable[[Assignment], None] | None = None,
        old_group: str = "",
    ) -> GroupReader:
        """A member of a classic consumer group; partitions go to the oldest members first."""
        assert self._lookup is not None, "the bus is not started"
        counts = await self.all_partitions_now(topics)
        name = self._prefix + group
        if old_group:
            there = {self._prefix + topic: count for topic, count in counts.items()}
            await adopt_offsets(self._settings, self._prefix + old_group, name, there)
        consumer = self._consumer(group=name, reset=start.at)
        lookups = count_leader_lookups(consumer)
        member = GroupConfig(group, start.at, self._records_at, lookups, self.note_lost)
        reader = KafkaGroupReader(consumer, self._lookup, self._prefix, on_change, member)
        consumer.subscribe([self._prefix + t for t in topics], listener=reader)
        with authorization_errors_explained():
            await start_client(consumer)
        reader.partition_counts = counts
        self.readers.add(reader)
        return reader
