"""The broker of a test session: a given one, one in Docker, or a local one."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from arena.progress import print_progress
from arena.settings import BOOTSTRAP_VARIABLE
from operations.localbroker.broker import LocalBroker
from operations.localbroker.broker_lookup import connect_external
from operations.localbroker.class_training import ensure_class_archive
from operations.localbroker.ports import LOOPBACK, choose_ports
from operations.processes.stop_signals import terminate_as_interrupt

KAFKA_IMAGE = "apache/kafka:4.3.1"
DOCKER_TIMEOUT_S = 2
CONTAINER_DEADLINE_S = 60.0
SESSION_HEAP = ("-Xms512m", "-Xmx512m")
"""A partition takes 30 KB of heap, and the tests of a session create 5,000: with the usual heap, a
collection takes so long that the broker misses its heartbeats and is fenced."""


@contextmanager
def start_session_broker() -> Iterator[str]:
    """Yield the bootstrap servers of a real Kafka, and stop it if it was started here.

    In this order: `KAFKA_BOOTSTRAP_SERVERS`, a container where a Docker engine answers, and a
    local Apache Kafka on free ports whose topics lie in a temporary directory.
    """
    if addresses := os.environ.get(BOOTSTRAP_VARIABLE, "").strip():
        yield connect_external(addresses).bootstrap
    elif docker_answers():
        with terminate_as_interrupt(), kafka_container() as address:
            yield address
    else:
        with (
            terminate_as_interrupt(),
            tempfile.TemporaryDirectory(prefix="arena-tests-") as home,
            LocalBroker(
                Path(home), port=0, allow_fallback=False, java_flags=SESSION_HEAP
            ) as broker,
        ):
            ensure_class_archive(progress=print_progress(sys.stderr))
            yield broker.start(print_progress(sys.stderr)).bootstrap
            broker.kill()  # An orderly stop writes thousands of files that are deleted next.


def docker_answers() -> bool:
    """True when a Docker engine, not only its command line, can be reached."""
    import docker  # type: ignore[import-untyped]  # the package ships no types
    from docker.errors import DockerException  # type: ignore[import-untyped]  # as above

    try:
        client = docker.from_env(timeout=DOCKER_TIMEOUT_S)
    except DockerException:
        return False
    try:
        return bool(client.ping())
    except (DockerException, OSError):
        return False
    finally:
        client.close()


@contextmanager
def kafka_container() -> Iterator[str]:
    """Yield the address of the official image's broker, on the same port inside and outside."""
    from testcontainers.core.container import DockerContainer

    port = choose_ports(0).client
    environment = {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_LISTENERS": f"PLAINTEXT://0.0.0.0:{port},CONTROLLER://localhost:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{LOOPBACK}:{port}",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "PLAINTEXT",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    }
    container = DockerContainer(KAFKA_IMAGE).with_envs(**environment).with_bind_ports(port, port)
    with container:
        address = f"{LOOPBACK}:{port}"
        yield connect_external(address, deadline_s=CONTAINER_DEADLINE_S).bootstrap
