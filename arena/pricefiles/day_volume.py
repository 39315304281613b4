"""Finds the largest volume of 24 hours in a price file. Pure."""

from collections import deque
from collections.abc import Iterable, Mapping
from decimal import Context, Decimal
from typing import Final

from arena.money import AMOUNT_DIGITS_MAX

VOLUME_CELL: Final = 4
"""Index of the volume in the text of a row."""
DAY_MINUTES: Final = 1_440
DAY_S: Final = 86_400

_EXACT = Context(prec=60)


def largest_day_volume(lines: Mapping[int, str]) -> Decimal:
    """Return the largest volume of 24 hours, in base units.

    Returns 0, without summing a year of minutes, if no minute is so large that a day could have
    more than `AMOUNT_DIGITS_MAX` digits.

    Args:
        lines: Start of the minute, Unix seconds -> open, high, low, close, volume, bid and ask;
            oldest first.
    """
    volumes = {ts: line.split(",", VOLUME_CELL + 1)[VOLUME_CELL] for ts, line in lines.items()}
    if 10 ** _digits(volumes.values()) * DAY_MINUTES <= 10**AMOUNT_DIGITS_MAX:
        return Decimal(0)
    day, total, largest = deque[tuple[int, Decimal]](), Decimal(0), Decimal(0)
    for ts, cell in volumes.items():
        volume = Decimal(cell or 0)
        day.append((ts, volume))
        total = _EXACT.add(total, volume)
        while day[0][0] <= ts - DAY_S:
            total = _EXACT.subtract(total, day.popleft()[1])
        largest = max(largest, total)
    return largest


def _digits(cells: Iterable[str]) -> int:
    """The most digits before the point, without leading zeros."""
    return max((len(cell.partition(".")[0].lstrip("0")) for cell in cells), default=0)
