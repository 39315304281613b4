"""Days of price files for the cache, and the union of two sources' rows. Pure."""

from collections.abc import Mapping
from typing import Final

from arena.candle_cache.day_file import NUMBERS
from arena.candle_cache.series import DAY_S, Series, days_of
from arena.candle_cache.spans import union, within
from arena.candle_cache.store import NewDay, by_day
from arena.errors import UsageError
from arena.money import decimal_text
from arena.pricefiles.read import PriceFile
from arena.pricefiles.rows import PriceRow, plain_line
from arena.pricefiles.times import time_text

QUOTES: Final = 5
"""Index of the bid in a row."""


def days_in_file(file: PriceFile) -> dict[int, NewDay]:
    """The days of a price file, from its first candle to its last one.

    A day that the file begins or ends within is not whole.
    """
    lines = {row.ts: line_of_row(row) for row in file.rows.values()}
    span = (file.first_s, file.last_s)
    rows = by_day(lines)
    return {
        day: NewDay(rows.get(day, {}), within([span], day, day + DAY_S), file.path.name)
        for day in days_of(*span)
    }


def line_of_row(row: PriceRow) -> str:
    """A row as the cache has it."""
    numbers = [*(row.trades or (None,) * QUOTES), row.bid, row.ask]
    return plain_line(",".join("" if one is None else decimal_text(one) for one in numbers))


def merged_days(series: Series, one: NewDay, other: NewDay) -> NewDay:
    """A day of two files.

    Raises:
        UsageError: The rows contradict each other.
    """
    lines = merged_lines(series, one.lines, other)
    source = one.source if other.source in one.source else f"{one.source}, {other.source}"
    return NewDay(lines, union((*one.covers, *other.covers)), source)


def merged_lines(series: Series, before: Mapping[int, str], new: NewDay) -> dict[int, str]:
    """The rows of both; the same row twice is one, and a row may add quotes.

    Raises:
        UsageError: The rows contradict each other.
    """
    found = dict(before)
    for start, line in new.lines.items():
        joined = _joined(found.get(start, line), line)
        if joined is None:
            raise UsageError(
                f"{new.source} contradicts {series} at {time_text(start)}: "
                f"it has {_shown(line)}, and "
                f"the other source {_shown(found[start])}",
                remedy="import files of the same venue; to replace a day, remove its file from the "
                "cache first",
            )
        found[start] = joined
    return found


def _joined(line: str, other: str) -> str | None:
    """A row with the quotes of either one; None if they contradict each other."""
    if line == other:
        return line
    cells, others = line.split(","), other.split(",")
    same_trades = cells[:QUOTES] == others[:QUOTES]
    quotes = [one for one in (cells[QUOTES:], others[QUOTES:]) if any(one)]
    if not same_trades or len(quotes) != 1:
        return None
    return ",".join((*cells[:QUOTES], *quotes[0]))


def _shown(line: str) -> str:
    cells = zip(NUMBERS, line.split(","), strict=True)
    return " ".join(f"{name} {cell}" for name, cell in cells if cell)
