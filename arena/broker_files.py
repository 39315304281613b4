"""The paths below a home that belong to its broker, or to the brokers of its cluster. Pure."""

from dataclasses import dataclass
from pathlib import Path

SERVER_PROPERTIES_NAME = "server.properties"
LOG4J_PROPERTIES_NAME = "log4j.properties"


@dataclass(frozen=True, slots=True)
class BrokerFiles:
    """Where one broker keeps its things, all below one directory (`.arena/kafka`)."""

    root: Path

    @property
    def log_dirs(self) -> Path:
        """Topics and the cluster's own metadata."""
        return self.root / "data"

    @property
    def meta_properties(self) -> Path:
        """Written by the format step; holds the cluster id."""
        return self.log_dirs / "meta.properties"

    @property
    def server_properties(self) -> Path:
        """The broker's configuration, written anew at each start."""
        return self.root / SERVER_PROPERTIES_NAME

    @property
    def log4j_properties(self) -> Path:
        """The logging configuration."""
        return self.root / LOG4J_PROPERTIES_NAME

    @property
    def server_log(self) -> Path:
        """The rolling log: at most three files of 20 MB."""
        return self.root / "server.log"

    @property
    def console_log(self) -> Path:
        """Standard output and error of the process, emptied at each start."""
        return self.root / "console.log"

    @property
    def state(self) -> Path:
        """Which broker runs: pid, ports, cluster id."""
        return self.root / "broker.json"

    @property
    def cluster(self) -> Path:
        """Where the brokers of a cluster listen; absent where there is one broker alone."""
        return self.root / "cluster.json"

    def node(self, node_id: int) -> "BrokerFiles":
        """The files of one broker of a cluster."""
        return BrokerFiles(self.root / f"node-{node_id}")


def broker_files_of(home: Path) -> BrokerFiles:
    """Where the broker, or the cluster, of an arena's home keeps its things."""
    return BrokerFiles(home.resolve() / "kafka")
