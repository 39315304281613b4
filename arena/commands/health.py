"""What `arena status` says: heartbeats and the run's processes as rows. Pure.

A heartbeat that is older than three intervals is stale. Of processes with one kind and name the
living ones count; where none lives, the newest tells how it ended.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from arena.messages import Heartbeat
from arena.supervisor.runs import ProcessRecord, RunRecord

INTERVALS_MAX = 3
FORGOTTEN_AFTER = timedelta(days=1)
COUNTERS_SHOWN = 6

Health = Literal["ok", "standby", "starting", "stopping", "stopped", "stale", "down", "unknown"]
BAD: frozenset[Health] = frozenset({"stale", "down"})


@dataclass(frozen=True, slots=True)
class Row:
    """One process.

    Attributes:
        kind: The command, such as "router".
        health: "stale" is a heartbeat that does not come any more, "down" a process that the
            supervisor does not keep up, "unknown" one that sends none.
        age_s: Of the newest heartbeat; None where there is none.
        restarts: By the supervisor; None where it is not ours.
        counters: As published. words: for people, why it is as it is.
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


def rows(
    beats: Iterable[Heartbeat],
    run: RunRecord | None,
    *,
    host: str,
    now: datetime,
    interval_s: float,
) -> list[Row]:
    """Every process that matters now.

    Args:
        beats: The newest heartbeat of each node.
        run: The run that is supervised here; None where there is none.
        host: The name of this machine.
        now: Wall time.
        interval_s: Seconds between two heartbeats of a node.
    """
    ours = {p.pid: p for p in run.processes if p.pid is not None} if run else {}
    found: dict[tuple[str, str], list[Row]] = {}
    seen: set[int] = set()
    for beat in sorted(beats, key=lambda b: b.at, reverse=True):
        if now - beat.at > FORGOTTEN_AFTER:
            continue
        process = ours.get(beat.pid) if beat.host == host else None
        if process is not None:
            seen.add(beat.pid)
        group = found.setdefault((beat.kind, beat.name), [])
        row = _from_beat(beat, process, now, interval_s)
        if not group or row.health in ("ok", "standby", "starting"):
            group.append(row)
    result = [row for key in sorted(found) for row in found[key]]
    if run is not None:
        result += [_from_process(p, host) for p in run.processes if p.pid not in seen]
    return _without_replaced(result)


def _from_beat(
    beat: Heartbeat, process: ProcessRecord | None, now: datetime, interval_s: float
) -> Row:
    age_s = max(0.0, (now - beat.at).total_seconds())
    health: Health
    if beat.status == "stopping":
        health = "stopped"
    elif age_s > INTERVALS_MAX * interval_s:
        health = "stale"
    else:
        health = "ok" if beat.status == "running" else beat.status
    words = " ".join(str(value) for value in beat.details.values() if isinstance(value, str))
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
    )


def _from_process(process: ProcessRecord, host: str) -> Row:
    """A process of the run without a heartbeat: it has none, or not yet, or it is down."""
    health: Health = {
        "running": "unknown",
        "waiting": "starting",
        "restarting": "down",
        "given_up": "down",
        "finished": "stopped",
        "stopped": "stopped",
    }[process.state]  # type: ignore[assignment]  # the values are those of Health
    words = process.note or f"{process.state}, exit code {process.exit_code}"
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
        words="runs; sends no heartbeat" if health == "unknown" else words,
    )


def _without_replaced(found: list[Row]) -> list[Row]:
    """Drop the last words of a process where another of its kind and name lives."""
    alive = {(r.kind, r.name) for r in found if r.health in ("ok", "standby", "starting")}
    return [
        r for r in found if r.health not in ("stale", "stopped") or (r.kind, r.name) not in alive
    ]


def table(found: list[Row]) -> list[str]:
    """The rows as aligned lines."""
    head = ("process", "name", "host", "pid", "health", "beat", "restarts", "counters")
    cells = [head, *(_cells(row) for row in found)]
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
    return (
        row.kind,
        row.name or "-",
        row.host,
        "-" if row.pid is None else str(row.pid),
        row.health,
        "-" if row.age_s is None else f"{row.age_s:.0f} s",
        "-" if row.restarts is None else str(row.restarts),
        counters or row.words,
    )
