"""The broker's configuration, as text and values."""

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from arena.broker_files import BrokerFiles
from arena.broker_state import Ports
from operations.localbroker.config import (
    SERVER_CLASS,
    Quorum,
    argument_file,
    cluster_id_from,
    java_command,
    read_cluster_id,
    server_properties,
)
from operations.localbroker.security import Security


def test_properties_have_the_ports_and_short_timeouts() -> None:
    """Both ports, no automatic topics, and the timeouts with which a restart takes 2 s."""
    lines = server_properties("127.0.0.1", Ports(client=1234, controller=5678)).splitlines()

    assert "listeners=PLAINTEXT://127.0.0.1:1234,CONTROLLER://127.0.0.1:5678" in lines
    assert "controller.quorum.voters=1@127.0.0.1:5678" in lines
    assert "auto.create.topics.enable=false" in lines
    assert "broker.session.timeout.ms=1000" in lines
    assert "log.cleaner.dedupe.buffer.size=4194304" in lines
    assert len(lines) == len({line.partition("=")[0] for line in lines})


def test_command_has_a_small_heap() -> None:
    """The heap is limited, and the class path is only the checked directory."""
    command = java_command(Path("/j/java"), Path("/c/jars"), SERVER_CLASS, "server.properties")

    assert ["/j/java", "-Xms64m", "-Xmx256m"] == command[:3]
    assert ["-cp", "/c/jars/*", "kafka.Kafka", "server.properties"] == command[-4:]


@given(st.binary(min_size=16, max_size=16))
def test_cluster_ids_are_what_kafka_accepts(random_bytes: bytes) -> None:
    """22 characters, URL-safe, never one that the format command reads as an option."""
    cluster_id = cluster_id_from(random_bytes)

    assert len(cluster_id) == 22
    assert not cluster_id.startswith("-")
    assert cluster_id.replace("-", "").replace("_", "").isalnum()


def test_cluster_id_is_read_from_meta_properties() -> None:
    """The id is found among other lines; a file without one gives None."""
    text = f"#{os.linesep}node.id=1\nversion=1\ncluster.id=abc_DEF\n"

    assert read_cluster_id(text) == "abc_DEF"
    assert read_cluster_id("node.id=1\n") is None


def test_all_files_are_in_one_directory() -> None:
    """Data, configuration, logs and state are in the broker's directory."""
    files = BrokerFiles(Path("/home/kafka"))

    paths = [files.log_dirs, files.server_properties, files.server_log, files.state]
    assert all(files.root in path.parents for path in paths)


def test_three_brokers_share_a_quorum() -> None:
    """Each has all controllers and its own id; an ack needs two of three replicas."""
    quorum = Quorum(cluster_id="id", node_id=2, controller_ports=(11, 12, 13))

    lines = server_properties("127.0.0.1", Ports(client=22, controller=12), quorum).splitlines()

    assert "node.id=2" in lines
    assert "controller.quorum.voters=1@127.0.0.1:11,2@127.0.0.1:12,3@127.0.0.1:13" in lines
    assert {"default.replication.factor=3", "min.insync.replicas=2"} <= set(lines)
    assert "offsets.topic.replication.factor=3" in lines
    assert "unclean.leader.election.enable=false" in lines


def test_secure_broker_denies_by_default() -> None:
    """Every listener requires a login, every access an ACL, and no line is repeated."""
    security = Security(passwords={"broker": "pw"})

    lines = server_properties("127.0.0.1", Ports(1, 2), security=security).splitlines()

    assert "listeners=CLIENT://127.0.0.1:1,CONTROLLER://127.0.0.1:2" in lines
    assert "listener.security.protocol.map=CLIENT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT" in lines
    assert "allow.everyone.if.no.acl.found=false" in lines
    assert "super.users=User:admin;User:broker" in lines
    assert len(lines) == len({line.partition("=")[0] for line in lines})


def test_arguments_in_a_file_are_quoted() -> None:
    """Spaces, quotes and backslashes are kept; the program's name is not an argument."""
    assert '"-cp"\n"a b/*"\n"x=\\"y\\\\z\\""\n' == argument_file(
        ["java", "-cp", "a b/*", 'x="y\\z"']
    )
