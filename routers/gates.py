"""Decides whether an agent is asked on a snapshot, and how many model calls it may make. Pure.

The state comes from the agent's records of `agent.turns` alone (`routers.memory`), so a router that
was restarted or took the agent over decides the same. In this order: the cadence, `every`, and a
move or `quiet_max` must allow it, unless it is the first snapshot or there is a cause to wake the
agent; the caps on calls and decisions apply to all of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from arena.messages import WAKE_CAUSES, AskedFor, Gates, MarketSnapshot, SkippedFor

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NO_GATES = Gates()


class WakeCause(NamedTuple):
    """Something that wakes an agent.

    Attributes:
        reason: A word of `WAKE_CAUSES`.
        place: The record, such as "arena.control[0]@7".
    """

    reason: str
    place: str


class CallsMade(NamedTuple):
    """Model calls of one turn, at the venue time of its snapshot."""

    turn_id: str
    as_of: datetime
    calls: int


@dataclass(frozen=True, slots=True)
class LastTurn:
    """What the gates know of the agent's last turn.

    Attributes:
        offset: Offset of its snapshot in `market.snapshots`.
        as_of: Venue time of its snapshot.
        mids: Product id -> mid in its snapshot.
    """

    offset: int
    as_of: datetime
    mids: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GateDecision:
    """Whether an agent is asked.

    Attributes:
        asked: True if it is.
        reason: An `AskedFor` if it is asked, else a `SkippedFor`.
        by: The record that was the cause; "" without one.
        calls_max: Model calls that the caps leave for the turn; None without caps.
    """

    asked: bool
    reason: str
    by: str = ""
    calls_max: int | None = None


def decide(
    gates: Gates | None,
    cadence: int,
    last: LastTurn | None,
    calls: Iterable[CallsMade],
    *,
    offset: int,
    as_of: datetime,
    mids: Mapping[str, Decimal],
    causes: Sequence[WakeCause] = (),
    calls_min: int = 1,
    turns: int = 0,
) -> GateDecision:
    """Decide about one snapshot.

    Args:
        gates: The agent's gates; None if they are off.
        cadence: Every how many snapshots it is asked.
        last: Its last turn, or None.
        calls: Its model calls, of the last day at least.
        offset: Offset of the snapshot.
        as_of: Venue time of the snapshot.
        mids: Mids of the snapshot, if `on_move_pct` is on.
        causes: Causes since its last turn.
        calls_min: Model calls that a turn makes at least.
        turns: Turns that it has had, if `decisions_max` is on.
    """
    gates = gates or NO_GATES
    found = _without_caps(gates, cadence, last, offset, as_of, mids, causes)
    if not found.asked:
        return found
    if gates.decisions_max is not None and turns >= gates.decisions_max:
        return _skipped(SkippedFor.DECISIONS_MAX)
    caps = (
        (gates.calls_per_hour_max, HOUR, SkippedFor.CALLS_PER_HOUR_MAX),
        (gates.calls_per_day_max, DAY, SkippedFor.CALLS_PER_DAY_MAX),
    )
    calls, left = tuple(calls), None
    for most, window, reason in caps:
        if most is None:
            continue
        rest = most - sum(one.calls for one in calls if abs(as_of - one.as_of) < window)
        if rest < calls_min:
            return GateDecision(asked=False, reason=str(reason))
        left = rest if left is None else min(left, rest)
    return GateDecision(asked=True, reason=found.reason, by=found.by, calls_max=left)


def _without_caps(
    gates: Gates,
    cadence: int,
    last: LastTurn | None,
    offset: int,
    as_of: datetime,
    mids: Mapping[str, Decimal],
    causes: Sequence[WakeCause],
) -> GateDecision:
    """The decision without the caps."""
    if last is None:
        return _asked(AskedFor.FIRST)
    for reason in WAKE_CAUSES:
        found = [cause for cause in causes if cause.reason == reason]
        if reason in gates.wake_on and found:
            return GateDecision(asked=True, reason=str(reason), by=found[-1].place)
    if last.offset < offset < last.offset + cadence:
        return _skipped(SkippedFor.CADENCE)
    passed_s = (as_of - last.as_of).total_seconds()
    if passed_s < 0:  # The venue's clock was set back.
        return _asked(AskedFor.DUE)
    if gates.every_s is not None and passed_s < gates.every_s:
        return _skipped(SkippedFor.EVERY)
    if gates.on_move_pct is None:
        return _asked(AskedFor.DUE)
    if any(_moved(last.mids.get(p), mid, gates.on_move_pct) for p, mid in mids.items()):
        return _asked(AskedFor.MOVE)
    if gates.quiet_max_s is not None and passed_s >= gates.quiet_max_s:
        return _asked(AskedFor.QUIET_MAX)
    return _skipped(SkippedFor.NO_MOVE)


def _asked(reason: AskedFor) -> GateDecision:
    return GateDecision(asked=True, reason=str(reason))


def _skipped(reason: SkippedFor) -> GateDecision:
    return GateDecision(asked=False, reason=str(reason))


def _moved(before: Decimal | None, now: Decimal, percent: Decimal) -> bool:
    """True if a mid moved by at least so many percent; a first price is not a move."""
    return before is not None and abs(now - before) * 100 >= percent * before


def mids_of(snapshot: MarketSnapshot, gates: Gates | None) -> dict[str, Decimal]:
    """Product id -> mid of bid and ask, if the gates need it; products without a price are out."""
    if gates is None or gates.on_move_pct is None:
        return {}
    return {
        view.product_id: (view.ticker.best_bid + view.ticker.best_ask) / 2
        for view in snapshot.products
        if view.ticker is not None
    }
