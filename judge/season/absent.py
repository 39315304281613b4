"""Agents that have stopped playing: they are still marked to market; the report says so. Pure.

An agent that was taken out of the arena, or whose router is gone, keeps its account and what it
holds. Its figures then are those of a portfolio that is not managed any more.
"""

from collections.abc import Sequence
from itertools import pairwise

from arena.vitals import DEAD_TURNS
from judge.season.market import Point
from judge.season.model import Decision

PAUSES_MAX = 3
"""It is absent if its last pause is longer than so many of its longest ones."""


def left_at(decisions: Sequence[Decision], cadence: int, snapshots: int) -> int | None:
    """Index behind the last snapshot that an agent played; None if it still plays.

    Args:
        decisions: Its turns in the order of the log.
        cadence: Snapshots between two of its turns, if it misses none.
        snapshots: Of the season.
    """
    if not decisions or not snapshots:
        return None
    last = max(one.index for one in decisions)
    longest = max((b.index - a.index for a, b in pairwise(decisions)), default=0)
    missed = snapshots - 1 - last
    return None if missed < max(DEAD_TURNS * cadence, PAUSES_MAX * longest) else last + 1


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
