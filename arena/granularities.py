"""Lengths of bars by name, such as "15m". Pure."""

from collections.abc import Mapping
from typing import Final, Literal

from arena.errors import UsageError

Granularity = Literal["1m", "5m", "15m", "1h", "1d"]
MINUTE: Final = "1m"
GRANULARITIES: Final[Mapping[str, int]] = {
    MINUTE: 60,
    "5m": 300,
    "15m": 900,
    "1h": 3_600,
    "1d": 86_400,
}
"""Name of a granularity -> seconds of a bar, shortest first."""
WINDOWS: Final[Mapping[str, tuple[tuple[str, int], ...]]] = {
    MINUTE: (("1m", 20), ("5m", 14), ("15m", 10)),
    "5m": (("5m", 20), ("15m", 14), ("1h", 10)),
    "15m": (("15m", 20), ("1h", 14), ("1d", 7)),
    "1h": (("1h", 24), ("1d", 14)),
    "1d": (("1d", 30),),
}
"""Bars of a market -> the candle windows of its snapshots, newest window first: granularity and
number of candles. It has a few more if its oldest candle would not begin with one of the next."""
BOOK_BARS: Final = 300
"""Bars that a book of candles keeps, unless windows, indicators or the operator need more."""
_SHOWN_MAX: Final = 80


def find_granularity(name: str) -> int:
    """Seconds of a granularity's bar.

    Raises:
        UsageError: It is unknown.
    """
    if name not in GRANULARITIES:
        raise UsageError(
            f"unknown granularity {name[:_SHOWN_MAX]!r}",
            remedy=f"the granularities are {', '.join(GRANULARITIES)}",
        )
    return GRANULARITIES[name]


def book_bars(bar_s: int) -> int:
    """Number of bars of a length in seconds that the windows of a snapshot need."""
    windows = WINDOWS[granularity_of(bar_s)]
    lengths = [(GRANULARITIES[name], count) for name, count in windows]
    coarser = [*(length for length, _ in lengths[1:]), lengths[-1][0]]
    span_s = sum(length * count + up for (length, count), up in zip(lengths, coarser, strict=True))
    return max(BOOK_BARS, span_s // bar_s)


def granularity_of(length_s: int) -> str:
    """The name of the granularity whose bars have a length in seconds.

    Raises:
        UsageError: There is none.
    """
    for name, seconds in GRANULARITIES.items():
        if seconds == length_s:
            return name
    raise UsageError(
        f"no granularity has bars of {length_s} s",
        remedy=f"the granularities are {', '.join(GRANULARITIES)}",
    )


def three_windows(base: str) -> tuple[str, str, str]:
    """The short, the middle and the long candle window of a market; some are the same.

    Args:
        base: Granularity of the market's bars: "1m" has 1m, 5m and 15m, "1h" has 1h, 1h and 1d.
    """
    names = [name for name, _ in WINDOWS[base]]
    return names[0], names[-2] if len(names) > 2 else names[0], names[-1]
