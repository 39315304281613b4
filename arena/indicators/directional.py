"""Directional movement: ADX with both directional indicators. Pure."""

from arena.indicators.bars import Bar, Copyable, Indicator
from arena.indicators.ranges import true_range


class WilderSum(Copyable):
    """Wilder's smoothed sum: previous - previous / n + x, seeded with the sum of n - 1 values.

    Attributes:
        value: The sum so far.
    """

    __slots__ = ("_length", "_seeds", "value")

    def __init__(self, length: int) -> None:
        """Take the number of values."""
        self._length = length
        self._seeds = length - 1
        self.value = 0.0

    def update(self, x: float) -> None:
        """Take the next value."""
        if self._seeds > 0:
            self._seeds -= 1
            self.value += x
        else:
            self.value += x - self.value / self._length


class Adx(Indicator):
    """Average directional index, +DI and -DI.

    +DM = rise of the high, if it is positive and more than the fall of the low, else 0; -DM the
    reverse. +DI = 100 * sum(+DM) / sum(true range), Wilder's sums; DX = 100 * |+DI - -DI| /
    (+DI + -DI); ADX = Wilder average of DX. +DI and -DI start at bar n + 1, ADX at bar 2n. A DX
    without movement counts as 0 in the first n, and leaves the ADX as it was later, as in TA-Lib.
    Source: Wilder, 1978; TA-Lib's seeding.
    """

    __slots__ = ("_adx", "_bar", "_changes", "_dx_sum", "_length", "_minus", "_plus", "_range")

    def __init__(self, length: int) -> None:
        """Take the number of changes; at least 2."""
        self._length = length
        self._plus = WilderSum(length)
        self._minus = WilderSum(length)
        self._range = WilderSum(length)
        self._bar: Bar | None = None
        self._changes = 0
        self._dx_sum = 0.0
        self._adx: float | None = None

    def update(self, bar: Bar) -> None:
        """Take the next closed bar."""
        before, self._bar = self._bar, bar
        if before is None:
            return
        rise, fall = bar.high - before.high, before.low - bar.low
        self._plus.update(rise if rise > 0 and rise > fall else 0.0)
        self._minus.update(fall if fall > 0 and fall > rise else 0.0)
        self._range.update(true_range(bar, before.close))
        self._changes += 1
        if self._changes >= self._length:
            self._take_dx(self._dx())

    def _dx(self) -> float | None:
        """The index of this bar; None without movement."""
        plus, minus = self._directions()
        moved = plus + minus
        return 100.0 * (abs(minus - plus) / moved) if moved else None

    def _take_dx(self, dx: float | None) -> None:
        if self._adx is not None:
            if dx is not None:
                self._adx = (self._adx * (self._length - 1) + dx) / self._length
            return
        self._dx_sum += dx or 0.0
        if self._changes == 2 * self._length - 1:
            self._adx = self._dx_sum / self._length

    def _directions(self) -> tuple[float, float]:
        """+DI and -DI, 0 to 100; 0 if no bar has a range."""
        total = self._range.value
        if not total:
            return 0.0, 0.0
        return 100.0 * (self._plus.value / total), 100.0 * (self._minus.value / total)

    @property
    def values(self) -> tuple[float | None, ...]:
        """ADX, +DI, -DI; 0 to 100."""
        if self._changes < self._length:
            return (None, None, None)
        return (self._adx, *self._directions())
