"""Agents that have stopped playing: they are still marked to market; the report says so. Pure.

An agent that was taken out of the arena, or whose router is gone, keeps its account and what it
holds. Its figures then are those of a portfolio that is not managed any more.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import ceil

from arena.vitals import DEAD_TURNS
from judge.season.market import Point
from judge.season.model import Decision

PAUSES_MAX = 3
"""It is absent if its last pause is longer than so many of its longest ones, or of its turns."""
AWAY_SHARE = 0.05
"""A pause of a smaller share of the season is not reported."""
AWAYS_MAX = 3


def left_at(decisions: Sequence[Decision], cadence: int, points: Sequence[Point]) -> int | None:
    """Index after the last snapshot that an agent played; None if it still plays.

    Args:
        decisions: Its turns in the order of the log.
        cadence: Snapshots between two of its turns, if it misses none.
        points: The snapshots of the season.
    """
    if not decisions or not points:
        return None
    last = max(one.index for one in decisions)
    longest = max((b.index - a.index for a, b in pairwise(decisions)), default=0)
    thought = max(_snapshots_of(decisions, points))
    missed = len(points) - 1 - last
    expected = max(DEAD_TURNS * cadence, PAUSES_MAX * longest, PAUSES_MAX * thought)
    return None if missed < expected else last + 1


def away_between(
    decisions: Sequence[Decision], cadence: int, points: Sequence[Point]
) -> tuple[tuple[int, int], ...]:
    """The long pauses of an agent that came back: (after the last snapshot played, the next one).

    The time that a turn took does not count. The longest `AWAYS_MAX` are given, in their order.

    Args:
        decisions: Its turns in the order of the log.
        cadence: Snapshots between two of its turns, if it misses none.
        points: The snapshots of the season.
    """
    pauses = [
        (b.index - a.index - took, a.index + 1, b.index)
        for (a, b), took in zip(pairwise(decisions), _snapshots_of(decisions, points), strict=False)
    ]
    usual = sorted(gap for gap, _, _ in pauses)[-1 - len(pauses) // 4] if pauses else 0
    least = max(DEAD_TURNS * cadence, PAUSES_MAX * usual, ceil(AWAY_SHARE * len(points)))
    longest = sorted(pauses, reverse=True)[:AWAYS_MAX]
    return tuple(sorted((begin, end) for gap, begin, end in longest if gap > least))


def _snapshots_of(decisions: Sequence[Decision], points: Sequence[Point]) -> list[int]:
    """How many snapshots were published, on average, in the time that each turn took."""
    if len(points) < 2:
        return [0] * len(decisions)
    lasting = points[-1].published_at - points[0].published_at
    each_ms = lasting.total_seconds() * 1000 / (len(points) - 1)
    return [int(one.total_ms / each_ms) if each_ms > 0 else 0 for one in decisions]


def absent_note(name: str, left: int | None, points: Sequence[Point]) -> str:
    """A sentence about an agent without a turn for long, at the end of a season; "" if it plays.

    Args:
        name: Of the agent.
        left: What `left_at` says of it.
        points: All snapshots of the season.
    """
    if left is None:
        return ""
    return (
        f"{name} has had no turn in the last {len(points) - left:,} of {len(points):,} snapshots,"
        f" since {points[max(left - 1, 0)].as_of:%Y-%m-%d %H:%M:%S} UTC: its router does not run,"
        " or it was taken out; what it holds is still marked to market."
    )
