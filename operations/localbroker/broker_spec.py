"""What it takes to run one broker process: the value that both kinds of broker prepare."""

from dataclasses import dataclass, field
from pathlib import Path

from arena.credentials import PLAINTEXT

APACHE_KAFKA = "apache-kafka"
KAFKA_COMPATIBLE = "kafka-compatible"
EXTERNAL = "external"


@dataclass(frozen=True, slots=True)
class BrokerSpec:
    """One broker, ready to be started.

    Attributes:
        kind: `APACHE_KAFKA` or `KAFKA_COMPATIBLE`.
        version: The broker's version.
        command: Its command line.
        cwd: Its working directory.
        cluster_id: What its Metadata answer must hold.
        durable: False where everything is gone with the process.
        log_file: The log to read after a failure, besides its console output.
        environ: Added to the environment.
        note: What the user must be told about this broker; "" where nothing.
        security: Protocol of its listener, as `KAFKA_SECURITY_PROTOCOL` names it.
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
    """A broker that can be used.

    Attributes:
        bootstrap: "host:port", comma-separated where there are several.
        kind: `APACHE_KAFKA`, `KAFKA_COMPATIBLE` or `EXTERNAL`.
        version: The broker's version; None where it cannot be told.
        data_dir: Where its topics lie; None where they are not ours or in memory only.
        pid: Its process id; None where it is not on this machine's list.
        log_file: Its log; None where it is not ours.
        durable: False where nothing outlives the broker's process.
        note: What the user must be told about it; "" where nothing.
        ready_s: Seconds from its start to its first answer; 0 where it ran already.
        security: Protocol of its listener; more than PLAINTEXT needs credentials.
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
