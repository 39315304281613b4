"""Reads and writes the state files of a home's broker: `broker.json` and `cluster.json`.

`broker.json` describes the broker that was started last and is replaced at each start. If its
process is gone the file is stale, and its pid is never signalled. `cluster.json` has the ports of
the members of a cluster and never changes; each member has a `broker.json` in its own folder.
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
    """Ports of a broker: `client` for Kafka clients, `controller` for the brokers."""

    client: int
    controller: int


@dataclass(frozen=True, slots=True)
class BrokerState:
    """A broker that was started.

    Attributes:
        kind: "apache-kafka" or "kafka-compatible".
        version: The broker's version.
        bootstrap: "host:port" for clients.
        controller_port: Port of the controller; 0 if it has none.
        cluster_id: The cluster id in the broker's metadata responses.
        durable: False if its data is lost when the process ends.
        pid: The process id.
        start_time_s: Start time of the process, Unix seconds; distinguishes it from a later
            process with the same pid.
        data_dir: Folder of its topics.
        log_file: The broker's log.
        log_start_bytes: Size of the log when the broker started.
        note: A note for the user; "" if there is none.
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
        """True while the process that was started is running."""
        return is_same_process(self.pid, self.start_time_s)


def read_state(path: Path) -> BrokerState | None:
    """Read the state in `path`; None if it is missing or malformed."""
    try:
        return BrokerState(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_state(path: Path, state: BrokerState) -> None:
    """Write the state to `path`, atomically."""
    write_atomic(path, json.dumps(asdict(state), indent=2) + "\n")


def remove_state(path: Path, pid: int) -> None:
    """Remove the state of the broker with this pid; keep that of a broker started later."""
    state = read_state(path)
    if state is None or state.pid == pid:
        path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class ClusterState:
    """The members of a cluster.

    Attributes:
        cluster_id: The cluster id of all members.
        host: The address they listen on.
        ports: Ports by member, in the order of their numbers, which start at 1.
    """

    cluster_id: str
    host: str
    ports: tuple[Ports, ...]

    @property
    def bootstrap(self) -> str:
        """Addresses of all members, for clients."""
        return ",".join(f"{self.host}:{ports.client}" for ports in self.ports)


def read_cluster(path: Path) -> ClusterState | None:
    """Read the cluster in `path`; None if it is missing or malformed."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        ports = tuple(Ports(**each) for each in raw["ports"])
        return ClusterState(cluster_id=raw["cluster_id"], host=raw["host"], ports=ports)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def write_cluster(path: Path, cluster: ClusterState) -> None:
    """Write the cluster to `path`, atomically."""
    write_atomic(path, json.dumps(asdict(cluster), indent=2) + "\n")


def cluster_members(home: Path) -> list[BrokerState | None]:
    """The state of each member of the home's cluster; empty if there is no cluster."""
    files = broker_files_of(home)
    cluster = read_cluster(files.cluster)
    if cluster is None:
        return []
    return [read_state(files.node(n).state) for n in range(1, len(cluster.ports) + 1)]


def local_state(home: Path) -> BrokerState | None:
    """The state of a home's broker.

    For a cluster: a running member if there is one, with the addresses of all members.
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
