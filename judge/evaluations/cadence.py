"""When an agent is evaluated, and the trend of its scores. Pure.

Times are venue time. Everything follows from the records, so judges agree, and a judge that starts
late, or again, repeats nothing and makes one evaluation instead of all that it missed.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from arena.durations import later
from arena.messages import AgentEvaluation, Trend

FIRST_AFTER_S = 600.0
"""Seconds of market from an agent's first turn to its first evaluation, unless set."""
LEAST_S = 300.0
"""Least distance of two evaluations of an agent, whatever asks for them."""
NEXT_AFTER_S: tuple[tuple[float, float], ...] = ((40.0, 300.0), (60.0, 600.0), (80.0, 1200.0))
"""Overall score below which the next evaluation is due after so many seconds."""
CALM_AFTER_S = 2400.0
UNKNOWN_AFTER_S = 600.0
TURNS_MIN = 3
"""Fewest new turns for an evaluation on cadence."""
TREND_FROM = 3
"""Earlier evaluations that a trend is measured against."""
TREND_POINTS = 5.0
EVALUATIONS_KEPT = 200
"""Newest evaluations of an agent that are remembered."""


class HasTime(Protocol):
    """Something with a venue time."""

    @property
    def as_of(self) -> datetime:
        """Its venue time."""


def next_after_s(overall: float | None) -> float:
    """Seconds until the next evaluation on cadence: sooner after a bad score."""
    if overall is None:
        return UNKNOWN_AFTER_S
    return next((seconds for below, seconds in NEXT_AFTER_S if overall < below), CALM_AFTER_S)


@dataclass(frozen=True, slots=True)
class TrendFound:
    """A trend and its evidence: the change in points, and the evaluations compared with."""

    trend: Trend
    change: float | None
    compared: tuple[str, ...]


def trend_of(overall: float | None, earlier: Sequence[AgentEvaluation]) -> TrendFound:
    """Compare a score with the mean of the newest earlier ones.

    Args:
        overall: The score.
        earlier: Earlier evaluations of the agent, oldest first.
    """
    known = [(one.evaluation_id, one.overall) for one in earlier if one.overall is not None]
    compared = known[-TREND_FROM:]
    if overall is None or not compared:
        return TrendFound("unknown", None, ())
    mean = math.fsum(score for _, score in compared) / len(compared)
    change = round(overall - mean, 2) + 0.0
    trend: Trend = "stable"
    if change >= TREND_POINTS:
        trend = "improving"
    elif change <= -TREND_POINTS:
        trend = "declining"
    return TrendFound(trend, change, tuple(found for found, _ in compared))


def due_time(
    turns: Sequence[HasTime], last: AgentEvaluation | None, first_after_s: float
) -> datetime | None:
    """The venue time from which an agent is due on cadence; None while it has too few turns.

    Args:
        turns: Its turns, oldest first.
        last: Its newest evaluation.
        first_after_s: Seconds from its first turn to its first evaluation.
    """
    begin = 0 if last is None else bisect_right(turns, last.as_of, key=_time)
    if len(turns) < begin + TURNS_MIN:
        return None
    enough = turns[begin + TURNS_MIN - 1].as_of
    if last is None:
        return max(enough, later(turns[0].as_of, first_after_s))
    due = last.next_at or later(last.as_of, UNKNOWN_AFTER_S)
    return max(enough, due, earliest_after(last))


def asked_time(turns: Sequence[HasTime], last: AgentEvaluation | None) -> datetime | None:
    """The venue time from which an agent can be evaluated because it was asked for.

    None while it has no new turn.
    """
    begin = 0 if last is None else bisect_right(turns, last.as_of, key=_time)
    if begin >= len(turns):
        return None
    return turns[begin].as_of if last is None else max(turns[begin].as_of, earliest_after(last))


def earliest_after(last: AgentEvaluation) -> datetime:
    """The venue time before which no further evaluation is made."""
    return later(last.as_of, LEAST_S)


def chosen_index(snapshots: Sequence[HasTime], due: datetime, settled: int) -> int | None:
    """The index of the snapshot to evaluate at; None if none is due and settled.

    It is the first one that is due. A judge that lags by more than `LEAST_S` takes the first one of
    the newest `LEAST_S`, counted from midnight, so that judges that lag differently agree.

    Args:
        snapshots: The snapshots, oldest first.
        due: Venue time from which an evaluation is due.
        settled: Index of the newest settled snapshot.
    """
    if not 0 <= settled < len(snapshots):
        return None
    found = bisect_left(snapshots, due, key=_time)
    if found > settled:
        return None
    newest = snapshots[settled].as_of
    if newest - snapshots[found].as_of > timedelta(seconds=LEAST_S):
        epoch_s = newest.timestamp()
        begin = datetime.fromtimestamp(epoch_s - epoch_s % LEAST_S, UTC)
        found = max(found, bisect_left(snapshots, begin, key=_time))
    return found


def _time(one: HasTime) -> datetime:
    return one.as_of
