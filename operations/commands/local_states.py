"""The states of this machine's own processes, by the heartbeats that they sent."""

from arena.messages import Heartbeat
from operations.commands.status_rows import LocalState


def local_states(beats: list[Heartbeat], host: str) -> dict[str, LocalState]:
    """The states of this machine's own processes by node id, if they are not running normally."""
    import psutil

    found: dict[str, LocalState] = {}
    for beat in beats:
        if beat.host != host or beat.status == "stopping":
            continue
        try:
            process = psutil.Process(beat.pid)
            state, since = process.status(), process.create_time()
        except psutil.NoSuchProcess:
            found[beat.node] = "gone"
            continue
        if state == psutil.STATUS_ZOMBIE or since > beat.at.timestamp():
            found[beat.node] = "gone"  # its pid may belong to another process now
        elif state in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP):
            found[beat.node] = "suspended"
    return found
