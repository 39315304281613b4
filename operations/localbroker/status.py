"""Reads the status of a home's broker, and stops it from another process."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import psutil

from arena.broker_files import broker_files_of
from arena.broker_state import BrokerState, cluster_members, local_state, read_state, remove_state
from arena.processes import end_process
from operations.localbroker.broker_lookup import split_address
from operations.localbroker.cache import cache_root
from operations.localbroker.diagnose import find_cause, read_tail
from operations.localbroker.external_listener import ExternalListener, read_listener
from operations.localbroker.jar_lock import load_lock
from operations.localbroker.jars import jars_directory, verify_jars
from operations.localbroker.process import identify_broker

Condition = Literal["running", "not answering", "degraded", "stopped", "stale"]


@dataclass(frozen=True, slots=True)
class BrokerStatus:
    """The status of the local broker, or of the cluster and each of its brokers.

    Attributes:
        condition: "running"; "not answering" if its process runs but does not serve; "degraded"
            if some brokers of a cluster serve and others do not; "stopped"; "stale" if it ended
            without removing its state file.
        broker: The state of the started broker; None if none was started.
        rss_bytes: Resident memory of its process; 0 if it does not run.
        uptime_s: Seconds since its start; 0 if it does not run.
        jars: Directory of the cached jars; None if they are not cached.
        reason: Why it ended, if its log has a known cause; else "".
        verified: True if every byte of the jars was read and compared just now.
        nodes: The brokers of a cluster, by id; empty for a single broker.
        external: The listener for other hosts; None if there is none.
    """

    condition: Condition
    broker: BrokerState | None
    rss_bytes: int
    uptime_s: float
    jars: Path | None
    reason: str
    verified: bool
    nodes: tuple["BrokerStatus", ...] = ()
    external: ExternalListener | None = None

    def as_json(self) -> dict[str, object]:
        """The status as plain values, for `--json`."""
        return {
            "condition": self.condition,
            "broker": asdict(self.broker) if self.broker else None,
            "rss_bytes": self.rss_bytes,
            "uptime_s": round(self.uptime_s, 1),
            "jars": str(self.jars) if self.jars else None,
            "reason": self.reason,
            "verified": self.verified,
            "nodes": [node.as_json() for node in self.nodes],
            "outside": asdict(self.external) if self.external else None,
        }


def read_status(home: Path, *, cache: Path | None = None, verify: bool = False) -> BrokerStatus:
    """Return the status of the broker, or the cluster, of a home.

    Args:
        home: The arena's local state.
        cache: The folder of the jars; None for `cache_root()`.
        verify: Also read every byte of the cached jars.

    Raises:
        FileRefused: With `verify`: a jar is missing, truncated, altered, or not in the lock.
    """
    lock = load_lock()
    directory = jars_directory(lock, cache or cache_root())
    if verify:
        verify_jars(lock, directory)
    jars = directory if directory.is_dir() else None
    found = cluster_members(home)
    external = read_listener(broker_files_of(home).root)
    if not found:
        alone = _node_status(read_state(broker_files_of(home).state), jars, verified=verify)
        return replace(alone, external=external)
    nodes = tuple(_node_status(state, jars, verified=verify) for state in found)
    serving = [node for node in nodes if node.condition == "running"]
    return BrokerStatus(
        condition=_condition_of_all([node.condition for node in nodes]),
        broker=local_state(home),
        rss_bytes=sum(node.rss_bytes for node in nodes),
        uptime_s=max((node.uptime_s for node in serving), default=0.0),
        jars=jars,
        reason="; ".join(node.reason for node in nodes if node.reason),
        verified=verify,
        nodes=nodes,
        external=external,
    )


def _node_status(state: BrokerState | None, jars: Path | None, *, verified: bool) -> BrokerStatus:
    running = state is not None and state.is_running()
    rss_bytes, uptime_s = _usage(state) if state is not None and running else (0, 0.0)
    return BrokerStatus(
        condition=_condition(state, running=running),
        broker=state,
        rss_bytes=rss_bytes,
        uptime_s=uptime_s,
        jars=jars,
        reason=_reason(state) if state is not None and not running else "",
        verified=verified,
    )


def _condition_of_all(conditions: list[Condition]) -> Condition:
    if len(set(conditions)) == 1:
        return conditions[0]
    if any(condition in ("running", "not answering") for condition in conditions):
        return "degraded"
    return "stale" if "stale" in conditions else "stopped"


def stop_broker(home: Path) -> BrokerState | None:
    """Stop the broker, or every broker of the cluster, of a home, whichever process started it.

    Returns:
        The state of the stopped broker; None if none was running. A stale state is removed.
    """
    files = broker_files_of(home)
    stopped = local_state(home)
    found = cluster_members(home)
    if not found:
        return stopped if _end(files.state) else None
    with ThreadPoolExecutor(len(found)) as threads:
        ended = list(threads.map(_end, (files.node(n + 1).state for n in range(len(found)))))
    return stopped if any(ended) else None


def _end(path: Path) -> bool:
    state = read_state(path)
    if state is None:
        return False
    ended = end_process(state.pid, state.start_time_s)
    remove_state(path, state.pid)
    return ended


def _condition(state: BrokerState | None, *, running: bool) -> Condition:
    if state is None:
        return "stopped"
    if not running:
        return "stale"
    host, port = split_address(state.bootstrap)
    answer = identify_broker(
        host, port, cluster_id=state.cluster_id, security=state.security, pid=state.pid
    )
    return "running" if answer == "ours" else "not answering"


def _reason(state: BrokerState) -> str:
    """Return the cause and the remedy in the log of a broker that has ended, or ""."""
    cause = find_cause(read_tail(Path(state.log_file), state.log_start_bytes))
    if cause is None:
        return ""
    message, remedy = cause
    fields = {"data_dir": state.data_dir, "bootstrap": state.bootstrap}
    return f"{message.format(**fields)}; {remedy.format(**fields)}"


def _usage(state: BrokerState) -> tuple[int, float]:
    try:
        rss_bytes = int(psutil.Process(state.pid).memory_info().rss)
    except psutil.Error:
        return 0, 0.0
    return rss_bytes, time.time() - state.start_time_s
