"""Three brokers: the leader is killed and all are restarted in turn while orders come in."""

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
from operations.localbroker.cluster import NODES, LocalCluster
from tests.faults.cluster import (
    Failover,
    Watch,
    kill_leader,
    roll,
    topic_settings,
    trade_through,
    wait_until_in_sync,
)
from tests.faults.harness import Executors, Traffic

pytestmark = [pytest.mark.timeout(1800)]

KILLS = int(os.environ.get("ARENA_FAULTS_CLUSTER_KILLS", "2"))
"""Of the leader; `ARENA_FAULTS_CLUSTER_KILLS` makes the run longer than it is in the suite."""


ALONE_S = 3.0
PIPELINE_MAX = 64
"""Orders an executor has in flight at most."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """Three brokers for this module, all of which may die."""
    with LocalCluster(tmp_path_factory.mktemp("cluster"), port=0) as three:
        three.start()
        yield three


@pytest.fixture
def three(cluster: LocalCluster) -> Settings:
    """Settings with a prefix of their own on the three brokers, all of which run."""
    handle = cluster.start()
    return Settings(
        bootstrap_servers=handle.bootstrap,
        prefix=f"t{uuid.uuid4().hex[:10]}.",
        heartbeat_interval_s=0.5,
    )


@pytest.fixture
def crew(three: Settings, tmp_path: Path) -> Iterator[Executors]:
    """One executor process on the three brokers."""
    found = Executors(three, tmp_path)
    found.start("one")
    yield found
    found.stop()


async def test_sigkill_of_the_leader(
    cluster: LocalCluster, three: Settings, crew: Executors
) -> None:
    """The leader of `account.events` dies under load: nothing is lost, doubled or restarted."""
    seen: list[Failover] = []

    async def trouble(traffic: Traffic, watch: Watch) -> None:
        seen.extend([await kill_leader(cluster, three, traffic, watch) for _ in range(KILLS)])

    findings = await trade_through(three, crew, 21, trouble)

    print(f"\n{dict(findings.counts)}\n{seen}")
    assert not findings.wrong, findings.summary()
    assert len(seen) == KILLS


async def test_rolling_restart(cluster: LocalCluster, three: Settings, crew: Executors) -> None:
    """All three brokers are restarted one after another under load, and no client notices."""

    async def trouble(_traffic: Traffic, _watch: Watch) -> None:
        await roll(cluster, three)

    findings = await trade_through(three, crew, 22, trouble)

    print(f"\n{dict(findings.counts)}")
    assert not findings.wrong, findings.summary()


async def test_two_of_three_lost(cluster: LocalCluster, three: Settings, crew: Executors) -> None:
    """Without a majority nothing is decided; with it back all goes on, and nothing is missing."""
    decided_alone: set[str] = set()

    async def trouble(_traffic: Traffic, watch: Watch) -> None:
        leader = (await wait_until_in_sync(three)).leader
        lost = [leader, leader % NODES + 1]
        for node_id in lost:
            await asyncio.to_thread(cluster.kill_node, node_id)
        before = set(watch.decided)
        await asyncio.sleep(ALONE_S)
        decided_alone.update(watch.decided.keys() - before)
        await asyncio.to_thread(cluster.start)
        await wait_until_in_sync(three)

    # A long outage may outlast an executor's patience: it ends, and its start is its recovery.
    findings = await trade_through(three, crew, 23, trouble, may_restart=True)

    print(f"\n{dict(findings.counts)}")
    assert not findings.wrong, findings.summary()
    # What both had acked before they died may still be on its way to the reader.
    assert len(decided_alone) <= PIPELINE_MAX


async def test_topics_are_made_with_three_replicas(cluster: LocalCluster, three: Settings) -> None:
    """Three copies, two of which ack, also of a topic that is made while one broker is down."""
    bus = KafkaBus(three, client_id="test")
    await bus.start()
    await bus.ensure_topics([topics.EVENTS])
    lost = (await wait_until_in_sync(three)).leader
    cluster.kill_node(lost)
    try:
        await bus.ensure_topics([topics.COMMANDS])
    finally:
        await bus.close()
        cluster.start_node(lost)
    await wait_until_in_sync(three)

    found = {state.topic: state for state in await describe_topics(three)}

    assert {topics.EVENTS.name: NODES, topics.COMMANDS.name: NODES} == {
        name: state.replicas for name, state in found.items()
    }
    assert await topic_settings(three, topics.EVENTS.name) >= {
        ("min.insync.replicas", "2"),
        ("unclean.leader.election.enable", "false"),
    }
