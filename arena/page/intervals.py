"""Returns with their intervals on one axis, which has zero and buy-and-hold. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from arena.page import formats
from arena.page.scales import Scale, Tick, scale, ticks

PERCENT = 100.0
TICKS = 5


@dataclass(frozen=True, slots=True)
class Plot:
    """An interval: places in percent of the width, None if unknown."""

    low: float | None
    high: float | None
    dot: float | None


@dataclass(frozen=True, slots=True)
class IntervalAxis:
    """The axis of a column of plots.

    Attributes:
        ticks, zero, hold: Places in percent of the width.
        hold_words: Name and return of buy-and-hold.
    """

    scale: Scale
    ticks: tuple[Tick, ...]
    zero: float
    hold: float | None
    hold_words: str

    def plot(self, low: float | None, high: float | None, point: float | None) -> Plot:
        """Place a return and its interval, given as shares."""
        return Plot(*(None if v is None else self.scale.at(v) for v in (low, high, point)))


def interval_axis(
    values: Iterable[float | None], hold: float | None, name: str = "hold"
) -> IntervalAxis:
    """An axis that shows these shares, zero, and the return of buy-and-hold under its name."""
    found = scale([v for v in (*values, hold, 0.0) if v is not None], PERCENT)
    percents = Scale(found.low * PERCENT, found.high * PERCENT, PERCENT)
    return IntervalAxis(
        scale=found,
        ticks=tuple(Tick(percents.at(v), words) for v, words in ticks(percents, TICKS)),
        zero=found.at(0.0),
        hold=None if hold is None else found.at(hold),
        hold_words=f"{name} {formats.share(hold)}",
    )
