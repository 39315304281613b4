"""Reads partitions of Kafka at our own offsets, without a group."""

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from arena.bus.base import LogReader, Record
from arena.bus.kafka_access import authorization_errors_explained
from arena.bus.kafka_fetch import PartitionFetcher
from arena.bus.kafka_sockets import close_within_limit
from arena.error_causes import error_message
from arena.errors import BrokerUnavailable


class KafkaLogReader(LogReader):
    """Reads assigned partitions and checks that every offset is the expected one."""

    def __init__(self, fetches: PartitionFetcher, lookup: AIOKafkaConsumer, prefix: str) -> None:
        """Take a fetcher, a consumer for lookups, and the prefix of the topics."""
        self._fetches = fetches
        self._lookup = lookup
        self._prefix = prefix
        self._next = fetches.next_offsets

    async def read(self, *, timeout_s: float = 0.5, max_records: int = 1000) -> list[Record]:
        """The next records, without a gap."""
        with self.reading(), authorization_errors_explained():
            return await self._fetches.take(timeout_s, max_records)

    def _tp(self, topic: str, partition: int) -> TopicPartition:
        return TopicPartition(self._prefix + topic, partition)

    def position(self, topic: str, partition: int) -> int:
        """The next offset of a partition."""
        return self._next[(topic, partition)]

    async def end_offsets(self) -> dict[tuple[str, int], int]:
        """End offsets of the partitions, requested on a connection without fetches.

        Raises:
            BrokerUnavailable: No broker answers.
        """
        try:
            ends = await self._lookup.end_offsets([self._tp(*pair) for pair in self._next])
        except KafkaError as error:
            raise BrokerUnavailable(
                f"no answer about the ends of the log: {error_message(error)}",
                remedy="check that the broker runs: `arena broker status`",
            ) from error
        skip = len(self._prefix)
        return {(tp.topic[skip:], tp.partition): end for tp, end in ends.items()}

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Continue at an offset."""
        self._fetches.seek(self._tp(topic, partition), offset)

    async def close(self) -> None:
        """Stop fetching."""
        self.closed = True
        await close_within_limit(self._fetches.close())
