"""Reading Kafka with a place of our own."""

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from arena.bus.base import LogReader, Record
from arena.bus.kafka_access import told_refusals
from arena.bus.kafka_fetch import Fetches
from arena.bus.kafka_sockets import closed_soon
from arena.error_causes import in_words
from arena.errors import BrokerUnavailable


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
                f"no answer about the ends of the log: {in_words(error)}",
                remedy="does the broker run? `arena broker status` asks it",
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
