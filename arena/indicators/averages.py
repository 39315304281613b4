"""Moving averages: simple (SMA), exponential (EMA), and Wilder's. Pure."""

from math import fsum

from arena.indicators.bars import Bar, CloseWindow, Copyable, Indicator


class Sma(CloseWindow):
    """Simple moving average of closes: SMA = (c[0] + ... + c[n-1]) / n.

    The window is summed again, and exactly, for each value, so that nothing drifts.
    """

    __slots__ = ("_length",)

    def __init__(self, length: int) -> None:
        """Take the number of bars."""
        super().__init__(length)
        self._length = length

    @property
    def values(self) -> tuple[float | None, ...]:
        """The average."""
        if len(self._closes) < self._length:
            return (None,)
        return (fsum(self._closes) / self._length,)


class RunningEma(Copyable):
    """Exponential moving average of any series, seeded with the mean of its first n values.

    EMA = (x - previous) * 2 / (n + 1) + previous. The seed is TA-Lib's default.

    Attributes:
        value: The average; None for the first n - 1 values.
    """

    __slots__ = ("_count", "_length", "_seed_sum", "_weight", "value")

    def __init__(self, length: int) -> None:
        """Take the number of values."""
        self._length = length
        self._weight = 2.0 / (length + 1)
        self._count = 0
        self._seed_sum = 0.0
        self.value: float | None = None

    def update(self, x: float) -> None:
        """Take the next value of the series."""
        if self.value is not None:
            self.value += (x - self.value) * self._weight
            return
        self._count += 1
        self._seed_sum += x
        if self._count == self._length:
            self.value = self._seed_sum / self._length


class Ema(Indicator):
    """Exponential moving average of closes; see `RunningEma`."""

    __slots__ = ("_ema",)

    def __init__(self, length: int) -> None:
        """Take the number of bars."""
        self._ema = RunningEma(length)

    def update(self, bar: Bar) -> None:
        """Take the next closed bar."""
        self._ema.update(bar.close)

    @property
    def values(self) -> tuple[float | None, ...]:
        """The average."""
        return (self._ema.value,)


class WilderAverage(Copyable):
    """Wilder's smoothed average: (previous * (n - 1) + x) / n, seeded with the mean of n values.

    Source: J. Welles Wilder, New Concepts in Technical Trading Systems (1978).

    Attributes:
        value: The average; None for the first n - 1 values.
    """

    __slots__ = ("_count", "_length", "_seed_sum", "value")

    def __init__(self, length: int) -> None:
        """Take the number of values."""
        self._length = length
        self._count = 0
        self._seed_sum = 0.0
        self.value: float | None = None

    def update(self, x: float) -> None:
        """Take the next value of the series."""
        if self.value is not None:
            self.value = (self.value * (self._length - 1) + x) / self._length
            return
        self._count += 1
        self._seed_sum += x
        if self._count == self._length:
            self.value = self._seed_sum / self._length
