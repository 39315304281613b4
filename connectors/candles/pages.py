"""The requests that the missing days of a series need, and the days in their answers. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from arena.candle_cache.series import DAY_S, day_of
from arena.candle_cache.spans import Span, Spans, union, within
from arena.messages import Candle
from arena.money import decimal_text
from arena.pricefiles.rows import plain_line

SETTLED_S = 60
"""Venue seconds after its end at which a candle is final: a venue may lack or correct it before."""


def closed_until(now_s: float, step_s: int) -> int:
    """The end of the newest candle that is final at a venue time; Unix seconds."""
    settled_s = int(now_s) - SETTLED_S
    return settled_s - settled_s % step_s


def pages_of(days: Iterable[int], end_s: int, step_s: int, candles_max: int) -> list[Span]:
    """The requests for whole days: spans `(first, last)` of candle starts, `last` included.

    Days that follow each other share requests, because a response may hold more than a day.

    Args:
        days: Starts of the days.
        end_s: No candle that ends later is asked for.
        step_s: Seconds of a candle.
        candles_max: Most candles of one response.
    """
    return [
        (first_s, min(first_s + candles_max * step_s, last_s) - step_s)
        for start_s, last_s in _runs(days, end_s)
        for first_s in range(start_s, last_s, candles_max * step_s)
    ]


def _runs(days: Iterable[int], end_s: int) -> Spans:
    return within(union((day, day + DAY_S) for day in days), 0, end_s)


def line_of(candle: Candle) -> str:
    """A candle as the cache has it."""
    numbers = (candle.open, candle.high, candle.low, candle.close, candle.volume)
    return plain_line(",".join(map(decimal_text, numbers))) + ",,"


@dataclass(slots=True)
class DayCollector:
    """Collects the candles of pages, and gives out the days that are complete.

    Attributes:
        end_s: No candle that ends later is kept.
        step_s: Seconds of a candle.
    """

    end_s: int
    step_s: int
    _lines: dict[int, dict[int, str]] = field(default_factory=dict)

    def take(self, page: Span, candles: Sequence[Candle]) -> dict[int, dict[int, str]]:
        """Add the candles of a page; return the days that no later page belongs to.

        Pages come oldest first. A candle outside of its page, or whose time is not a multiple of
        its length, is ignored.
        """
        first_s, last_s = page
        for day_s in range(day_of(first_s), last_s + 1, DAY_S):
            self._lines.setdefault(day_s, {})
        for candle in candles:
            start_s = int(candle.start.timestamp())
            if first_s <= start_s <= last_s and not start_s % self.step_s:
                self._lines[day_of(start_s)][start_s] = line_of(candle)
        asked_s = last_s + self.step_s
        done = [day for day in self._lines if min(day + DAY_S, self.end_s) <= asked_s]
        return {day: self._lines.pop(day) for day in done}
