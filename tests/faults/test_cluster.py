"""Three brokers: the leader is killed, and all are restarted in turn, under traffic."""

import asyncio
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.bus.kafka_admin import describe_topics
from arena.settings import Settings
from operations.localbroker.cluster import NODES, LocalCluster, run_concurrently
from tests.faults.cluster import (
    DecisionWatch,
    Failover,
    kill_leader,
    rolling_restart,
    topic_settings,
    trade_during,
    wait_until_in_sync,
)
from tests.faults.harness import Executors, Traffic

pytestmark = [pytest.mark.timeout(1800)]

KILLS = int(os.environ.get("ARENA_FAULTS_CLUSTER_KILLS", "2"))
"""Kills of the leader; set `ARENA_FAULTS_CLUSTER_KILLS` for a longer run than in the suite."""


ALONE_S = 3.0
PIPELINE_MAX = 64
"""The maximum number of orders that an executor has in flight."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """Three brokers for this module; each may be killed."""
    with LocalCluster(tmp_path_factory.mktemp("cluster"), port=0) as brokers:
        brokers.start()
        yield brokers
        run_concurrently(brokers.kill_node, [*range(1, NODES + 1)])


@pytest.fixture
def settings(cluster: LocalCluster) -> Settings:
    """Settings with a new prefix on the three running brokers."""
    handle = cluster.start()
    return Settings(
        bootstrap_servers=handle.bootstrap,
        prefix=f"t{uuid.uuid4().hex[:10]}.",
        heartbeat_interval_s=0.5,
    )


@pytest.fixture
def executors(settings: Settings, tmp_path: Path) -> Iterator[Executors]:
    """One executor process on the three brokers."""
    found = Executors(settings, tmp_path)
    found.start("one")
    yield found
    found.stop()


async def test_orders_survive_sigkill_of_the_leader(
    cluster: LocalCluster, settings: Settings, executors: Executors
) -> None:
    """The leader of `account.events` is killed under load: no order is lost or doubled."""
    seen: list[Failover] = []

    async def disturb(traffic: Traffic, watch: DecisionWatch) -> None:
        seen.extend([await kill_leader(cluster, settings, traffic, watch) for _ in range(KILLS)])

    findings = await trade_during(settings, executors, 21, disturb)

    print(f"\n{dict(findings.counts)}\n{seen}")
    assert not findings.wrong, findings.summary()
    assert len(seen) == KILLS


async def test_orders_survive_a_rolling_restart(
    cluster: LocalCluster, settings: Settings, executors: Executors
) -> None:
    """All three brokers are restarted one after another under load, and no client ends."""

    async def disturb(_traffic: Traffic, _watch: DecisionWatch) -> None:
        await rolling_restart(cluster, settings)

    findings = await trade_during(settings, executors, 22, disturb)

    print(f"\n{dict(findings.counts)}")
    assert not findings.wrong, findings.summary()


async def test_orders_survive_the_loss_of_two_brokers(
    cluster: LocalCluster, settings: Settings, executors: Executors
) -> None:
    """Without a majority nothing is decided; when it is back, trading continues without a loss."""
    decided_without_majority: set[str] = set()

    async def disturb(_traffic: Traffic, watch: DecisionWatch) -> None:
        leader = (await wait_until_in_sync(settings)).leader
        lost = [leader, leader % NODES + 1]
        for node_id in lost:
            await asyncio.to_thread(cluster.kill_node, node_id)
        before = set(watch.decided)
        await asyncio.sleep(ALONE_S)
        decided_without_majority.update(watch.decided.keys() - before)
        await asyncio.to_thread(cluster.start)
        await wait_until_in_sync(settings)

    # An executor may end during a long outage; its restart is its recovery.
    findings = await trade_during(settings, executors, 23, disturb, may_restart=True)

    print(f"\n{dict(findings.counts)}")
    assert not findings.wrong, findings.summary()
    # Events that both acked before they died may still be on their way to the reader.
    assert len(decided_without_majority) <= PIPELINE_MAX


async def test_topics_have_three_replicas(cluster: LocalCluster, settings: Settings) -> None:
    """Three replicas, two of which must ack, even for a topic created while a broker is down."""
    bus = KafkaBus(settings, client_id="test")
    await bus.start()
    await bus.ensure_topics([topics.EVENTS])
    lost = (await wait_until_in_sync(settings)).leader
    cluster.kill_node(lost)
    try:
        await bus.ensure_topics([topics.COMMANDS])
    finally:
        await bus.close()
        cluster.start_node(lost)
    await wait_until_in_sync(settings)

    found = {state.topic: state for state in await describe_topics(settings)}

    assert {topics.EVENTS.name: NODES, topics.COMMANDS.name: NODES} == {
        name: state.replicas for name, state in found.items()
    }
    assert await topic_settings(settings, topics.EVENTS.name) >= {
        ("min.insync.replicas", "2"),
        ("unclean.leader.election.enable", "false"),
    }
