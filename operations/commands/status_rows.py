"""What `arena status` says: heartbeats and the run's processes as rows. Pure.

A heartbeat that is older than three intervals is stale, and so is a process of this host that is
suspended; one of this host that is no more, or whose last word was an error, is down. A dead
process is shown until another of its kind and name was started after its last word.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from arena.agent_health import DeadAgent, dead_agents_of
from arena.liveness import FEED_DOWN, WAITING_FOR, silent_after_s
from arena.messages import Heartbeat
from arena.node import ERROR
from arena.runs import ProcessRecord, RunRecord
from arena.visible_text import one_line

FORGOTTEN_AFTER = timedelta(days=1)
SUSPENDED = "suspended: SIGCONT lets it go on"
COUNTERS_SHOWN = 6
DEAD_CHARS_MAX = 1_000
ROUTERS = frozenset({"router", "routers"})
CONNECTOR = "connector"

Look = Literal["gone", "suspended"]
"""What this machine says of a process of its own that is not simply running."""
Health = Literal["ok", "standby", "starting", "stopping", "stopped", "stale", "down", "unknown"]
ALIVE: frozenset[Health] = frozenset({"ok", "standby", "starting"})
BAD: frozenset[Health] = frozenset({"stale", "down"})


@dataclass(frozen=True, slots=True)
class Row:
    """One process.

    Attributes:
        kind: The command, such as "router".
        health: "stale" is a heartbeat that does not come any more, "down" a process that ended
            without being asked to, or that the supervisor does not keep up, "unknown" one that
            sends no heartbeat.
        age_s: Of the newest heartbeat; None where there is none.
        restarts: By the supervisor; None where it is not ours.
        counters: As published. words: for people, why it is as it is.
        waiting: What a router waits for, such as a chat node that does not run; "" for nothing.
        feed_down: Why a connector's venue sends nothing, and what to do; "" if it does.
    """

    kind: str
    name: str
    host: str
    pid: int | None
    health: Health
    age_s: float | None
    restarts: int | None
    counters: Mapping[str, int]
    gauges: Mapping[str, float]
    words: str = ""
    waiting: str = ""
    feed_down: str = ""


def rows(
    beats: Iterable[Heartbeat],
    run: RunRecord | None,
    *,
    host: str,
    now: datetime,
    interval_s: float,
    looks: Mapping[str, Look] | None = None,
) -> list[Row]:
    """Every process that matters now.

    Args:
        beats: The newest heartbeat of each node.
        run: The run that is supervised here; None where there is none.
        host: The name of this machine.
        now: Wall time.
        interval_s: Seconds between two heartbeats of a node that does not say.
        looks: Node id -> what this machine says of its own processes.
    """
    ours = {p.pid: p for p in run.processes if p.pid is not None} if run else {}
    found: list[tuple[Heartbeat, Row]] = []
    for beat in sorted(beats, key=lambda b: b.at, reverse=True):
        if now - beat.at > FORGOTTEN_AFTER:
            continue
        process = ours.get(beat.pid) if beat.host == host else None
        found.append(
            (beat, _from_beat(beat, process, (looks or {}).get(beat.node), now, interval_s))
        )
    shown = [row for beat, row in found if not _is_replaced(beat, row, found)]
    shown.sort(key=lambda row: (row.kind, row.name))
    if run is not None:
        seen = {beat.pid for beat, _ in found if beat.host == host}
        shown += [_from_process(p, host) for p in run.processes if p.pid not in seen]
    return shown


def _is_replaced(beat: Heartbeat, row: Row, found: list[tuple[Heartbeat, Row]]) -> bool:
    """True for the last word of a process where another of its kind and name took its place."""
    if row.health in ALIVE or row.words == SUSPENDED:
        return False
    of_name = [(b, r) for b, r in found if (b.kind, b.name) == (beat.kind, beat.name) and b != beat]
    if row.health == "stopped" and any(r.health in ALIVE for _, r in of_name):
        return True
    return any(b.started_at > beat.at for b, _ in of_name)


def _from_beat(
    beat: Heartbeat, process: ProcessRecord | None, look: Look | None, now: datetime, usual_s: float
) -> Row:
    age_s = max(0.0, (now - beat.at).total_seconds())
    words = " ".join(str(value) for value in beat.details.values() if isinstance(value, str))
    health: Health
    if process is not None and process.state != "running":
        health, words = _of_state(process), _of_end(process)
    elif beat.status == "stopping":
        health = "down" if ERROR in beat.details else "stopped"
        words = str(beat.details.get(ERROR, words))
    elif look == "gone":
        health, words = "down", "ended without a word: killed?"
    elif look == "suspended":
        health, words = "stale", SUSPENDED
    elif age_s > silent_after_s(beat, usual_s):
        health = "stale"
    else:
        health = "ok" if beat.status == "running" else beat.status
    return Row(
        kind=beat.kind,
        name=beat.name,
        host=beat.host,
        pid=beat.pid,
        health=health,
        age_s=age_s,
        restarts=process.restarts if process else None,
        counters=beat.counters,
        gauges=beat.gauges,
        words=words,
        waiting=str(beat.details.get(WAITING_FOR, "")) if beat.kind in ROUTERS else "",
        feed_down=str(beat.details.get(FEED_DOWN, "")) if beat.kind == CONNECTOR else "",
    )


def _of_state(process: ProcessRecord) -> Health:
    health: Health = {
        "running": "unknown",
        "waiting": "starting",
        "restarting": "down",
        "given_up": "down",
        "finished": "stopped",
        "stopped": "stopped",
    }[process.state]  # type: ignore[assignment]  # the values are those of Health
    return health


def _of_end(process: ProcessRecord) -> str:
    return process.note or f"{process.state}, exit code {process.exit_code}"


def _from_process(process: ProcessRecord, host: str) -> Row:
    """A process of the run without a heartbeat: it has none, or not yet, or it is down."""
    health = _of_state(process)
    return Row(
        kind=process.name,
        name="",
        host=host,
        pid=process.pid,
        health=health,
        age_s=None,
        restarts=process.restarts,
        counters={},
        gauges={},
        words="runs; sends no heartbeat" if health == "unknown" else _of_end(process),
    )


def dead_agents(
    beats: Iterable[Heartbeat], found: Iterable[Row], run: RunRecord | None
) -> tuple[DeadAgent, ...]:
    """The dead agents of an arena, by name.

    Args:
        beats: The newest heartbeat of each node.
        found: The rows that were made of them; only processes that run are asked.
        run: The newest run here: what its contest saw counts as well.
    """
    alive = {(row.kind, row.name, row.host, row.pid) for row in found if row.health in ALIVE}
    listed: dict[str, DeadAgent] = {} if run is None else {one.agent: one for one in run.dead}
    for beat in sorted(beats, key=lambda beat: beat.at):
        if (beat.kind, beat.name, beat.host, beat.pid) in alive:
            listed |= {one.agent: one for one in dead_agents_of(beat)}
    return tuple(dead for _, dead in sorted(listed.items()))


def dead_line(dead: DeadAgent) -> str:
    """A dead agent on one line."""
    return one_line(f"dead: {dead.agent}: {dead.cause}; {dead.remedy}", DEAD_CHARS_MAX)


def table(found: list[Row]) -> list[str]:
    """The rows as aligned lines."""
    head = ("process", "name", "host", "pid", "health", "beat", "restarts", "counters")
    cells = [head, *(tuple(map(one_line, _cells(row))) for row in found)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    right = {3, 5, 6}
    lines = []
    for row in cells:
        line = [
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(line).rstrip())
    return lines


def _cells(row: Row) -> tuple[str, ...]:
    shown = sorted(row.counters.items())[:COUNTERS_SHOWN]
    counters = " ".join(f"{name}={value}" for name, value in shown)
    if row.waiting and row.health in ALIVE:
        counters = f"waiting for {row.waiting}"
    if row.feed_down and row.health in ALIVE:
        counters = row.feed_down
    return (
        row.kind,
        row.name or "-",
        row.host,
        "-" if row.pid is None else str(row.pid),
        row.health,
        "-" if row.age_s is None else f"{row.age_s:.0f} s",
        "-" if row.restarts is None else str(row.restarts),
        row.words if row.health in BAD and row.words else counters or row.words,
    )
