"""The broker's configuration, as text and values."""

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from arena.localbroker.config import (
    SERVER_CLASS,
    BrokerFiles,
    cluster_id_from,
    java_command,
    read_cluster_id,
    server_properties,
)
from arena.localbroker.ports import Ports


def test_properties_hold_the_ports_and_the_quick_return() -> None:
    """Both ports, no topics by accident, and the lines that bring a killed broker back in 2 s."""
    lines = server_properties("127.0.0.1", Ports(client=1234, controller=5678)).splitlines()

    assert "listeners=PLAINTEXT://127.0.0.1:1234,CONTROLLER://127.0.0.1:5678" in lines
    assert "controller.quorum.voters=1@127.0.0.1:5678" in lines
    assert "auto.create.topics.enable=false" in lines
    assert "broker.session.timeout.ms=1000" in lines
    assert "log.cleaner.dedupe.buffer.size=4194304" in lines
    assert len(lines) == len({line.partition("=")[0] for line in lines})


def test_command_is_lean() -> None:
    """The heap is bounded, and the class path is the checked directory alone."""
    command = java_command(Path("/j/java"), Path("/c/jars"), SERVER_CLASS, "server.properties")

    assert ["/j/java", "-Xms64m", "-Xmx256m"] == command[:3]
    assert ["-cp", "/c/jars/*", "kafka.Kafka", "server.properties"] == command[-4:]


@given(st.binary(min_size=16, max_size=16))
def test_cluster_ids_are_what_kafka_accepts(random_bytes: bytes) -> None:
    """22 characters, url-safe, and never one that the format command takes for an option."""
    cluster_id = cluster_id_from(random_bytes)

    assert len(cluster_id) == 22
    assert not cluster_id.startswith("-")
    assert cluster_id.replace("-", "").replace("_", "").isalnum()


def test_cluster_id_is_read_from_meta_properties() -> None:
    """The id is found among other lines; a file without one gives None."""
    text = f"#{os.linesep}node.id=1\nversion=1\ncluster.id=abc_DEF\n"

    assert read_cluster_id(text) == "abc_DEF"
    assert read_cluster_id("node.id=1\n") is None


def test_everything_lies_below_one_directory() -> None:
    """Data, configuration, logs and state are inside the broker's own directory."""
    files = BrokerFiles(Path("/home/kafka"))

    paths = [files.log_dirs, files.server_properties, files.server_log, files.state]
    assert all(files.root in path.parents for path in paths)
