"""Runs orders against three brokers, kills leaders, and measures how long a loss takes effect."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import orjson
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from arena import topics
from arena.bus.base import EARLIEST, Bus
from arena.bus.kafka import KafkaBus
from arena.settings import Settings
from operations.localbroker.broker import LocalBroker
from operations.localbroker.cluster import NODES, LocalCluster
from operations.storm.checker import check_records
from operations.storm.checker_records import Findings
from tests.faults.harness import TERMS, Executors, Traffic, read_topics, wait_until_answered

IN_SYNC_TIMEOUT_S = 60.0
FAILOVER_TIMEOUT_S = 60.0
SETTLE_S = 60.0
POLL_S = 0.05
PER_SECOND = 100.0
ORDERS_PER_ROUND = 10
REQUEST_TIMEOUT_S = 3.0
REQUEST_TIMEOUT_MS = 3_000
REQUEST_ERRORS = (KafkaError, TimeoutError, OSError, AttributeError)
"""Errors of a request to brokers of which one just died: the client library may lose the node."""


@dataclass(frozen=True)
class Replicas:
    """The replicas of a partition: the leader (-1 for none) and those in sync, by node id."""

    leader: int
    in_sync: frozenset[int]


@dataclass(frozen=True)
class Failover:
    """One kill of a leader, in seconds from the kill.

    Attributes:
        node_id: The broker that was killed.
        acked_s: Until the next order was acked by `account.commands`.
        decided_s: Until an order sent after the kill was decided in `account.events`.
        restored_s: Until the broker was back and every replica in sync.
    """

    node_id: int
    acked_s: float
    decided_s: float
    restored_s: float


@dataclass
class DecisionWatch:
    """Follows `account.events`: order id -> monotonic time of its event, in seconds."""

    bus: Bus
    decided: dict[str, float] = field(default_factory=dict)

    async def run(self) -> None:
        """Read until cancelled."""
        log = await self.bus.log_reader(topics.EVENTS.name, start=EARLIEST)
        try:
            while True:
                for record in await log.read(timeout_s=0.2):
                    order = orjson.loads(record.value or b"{}").get("order_id")
                    self.decided.setdefault(order, time.monotonic())
        finally:
            await log.close()


async def replicas_of(settings: Settings, topic: str) -> Replicas:
    """Leader and in-sync replicas of a topic's first partition, from a running broker.

    A broker may not know a topic yet that was just created: then there are none.
    """
    admin = AIOKafkaAdminClient(
        bootstrap_servers=settings.bootstrap_servers, request_timeout_ms=REQUEST_TIMEOUT_MS
    )
    await admin.start()
    try:
        (found,) = await admin.describe_topics([settings.prefix + topic])
    finally:
        await admin.close()
    for partition in found["partitions"]:
        if partition["partition"] == 0:
            return Replicas(partition["leader"], frozenset(partition["isr"]))
    return Replicas(-1, frozenset())


async def topic_settings(settings: Settings, topic: str) -> set[tuple[str, str]]:
    """The settings of a topic on the broker, as names and values."""
    name = settings.prefix + topic
    requested = [ConfigResource(ConfigResourceType.TOPIC, name)]
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)
    await admin.start()
    try:
        (answer,) = await admin.describe_configs(requested)
    finally:
        await admin.close()
    (resource,) = answer.to_object()["resources"]
    return {(e["config_names"], e["config_value"]) for e in resource["config_entries"]}


async def wait_until_in_sync(settings: Settings) -> Replicas:
    """Wait until every broker has all of `account.events`; return its replicas."""
    deadline = time.monotonic() + IN_SYNC_TIMEOUT_S
    found: Replicas | None = None
    while time.monotonic() < deadline:
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                found = await replicas_of(settings, topics.EVENTS.name)
        except REQUEST_ERRORS:
            pass
        else:
            if found.leader > 0 and len(found.in_sync) == NODES:
                return found
        await asyncio.sleep(POLL_S)
    raise AssertionError(f"not in sync after {IN_SYNC_TIMEOUT_S:.0f} s: {found}")


async def kill_leader(
    cluster: LocalCluster, settings: Settings, traffic: Traffic, watch: DecisionWatch
) -> Failover:
    """SIGKILL the leader of `account.events` under traffic, restart it, and measure the times."""
    leader = (await wait_until_in_sync(settings)).leader
    began = time.monotonic()
    await asyncio.to_thread(cluster.kill_node, leader)
    acked_s, decided_s = await next_order(traffic, watch, began)
    await asyncio.to_thread(cluster.start_node, leader)
    await wait_until_in_sync(settings)
    return Failover(leader, acked_s, decided_s, time.monotonic() - began)


async def kill_only(broker: LocalBroker, traffic: Traffic, watch: DecisionWatch) -> Failover:
    """SIGKILL the only broker under traffic, restart it at once, and measure the times."""
    began = time.monotonic()
    await asyncio.to_thread(broker.kill)
    restart = asyncio.ensure_future(asyncio.to_thread(broker.start))
    acked_s, decided_s = await next_order(traffic, watch, began)
    await restart
    return Failover(1, acked_s, decided_s, time.monotonic() - began)


async def next_order(traffic: Traffic, watch: DecisionWatch, began: float) -> tuple[float, float]:
    """Seconds until the next order is acked, and until an order sent from now on is decided."""
    orders, acked = set(traffic.orders), set(traffic.acked)
    return await asyncio.gather(
        _until(lambda: bool(traffic.acked.keys() - acked), began),
        _until(lambda: bool((traffic.orders - orders) & watch.decided.keys()), began),
    )


async def rolling_restart(cluster: LocalCluster, settings: Settings) -> None:
    """Restart every broker in turn, each after the previous one is in sync."""
    for node_id in range(1, NODES + 1):
        await wait_until_in_sync(settings)
        await asyncio.to_thread(cluster.stop_node, node_id)
        await asyncio.to_thread(cluster.start_node, node_id)
    await wait_until_in_sync(settings)


async def trade_during(
    settings: Settings,
    executors: Executors,
    seed: int,
    disturb: Callable[[Traffic, DecisionWatch], Awaitable[None]],
    *,
    may_restart: bool = False,
) -> Findings:
    """Trade during a disturbance, wait until everything is answered, and check the topics.

    Args:
        settings: Brokers and prefix.
        executors: The executors; at least one was started.
        seed: The seed of the traffic.
        disturb: The disturbance; trading ends with it.
        may_restart: An executor may end and be restarted; otherwise that is a failure.
    """
    bus = KafkaBus(settings, client_id="test")
    await bus.start()
    await bus.ensure_topics(topics.fixed_topics())
    traffic, watch = Traffic(bus, seed), DecisionWatch(bus)
    await traffic.open_market()
    work = (executors.supervise(), traffic.run_market(), watch.run(), _trade(traffic))
    running = [asyncio.ensure_future(each) for each in work]
    try:
        await executors.wait_until_owned(0)
        await _until(lambda: bool(watch.decided), time.monotonic())
        await disturb(traffic, watch)
        running[-1].cancel()
        await wait_until_answered(bus, traffic, SETTLE_S)
    except (AssertionError, TimeoutError) as error:
        raise AssertionError(f"{error!r}\n{executors.tail()}") from error
    finally:
        for task in running:
            task.cancel()
        ends = await asyncio.gather(*running, return_exceptions=True)
        executors.stop()
    found = await read_topics(bus)
    await bus.close()
    findings = check_records(found, TERMS)
    for raw in found.commands:
        findings.expect(traffic.acked.get(raw.offset) == raw.value, f"command {raw.offset} changed")
    for end in ends:
        findings.expect(isinstance(end, asyncio.CancelledError), f"a client ended: {end!r}")
    findings.counts["executors_ended"] = executors.ends.total()
    findings.expect(may_restart or not executors.ends, f"executors ended: {dict(executors.ends)}")
    return findings


async def _trade(traffic: Traffic) -> None:
    while True:
        await traffic.run_agents(ORDERS_PER_ROUND, PER_SECOND)


async def _until(condition: Callable[[], bool], began: float) -> float:
    async with asyncio.timeout(FAILOVER_TIMEOUT_S):
        while not condition():
            await asyncio.sleep(0.005)
    return time.monotonic() - began
