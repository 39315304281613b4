"""Describes an arena's topics on the brokers: partitions, replicas, retention, offsets, sizes."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Int64, Schema, String

from arena.bus.kafka_access import connection_options, stop_client
from arena.bus.kafka_connect_errors import connection_error
from arena.errors import UsageError
from arena.prefix import other_arenas_text
from arena.settings import Settings
from arena.topics import spec_of

CONNECT_TIMEOUT_S = 10.0
ADMIN_CLIENT_ID = "arena-admin"


@dataclass(frozen=True, slots=True)
class TopicState:
    """One topic on the brokers.

    Attributes:
        topic: Name without the prefix.
        replicas: Replicas of each partition.
        retention_ms: Retention; -1 for forever, None if the topic is compacted.
        start_offsets: First offset of each partition.
        end_offsets: Offset after the last record of each partition.
        size_bytes: Size on disk, over all partitions and replicas.
    """

    topic: str
    partitions: int
    replicas: int
    retention_ms: int | None
    start_offsets: tuple[int, ...]
    end_offsets: tuple[int, ...]
    size_bytes: int

    @property
    def records(self) -> int:
        """Offsets between start and end; a compacted topic may hold fewer records."""
        return sum(self.end_offsets) - sum(self.start_offsets)


class _LogDirsAnswer(Response):  # type: ignore[misc]  # aiokafka is not typed
    """DescribeLogDirs v1 (https://kafka.apache.org/protocol), which aiokafka 0.14 lacks."""

    API_KEY = 35
    API_VERSION = 1
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "results",
            Array(
                ("error_code", Int16),
                ("log_dir", String("utf-8")),
                (
                    "topics",
                    Array(
                        ("name", String("utf-8")),
                        (
                            "partitions",
                            Array(
                                ("partition_index", Int32),
                                ("partition_size", Int64),
                                ("offset_lag", Int64),
                                ("is_future_key", Boolean),
                            ),
                        ),
                    ),
                ),
            ),
        ),
    )


class _LogDirsQuestion(RequestStruct):  # type: ignore[misc]  # aiokafka is not typed
    API_KEY = 35
    API_VERSION = 1
    RESPONSE_TYPE = _LogDirsAnswer
    SCHEMA = Schema(
        ("topics", Array(("topic", String("utf-8")), ("partitions", Array(Int32)))),
    )


class _LogDirsRequest(Request[_LogDirsQuestion]):  # type: ignore[misc]  # likewise
    API_KEY = 35

    def __init__(self, topics: list[tuple[str, list[int]]]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[_LogDirsQuestion]) -> _LogDirsQuestion:
        return request_struct_class(self._topics)


async def list_topics(settings: Settings) -> list[str]:
    """Names of the arena's existing topics, without prefix.

    Raises:
        BrokerUnavailable: No broker answers at the configured address.
    """
    async with admin_client(settings) as admin:
        return sorted(await _names(admin, settings.prefix))


async def other_arenas(settings: Settings) -> str:
    """A sentence about the other arenas on the brokers; "" if there are none.

    Raises:
        BrokerUnavailable: No broker answers at the configured address.
    """
    async with admin_client(settings) as admin:
        return other_arenas_text(settings.prefix, await admin.list_topics())


async def describe_topics(settings: Settings) -> list[TopicState]:
    """The arena's existing topics, by name.

    Raises:
        BrokerUnavailable: No broker answers at the configured address.
    """
    async with admin_client(settings) as admin:
        consumer = AIOKafkaConsumer(client_id=ADMIN_CLIENT_ID, **connection_options(settings))
        try:
            await consumer.start()
            return await _describe(admin, consumer, settings.prefix)
        finally:
            await stop_client(consumer)


