"""Finds the length of a file's candles, and longer candles among them. Pure.

All distances are multiples of the length, and most of them equal it. A market may be quiet for any
time, so a gap is not an error. Rows with the same longer distance again and again, next to rows
of the file's length, are candles of that length, as if two files were joined.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby, pairwise
from math import gcd
from typing import Final

from arena.granularities import GRANULARITIES
from arena.pricefiles.columns import length_text
from arena.pricefiles.times import SECOND_NS, time_text

MINUTE_S: Final = 60
MINUTES_NEEDED: Final = "candles of 1 minute are needed"
LENGTHS: Final = frozenset(GRANULARITIES.values())
"""Lengths of candles that a market can have, in seconds."""
LENGTHS_NEEDED: Final = f"candles of {', '.join(GRANULARITIES)} can be used"
COMMON_ROWS_MIN: Final = 10
"""Number of rows from which the most common distance decides the length of the candles."""
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


def words_of(length_s: int) -> str:
    """A length in seconds as text, such as "1 hour"."""
    return length_text(length_s * SECOND_NS)


def candle_length(starts: Sequence[int]) -> int:
    """The length of the candles of a file, in seconds.

    Args:
        starts: Starts of the rows, Unix seconds, oldest first; whole minutes.

    Raises:
        ValueError: A market cannot have candles of that length, or most rows are further apart.
    """
    steps = [after - before for before, after in pairwise(starts)]
    if not steps:
        return MINUTE_S
    length_s = gcd(*steps)
    usual_s, times = Counter(steps).most_common(1)[0]
    if length_s == MINUTE_S:
        if len(steps) >= COMMON_ROWS_MIN and 2 * times > len(steps) and usual_s > MINUTE_S:
            raise ValueError(
                f"it has candles of {words_of(usual_s)}, but not only; {MINUTES_NEEDED}, or one "
                "length in the whole file"
            )
        return MINUTE_S
    if length_s not in LENGTHS:
        raise ValueError(f"it has candles of {words_of(length_s)}; {LENGTHS_NEEDED}")
    if usual_s != length_s:
        raise ValueError(
            f"it has candles of {words_of(length_s)}, but most of them are {words_of(usual_s)} "
            "apart; take a file with one length and few gaps"
        )
    if starts[0] % length_s:
        raise ValueError(
            f"it has candles of {words_of(length_s)} that start at {time_text(starts[0])} and so "
            "on; they must start at whole multiples of their length in UTC"
        )
    return length_s


def coarser_at(starts: Sequence[int], length_s: int = MINUTE_S) -> tuple[int, int] | None:
    """Find the first longer candle among candles of one length.

    Args:
        starts: Starts of the rows, Unix seconds, oldest first.
        length_s: The length of most candles, in seconds.

    Returns:
        Index of the first such row and the distance in seconds; None if there is none.
    """
    steps = [after - before for before, after in pairwise(starts)]
    at = 0
    for step, group in groupby(steps):
        count = sum(1 for _ in group)
        if step > length_s and step in LENGTHS_S and count >= _run_min(step, starts[at]):
            before, after = steps[max(0, at - BESIDE) : at], steps[at + count :][:BESIDE]
            if _are_mostly(length_s, before) or _are_mostly(length_s, after):
                return at, step
        at += count
    return None


def _run_min(step: int, start: int) -> int:
    return RUN_MIN if step >= SHORT_S or start % step == 0 else SHORT_RUN_MIN


def _are_mostly(length_s: int, steps: Sequence[int]) -> bool:
    return 2 * sum(step == length_s for step in steps) > len(steps)
