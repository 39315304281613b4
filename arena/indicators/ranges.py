"""Ranges and spread of prices: ATR, Bollinger bands, rolling high and low, volatility. Pure."""

from collections import deque
from math import dist, fsum, log, sqrt

from arena.indicators.averages import WilderAverage
from arena.indicators.bars import Bar, CloseWindow, Indicator


def true_range(bar: Bar, close_before: float) -> float:
    """Wilder's true range: the range of a bar and the close before it."""
    high, low = bar.high, bar.low
    return (high if high > close_before else close_before) - (
        low if low < close_before else close_before
    )


class Atr(Indicator):
    """Average true range: Wilder average of the true ranges, from the second bar on.

    Source: Wilder, 1978.
    """

    __slots__ = ("_average", "_close")

    def __init__(self, length: int) -> None:
        """Take the number of true ranges."""
        self._average = WilderAverage(length)
        self._close: float | None = None

    def update(self, bar: Bar) -> None:
        """Take the next closed bar."""
        if self._close is not None:
            self._average.update(true_range(bar, self._close))
        self._close = bar.close

    @property
    def values(self) -> tuple[float | None, ...]:
        """The average range, in quote units."""
        return (self._average.value,)


class Bollinger(CloseWindow):
    """Bollinger bands: middle = SMA(n) of closes; upper, lower = middle +- k * deviation.

    The deviation is that of the population (divided by n). Source: John Bollinger.
    """

    __slots__ = ("_deviations", "_length")

    def __init__(self, length: int, deviations: float) -> None:
        """Take the number of bars, and the distance of the bands in deviations."""
        super().__init__(length)
        self._length = length
        self._deviations = deviations

    @property
    def values(self) -> tuple[float | None, ...]:
        """Upper, middle, lower; in quote units."""
        if len(self._closes) < self._length:
            return (None, None, None)
        middle = fsum(self._closes) / self._length
        distance = dist(self._closes, (middle,) * self._length)
        width = self._deviations * distance / sqrt(self._length)
        return (middle + width, middle, middle - width)


class High(Indicator):
    """Highest high of n bars."""

    __slots__ = ("_highs", "_length")

    def __init__(self, length: int) -> None:
        """Take the number of bars."""
        self._length = length
        self._highs: deque[float] = deque(maxlen=length)

    def update(self, bar: Bar) -> None:
        """Take the next closed bar."""
        self._highs.append(bar.high)

    @property
    def values(self) -> tuple[float | None, ...]:
        """The highest price."""
        return (max(self._highs) if len(self._highs) == self._length else None,)


class Low(Indicator):
    """Lowest low of n bars."""

    __slots__ = ("_length", "_lows")

    def __init__(self, length: int) -> None:
        """Take the number of bars."""
        self._length = length
        self._lows: deque[float] = deque(maxlen=length)

    def update(self, bar: Bar) -> None:
        """Take the next closed bar."""
        self._lows.append(bar.low)

    @property
    def values(self) -> tuple[float | None, ...]:
        """The lowest price."""
        return (min(self._lows) if len(self._lows) == self._length else None,)


class Volatility(Indicator):
    """Realised volatility: standard deviation of the newest n log returns ln(c[t] / c[t-1]).

    It is that of the sample (divided by n - 1), per bar, and not annualised. n returns need n + 1
    bars.
    """

    __slots__ = ("_close", "_length", "_returns")

    def __init__(self, length: int) -> None:
        """Take the number of returns."""
        self._length = length
        self._returns: deque[float] = deque(maxlen=length)
        self._close: float | None = None

    def update(self, bar: Bar) -> None:
        """Take the next closed bar."""
        if self._close is not None:
            self._returns.append(log(bar.close / self._close))
        self._close = bar.close

    @property
    def values(self) -> tuple[float | None, ...]:
        """The deviation as a fraction per bar: 0.01 is one percent."""
        if len(self._returns) < self._length:
            return (None,)
        mean = fsum(self._returns) / self._length
        distance = dist(self._returns, (mean,) * self._length)
        return (distance / sqrt(self._length - 1),)
