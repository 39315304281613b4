"""The table of `arena status`: heartbeats and the run's processes as rows. Pure.

A process is stale if its heartbeat is older than three intervals, or if it is suspended on this
host. It is down if it does not exist any more on this host, or if its last heartbeat was an error.
If a command stopped it, it is stopped, with the sender and the reason. It is shown until another
process of its kind and name started after its last heartbeat; a supervisor, whose name is that of
its run, until another one started on its host.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from arena.agent_health import DeadAgent, dead_agents_of
from arena.liveness import ROUTERS, WAITING_FOR, feed_down, market_warning, silent_after_s
from arena.messages import Heartbeat
from arena.node import ERROR
from arena.process_kinds import KINDS
from arena.runs import ProcessRecord, RunRecord
from arena.shadow_agents import SHADOW_OF, is_shadow
from arena.supervision import SUPERVISOR, ProcessAddress, stopped_processes
from arena.visible_text import one_line
from operations.commands.aligned_lines import aligned_lines

HEADINGS = ("process", "name", "host", "pid", "health", "beat", "restarts", "counters")
RIGHT_ALIGNED = frozenset({3, 5, 6})
FORGOTTEN_AFTER = timedelta(days=1)
SUSPENDED = "suspended; continue it with SIGCONT"
COUNTERS_SHOWN = 6
DEAD_CHARS_MAX = 1_000
FIRST_BEAT_S = 30.0
"""A process that starts sends its first heartbeat within this time, also on a busy machine."""
SILENT_KINDS = frozenset(kind.name for kind in KINDS if kind.writes_nothing or not kind.uses_kafka)
"""The kinds that send no heartbeats."""

LocalState = Literal["gone", "suspended"]
"""The state of a process of this machine that is not running normally."""
HealthState = Literal[
    "ok", "standby", "starting", "stopping", "stopped", "stale", "down", "unknown"
]
ALIVE: frozenset[HealthState] = frozenset({"ok", "standby", "starting"})
BAD: frozenset[HealthState] = frozenset({"stale", "down"})


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """One process.

    Attributes:
        kind: The command, such as "router".
        health: "stale" has no recent heartbeat, "down" ended unexpectedly or was given up by the
            supervisor, "unknown" sends no heartbeats.
        age_s: Age of the newest heartbeat; None without one.
        restarts: Restarts by the supervisor; None if this run does not supervise it.
        counters: The published counters. words: The reason for its health, as text.
        stopped_by: Who stopped it by a command, and why; "" if no command did.
        waiting: What a router waits for, such as a chat node that does not run; "" for nothing.
        feed_down: Why a connector's venue sends nothing, and what to do; "" if it does.
        market_warning: What else is wrong with a connector's market data, such as a ban of one
            venue or another connector beside it; "" if nothing is.
        shadow_of: The agent whose text the shadow agents of a router try; "" for other processes.
    """

    kind: str
    name: str
    host: str
    pid: int | None
    health: HealthState
    age_s: float | None
    restarts: int | None
    counters: Mapping[str, int]
    gauges: Mapping[str, float]
    words: str = ""
    stopped_by: str = ""
    waiting: str = ""
    feed_down: str = ""
    market_warning: str = ""
    shadow_of: str = ""


def process_rows(
    beats: Iterable[Heartbeat],
    run: RunRecord | None,
    *,
    host: str,
    now: datetime,
    interval_s: float,
    local_states: Mapping[str, LocalState] | None = None,
) -> list[ProcessStatus]:
    """The processes to show now.

    Args:
        beats: The newest heartbeat of each node.
        run: The run that is supervised here; None without one.
        host: The name of this machine.
        now: Wall time.
        interval_s: Seconds between two heartbeats of a node that does not report its interval.
        local_states: Node id -> state of this machine's own processes.
    """
    supervised = {p.pid: p for p in run.processes if p.pid is not None} if run else {}
    beats = list(beats)
    stopped = stopped_processes(beats)
    found: list[tuple[Heartbeat, ProcessStatus]] = []
    for beat in sorted(beats, key=lambda b: b.at, reverse=True):
        if now - beat.at > FORGOTTEN_AFTER:
            continue
        process = supervised.get(beat.pid) if beat.host == host else None
        row = _from_beat(beat, process, (local_states or {}).get(beat.node), now, interval_s)
        if why := stopped.get(ProcessAddress(beat.host, beat.pid)):
            row = replace(row, health="stopped", words=why, stopped_by=why)
        found.append((beat, row))
    shown = [row for beat, row in found if not _is_replaced(beat, row, found)]
    shown.sort(key=lambda row: (row.kind, row.name))
    if run is not None:
        seen = {beat.pid for beat, _ in found if beat.host == host}
        rows = [_from_process(p, host, now) for p in run.processes if p.pid not in seen]
        for row in rows:
            address = None if row.pid is None else ProcessAddress(host, row.pid)
            why = "" if address is None else stopped.get(address, "")
            shown.append(replace(row, stopped_by=why) if why else row)
    return shown


def _is_replaced(
    beat: Heartbeat, row: ProcessStatus, found: list[tuple[Heartbeat, ProcessStatus]]
) -> bool:
    """True if another process of its kind and name replaced the process of a heartbeat."""
    if row.health in ALIVE or row.words == SUSPENDED:
        return False
    of_name = [(b, r) for b, r in found if _place(b) == _place(beat) and b != beat]
    if row.health == "stopped" and any(r.health in ALIVE for _, r in of_name):
        return True
    return any(b.started_at > beat.at for b, _ in of_name)


def _place(beat: Heartbeat) -> tuple[str, str]:
    """The kind and name of a process; of a supervisor the kind and host."""
    return beat.kind, beat.host if beat.kind == SUPERVISOR else beat.name


def _from_beat(
    beat: Heartbeat,
    process: ProcessRecord | None,
    local_state: LocalState | None,
    now: datetime,
    usual_s: float,
) -> ProcessStatus:
    age_s = max(0.0, (now - beat.at).total_seconds())
    words = " ".join(str(value) for value in beat.details.values() if isinstance(value, str))
    health: HealthState
    if process is not None and process.state != "running":
        health, words = _of_state(process), _of_end(process)
    elif beat.status == "stopping":
        health = "down" if ERROR in beat.details else "stopped"
        words = str(beat.details.get(ERROR, words))
    elif local_state == "gone":
        health, words = "down", "ended without a final heartbeat: killed?"
    elif local_state == "suspended":
        health, words = "stale", SUSPENDED
    elif age_s > silent_after_s(beat, usual_s):
        health = "stale"
    else:
        health = "ok" if beat.status == "running" else beat.status
    return ProcessStatus(
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
        feed_down=feed_down(beat),
        market_warning=market_warning(beat),
        shadow_of=str(beat.details.get(SHADOW_OF, "")) if beat.kind in ROUTERS else "",
    )


def _of_state(process: ProcessRecord) -> HealthState:
    health: HealthState = {
        "running": "unknown",
        "waiting": "starting",
        "restarting": "down",
        "given_up": "down",
        "finished": "stopped",
        "stopped": "stopped",
    }[process.state]  # type: ignore[assignment]  # the values are those of HealthState
    return health


def _of_end(process: ProcessRecord) -> str:
    return process.note or f"{process.state}, exit code {process.exit_code}"


def _from_process(process: ProcessRecord, host: str, now: datetime) -> ProcessStatus:
    """A process of the run without a heartbeat: it sends none, not yet, or it is down."""
    health = _of_state(process)
    words = "runs; sends no heartbeat" if health == "unknown" else _of_end(process)
    if health == "unknown" and _is_starting(process, now):
        health, words = "starting", "no heartbeat yet"
    return ProcessStatus(
        kind=process.name,
        name="",
        host=host,
        pid=process.pid,
        health=health,
        age_s=None,
        restarts=process.restarts,
        counters={},
        gauges={},
        words=words,
    )


def _is_starting(process: ProcessRecord, now: datetime) -> bool:
    """True in the first seconds of a process that sends heartbeats."""
    if process.since is None or process.kind in SILENT_KINDS:
        return False
    return (now - process.since).total_seconds() < FIRST_BEAT_S


def dead_agents(
    beats: Iterable[Heartbeat], found: Iterable[ProcessStatus], run: RunRecord | None
) -> tuple[DeadAgent, ...]:
    """The dead agents of an arena, by name; a shadow agent of a trial is not one.

    Args:
        beats: The newest heartbeat of each node.
        found: The rows of the heartbeats; only running processes count.
        run: The newest run here; the dead agents in its record count as well.
    """
    alive = {(row.kind, row.name, row.host, row.pid) for row in found if row.health in ALIVE}
    listed: dict[str, DeadAgent] = {} if run is None else {one.agent: one for one in run.dead}
    for beat in sorted(beats, key=lambda beat: beat.at):
        if (beat.kind, beat.name, beat.host, beat.pid) in alive:
            listed |= {one.agent: one for one in dead_agents_of(beat)}
    return tuple(dead for name, dead in sorted(listed.items()) if not is_shadow(name))


def dead_line(dead: DeadAgent) -> str:
    """The line of a dead agent."""
    return one_line(f"dead: {dead.agent}: {dead.cause}; {dead.remedy}", DEAD_CHARS_MAX)


def process_table(found: list[ProcessStatus]) -> list[str]:
    """The aligned lines of the table."""
    cells = [HEADINGS, *(tuple(map(one_line, _cells(row))) for row in found)]
    return aligned_lines(cells, right=RIGHT_ALIGNED)


def _cells(row: ProcessStatus) -> tuple[str, ...]:
    shown = sorted(row.counters.items())[:COUNTERS_SHOWN]
    counters = " ".join(f"{name}={value}" for name, value in shown)
    if row.waiting and row.health in ALIVE:
        counters = f"waiting for {row.waiting}"
    if row.shadow_of:
        counters = f"shadow of {row.shadow_of}; {counters}"
    market = "; ".join(text for text in (row.feed_down, row.market_warning) if text)
    if market and row.health in ALIVE:
        counters = market
    return (
        row.kind,
        row.name or "-",
        row.host,
        "-" if row.pid is None else str(row.pid),
        row.health,
        "-" if row.age_s is None else f"{row.age_s:.0f} s",
        "-" if row.restarts is None else str(row.restarts),
        row.stopped_by or (row.words if row.health in BAD else "") or counters or row.words,
    )
