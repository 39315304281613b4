"""Makes bars of one granularity from shorter ones, and folds them into indicators. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import orjson

from arena.granularities import GRANULARITIES
from arena.indicators.bars import MINUTE_S, Bar, Copyable, Indicator
from arena.indicators.specs import IndicatorSpec
from arena.messages.market import IndicatorWindow

PUBLISHED: Final = "%.12g"
"""Format of a published value: 12 significant digits."""


class BarFold(Copyable):
    """The indicators of one granularity, fed with the market's bars, minutes, in ascending order.

    A bar is made of the minutes of its bucket, at least one, and is closed once its last minute, or
    a later one, was taken. A bucket without minutes is a gap: the indicators start again with the
    first minute after it. A bucket that began before the first minute is left out: its first part
    is unknown. In a market of longer bars these take the place of the minutes.

    Args:
        granularity: Name of the granularity, such as "15m".
        specs: The indicators.
        base_s: Length of the market's bars in seconds.
    """

    __slots__ = (
        "_bars",
        "_base_s",
        "_first_s",
        "_gap_s",
        "_indicators",
        "_names",
        "_newest_s",
        "_open",
        "_open_s",
        "_since_s",
        "_specs",
        "_step_s",
        "_window",
    )

    def __init__(
        self, granularity: str, specs: Sequence[IndicatorSpec], base_s: int = MINUTE_S
    ) -> None:
        """Create the fold; it has no bars yet."""
        self._base_s = base_s
        self._step_s = GRANULARITIES[granularity]
        self._specs = tuple(specs)
        self._names = tuple(name for spec in specs for name in spec.names)
        self._indicators: tuple[Indicator, ...] = tuple(spec.make() for spec in specs)
        self._open: tuple[Bar, ...] = ()  # the minutes of the bar that has not closed
        self._open_s = -1  # and its start
        self._newest_s: int | None = None
        self._first_s: int | None = None
        self._since_s: int | None = None
        self._gap_s: int | None = None
        self._bars = 0
        self._window: IndicatorWindow | None = None

    def copy(self) -> "BarFold":
        """An independent copy."""
        twin = super().copy()
        twin._indicators = tuple(one.copy() for one in self._indicators)
        return twin

    def take(self, minute: Bar) -> None:
        """Take the next minute; it must be later than the one before."""
        step_s, minute_s = self._step_s, minute.start_s
        start_s = minute_s - minute_s % step_s
        if self._first_s is None:
            self._first_s = minute_s
        if start_s < self._first_s:
            return
        if start_s == self._open_s:
            self._open += (minute,)
        else:
            self._close_open()
            self._restart_after_gap(start_s)
            self._open_s, self._open = start_s, (minute,)
        if minute_s == start_s + step_s - self._base_s:
            self._close_open()

    def _close_open(self) -> None:
        """Close the bar of the open minutes, if there are any."""
        minutes = self._open
        if not minutes:
            return
        self._open = ()
        if len(minutes) == 1 and minutes[0].start_s == self._open_s:
            self._close(minutes[0])
            return
        _, opens, highs, lows, closes, volumes = zip(*minutes, strict=True)
        self._close(Bar(self._open_s, opens[0], max(highs), min(lows), closes[-1], sum(volumes)))

    def _restart_after_gap(self, start_s: int) -> None:
        """Start the indicators again if bars are missing before the one that starts now."""
        if self._newest_s is None or start_s == self._newest_s + self._step_s:
            return
        self._indicators = tuple(spec.make() for spec in self._specs)
        self._gap_s = start_s - self._step_s
        self._newest_s = self._since_s = self._window = None
        self._bars = 0

    def _close(self, bar: Bar) -> None:
        if self._since_s is None:
            self._since_s = bar.start_s
        self._newest_s = bar.start_s
        self._bars += 1
        self._window = None
        for indicator in self._indicators:
            indicator.update(bar)

    def window(self) -> IndicatorWindow:
        """The values after the newest closed bar; the same object until the next one closes."""
        if self._window is None:
            found = [value for one in self._indicators for value in one.values]
            self._window = IndicatorWindow(
                since=_moment(self._since_s),
                bars=self._bars,
                gap=_moment(self._gap_s),
                values=dict(zip(self._names, rounded(found), strict=True)),
            )
        return self._window


def rounded(values: Sequence[float | None]) -> list[float | None]:
    """Values to 12 significant digits; zero has no sign."""
    if None in values:
        return [None if one is None else float(PUBLISHED % one) + 0.0 for one in values]
    # One text for all of them takes half the time of one for each.
    texts = ",".join([PUBLISHED] * len(values)) % tuple(values)
    found: list[float | None] = [one + 0.0 for one in orjson.loads(f"[{texts}]")]
    return found


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
