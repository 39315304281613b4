"""What there is to know about the local broker: read only, for `arena broker status` and stop."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import psutil

from arena.localbroker.cache import cache_root
from arena.localbroker.child import end_process
from arena.localbroker.config import BrokerFiles
from arena.localbroker.diagnose import find_cause, read_tail
from arena.localbroker.jars import jars_directory, verify_jars
from arena.localbroker.lock import load_lock
from arena.localbroker.resolve import ask
from arena.localbroker.state import BrokerState, read_state, remove_state

Condition = Literal["running", "not answering", "stopped", "stale"]


@dataclass(frozen=True, slots=True)
class BrokerStatus:
    """One look at the local broker.

    Attributes:
        condition: "running"; "not answering" while its process lives but does not serve;
            "stopped"; "stale" where the process it speaks of is gone.
        broker: What was started, None where nothing was.
        rss_bytes: Resident memory of its process; 0 where it does not run.
        uptime_s: Seconds since its start; 0 where it does not run.
        jars: Directory of the cached jars; None where they are not cached.
        reason: Why it ended, where its log tells a known cause; else "".
        verified: True where every byte of the jars was read and compared just now.
    """

    condition: Condition
    broker: BrokerState | None
    rss_bytes: int
    uptime_s: float
    jars: Path | None
    reason: str
    verified: bool

    def as_json(self) -> dict[str, object]:
        """The same as plain values for `--json`."""
        return {
            "condition": self.condition,
            "broker": asdict(self.broker) if self.broker else None,
            "rss_bytes": self.rss_bytes,
            "uptime_s": round(self.uptime_s, 1),
            "jars": str(self.jars) if self.jars else None,
            "reason": self.reason,
            "verified": self.verified,
        }


def look(home: Path, *, cache: Path | None = None, verify: bool = False) -> BrokerStatus:
    """Look at the broker of `home`; with `verify`, also read every byte of the cached jars.

    Raises:
        FileRefused: With `verify`: a jar is missing, truncated, altered, or not in the lock.
    """
    lock = load_lock()
    directory = jars_directory(lock, cache or cache_root())
    if verify:
        verify_jars(lock, directory)
    state = read_state(BrokerFiles(home.resolve() / "kafka").state)
    running = state is not None and state.is_running()
    rss_bytes, uptime_s = _usage(state) if state is not None and running else (0, 0.0)
    return BrokerStatus(
        condition=_condition(state, running=running),
        broker=state,
        rss_bytes=rss_bytes,
        uptime_s=uptime_s,
        jars=directory if directory.is_dir() else None,
        reason=_reason(state) if state is not None and not running else "",
        verified=verify,
    )


def stop_broker(home: Path) -> BrokerState | None:
    """End the broker of `home`, whoever started it.

    Returns:
        The broker that was stopped; None where none was running. A stale state is removed.
    """
    path = BrokerFiles(home.resolve() / "kafka").state
    state = read_state(path)
    if state is None:
        return None
    ended = end_process(state.pid, state.start_time_s)
    remove_state(path, state.pid)
    return state if ended else None


def _condition(state: BrokerState | None, *, running: bool) -> Condition:
    if state is None:
        return "stopped"
    if not running:
        return "stale"
    answer = ask(state.bootstrap)
    ours = answer is not None and answer.cluster_id == state.cluster_id
    return "running" if ours else "not answering"


def _reason(state: BrokerState) -> str:
    """What the log of a broker that is gone says of its end."""
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