async def has_broker_time(settings: Settings, topic: str) -> bool:
    """True if the broker sets the timestamps of a topic; False if not, or if it is unknown.

    Args:
        settings: Broker and prefix.
        topic: Name without the prefix.
    """
    name = settings.prefix + topic
    wanted = ConfigResource(
        ConfigResourceType.TOPIC, name, configs={"message.timestamp.type": None}
    )
    async with admin_client(settings) as admin:
        for response in await admin.describe_configs([wanted]):
            for resource in response.to_object()["resources"]:
                for entry in resource.get("config_entries") or ():
                    if entry["config_names"] == "message.timestamp.type":
                        return bool(entry["config_value"] == "LogAppendTime")
    return False


@asynccontextmanager
async def admin_client(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """Yield a connected admin client.

    Raises:
        BrokerUnavailable: No broker answers at the configured address.
    """
    admin = AIOKafkaAdminClient(client_id=ADMIN_CLIENT_ID, **connection_options(settings))
    try:
        await asyncio.wait_for(admin.start(), CONNECT_TIMEOUT_S)
        yield admin
    except (KafkaConnectionError, TimeoutError, OSError):
        lead = f"no broker answers at {settings.bootstrap_servers}"
        raise await connection_error(settings, lead) from None
    finally:
        await admin.close()


async def _names(admin: AIOKafkaAdminClient, prefix: str) -> list[str]:
    """Names without prefix; what remains of other arenas' names is not in the topic table."""
    names = [n for n in await admin.list_topics() if n.startswith(prefix)]
    return [n[len(prefix) :] for n in names if _is_ours(n[len(prefix) :])]


async def _describe(
    admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer, prefix: str
) -> list[TopicState]:
    ours = [prefix + name for name in await _names(admin, prefix)]
    if not ours:
        return []
    described = await admin.describe_topics(ours)
    policies = await _retention(admin, ours)
    sizes = await _sizes(admin, described)
    pairs = [TopicPartition(t["topic"], p["partition"]) for t in described for p in t["partitions"]]
    starts = await consumer.beginning_offsets(pairs)
    ends = await consumer.end_offsets(pairs)
    states = []
    for found in described:
        name = found["topic"]
        own = sorted(tp for tp in pairs if tp.topic == name)
        states.append(
            TopicState(
                topic=name[len(prefix) :],
                partitions=len(own),
                replicas=max(len(p["replicas"]) for p in found["partitions"]),
                retention_ms=policies[name],
                start_offsets=tuple(starts[tp] for tp in own),
                end_offsets=tuple(ends[tp] for tp in own),
                size_bytes=sizes[name],
            )
        )
    return sorted(states, key=lambda s: s.topic)


def _is_ours(topic: str) -> bool:
    try:
        spec_of(topic)
    except UsageError:
        return False
    return True


async def _retention(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, int | None]:
    resources = [
        ConfigResource(
            ConfigResourceType.TOPIC, n, configs={"retention.ms": None, "cleanup.policy": None}
        )
        for n in names
    ]
    found: dict[str, int | None] = {}
    for response in await admin.describe_configs(resources):
        for resource in response.to_object()["resources"]:
            entries = {e["config_names"]: e["config_value"] for e in resource["config_entries"]}
            if not entries.keys() >= {"retention.ms", "cleanup.policy"}:
                raise UsageError(
                    f"the brokers do not show this login the settings of topic "
                    f"{resource['resource_name']}",
                    remedy="`arena topics acl` shows who may; check KAFKA_SASL_USERNAME",
                )
            compacted = "compact" in entries["cleanup.policy"]
            found[resource["resource_name"]] = None if compacted else int(entries["retention.ms"])
    return found


# Any: aiokafka returns plain objects.
async def _sizes(admin: AIOKafkaAdminClient, described: list[Any]) -> dict[str, int]:
    question = [(t["topic"], [p["partition"] for p in t["partitions"]]) for t in described]
    brokers = {node for t in described for p in t["partitions"] for node in p["replicas"]}
    sizes: dict[str, int] = defaultdict(int)
    for node in sorted(brokers):
        # aiokafka has no public method for this request.
        answer = await admin._send_request_to_node(node, _LogDirsRequest(question))
        for directory in answer.to_object()["results"]:
            for topic in directory["topics"]:
                sizes[topic["name"]] += sum(p["partition_size"] for p in topic["partitions"])
    return sizes
