"""Which processes are alive, from `arena.heartbeats`. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from arena.clock_skew import SkewFold, by_broker_clock
from arena.liveness import FEED_DOWN
from arena.messages import Heartbeat

STALE_AFTER_INTERVALS = 3
INTERVAL_S = 5.0
"""Between the heartbeats of a process that does not say."""
GONE_AFTER_S = 600.0
"""A process silent for longer is no longer shown."""
PROCESSES_MAX = 512
CONNECTOR = "connector"

ProcessState = Literal["starting", "running", "standby", "stopping", "stopped", "silent"]


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """A process: what it said last, and how long ago.

    Attributes:
        state: What it says of itself; "silent" where it missed three heartbeats, "stopped"
            where its last word was that it stops.
    """

    node: str
    kind: str
    name: str
    state: ProcessState
    age_s: float
    lag: int | None
    dead_letters: int

    @property
    def alive(self) -> bool:
        """True where it is at work or ready to take over."""
        return self.state in ("starting", "running", "standby")


class Processes:
    """The newest heartbeat of each process, with the broker's times.

    Attributes:
        newest: Node -> its heartbeat. clocks: of the hosts, against the broker's.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.newest: dict[str, Heartbeat] = {}
        self.clocks = SkewFold()

    def beat(self, heartbeat: Heartbeat, appended_ms: int) -> None:
        """Take a heartbeat; beyond `PROCESSES_MAX` the one silent longest is forgotten.

        Args:
            heartbeat: As its host made it.
            appended_ms: When the broker appended it, which counts: hosts may have wrong clocks.
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
        """The newest heartbeats of the processes of a kind that are alive by the broker's time."""
        return [
            beat for beat in self.newest.values() if beat.kind == kind and _row(beat, now).alive
        ]

    def feed(self) -> tuple[str, datetime | None]:
        """Why the venue sends nothing, "" if it does; and when the last connector stopped."""
        beats = [beat for beat in self.newest.values() if beat.kind == CONNECTOR]
        if not beats:
            return "", None
        newest = max(beats, key=lambda beat: (beat.at, beat.node))
        if newest.status == "stopping":  # one that runs would have said so since
            return "", newest.at
        return str(newest.details.get(FEED_DOWN, "")), None

    def rows(self, now: datetime) -> list[ProcessRow]:
        """The processes heard of within `GONE_AFTER_S` by the broker's time, by kind and name."""
        rows = [_row(beat, now) for beat in self.newest.values()]
        return sorted(
            (row for row in rows if row.age_s <= GONE_AFTER_S),
            key=lambda row: (row.kind, row.name, row.node),
        )


def _row(beat: Heartbeat, now: datetime) -> ProcessRow:
    age_s = max(0.0, (now - beat.at).total_seconds())
    state: ProcessState = beat.status
    if beat.status == "stopping":
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
    )
