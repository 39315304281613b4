"""Which processes are alive, by their heartbeats. Pure.

A process is alive from its first heartbeat until it says that it stops, or until three intervals
passed without another one.
"""

from collections.abc import Iterable
from datetime import datetime

from arena.messages import Heartbeat

LOOK_BACK_S = 120.0
"""Heartbeats that old are read at a start; a living process sent a newer one."""
WAITING_FOR = "waiting_for"
"""The detail of a router's heartbeat that names a chat node that does not run."""
COMMANDS_LOST = "commands_lost"
"""The detail of an executor's heartbeat that says, by shard, what was lost of its commands."""
EVENTS_LOST = "events_lost"
"""Likewise of its events."""
COMMANDS_UNPROVEN = "commands_unproven"
"""Likewise what may be lost of its commands, or could not be checked."""
EVENTS_UNPROVEN = "events_unproven"
"""Likewise of its events."""
CONTROL_UNPROVEN = "control_unproven"
"""Likewise of `arena.control`."""
LOST_RECORDS = {COMMANDS_LOST: "account.commands", EVENTS_LOST: "account.events"}
UNPROVEN_RECORDS = {
    COMMANDS_UNPROVEN: "account.commands",
    EVENTS_UNPROVEN: "account.events",
    CONTROL_UNPROVEN: "arena.control",
}
RECORDS_LOST = "records_lost"
"""The detail of any heartbeat that says what was lost: topic -> partition and reader -> words."""
CHAT_NODE = "chat-node"
"""The kind of a chat node in its heartbeats."""
INTERVALS_MAX = 3
INTERVAL_S = 5.0
"""Assumed of a process that does not tell its interval."""


def silent_after_s(beat: Heartbeat, usual_s: float = INTERVAL_S) -> float:
    """Seconds after its newest heartbeat from which a process does not count as alive.

    Args:
        beat: The heartbeat.
        usual_s: Interval of a process that does not tell its own.
    """
    return INTERVALS_MAX * (beat.interval_s or usual_s)


def is_living(beat: Heartbeat, now: datetime) -> bool:
    """True if the process that sent this newest heartbeat is alive at a wall time."""
    if beat.status == "stopping":
        return False
    return (now - beat.at).total_seconds() <= silent_after_s(beat)


def living(beats: Iterable[Heartbeat], kind: str, now: datetime) -> list[Heartbeat]:
    """The newest heartbeats of the living processes of a kind, such as "chat-node", by name."""
    newest: dict[str, Heartbeat] = {}
    for beat in beats:
        if beat.kind == kind:
            known = newest.get(beat.node)
            newest[beat.node] = beat if known is None or beat.at >= known.at else known
    return sorted((b for b in newest.values() if is_living(b, now)), key=lambda b: (b.name, b.node))
