"""What is needed to start one broker process, and what is needed to use a broker."""

from dataclasses import dataclass, field
from pathlib import Path

from arena.broker_state import BrokerState
from arena.credentials import PLAINTEXT

APACHE_KAFKA = "apache-kafka"
KAFKA_COMPATIBLE = "kafka-compatible"
EXTERNAL = "external"


@dataclass(frozen=True, slots=True)
class BrokerSpec:
    """A broker that is prepared and can be started.

    Attributes:
        kind: `APACHE_KAFKA` or `KAFKA_COMPATIBLE`.
        version: The broker's version.
        command: Its command line.
        cwd: Its working directory.
        cluster_id: The cluster id in its Metadata responses.
        durable: False if its data is lost when the process ends.
        log_file: The log to read after a failure, besides its console output.
        environ: Variables added to its environment.
        note: What the user must know about this broker; "" for nothing.
        security: Protocol of its listener, a value of `KAFKA_SECURITY_PROTOCOL`.
    """

    kind: str
    version: str
    command: list[str]
    cwd: Path
    cluster_id: str
    durable: bool
    log_file: Path
    environ: dict[str, str] = field(default_factory=dict)
    note: str = ""
    security: str = PLAINTEXT


@dataclass(frozen=True, slots=True)
class BrokerHandle:
    """A broker that serves.

    Attributes:
        bootstrap: Addresses as "host:port", comma-separated.
        kind: `APACHE_KAFKA`, `KAFKA_COMPATIBLE` or `EXTERNAL`.
        version: The broker's version; None if it is not known.
        data_dir: Folder of its topics; None for an external broker or one in memory.
        pid: Its process id; None for an external broker.
        log_file: Its log; None for an external broker.
        durable: False if its data is lost when its process ends.
        note: What the user must know about it; "" for nothing.
        ready_s: Seconds from its start to its first response; 0 if it was running already.
        security: Protocol of its listener; every one but PLAINTEXT needs credentials.
    """

    bootstrap: str
    kind: str
    version: str | None
    data_dir: Path | None
    pid: int | None
    log_file: Path | None
    durable: bool
    note: str = ""
    ready_s: float = 0.0
    security: str = PLAINTEXT


def handle_of_state(state: BrokerState) -> BrokerHandle:
    """Return the handle of a local broker from its saved state."""
    return BrokerHandle(
        bootstrap=state.bootstrap,
        kind=state.kind,
        version=state.version,
        data_dir=Path(state.data_dir) if state.data_dir else None,
        pid=state.pid,
        log_file=Path(state.log_file),
        durable=state.durable,
        note=state.note,
        security=state.security,
    )
