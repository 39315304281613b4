"""What an arena's home says of its brokers: one alone, or the members of a cluster.

`cluster.json` names the ports of a cluster's members and never changes; whether a member runs is
in the `broker.json` of its own folder.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from arena.localbroker.config import files_of
from arena.localbroker.ports import Ports
from arena.localbroker.state import BrokerState, read_state
from arena.written import write_whole


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
    write_whole(path, json.dumps(asdict(cluster), indent=2) + "\n")


def members(home: Path) -> list[BrokerState | None]:
    """What was last started of each member of the home's cluster; empty where there is none."""
    files = files_of(home)
    cluster = read_cluster(files.cluster)
    if cluster is None:
        return []
    return [read_state(files.node(n).state) for n in range(1, len(cluster.ports) + 1)]


def local_state(home: Path) -> BrokerState | None:
    """The broker that was started in a home, whether alone or of a cluster.

    Of a cluster: a member that runs, where one does, with the addresses of all members.
    """
    files = files_of(home)
    cluster = read_cluster(files.cluster)
    if cluster is None:
        return read_state(files.state)
    found = [state for state in members(home) if state is not None]
    running = [state for state in found if state.is_running()]
    for state in running or found:
        return replace(state, bootstrap=cluster.bootstrap, data_dir=str(files.root))
    return None
