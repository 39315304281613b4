"""Which broker a home has, by its files: `broker.json` and, for three brokers, `cluster.json`.

`broker.json` says what was started last, and is replaced at each start: if its process is gone it
is stale, and its pid is never signalled. `cluster.json` has the ports of a cluster's members and
never changes; whether a member runs is in the `broker.json` of its own folder.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from arena.atomic_files import write_atomic
from arena.broker_files import broker_files_of
from arena.credentials import PLAINTEXT
from arena.processes import is_same_process


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the broker listens: `client` for Kafka clients, `controller` for itself."""

    client: int
    controller: int


@dataclass(frozen=True, slots=True)
class BrokerState:
    """One started broker.

    Attributes:
        kind: "apache-kafka" or "kafka-compatible".
        version: The broker's version.
        bootstrap: "host:port" for clients.
        controller_port: The port it talks to itself on; 0 where it has none.
        cluster_id: What a Metadata answer of this broker holds.
        durable: False where everything is gone with the process.
        pid: Its process id.
        start_time_s: When that process was started; tells it from a later one with its pid.
        data_dir: Where its topics lie.
        log_file: Its log.
        log_start_bytes: How long the log was when it started.
        note: What the user must be told about it; "" where nothing.
        security: Protocol of its listener.
    """

    kind: str
    version: str
    bootstrap: str
    controller_port: int
    cluster_id: str
    durable: bool
    pid: int
    start_time_s: float
    data_dir: str
    log_file: str
    log_start_bytes: int = 0
    note: str = ""
    security: str = PLAINTEXT

    def is_running(self) -> bool:
        """True while the process that was started lives."""
        return is_same_process(self.pid, self.start_time_s)


def read_state(path: Path) -> BrokerState | None:
    """The state in `path`; None where there is none or it cannot be understood."""
    try:
        return BrokerState(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_state(path: Path, state: BrokerState) -> None:
    """Replace `path` by this state, atomically."""
    write_atomic(path, json.dumps(asdict(state), indent=2) + "\n")


def remove_state(path: Path, pid: int) -> None:
    """Forget the broker with this pid; one that was started since stays known."""
    state = read_state(path)
    if state is None or state.pid == pid:
        path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class ClusterState:
    """The members of a cluster.

    Attributes:
        cluster_id: What all of them were formatted with.
        host: The address they listen on.
        ports: Per member, in the order of their numbers, which begin at 1.
    """

    cluster_id: str
    host: str
    ports: tuple[Ports, ...]

    @property
    def bootstrap(self) -> str:
        """The addresses of all of them, for clients."""
        return ",".join(f"{self.host}:{ports.client}" for ports in self.ports)


def read_cluster(path: Path) -> ClusterState | None:
    """The cluster in `path`; None where there is none or it cannot be understood."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        ports = tuple(Ports(**each) for each in raw["ports"])
        return ClusterState(cluster_id=raw["cluster_id"], host=raw["host"], ports=ports)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def write_cluster(path: Path, cluster: ClusterState) -> None:
    """Write `path` whole, by one rename."""
    write_atomic(path, json.dumps(asdict(cluster), indent=2) + "\n")


def cluster_members(home: Path) -> list[BrokerState | None]:
    """What was last started of each member of the home's cluster; empty where there is none."""
    files = broker_files_of(home)
    cluster = read_cluster(files.cluster)
    if cluster is None:
        return []
    return [read_state(files.node(n).state) for n in range(1, len(cluster.ports) + 1)]


def local_state(home: Path) -> BrokerState | None:
    """The broker that was started in a home, whether alone or of a cluster.

    Of a cluster: a member that runs, where one does, with the addresses of all members.
    """
    files = broker_files_of(home)
    cluster = read_cluster(files.cluster)
    if cluster is None:
        return read_state(files.state)
    found = [state for state in cluster_members(home) if state is not None]
    running = [state for state in found if state.is_running()]
    for state in running or found:
        return replace(state, bootstrap=cluster.bootstrap, data_dir=str(files.root))
    return None
