"""Which processes are alive, and which a command has stopped, from `arena.heartbeats`. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from arena.clock_skew import SkewFold, by_broker_clock
from arena.liveness import CONNECTOR, feed_down, market_warning, running_connectors
from arena.messages import Heartbeat
from arena.supervision import (
    ProcessAddress,
    SupervisedProcess,
    stop_text,
    supervised_processes,
)

STALE_AFTER_INTERVALS = 3
INTERVAL_S = 5.0
"""Seconds between heartbeats, if a process does not report its interval."""
GONE_AFTER_S = 600.0
"""A process silent for longer is no longer shown."""
PROCESSES_MAX = 512

ProcessState = Literal["starting", "running", "standby", "stopping", "stopped", "silent"]


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """A process and its newest heartbeat.

    Attributes:
        node: Node id.
        kind: Kind of process.
        name: Name of the process.
        state: The status in its heartbeat; "silent" if three heartbeats are missing, "stopped"
            if its last status was "stopping", or if a command stopped it.
        age_s: Seconds since the heartbeat.
        lag: Unread records, or None if it does not report them.
        dead_letters: Dead letters that it has written.
        stopped_by: Who stopped it by a command, and why; "" if no command did.
        process: Its name for commands to its supervisor; "" if no supervisor started it.
    """

    node: str
    kind: str
    name: str
    state: ProcessState
    age_s: float
    lag: int | None
    dead_letters: int
    stopped_by: str = ""
    process: str = ""

    @property
    def alive(self) -> bool:
        """True if it works or is ready to take over."""
        return self.state in ("starting", "running", "standby")


@dataclass(frozen=True, slots=True)
class FeedHealth:
    """What the connectors report.

    Attributes:
        down: Why a feed is down and what to do; "" if all are up.
        warning: What else is wrong with the market data, such as a ban or two connectors; or "".
        ended_at: When the last connector stopped; None while one runs.
    """

    down: str = ""
    warning: str = ""
    ended_at: datetime | None = None


class Processes:
    """The newest heartbeat of each process, with the broker's times.

    Attributes:
        newest: Node id -> its newest heartbeat.
        clocks: The skew of the hosts' clocks against the broker's.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.newest: dict[str, Heartbeat] = {}
        self.clocks = SkewFold()

    def beat(self, heartbeat: Heartbeat, appended_ms: int) -> None:
        """Add a heartbeat; beyond `PROCESSES_MAX` the process with the oldest one is dropped.

        Args:
            heartbeat: The heartbeat, with its host's times.
            appended_ms: The broker's time of the append, which is used because hosts may have wrong
                clocks.
        """
        self.clocks.note(heartbeat.host, heartbeat.at.timestamp() * 1_000, appended_ms)
        heartbeat = by_broker_clock(heartbeat, appended_ms)
        known = self.newest.get(heartbeat.node)
        if known is not None and known.at > heartbeat.at:
            return
        self.newest[heartbeat.node] = heartbeat
        if len(self.newest) > PROCESSES_MAX:
            del self.newest[min(self.newest, key=lambda node: (self.newest[node].at, node))]

    def living(self, kind: str, now: datetime) -> list[Heartbeat]:
        """Newest heartbeats of the processes of a kind that are alive by the broker's time."""
        return [
            beat for beat in self.newest.values() if beat.kind == kind and _row(beat, now).alive
        ]

    def feed(self) -> "FeedHealth":
        """What the connectors report, as of the newest heartbeat of one."""
        beats = [beat for beat in self.newest.values() if beat.kind == CONNECTOR]
        newest = max(beats, key=lambda beat: (beat.at, beat.node), default=None)
        if newest is not None and newest.status == "stopping":
            # A running connector would have a newer heartbeat.
            return FeedHealth(ended_at=newest.at)
        running = running_connectors(beats)
        return FeedHealth(
            down=_joined(feed_down(beat) for beat in running),
            warning=_joined(market_warning(beat) for beat in running),
        )

    def rows(self, now: datetime) -> list[ProcessRow]:
        """Processes with a heartbeat within `GONE_AFTER_S`, and stopped ones, by kind and name.

        A process that a command has stopped is shown as long as its supervisor is. One that ended
        is left out if a supervisor has started another in its place.
        """
        recent = [b for b in self.newest.values() if _age_s(b, now) <= GONE_AFTER_S]
        supervised = supervised_processes(recent)
        stopped = {place for place, one in supervised.items() if one.is_stopped_by_command}
        shown = {beat.node: beat for beat in recent}
        if stopped:
            shown |= {b.node: b for b in self.newest.values() if _address(b) in stopped}
        rows = [_row(beat, now, supervised.get(_address(beat))) for beat in shown.values()]
        started = {_place(row) for row in rows if row.process and row.alive}
        rows = [row for row in rows if row.process or row.alive or _place(row) not in started]
        return sorted(rows, key=lambda row: (row.kind, row.name, row.node))


def _joined(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(text for text in texts if text))


def _place(row: ProcessRow) -> str:
    """The id without the pid: processes of one place follow each other."""
    return row.node.rpartition("/")[0]


def _address(beat: Heartbeat) -> ProcessAddress:
    return ProcessAddress(beat.host, beat.pid)


def _age_s(beat: Heartbeat, now: datetime) -> float:
    return max(0.0, (now - beat.at).total_seconds())


def _row(beat: Heartbeat, now: datetime, supervised: SupervisedProcess | None = None) -> ProcessRow:
    age_s = _age_s(beat, now)
    stopped = supervised is not None and supervised.is_stopped_by_command
    stopped_by = stop_text(supervised) if supervised is not None and stopped else ""
    state: ProcessState = beat.status
    if beat.status == "stopping" or stopped_by:
        state = "stopped"
    elif age_s > STALE_AFTER_INTERVALS * (beat.interval_s or INTERVAL_S):
        state = "silent"
    lag = beat.gauges.get("lag")
    return ProcessRow(
        node=beat.node,
        kind=beat.kind,
        name=beat.name,
        state=state,
        age_s=age_s,
        lag=None if lag is None else int(lag),
        dead_letters=beat.counters.get("dead_letters", 0),
        stopped_by=stopped_by,
        process=supervised.name if supervised is not None else "",
    )
