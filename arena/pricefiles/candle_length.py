"""Detects longer candles among minute candles, as if two files were joined. Pure.

A market may be quiet for any time, so a gap is not an error. Rows with the same distance again and
again, next to rows of every minute, are candles of that length.
"""

from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Final

MINUTE_S: Final = 60
LENGTHS_S: Final = frozenset(
    60 * minutes
    for minutes in (3, 5, 10, 15, 20, 30, 60, 90, 120, 180, 240, 360, 480, 720, 1_440, 10_080)
)
"""Usual lengths of candles."""
RUN_MIN: Final = 5
"""This many equal distances in a row are not chance."""
SHORT_S: Final = 900
SHORT_RUN_MIN: Final = 12
"""A longer run is needed for distances below `SHORT_S` that do not start at a multiple."""
BESIDE: Final = 20
"""Rows before and after that show whether the file has every minute."""


def coarser_at(starts: Sequence[int]) -> tuple[int, int] | None:
    """Find the first longer candle among minutes.

    Args:
        starts: Starts of the rows, Unix seconds, oldest first.

    Returns:
        Index of the first such row and the distance in seconds; None if there is none.
    """
    steps = [after - before for before, after in pairwise(starts)]
    at = 0
    for step, group in groupby(steps):
        count = sum(1 for _ in group)
        if step in LENGTHS_S and count >= _run_min(step, starts[at]):
            before, after = steps[max(0, at - BESIDE) : at], steps[at + count :][:BESIDE]
            if _has_minutes(before) or _has_minutes(after):
                return at, step
        at += count
    return None


def _run_min(step: int, start: int) -> int:
    return RUN_MIN if step >= SHORT_S or start % step == 0 else SHORT_RUN_MIN


def _has_minutes(steps: Sequence[int]) -> bool:
    return 2 * sum(step == MINUTE_S for step in steps) > len(steps)
