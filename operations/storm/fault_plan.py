"""Draws from a seed which faults a storm has, and when. Pure: a seed always gives one plan."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Literal

FaultKind = Literal[
    "kill", "freeze", "broker_kill", "leader_kill", "link_cut", "full_disk", "clock_jump"
]

CLUSTER = 3
QUIET_START_S = 4.0
"""Time without faults at the start, for the processes to start."""
QUIET_END_S = 6.0
"""Time without new faults at the end of the storm."""
HALT_S = 10.0
"""Longest duration of a halt and the resume after it."""
SUPERVISED_KILLS_MAX = 3
SUPERVISED_WINDOW_S = 125.0
"""A supervisor gives up a process that ends six times in two minutes; the plan has fewer kills."""
SUPERVISOR_GAP_S = 40.0
"""The supervised processes end with it, and need time to start again."""

SUPERVISOR = "supervisor"
SUPERVISED = ("exchange", "connector", "tools", "chat-node-rules", "routers-agents", "ledger")
"""Names of the processes that `arena up` runs in a storm."""
KIND_OF = {
    "supervisor": "supervisor",
    "exchange": "exchange",
    "connector": "connector",
    "tools": "executor",
    "tools-2": "executor",
    "chat-node-rules": "chat-node",
    "chat-node-2": "chat-node",
    "routers-agents": "router",
    "agents-2": "router",
    "judge": "judge",
    "ledger": "ledger-sqlite",
    "ledger-postgres": "ledger-postgres",
    "dashboard": "dashboard",
}
"""Process -> the kind by which it is counted."""
LINK_TARGETS = tuple(name for name in KIND_OF if name not in ("supervisor", "exchange"))
READERS = ("dashboard",)
"""Processes that write to no topic."""
DISK_TARGETS = ("tools", "tools-2", "judge", "ledger", "dashboard", "exchange")
CLOCK_TARGETS = (
    "tools",
    "tools-2",
    "connector",
    "routers-agents",
    "agents-2",
    "chat-node-2",
    "judge",
)
DROP_ACK = "drop_ack"
LINK_CUT_VARIANTS = (DROP_ACK, "delay", "reset", "blackhole")
DROP_ACK_S = 10.0
"""Twice the heartbeat interval, so that there is an ack to drop."""
CLOCK_JUMPS_S = (-3600, -600, -30, -2, 2, 30, 600, 3600)


@dataclass(frozen=True, slots=True)
class FaultIntervals:
    """Mean seconds between two faults of a kind; 0 for none.

    Attributes:
        kill: Kills of processes. freeze: Freezes of processes.
        broker: Kills of a single broker. leader: Kills of the leader of three brokers.
        link: Cuts of a process's links. disk: Full disks. clock: Clock jumps.
        poison: Records that cannot be read. halt: Halts of all trading.
    """

    kill: float = 2.5
    freeze: float = 14.0
    broker: float = 25.0
    leader: float = 20.0
    link: float = 10.0
    disk: float = 25.0
    clock: float = 20.0
    poison: float = 1.5
    halt: float = 40.0


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """One fault.

    Attributes:
        at_s: Seconds since the start of the storm. seconds: Its duration.
        target: Process name, or "" for brokers.
        variant: How a link is cut, or by how many seconds a clock jumps.
    """

    at_s: float
    kind: FaultKind
    target: str = ""
    seconds: float = 0.0
    variant: str = ""


@dataclass(frozen=True, slots=True)
class StormPlan:
    """The plan of a storm.

    Attributes:
        brokers: 1 or 3. secure: True if they require a login. seconds: Duration of the faults.
        faults: The faults, sorted by time.
        poison: Seconds at which poison records are sent, ascending.
        halts: Seconds at which all trading is halted for a moment, ascending.
    """

    seed: int
    brokers: int
    secure: bool
    seconds: float
    faults: tuple[PlannedFault, ...]
    poison: tuple[float, ...] = ()
    halts: tuple[float, ...] = ()

    def planned(self) -> Counter[str]:
        """Count the planned faults by kind; kills also by process kind, cuts also by variant."""
        found: Counter[str] = Counter(poison=len(self.poison), halt=len(self.halts))
        for fault in self.faults:
            found[fault.kind] += 1
            if fault.kind == "kill":
                found[f"kill {KIND_OF[fault.target]}"] += 1
            elif fault.kind == "link_cut":
                found[f"link {fault.variant}"] += 1
        return found

    def summary(self) -> str:
        """Return the brokers of the plan as text."""
        count = "1 broker" if self.brokers == 1 else f"{self.brokers} brokers"
        return f"{count}, {'secure' if self.secure else 'plain'}"


def make_plan(
    seed: int,
    minutes: float,
    *,
    brokers: int | None = None,
    secure: bool | None = None,
    intervals: FaultIntervals | None = None,
) -> StormPlan:
    """Draw the plan of a storm.

    Args:
        seed: Seed of the plan.
        minutes: Duration of the faults.
        brokers: 1 or 3; None to draw it.
        secure: True if the brokers require a login; None to draw it.
        intervals: Mean seconds between faults; None for the defaults.
    """
    rng = Random(seed)
    picked = rng.choice((1, CLUSTER)), rng.random() < 0.5
    count = picked[0] if brokers is None else brokers
    requires_login = picked[1] if secure is None else secure
    intervals = intervals or FaultIntervals()
    seconds = minutes * 60
    kind: FaultKind = "broker_kill" if count == 1 else "leader_kill"
    freezes = [
        PlannedFault(at_s, "freeze", target, rng.uniform(12.0, 15.0))
        for at_s, target in _times_and_targets(rng, seconds - 15, intervals.freeze, tuple(KIND_OF))
    ]
    faults = [
        *_kills(rng, seconds, intervals.kill, freezes),
        *freezes,
        *(
            PlannedFault(at_s, kind, "", rng.uniform(0.0, 3.0))
            for at_s in _times(rng, seconds, intervals.broker if count == 1 else intervals.leader)
        ),
        *_cuts(rng, seconds, intervals.link),
        *(
            PlannedFault(at_s, "full_disk", target, rng.uniform(3.0, 8.0))
            for at_s, target in _times_and_targets(rng, seconds - 8, intervals.disk, DISK_TARGETS)
        ),
        *(
            PlannedFault(
                at_s, "clock_jump", target, rng.uniform(4.0, 10.0), str(rng.choice(CLOCK_JUMPS_S))
            )
            for at_s, target in _times_and_targets(
                rng, seconds - 10, intervals.clock, CLOCK_TARGETS
            )
        ),
    ]
    faults.sort(key=lambda fault: fault.at_s)
    poison = tuple(_times(Random(f"poison {seed}"), seconds, intervals.poison))
    halts = tuple(_times(Random(f"halts {seed}"), seconds - HALT_S, intervals.halt))
    return StormPlan(seed, count, requires_login, seconds, tuple(faults), poison, halts)


def _times(rng: Random, seconds: float, every_s: float) -> Iterator[float]:
    """Yield times of faults, with gaps between 0.5 and 1.5 times the mean."""
    if every_s <= 0:
        return
    at_s = QUIET_START_S + rng.random() * every_s
    while at_s < seconds - QUIET_END_S:
        yield at_s
        at_s += every_s * rng.uniform(0.5, 1.5)


def _times_and_targets(
    rng: Random, seconds: float, every_s: float, targets: tuple[str, ...]
) -> Iterator[tuple[float, str]]:
    """Yield times and targets: all targets once in random order, then all again."""
    deck: list[str] = []
    for at_s in _times(rng, seconds, every_s):
        if not deck:
            deck = rng.sample(targets, len(targets))
        yield at_s, deck.pop()


def _cuts(rng: Random, seconds: float, every_s: float) -> Iterator[PlannedFault]:
    """Yield link cuts of all variants in turn; acks are dropped only for processes that write."""
    deck: list[str] = []
    for at_s, target in _times_and_targets(rng, seconds - 12, every_s, LINK_TARGETS):
        fit = [variant for variant in deck if variant != DROP_ACK or target not in READERS]
        if not fit:
            deck = rng.sample(LINK_CUT_VARIANTS, len(LINK_CUT_VARIANTS))
            fit = [variant for variant in deck if variant != DROP_ACK or target not in READERS]
        variant = fit[0]
        deck.remove(variant)
        lasts_s = rng.uniform(3.0, 12.0) if variant == "blackhole" else rng.uniform(1.0, 5.0)
        yield PlannedFault(
            at_s, "link_cut", target, DROP_ACK_S if variant == DROP_ACK else lasts_s, variant
        )


def _kills(
    rng: Random, seconds: float, every_s: float, freezes: list[PlannedFault]
) -> Iterator[PlannedFault]:
    """Yield kills: none of a frozen process, few enough that the supervisor gives none up."""
    killed: dict[str, list[float]] = {name: [] for name in (*SUPERVISED, SUPERVISOR)}
    deck: list[str] = []
    for at_s in _times(rng, seconds, every_s):
        fit = [name for name in deck if _can_be_killed(name, at_s, killed, freezes)]
        if not fit:  # the remaining ones cannot be killed yet; they come first
            deck += [name for name in rng.sample(tuple(KIND_OF), len(KIND_OF)) if name not in deck]
            fit = [name for name in deck if _can_be_killed(name, at_s, killed, freezes)]
        if not fit:
            continue
        target = fit[0]
        deck.remove(target)
        if target == SUPERVISOR:
            killed = {name: [] for name in killed}
        if target in killed:
            killed[target].append(at_s)
        yield PlannedFault(at_s, "kill", target)


def _can_be_killed(
    target: str, at_s: float, killed: dict[str, list[float]], freezes: list[PlannedFault]
) -> bool:
    window_s, most = (
        (SUPERVISOR_GAP_S, 1)
        if target == SUPERVISOR
        else (SUPERVISED_WINDOW_S, SUPERVISED_KILLS_MAX)
    )
    recent = [t for t in killed.get(target, ()) if at_s - t < window_s]
    return len(recent) < most and not _is_frozen(target, at_s, freezes)


def _is_frozen(target: str, at_s: float, freezes: list[PlannedFault]) -> bool:
    """True if a kill would end a freeze; a supervisor's processes end with it."""
    names = {target, *SUPERVISED} if target == SUPERVISOR else {target}
    return any(
        fault.target in names and fault.at_s - 1 < at_s < fault.at_s + fault.seconds + 1
        for fault in freezes
    )
