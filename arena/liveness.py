"""Decides from heartbeats which processes are alive. Pure.

A process is alive from its first heartbeat until it reports that it stops, or until three intervals
pass without a heartbeat.
"""

import re
from collections.abc import Iterable
from datetime import datetime

from arena.bus.base import Record
from arena.errors import Malformed
from arena.ids import NAME_PATTERN
from arena.messages import Heartbeat

LOOK_BACK_S = 120.0
"""Age of the heartbeats that are read at a start; a running process has sent a newer one."""
FEED_DOWN = "feed_down"
"""The detail of a connector's heartbeat with the reason why its venue is silent, and a remedy."""
VENUE_BANS = "venue_bans"
"""The detail of a connector's heartbeat with its bans: venue -> status and end."""
OTHER_CONNECTORS = "other_connectors"
"""The detail of a connector's heartbeat that names other connectors of its arena, and a remedy."""
COACHED = "coached"
"""The detail of a judge's heartbeat that names the newest snapshot after which it has coached."""
CONNECTOR = "connector"
"""Kind of a connector in its heartbeats."""
WAITING_FOR = "waiting_for"
"""The detail of a router's heartbeat that names a missing chat node."""
COMMANDS_LOST = "commands_lost"
"""The detail of an executor's heartbeat that describes, by shard, lost commands."""
EVENTS_LOST = "events_lost"
"""The same for lost events."""
COMMANDS_UNPROVEN = "commands_unproven"
"""The same for commands that may be lost, or could not be checked."""
EVENTS_UNPROVEN = "events_unproven"
"""The same for events."""
CONTROL_UNPROVEN = "control_unproven"
"""The same for `arena.control`."""
LOST_RECORDS = {COMMANDS_LOST: "account.commands", EVENTS_LOST: "account.events"}
UNPROVEN_RECORDS = {
    COMMANDS_UNPROVEN: "account.commands",
    EVENTS_UNPROVEN: "account.events",
    CONTROL_UNPROVEN: "arena.control",
}
RECORDS_LOST = "records_lost"
"""The detail of any heartbeat about lost records: topic -> partition and reader -> description."""
CHAT_NODE = "chat-node"
"""Kind of a chat node in its heartbeats."""
ROUTERS = frozenset({"router", "routers"})
"""Kinds of routers in their heartbeats."""
VENUES_MAX = 8
VENUES = re.compile(rf"{NAME_PATTERN.pattern}(?:\+{NAME_PATTERN.pattern}){{0,{VENUES_MAX - 1}}}")
"""Name of a connector: its venues, joined by +."""
KIND = re.compile(r"[a-z][a-z-]{0,31}")
HOST = re.compile(r"[!-.0-~]{1,255}")
"""Visible characters except the slash, which separates the parts of an id."""
PID_END = 1 << 31
AHEAD_S_MAX = 86_400.0
"""A host's clock may be ahead by at most this."""
INTERVALS_MAX = 3
INTERVAL_S = 5.0
"""Interval of a process that does not report its own."""


def parse_heartbeat(record: Record) -> Heartbeat | None:
    """The heartbeat in a record; None if a process cannot have sent it.

    The key and the id match their parts, the names are valid, and neither time is more than a day
    after the record was appended.
    """
    try:
        beat = record.message()
    except Malformed:
        return None
    if not isinstance(beat, Heartbeat) or record.key_text != beat.node:
        return None
    name = VENUES if beat.kind == CONNECTOR else NAME_PATTERN
    parts = (KIND, beat.kind), (name, beat.name), (HOST, beat.host)
    if not all(pattern.fullmatch(text) for pattern, text in parts):
        return None
    if beat.node != f"{beat.kind}/{beat.name}/{beat.host}/{beat.pid}" or not 0 < beat.pid < PID_END:
        return None
    newest_s = record.timestamp_ms / 1_000 + AHEAD_S_MAX
    if max(beat.at, beat.started_at).timestamp() > newest_s:
        return None
    return beat


def silent_after_s(beat: Heartbeat, usual_s: float = INTERVAL_S) -> float:
    """Seconds after its newest heartbeat from which a process counts as dead.

    Args:
        beat: The heartbeat.
        usual_s: Interval of a process that does not report its own.
    """
    return INTERVALS_MAX * (beat.interval_s or usual_s)


def is_alive(beat: Heartbeat, now: datetime) -> bool:
    """True if the process that sent this newest heartbeat is alive at a wall time."""
    if beat.status == "stopping":
        return False
    return (now - beat.at).total_seconds() <= silent_after_s(beat)


def running_connectors(beats: Iterable[Heartbeat]) -> list[Heartbeat]:
    """Newest heartbeats of the connectors that run, by id, as of the newest of these heartbeats.

    Args:
        beats: The newest heartbeat of each process.
    """
    found = [beat for beat in beats if beat.kind == CONNECTOR]
    newest = max((beat.at for beat in found), default=None)
    return sorted(
        (beat for beat in found if newest is not None and is_alive(beat, newest)),
        key=lambda beat: beat.node,
    )


def feed_down(beat: Heartbeat) -> str:
    """Why a connector's venue sends nothing, and what to do; "" if it sends prices."""
    return str(beat.details.get(FEED_DOWN, "")) if beat.kind == CONNECTOR else ""


def market_warning(beat: Heartbeat) -> str:
    """What else is wrong with a connector's market data: bans and other connectors; "" if nothing.

    A ban that is the reason why the feed is down is left out.
    """
    if beat.kind != CONNECTOR:
        return ""
    bans, down = beat.details.get(VENUE_BANS), feed_down(beat)
    texts = [str(beat.details.get(OTHER_CONNECTORS, ""))]
    if isinstance(bans, dict):
        banned = [f"{venue}: {words}" for venue, words in bans.items() if str(words) not in down]
        texts = [*banned, *texts]
    return "; ".join(text for text in texts if text)


def alive_processes(beats: Iterable[Heartbeat], kind: str, now: datetime) -> list[Heartbeat]:
    """Newest heartbeats of the processes of a kind that are alive, by name."""
    newest: dict[str, Heartbeat] = {}
    for beat in beats:
        if beat.kind == kind:
            known = newest.get(beat.node)
            newest[beat.node] = beat if known is None or beat.at >= known.at else known
    return sorted((b for b in newest.values() if is_alive(b, now)), key=lambda b: (b.name, b.node))
