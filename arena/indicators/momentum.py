"""Momentum of closes: RSI, MACD, return over n bars. Pure."""

from arena.indicators.averages import RunningEma, WilderAverage
from arena.indicators.bars import Bar, CloseWindow, Indicator


class Rsi(Indicator):
    """Relative strength index: RSI = 100 * gain / (gain + loss).

    Gain and loss are Wilder averages of the rises and the falls of the close. It is 0 while no
    close has changed, as in TA-Lib. Source: Wilder, 1978.
    """

    __slots__ = ("_close", "_gain", "_loss")

    def __init__(self, length: int) -> None:
        """Take the number of changes."""
        self._gain = WilderAverage(length)
        self._loss = WilderAverage(length)
        self._close: float | None = None

    def update(self, bar: Bar) -> None:
        """Take the next closed bar."""
        if self._close is not None:
            change = bar.close - self._close
            self._gain.update(change if change > 0 else 0.0)
            self._loss.update(-change if change < 0 else 0.0)
        self._close = bar.close

    @property
    def values(self) -> tuple[float | None, ...]:
        """The index, 0 to 100."""
        gain, loss = self._gain.value, self._loss.value
        if gain is None or loss is None:
            return (None,)
        moved = gain + loss
        return (100.0 * (gain / moved) if moved else 0.0,)


class Macd(Indicator):
    """Moving average convergence/divergence.

    MACD = EMA(fast) - EMA(slow); signal = EMA of MACD; histogram = MACD - signal. Both EMAs start
    at the bar that makes the slow one warm: the fast one is seeded with the mean of the closes that
    end there. All three outputs start with the signal. Source: Gerald Appel; TA-Lib's seeding.
    """

    __slots__ = ("_bars", "_fast", "_fast_from", "_signal", "_slow")

    def __init__(self, fast: int, slow: int, signal: int) -> None:
        """Take the lengths of the EMAs; `fast` must be less than `slow`."""
        self._fast = RunningEma(fast)
        self._slow = RunningEma(slow)
        self._signal = RunningEma(signal)
        self._fast_from = slow - fast
        self._bars = 0

    def update(self, bar: Bar) -> None:
        """Take the next closed bar."""
        self._bars += 1
        self._slow.update(bar.close)
        if self._bars > self._fast_from:
            self._fast.update(bar.close)
        fast, slow = self._fast.value, self._slow.value
        if fast is not None and slow is not None:
            self._signal.update(fast - slow)

    @property
    def values(self) -> tuple[float | None, ...]:
        """MACD, signal, histogram; in quote units."""
        fast, slow, signal = self._fast.value, self._slow.value, self._signal.value
        if fast is None or slow is None or signal is None:
            return (None, None, None)
        macd = fast - slow
        return (macd, signal, macd - signal)


class Return(CloseWindow):
    """Return over n bars: close / close n bars before - 1 (TA-Lib's ROCP)."""

    __slots__ = ("_length",)

    def __init__(self, length: int) -> None:
        """Take the number of bars."""
        super().__init__(length + 1)
        self._length = length

    @property
    def values(self) -> tuple[float | None, ...]:
        """The return as a fraction: 0.01 is one percent."""
        if len(self._closes) <= self._length:
            return (None,)
        before = self._closes[0]
        return ((self._closes[-1] - before) / before,)
