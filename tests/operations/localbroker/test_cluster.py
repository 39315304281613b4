"""Three brokers on this machine: lost, repaired, and started again on their own data."""

import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from arena.broker_state import local_state
from arena.errors import DependencyMissing
from operations.localbroker.cluster import NODES, LocalCluster, run_concurrently
from operations.localbroker.home_broker import open_home_broker
from operations.localbroker.probe import probe
from operations.localbroker.status import read_status, stop_broker
from tests.operations.localbroker.kafka_client import append, create_topic, read

VALUES = [b"%d" % number for number in range(50)]

pytestmark = [pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """One cluster for this module; tests may kill its brokers."""
    with LocalCluster(tmp_path_factory.mktemp("home"), port=0) as three:
        three.start()
        yield three


def home_of(cluster: LocalCluster) -> Path:
    """Return the home of a cluster."""
    return cluster.files(1).root.parents[1]


async def test_only_the_lost_broker_is_restarted(cluster: LocalCluster) -> None:
    """`start` restarts a killed broker and no other one, and no record is lost."""
    handle = cluster.start()
    assert await create_topic(handle.bootstrap, "kept") == 0
    await append(handle.bootstrap, "kept", VALUES)
    before = [state.pid for n in range(1, NODES + 1) if (state := cluster.node(n))]

    psutil.Process(before[1]).kill()
    psutil.wait_procs([psutil.Process(before[1])], timeout=20)
    degraded = read_status(home_of(cluster))
    with LocalCluster(home_of(cluster)) as other:
        again = other.start()
        other.detach()
    after = [state.pid for n in range(1, NODES + 1) if (state := cluster.node(n))]

    assert ["running", "stale", "running"] == [node.condition for node in degraded.nodes]
    assert "degraded" == degraded.condition
    assert handle.bootstrap == again.bootstrap
    assert (before[0], before[2]) == (after[0], after[2])
    assert before[1] != after[1]
    assert VALUES == await read(again.bootstrap, "kept", len(VALUES))


def test_all_brokers_are_in_one_cluster(cluster: LocalCluster) -> None:
    """All three have the same cluster id, and each has its own data."""
    bootstrap = cluster.start().bootstrap

    answers = [probe("127.0.0.1", int(address[10:])) for address in bootstrap.split(",")]

    assert NODES == len({cluster.files(n).meta_properties.read_text() for n in range(1, NODES + 1)})
    assert [NODES] * NODES == [answer.broker_count for answer in answers if answer]
    assert 1 == len({answer.cluster_id for answer in answers if answer})


def test_lost_broker_keeps_its_place(cluster: LocalCluster) -> None:
    """While it is down, the home has the address of every broker, and its port cannot be replaced.

    If another process has that port, the error has a remedy.
    """
    bootstrap = cluster.start().bootstrap
    port = int(bootstrap.split(",")[0].removeprefix("127.0.0.1:"))
    cluster.stop_node(1)
    try:
        state = local_state(home_of(cluster))
        with (
            socket.create_server(("127.0.0.1", port)),
            pytest.raises(DependencyMissing, match=f"port {port} of broker 1 .* is taken"),
        ):
            cluster.start()
    finally:
        cluster.start_node(1)

    assert state is not None
    assert (bootstrap, True) == (state.bootstrap, state.is_running())


def test_stopped_from_another_process_and_started_again(cluster: LocalCluster) -> None:
    """`stop` ends all three, and the next start uses the same ports."""
    bootstrap = cluster.start().bootstrap
    home = home_of(cluster)

    stopped = stop_broker(home)
    cluster.detach()

    assert stopped is not None
    assert {"stopped"} == {node.condition for node in read_status(home).nodes}
    assert stop_broker(home) is None
    with open_home_broker(home) as again:
        assert isinstance(again, LocalCluster)
        assert bootstrap == again.start().bootstrap
        # An orderly stop takes 6 s, and this test has had it.
        run_concurrently(again.kill_node, [*range(1, NODES + 1)])
