"""How a consumer fetches its partitions: while that stays the same, so do their logs.

aiokafka does not report that a fetch failed because its topic was deleted; it looks up the leaders
again, and continues at its offset in a topic of the same name.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.client import ConnectionGroup


class Route(NamedTuple):
    """How a partition is fetched.

    Attributes:
        connection: The connection to the leader, or None; a new one is another object.
        lookups: How often the leaders were looked up because something failed.
    """

    connection: object
    lookups: int


class Routes:
    """The routes on which the records of a consumer's partitions came."""

    def __init__(self, consumer: AIOKafkaConsumer, leader_lookups: Callable[[], int]) -> None:
        """Take the consumer, and what counts its lookups (`count_leader_lookups`)."""
        self._consumer = consumer
        self._leader_lookups = leader_lookups
        self._known: dict[TopicPartition, Route] = {}

    def clear(self) -> None:
        """Forget all routes, after a new assignment whose logs were checked."""
        self._known.clear()

    def now(self) -> dict[TopicPartition, Route]:
        """The routes of all assigned partitions now."""
        client, lookups = self._consumer._client, self._leader_lookups()
        found = {}
        for tp in self._consumer.assignment():
            leader = client.cluster.leader_for_partition(tp)
            connection = client._conns.get((leader, ConnectionGroup.DEFAULT))
            found[tp] = Route(connection, lookups)
        return found

    def changed(
        self, now: Mapping[TopicPartition, Route], partitions: Iterable[TopicPartition]
    ) -> list[TopicPartition]:
        """The partitions whose records came on another route before."""
        return [tp for tp in partitions if self._known.get(tp, now.get(tp)) != now.get(tp)]

    def note(self, now: Mapping[TopicPartition, Route], proved: Collection[TopicPartition]) -> None:
        """Note the routes of partitions whose logs are proved, and of those not seen before."""
        self._known |= {
            tp: route
            for tp, route in now.items()
            if route.connection is not None and (tp in proved or tp not in self._known)
        }


def count_leader_lookups(consumer: AIOKafkaConsumer) -> Callable[[], int]:
    """Count from now on how often a consumer looks up the leaders because something failed."""
    client, lookups = consumer._client, 0
    look_up = client.force_metadata_update

    # Any: the method of an untyped class.
    def counted() -> Any:
        nonlocal lookups
        lookups += 1
        return look_up()

    client.force_metadata_update = counted
    return lambda: lookups
