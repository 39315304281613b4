"""Creates a bus's topics with their partitions and replicas, and looks them up.

Requests go to any broker that answers; after a failure they are retried for as long as a cluster
may take to recover.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.metadata import MetadataRequest

from arena.bus.kafka_access import connection_options, unreachable_remedy
from arena.error_causes import error_message
from arena.errors import BrokerUnavailable, UsageError
from arena.prefix import other_arenas_text
from arena.settings import Settings
from arena.topics import HEARTBEATS, TopicSpec

REPLICAS_WANTED = 3
ANSWER_TIMEOUT_S = 20.0
"""Longer than three brokers need to elect new leaders after one is lost."""
REQUEST_TIMEOUT_MS = 5_000
PAUSE_S = 0.05
TOPIC_EXISTS = 36
INVALID_TOPIC = 17
COLLIDES = "collides"
NOT_AUTHORIZED = 29
EXISTS = frozenset({0, 5})
"""Error codes of a topic that exists: none, and LEADER_NOT_AVAILABLE."""
UNKNOWN_TOPIC_TIMEOUT_S = 10.0
"""How long to wait for a topic that another process may be creating."""
OWN_TOPIC_TIMEOUT_S = 60.0
"""How long to wait for a topic that this process has created: a busy broker acks it before every
broker knows it, or reports a time-out and still creates it."""
MISSING_SHOWN_MAX = 5

Answer = TypeVar("Answer")


class _AdminClient(AIOKafkaAdminClient):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka's client, but lookups create no topic and describe only what is asked for."""

    # Any: aiokafka returns plain objects.
    async def _get_cluster_metadata(self, topics: list[str] | None = None) -> Any:
        return await self._send_request(MetadataRequest(topics, allow_auto_topic_creation=False))

    async def describe_cluster(self) -> dict[str, Any]:
        """Describe the living brokers; aiokafka's request also returns all topics."""
        found: dict[str, Any] = (await self._get_cluster_metadata([])).to_object()
        return found


