"""`broker.json`: which broker was started on a data directory.

Written whole by one rename. A state whose process is gone is stale: it is shown as such and
replaced by the next start; its pid is never signalled.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from arena.localbroker.child import is_same_process
from arena.localbroker.security import PLAINTEXT
from arena.written import write_whole


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
    write_whole(path, json.dumps(asdict(state), indent=2) + "\n")


def remove_state(path: Path, pid: int) -> None:
    """Forget the broker with this pid; one that was started since stays known."""
    state = read_state(path)
    if state is None or state.pid == pid:
        path.unlink(missing_ok=True)
