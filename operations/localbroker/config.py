"""The configuration of a broker, alone or one of three: lean, quick to return after a kill.

Pure: text and argument lists out of values. Measured with these settings: about 150 MB
resident, ready in 1.3 s, back 2 s after a SIGKILL.
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
"""Copies of each partition where there are brokers enough; one fewer must have it for an ack."""

# After an unclean stop the controller holds the dead broker's registration for the session
# time-out (9 s by default), so a short one is what brings a killed broker back in 2 s.
# What three brokers wait for when one dies: a follower that lost its leader pauses for the
# back-off (1 s by default) before it follows the next one, and controllers miss theirs for the
# fetch time-out (2 s by default).
# The cleaner's buffer is 128 MB by default, half of all the memory such a broker uses.
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
log.cleaner.dedupe.buffer.size=4194304
"""

OPEN_PROTOCOLS = (
    "listener.security.protocol.map="
    f"PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,{EXTERNAL_LISTENER}:PLAINTEXT\n"
)
"""Kafka knows the protocol of a listener that is called like one; all are named where one is."""

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
    """A broker's place among the brokers of its cluster.

    Attributes:
        cluster_id: All of them are formatted with it.
        node_id: Of this one; they are numbered from 1.
        controller_ports: Of all of them, by number.
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
    """The text of server.properties.

    Paths in it are relative to the directory the broker runs in, so a home with a comma, a
    blank or an umlaut in its name needs no escaping.

    Args:
        host: The IPv4 address to listen on.
        ports: Of this broker.
        quorum: Its place in a cluster; None where it is alone.
        security: Who may connect; None where everybody may. The text then holds passwords.
        outside: The listener for other hosts; None for none.
    """
    controllers = quorum.controller_ports if quorum else (ports.controller,)
    replicas = min(len(controllers), REPLICAS)
    node_id = quorum.node_id if quorum else 1
    other = f",{EXTERNAL_LISTENER}://"
    text = SERVER_PROPERTIES.format(
        host=host,
        node_id=node_id,
        listens=f"{other}{external.listener(node_id)}" if external else "",
        advertises=f"{other}{external.advertised(node_id)}" if external else "",
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
    """The command line that runs class `main`; its working directory is `BrokerFiles.root`.

    Args:
        java: The executable.
        jars: The directory of the class path.
        main: The class.
        args: Its arguments.
        flags: Further flags of the virtual machine.
    """
    log4j = f"-Dlog4j.configuration=file:{LOG4J_PROPERTIES_NAME}"
    return [str(java), *JVM_FLAGS, *flags, log4j, "-cp", f"{jars}/*", main, *args]


def argument_file(command: list[str]) -> str:
    """What `java @FILE` reads as this command's words, so that no process list shows them.

    Syntax: "java Command-Line Argument Files" of the JDK's manual page of java.
    """
    quoted = (word.replace("\\", "\\\\").replace('"', '\\"') for word in command[1:])
    return "".join(f'"{word}"\n' for word in quoted)


def cluster_id_from(random_bytes: bytes) -> str:
    """A cluster id as Kafka writes them: 16 bytes, url-safe base64, 22 characters.

    The command that formats the storage takes a leading "-" for an option, so the first
    byte's top bits are cleared where they would give one.
    """
    assert len(random_bytes) == 16, f"a cluster id is made of 16 bytes, not {len(random_bytes)}"
    text = base64.urlsafe_b64encode(random_bytes).decode().rstrip("=")
    return f"A{text[1:]}" if text.startswith("-") else text


def read_cluster_id(meta_properties: str) -> str | None:
    """The cluster id in the text of a meta.properties file; None where it names none."""
    for line in meta_properties.splitlines():
        key, _, value = line.partition("=")
        if key.strip() == "cluster.id":
            return value.strip() or None
    return None
