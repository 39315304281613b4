"""Agents that have stopped playing: still marked to market, and named in the report. Pure.

An agent that was removed from the arena, or whose router has stopped, keeps its account and its
positions. Its figures are then those of a portfolio that no longer has a manager.
"""

from bisect import bisect_left, bisect_right
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
QUIET_SNAPSHOTS = 60 + DEAD_TURNS
"""A gated agent's router may record skipped snapshots only after so many, in real time."""

Span = tuple[int, int]
"""First and last index of consecutive snapshots."""


def left_index(
    decisions: Sequence[TurnSummary],
    cadence: int,
    snapshots: Sequence[SnapshotQuotes],
    present: Sequence[Span] = (),
    quiet: int = 0,
) -> int | None:
    """Return the index after the last snapshot that an agent played; None if it still plays.

    Args:
        decisions: The agent's turns in the order of the log.
        cadence: Snapshots between two turns of the agent if it misses none.
        snapshots: The snapshots of the season.
        present: Spans of snapshots on which its gates held it back, or it had turns.
        quiet: Snapshots for which an agent that plays may have no record.
    """
    if not decisions or not snapshots:
        return None
    last = max(*(one.index for one in decisions), *(end for _, end in present), -1)
    lengths = _turn_lengths(decisions, snapshots)
    pauses = _pauses(decisions, present, lengths)
    longest = 0 if present else max((end - begin for begin, end, _ in pauses), default=0)
    missed = len(snapshots) - 1 - last
    expected = max(DEAD_TURNS * cadence, quiet, PAUSES_MAX * longest, PAUSES_MAX * max(lengths))
    return None if missed < expected else last + 1


def absences(
    decisions: Sequence[TurnSummary],
    cadence: int,
    snapshots: Sequence[SnapshotQuotes],
    present: Sequence[Span] = (),
    quiet: int = 0,
) -> tuple[tuple[int, int], ...]:
    """Return the long pauses of an agent that returned, as (after the last one played, next one).

    The duration of a turn does not count. The longest `ABSENCES_MAX` are returned, in order.

    Args:
        decisions: The agent's turns in the order of the log.
        cadence: Snapshots between two turns of the agent if it misses none.
        snapshots: The snapshots of the season.
        present: Spans of snapshots on which its gates held it back, or it had turns.
        quiet: Snapshots for which an agent that plays may have no record.
    """
    found = _pauses(decisions, present, _turn_lengths(decisions, snapshots))
    pauses = [(end - begin - took, begin + 1, end) for begin, end, took in found]
    # With spans, only the gaps between them are left: none of those is a usual one.
    gaps = [] if present else sorted(gap for gap, _, _ in pauses)
    usual = gaps[-1 - len(gaps) // 4] if gaps else 0
    least = max(DEAD_TURNS * cadence, quiet, PAUSES_MAX * usual, ceil(AWAY_SHARE * len(snapshots)))
    longest = sorted(pauses, reverse=True)[:ABSENCES_MAX]
    return tuple(sorted((begin, end) for gap, begin, end in longest if gap > least))


def present_spans(
    runs: Sequence[tuple[int, int]], snapshots: Sequence[SnapshotQuotes]
) -> tuple[Span, ...]:
    """Return runs of offsets as spans of indices, cut to the snapshots of the season.

    Args:
        runs: First and last offset of each run, in the order of the log.
        snapshots: The snapshots of the season.
    """
    if not runs:
        return ()
    offsets = [snapshot.offset for snapshot in snapshots]
    found = ((bisect_left(offsets, a), bisect_right(offsets, b) - 1) for a, b in runs)
    return tuple((a, b) for a, b in found if a <= b)


def _pauses(
    decisions: Sequence[TurnSummary], present: Sequence[Span], lengths: Sequence[int]
) -> list[tuple[int, int, int]]:
    """Return the pauses: last index before, next index, length of the turn before in snapshots."""
    spans = [(one.index, one.index, took) for one, took in zip(decisions, lengths, strict=True)]
    if not present:
        return [(a[0], b[0], a[2]) for a, b in pairwise(spans)]
    spans = sorted([*spans, *((begin, end, 0) for begin, end in present)])
    found = []
    end, took = spans[0][1], spans[0][2]
    for one in spans[1:]:
        if one[0] > end:
            found.append((end, one[0], took))
        if one[1] >= end:
            end, took = one[1], one[2]
    return found


def _turn_lengths(
    decisions: Sequence[TurnSummary], snapshots: Sequence[SnapshotQuotes]
) -> list[int]:
    """Return how many snapshots were published, on average, during each turn."""
    if len(snapshots) < 2:
        return [0] * len(decisions)
    lasting = snapshots[-1].published_at - snapshots[0].published_at
    each_ms = lasting.total_seconds() * 1000 / (len(snapshots) - 1)
    return [int(one.total_ms / each_ms) if each_ms > 0 else 0 for one in decisions]


def unmeasured_note(decisions: Sequence[TurnSummary]) -> str:
    """Return a sentence about decisions that all took no time; "" if one was measured."""
    ended = [one for one in decisions if one.outcome != "aborted"]
    if not ended or any(one.total_ms for one in ended):
        return ""
    return "Latencies of turns were not measured: no time passed in any, as in every backtest."


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
