"""Paths of the local broker's files, or of the brokers of a cluster, in an arena's home. Pure."""

from dataclasses import dataclass
from pathlib import Path

SERVER_PROPERTIES_NAME = "server.properties"
LOG4J_PROPERTIES_NAME = "log4j.properties"


@dataclass(frozen=True, slots=True)
class BrokerFiles:
    """The files of one broker, all below one folder (`.arena/kafka`)."""

    root: Path

    @property
    def log_dirs(self) -> Path:
        """Topics and cluster metadata."""
        return self.root / "data"

    @property
    def meta_properties(self) -> Path:
        """Written by the format step; has the cluster id."""
        return self.log_dirs / "meta.properties"

    @property
    def server_properties(self) -> Path:
        """The broker's configuration, rewritten at each start."""
        return self.root / SERVER_PROPERTIES_NAME

    @property
    def log4j_properties(self) -> Path:
        """The logging configuration."""
        return self.root / LOG4J_PROPERTIES_NAME

    @property
    def server_log(self) -> Path:
        """The broker's log, rotated: at most three files of 20 MB."""
        return self.root / "server.log"

    @property
    def console_log(self) -> Path:
        """Standard output and error of the process, truncated at each start."""
        return self.root / "console.log"

    @property
    def state(self) -> Path:
        """Pid, ports and cluster id of the broker."""
        return self.root / "broker.json"

    @property
    def cluster(self) -> Path:
        """Ports of the brokers of a cluster; absent for a single broker."""
        return self.root / "cluster.json"

    def node(self, node_id: int) -> "BrokerFiles":
        """The files of one broker of a cluster."""
        return BrokerFiles(self.root / f"node-{node_id}")


def broker_files_of(home: Path) -> BrokerFiles:
    """The files of the broker, or of the cluster, in an arena's home."""
    return BrokerFiles(home.resolve() / "kafka")
