"""The indicators of one product: a fold of its candles, in the order of the log. Pure.

Candles are those of minutes; in a market of longer bars these take their place.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, Protocol

from arena.indicators.bar_fold import BarFold
from arena.indicators.bars import MINUTE_S, Bar
from arena.indicators.feature_sets import FeatureSet
from arena.messages.market import IndicatorWindow

CORRECTED_MINUTES: Final = 8
"""A record for a minute at most this much older than the newest one is folded again."""
SAVED_EVERY: Final = 64
"""Minutes after which the state is saved again; a correction folds at most about twice as many."""


class MinuteCandle(Protocol):
    """A closed candle of one minute."""

    @property
    def start(self) -> datetime:
        """Start of the minute, venue time."""

    @property
    def open(self) -> Decimal:
        """First price, in quote units."""

    @property
    def high(self) -> Decimal:
        """Highest price."""

    @property
    def low(self) -> Decimal:
        """Lowest price."""

    @property
    def close(self) -> Decimal:
        """Last price."""

    @property
    def volume(self) -> Decimal:
        """Volume in base units."""


Folds = dict[str, BarFold]


@dataclass(frozen=True, slots=True)
class _Saved:
    """The folds as they were after a minute, which starts at `newest_s`; nothing changes them."""

    newest_s: int
    folds: Folds


class ProductIndicators:
    """The indicators of one product.

    The result follows from the sequence of candles alone. Minutes that may still be corrected are
    kept, with a saved state from before them: a correction folds them again from there.

    Args:
        feature_set: The indicators; none of a granularity shorter than `bar_s`.
        bar_s: Length of the candles in seconds.
    """

    __slots__ = ("_bar_s", "_corrected_s", "_live", "_newest_s", "_next", "_pending", "_saved")

    def __init__(self, feature_set: FeatureSet, bar_s: int = MINUTE_S) -> None:
        """Create the indicators; they have no candles yet."""
        self._bar_s = bar_s
        self._corrected_s = CORRECTED_MINUTES * bar_s
        self._live = _folds(feature_set, bar_s)
        self._saved = _Saved(-1, _folds(feature_set, bar_s))
        # A later state; it becomes `_saved` once none of its minutes can be corrected.
        self._next: _Saved | None = None
        self._pending: dict[int, Bar] = {}  # the minutes after `_saved`
        self._newest_s: int | None = None

    def take(self, candle: MinuteCandle) -> bool:
        """Take the next record of the log: a new minute, a late one, or a correction.

        Args:
            candle: A closed minute. One that is more than `CORRECTED_MINUTES` older than the newest
                is ignored, and so is a repetition.

        Returns:
            True if the candle was used.

        Raises:
            ValueError: The candle does not start at a full minute, or bar.
        """
        return self.take_bar(bar_of(candle, self._bar_s))

    def take_bar(self, minute: Bar) -> bool:
        """Take the next record of the log as `take` does, from its floats."""
        start_s = minute.start_s
        newest_s = self._newest_s
        if newest_s is None or start_s > newest_s:
            self._newest_s = start_s
            self._pending[start_s] = minute
            for fold in self._live.values():
                fold.take(minute)
            self._save(start_s)
            return True
        if start_s < newest_s - self._corrected_s or self._pending.get(start_s) == minute:
            return False
        self._pending[start_s] = minute
        self._fold_again(start_s)
        return True

    def windows(self) -> dict[str, IndicatorWindow]:
        """Granularity -> its values, shortest first; only granularities with indicators."""
        return {name: fold.window() for name, fold in self._live.items()}

    def _save(self, newest_s: int) -> None:
        """Save the state now and then, and drop the minutes that cannot be corrected any more."""
        later = self._next
        if later is not None and later.newest_s < newest_s - self._corrected_s:
            self._saved, self._next = later, None
            self._pending = {s: bar for s, bar in self._pending.items() if s > later.newest_s}
        if self._next is None and len(self._pending) >= SAVED_EVERY:
            self._next = _Saved(newest_s, _copies(self._live))

    def _fold_again(self, start_s: int) -> None:
        """Fold the minutes again from the newest state that does not have `start_s`."""
        if self._next is not None and start_s <= self._next.newest_s:
            self._next = None
        origin = self._next or self._saved
        self._live = _copies(origin.folds)
        for minute_s in sorted(self._pending):
            if minute_s > origin.newest_s:
                for fold in self._live.values():
                    fold.take(self._pending[minute_s])


def _folds(feature_set: FeatureSet, bar_s: int) -> Folds:
    return {name: BarFold(name, specs, bar_s) for name, specs in feature_set.specs.items()}


def _copies(folds: Folds) -> Folds:
    return {name: fold.copy() for name, fold in folds.items()}


def bar_of(candle: MinuteCandle, bar_s: int = MINUTE_S) -> Bar:
    """A candle as a bar of floats.

    Args:
        candle: The candle.
        bar_s: Its length in seconds.

    Raises:
        ValueError: The candle does not start at a full minute, or bar.
    """
    start_s = int(candle.start.timestamp())
    if start_s % bar_s or candle.start.microsecond:
        what = "full minute" if bar_s == MINUTE_S else f"multiple of its {bar_s} s"
        raise ValueError(f"a candle starts at a {what}, got {candle.start}")
    return Bar(
        start_s,
        float(candle.open),
        float(candle.high),
        float(candle.low),
        float(candle.close),
        float(candle.volume),
    )