class KafkaTopics:
    """One arena's topics on its brokers.

    Args:
        settings: Addresses, login and prefix.
        client_id: Shown in the broker's logs.

    Attributes:
        other_arenas: A sentence about the other arenas on the brokers, if `ensure` created a new
            arena; else "".
    """

    def __init__(self, settings: Settings, client_id: str) -> None:
        """Take the settings; the first request connects."""
        self.other_arenas = ""
        self._settings = settings
        self._prefix = settings.prefix
        self._client_id = client_id
        self._admin: AIOKafkaAdminClient | None = None
        self._own: set[str] = set()

    async def close(self) -> None:
        """Close the connection, if there is one."""
        admin, self._admin = self._admin, None
        if admin is not None:
            await admin.close()

    async def ensure(self, specs: Sequence[TopicSpec]) -> None:
        """Create missing topics; on three or more brokers with three replicas and two acks.

        Raises:
            BrokerUnavailable: A topic could not be created.
        """
        self._own.update(self._prefix + spec.name for spec in specs)
        existing = await self.existing(spec.name for spec in specs)
        missing = [spec for spec in specs if spec.name not in existing]
        if not missing:
            return
        brokers = (await self._ask(lambda admin: admin.describe_cluster()))["brokers"]
        names: set[str] = set()
        count = len(brokers)
        # A broker with topics of many arenas sends a megabyte, so only ask for all if needed.
        if count < REPLICAS_WANTED or HEARTBEATS in missing:
            described = await self._ask(lambda admin: admin.describe_topics())
            names = {found["topic"] for found in described}
            count = count_brokers(brokers, described)
        replicas = REPLICAS_WANTED if count >= REPLICAS_WANTED else 1
        wanted = [new_topic(self._prefix, spec, replicas) for spec in missing]
        await self._ask(lambda admin: self._create(admin, wanted))
        if HEARTBEATS in missing:
            self.other_arenas = other_arenas_text(self._prefix, names)

    async def existing(self, topics: Iterable[str]) -> set[str]:
        """The given topics that exist and that this login may see.

        Raises:
            BrokerUnavailable: No broker answers.
        """
        names = {self._prefix + topic: topic for topic in topics}
        if not names:
            return set()
        described = await self._ask(lambda admin: admin.describe_topics([*names]))
        return {names[found["topic"]] for found in described if found["error_code"] in EXISTS}

    async def _create(self, admin: AIOKafkaAdminClient, wanted: list[NewTopic]) -> None:
        response = await admin.create_topics(wanted)
        for name, code, text in response.topic_errors:
            if code == NOT_AUTHORIZED:
                raise BrokerUnavailable(
                    f"topic {name} does not exist, and {self._settings.access.sasl_username!r} "
                    "may not create it",
                    remedy="the administrator can create it: arena topics create",
                )
            if code == INVALID_TOPIC and COLLIDES in str(text):
                raise UsageError(
                    f"the broker did not create topic {name}: {text}",
                    remedy="choose another ARENA_PREFIX: to Kafka, '.' and '_' in names collide",
                )
            if code not in (0, TOPIC_EXISTS):
                kind = for_code(code)
                if kind.retriable:
                    raise kind(name)  # Retried; the topic may exist by then.
                raise BrokerUnavailable(f"the broker did not create topic {name}: {text}")

    async def partitions(self, topics: Iterable[str]) -> dict[str, int]:
        """Number of partitions of topics; waits for topics that are being created.

        Raises:
            BrokerUnavailable: A topic does not exist, or no broker answers.
        """
        names = {self._prefix + topic: topic for topic in topics}
        if not names:
            return {}
        began = asyncio.get_running_loop().time()
        while True:
            described = await self._ask(lambda admin: admin.describe_topics([*names]))
            found = {
                names[one["topic"]]: len(one["partitions"])
                for one in described
                if one["error_code"] == 0 and one["partitions"]
            }
            missing = [name for name, topic in names.items() if topic not in found]
            if not missing:
                return found
            own = self._own.issuperset(missing)
            wait_s = OWN_TOPIC_TIMEOUT_S if own else UNKNOWN_TOPIC_TIMEOUT_S
            if asyncio.get_running_loop().time() > began + wait_s:
                raise BrokerUnavailable(
                    f"no such topic: {', '.join(missing[:MISSING_SHOWN_MAX])}",
                    remedy=await self._wrong_prefix(),
                )
            await asyncio.sleep(PAUSE_S)

    async def _wrong_prefix(self) -> str:
        remedy = "`arena topics create` creates them; is ARENA_PREFIX right?"
        described = await self._ask(lambda admin: admin.describe_topics())
        others = other_arenas_text(self._prefix, {found["topic"] for found in described})
        return f"{remedy} {others[:1].upper()}{others[1:]}" if others else remedy

    async def _ask(self, question: Callable[[AIOKafkaAdminClient], Awaitable[Answer]]) -> Answer:
        deadline = asyncio.get_running_loop().time() + ANSWER_TIMEOUT_S
        while True:
            try:
                return await question(await self._connected())
            except (KafkaError, TimeoutError, OSError) as error:
                await self.close()
                if asyncio.get_running_loop().time() > deadline:
                    raise BrokerUnavailable(
                        f"no broker of {self._settings.bootstrap_servers} answered in "
                        f"{ANSWER_TIMEOUT_S:.0f} s: {error_message(error)}",
                        remedy=unreachable_remedy(self._settings),
                    ) from error
                await asyncio.sleep(PAUSE_S)

    async def _connected(self) -> AIOKafkaAdminClient:
        if self._admin is None:
            admin = _AdminClient(
                client_id=self._client_id,
                request_timeout_ms=REQUEST_TIMEOUT_MS,
                **connection_options(self._settings),
            )
            try:
                await admin.start()
            except BaseException:
                await admin.close()
                raise
            self._admin = admin
        return self._admin


# Any: aiokafka returns plain objects.
def count_brokers(living: Iterable[Any], topics: Iterable[Any]) -> int:
    """Number of brokers in the cluster, including those that are down and have replicas."""
    found = {broker["node_id"] for broker in living}
    for topic in topics:
        for partition in topic["partitions"]:
            found.update(partition["replicas"])
    return len(found)


def new_topic(prefix: str, spec: TopicSpec, replicas: int) -> NewTopic:
    """The request for a new topic.

    With replicas an ack means "on two brokers", so flushing is not needed; and a broker that is not
    in sync must never lead, because acked records would be lost.
    """
    config = spec.broker_config()
    if replicas > 1:
        config["min.insync.replicas"] = str(replicas - 1)
        config["unclean.leader.election.enable"] = "false"
        config.pop("flush.messages", None)
    return NewTopic(prefix + spec.name, spec.partitions, replicas, topic_configs=config)
