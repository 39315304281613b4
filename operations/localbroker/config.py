"""The configuration of a broker, alone or one of three: small, and quick to restart after a kill.

Pure: returns text and argument lists. Measured with these settings: about 150 MB resident, ready
in 1.3 s, back 2 s after a SIGKILL.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from arena.broker_files import LOG4J_PROPERTIES_NAME
from arena.broker_state import Ports
from arena.credentials import PLAINTEXT
from operations.localbroker.external_listener import ExternalListener
from operations.localbroker.security import EXTERNAL_LISTENER, LISTENER, Security, secure_properties

JVM_FLAGS = ("-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
SERVER_CLASS = "kafka.Kafka"
STORAGE_CLASS = "kafka.tools.StorageTool"
REPLICAS = 3
"""Replicas of each partition, if there are as many brokers; an ack needs one fewer."""

# After an unclean stop the controller keeps the dead broker's registration for the session
# timeout (9 s by default): with a short one, a killed broker is back in 2 s.
# If one of three brokers dies, a follower of it waits for the fetch backoff (1 s by default) before
# it follows the next leader, and controllers wait for the fetch timeout (2 s by default) before
# they elect another one.
# By default a controller writes an empty record twice a second, a quarter of what an idle broker
# costs. No timeout depends on it.
# The cleaner's buffer is 128 MB by default, half of the memory of such a broker.
SERVER_PROPERTIES = """\
process.roles=broker,controller
node.id={node_id}
controller.quorum.voters={voters}
listeners={listener}://{host}:{client_port},CONTROLLER://{host}:{controller_port}{listens}
advertised.listeners={listener}://{host}:{client_port}{advertises}
controller.listener.names=CONTROLLER
inter.broker.listener.name={listener}
log.dirs=data
auto.create.topics.enable=false
default.replication.factor={replicas}
min.insync.replicas={replicas_acking}
unclean.leader.election.enable=false
offsets.topic.replication.factor={replicas}
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={replicas_acking}
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={replicas_acking}
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=2
broker.session.timeout.ms=1000
broker.heartbeat.interval.ms=200
replica.fetch.backoff.ms=100
controller.quorum.fetch.timeout.ms=1000
controller.quorum.election.timeout.ms=500
metadata.max.idle.interval.ms=5000
log.cleaner.dedupe.buffer.size=4194304
"""

OPEN_PROTOCOLS = (
    "listener.security.protocol.map="
    f"PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,{EXTERNAL_LISTENER}:PLAINTEXT\n"
)
"""Kafka knows the protocol of a listener named after one; if one is listed, all must be."""

LOG4J_PROPERTIES = """\
log4j.rootLogger=WARN, file
log4j.logger.kafka.server.BrokerServer=INFO
log4j.logger.kafka.log=INFO
log4j.logger.org.apache.kafka.storage.internals.log=INFO
log4j.appender.file=org.apache.log4j.RollingFileAppender
log4j.appender.file.File=server.log
log4j.appender.file.MaxFileSize=20MB
log4j.appender.file.MaxBackupIndex=2
log4j.appender.file.layout=org.apache.log4j.PatternLayout
log4j.appender.file.layout.ConversionPattern=%d %p %m (%c)%n
"""


@dataclass(frozen=True, slots=True)
class Quorum:
    """The quorum that a broker belongs to.

    Attributes:
        cluster_id: The id with which the storage of all brokers is formatted.
        node_id: The id of this broker; ids start at 1.
        controller_ports: The controller ports of all brokers, by id.
    """

    cluster_id: str
    node_id: int
    controller_ports: tuple[int, ...]


def server_properties(
    host: str,
    ports: Ports,
    quorum: Quorum | None = None,
    security: Security | None = None,
    external: ExternalListener | None = None,
) -> str:
    """Return the text of server.properties.

    Its paths are relative to the working directory of the broker, so a home with a comma, a space
    or an umlaut in its name needs no escaping.

    Args:
        host: The IPv4 address to listen on.
        ports: The ports of this broker.
        quorum: Its quorum in a cluster; None for a single broker.
        security: The accounts; None if every client may connect. The text then has passwords.
        external: The listener for other hosts; None for none.
    """
    controllers = quorum.controller_ports if quorum else (ports.controller,)
    replicas = min(len(controllers), REPLICAS)
    node_id = quorum.node_id if quorum else 1
    external_prefix = f",{EXTERNAL_LISTENER}://"
    text = SERVER_PROPERTIES.format(
        host=host,
        node_id=node_id,
        listens=f"{external_prefix}{external.listener(node_id)}" if external else "",
        advertises=f"{external_prefix}{external.advertised(node_id)}" if external else "",
        voters=",".join(f"{n}@{host}:{port}" for n, port in enumerate(controllers, start=1)),
        client_port=ports.client,
        controller_port=ports.controller,
        listener=LISTENER if security else PLAINTEXT,
        replicas=replicas,
        replicas_acking=max(1, replicas - 1),
    )
    if security:
        return text + secure_properties(security, external=external is not None)
    return text + OPEN_PROTOCOLS if external else text


def java_command(
    java: Path, jars: Path, main: str, *args: str, flags: Sequence[str] = ()
) -> list[str]:
    """Return the command line that runs class `main` in the directory `BrokerFiles.root`.

    Args:
        java: The executable.
        jars: The directory of the class path.
        main: The class.
        args: Its arguments.
        flags: More flags of the virtual machine.
    """
    log4j = f"-Dlog4j.configuration=file:{LOG4J_PROPERTIES_NAME}"
    return [str(java), *JVM_FLAGS, *flags, log4j, "-cp", f"{jars}/*", main, *args]


def argument_file(command: list[str]) -> str:
    """Return a file for `java @FILE`, so that no process list shows the arguments.

    Syntax: "java Command-Line Argument Files" in the JDK's manual page of java.
    """
    quoted = (word.replace("\\", "\\\\").replace('"', '\\"') for word in command[1:])
    return "".join(f'"{word}"\n' for word in quoted)


def cluster_id_from(random_bytes: bytes) -> str:
    """Return a cluster id in Kafka's form: 16 bytes, URL-safe base64, 22 characters.

    The command that formats the storage reads a leading "-" as an option, so the first character
    is replaced if it is one.
    """
    assert len(random_bytes) == 16, f"a cluster id has 16 bytes, not {len(random_bytes)}"
    text = base64.urlsafe_b64encode(random_bytes).decode().rstrip("=")
    return f"A{text[1:]}" if text.startswith("-") else text


def meta_properties(cluster_id: str, node_id: int, directory_id: str) -> str:
    """Return the text of meta.properties as Kafka's format command writes it, without a date.

    Args:
        cluster_id: The cluster id.
        node_id: The broker's id.
        directory_id: The id of the data folder, in the form of a cluster id.
    """
    return f"node.id={node_id}\ndirectory.id={directory_id}\nversion=1\ncluster.id={cluster_id}\n"


def read_cluster_id(meta_properties: str) -> str | None:
    """Return the cluster id in the text of a meta.properties file; None if it has none."""
    for line in meta_properties.splitlines():
        key, _, value = line.partition("=")
        if key.strip() == "cluster.id":
            return value.strip() or None
    return None
