"""Agents that have stopped playing: still marked to market, and named in the report. Pure.

An agent that was removed from the arena, or whose router has stopped, keeps its account and its
positions. Its figures are then those of a portfolio that no longer has a manager.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import ceil

from arena.agent_health import DEAD_TURNS
from judge.season.market_fold import SnapshotQuotes
from judge.season.types import TurnSummary

PAUSES_MAX = 3
"""An agent is absent if its last pause exceeds its longest pause or its slowest turn this many
times."""
AWAY_SHARE = 0.05
"""A shorter pause, as a share of the season, is not reported."""
ABSENCES_MAX = 3
"""Most pauses of one agent that are reported."""


def left_index(
    decisions: Sequence[TurnSummary], cadence: int, snapshots: Sequence[SnapshotQuotes]
) -> int | None:
    """Return the index after the last snapshot that an agent played; None if it still plays.

    Args:
        decisions: The agent's turns in the order of the log.
        cadence: Snapshots between two turns of the agent if it misses none.
        snapshots: The snapshots of the season.
    """
    if not decisions or not snapshots:
        return None
    last = max(one.index for one in decisions)
    longest = max((b.index - a.index for a, b in pairwise(decisions)), default=0)
    thought = max(_turn_lengths(decisions, snapshots))
    missed = len(snapshots) - 1 - last
    expected = max(DEAD_TURNS * cadence, PAUSES_MAX * longest, PAUSES_MAX * thought)
    return None if missed < expected else last + 1


def absences(
    decisions: Sequence[TurnSummary], cadence: int, snapshots: Sequence[SnapshotQuotes]
) -> tuple[tuple[int, int], ...]:
    """Return the long pauses of an agent that returned, as (after the last one played, next one).

    The duration of a turn does not count. The longest `ABSENCES_MAX` are returned, in order.

    Args:
        decisions: The agent's turns in the order of the log.
        cadence: Snapshots between two turns of the agent if it misses none.
        snapshots: The snapshots of the season.
    """
    pauses = [
        (b.index - a.index - took, a.index + 1, b.index)
        for (a, b), took in zip(
            pairwise(decisions), _turn_lengths(decisions, snapshots), strict=False
        )
    ]
    usual = sorted(gap for gap, _, _ in pauses)[-1 - len(pauses) // 4] if pauses else 0
    least = max(DEAD_TURNS * cadence, PAUSES_MAX * usual, ceil(AWAY_SHARE * len(snapshots)))
    longest = sorted(pauses, reverse=True)[:ABSENCES_MAX]
    return tuple(sorted((begin, end) for gap, begin, end in longest if gap > least))


def _turn_lengths(
    decisions: Sequence[TurnSummary], snapshots: Sequence[SnapshotQuotes]
) -> list[int]:
    """Return how many snapshots were published, on average, during each turn."""
    if len(snapshots) < 2:
        return [0] * len(decisions)
    lasting = snapshots[-1].published_at - snapshots[0].published_at
    each_ms = lasting.total_seconds() * 1000 / (len(snapshots) - 1)
    return [int(one.total_ms / each_ms) if each_ms > 0 else 0 for one in decisions]


def absence_note(name: str, left: int | None, snapshots: Sequence[SnapshotQuotes]) -> str:
    """Return a sentence about an agent that has stopped playing; "" if it still plays.

    Args:
        name: Name of the agent.
        left: Result of `left_index`.
        snapshots: All snapshots of the season.
    """
    if left is None:
        return ""
    return (
        f"{name} has had no turn in the last {len(snapshots) - left:,} of {len(snapshots):,}"
        f" snapshots, since {snapshots[max(left - 1, 0)].as_of:%Y-%m-%d %H:%M:%S} UTC: its router"
        " does not run, or it was removed; its positions are still marked to market."
    )
