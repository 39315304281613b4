"""Recorded candles as a price path: each bar goes through open, low, high and close.

`arena.pricefiles` reads the file. The candles that the market folds from the price path equal the
rows of the file, digit by digit.
"""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Context, Decimal
from itertools import pairwise
from typing import Final

from arena.fill_assumption import HALF_SPREAD_BPS
from arena.pricefiles.read import PriceFile
from arena.pricefiles.rows import PriceRow
from arena.products import COINS
from connectors.simulator.listing import ListedProduct, listed_product
from connectors.simulator.price_path import (
    MINUTE_S,
    STEPS,
    Tick,
    Trade,
    WholeBar,
    step_of_bar,
)

LOW_STEP: Final = 4
HIGH_STEP: Final = 8
COIN_FUNDS_MIN: Final = Decimal("0.00001")
"""Smallest order in a quote currency whose unit is worth thousands of dollars, such as BTC."""
LARGE: Final = 10**15
"""Rows with numbers above it are played step by step: sums in 28 digits are not exact."""
FINE: Final = 100
"""Rows with prices of fewer price steps are played step by step: quotes are not beside them."""
QUOTED_SIZE: Final = Decimal("1.5")

_SIZE_STEP = Decimal("1E-8")
_EIGHT_DIGITS = Decimal("0E-8")
"""Added to a volume: the sum of sizes has at least as many decimals."""
_EXACT = Context(prec=60)
"""Eighteen digits before the point and as many after it, with room for a product of two."""


class RecordedPricePath:
    """The price path of one file.

    Args:
        product: The product; its increments must be fine enough for the file's prices.
        rows: Start of the bar in Unix seconds -> row.
        bar_s: Length of the bars in seconds.

    Attributes:
        first_s: Unix seconds of the start of the first bar.
        last_s: Unix seconds of the end of the last bar.
    """

    def __init__(
        self, product: ListedProduct, rows: Mapping[int, PriceRow], bar_s: int = MINUTE_S
    ) -> None:
        """Create the price path, before its first row."""
        self.product = product
        self.rows = rows
        self.first_s = min(rows)
        self.last_s = max(rows) + bar_s
        self._bar_s = bar_s
        self._step_s = step_of_bar(bar_s)
        self._step = float(product.quote_increment)
        self._last: Tick | None = None
        self._last_row: PriceRow | None = None

    def step(self, at_s: int) -> Tick | None:
        """The tick at a venue time; the last quotes if the file has no row there."""
        row = self.rows.get(at_s - at_s % self._bar_s)
        index = at_s % self._bar_s // self._step_s
        if row is None:
            return None if self.last is None else replace(self.last, trade=None)
        self._last_row = row
        price = _walk(row, index, self.product.quote_increment)
        if price is None and (row.bid is None or row.ask is None):
            return self._last
        bid, ask = self._quotes(row, price)
        trade = None
        if row.trades is not None and price is not None:
            size = _share(row.trades[4], index)
            side = "buy" if price >= ask else "sell"
            trade = Trade(price, size, "buy" if side == "buy" else "sell")
        self._last = Tick(bid, ask, QUOTED_SIZE, QUOTED_SIZE, trade)
        return self._last

    def open_tick(self, at_s: int) -> Tick | None:
        """The open of the row that starts at a venue time, with the spread of the row before it.

        The row's own quotes are those of its end, so they are not used.
        """
        row = self.rows.get(at_s)
        if row is None or row.trades is None:
            return None
        price, before = row.trades[0], self._last_row
        if before is None or before.bid is None or before.ask is None:
            bid, ask = self._assumed_quotes(price)
        else:
            mid = _EXACT.divide(before.bid + before.ask, Decimal(2))
            reference = before.trades[3] if before.trades else mid
            moved = _floor(price - reference, self.product.quote_increment)
            bid, ask = self._shifted(before.bid, before.ask, moved)
        trade = Trade(price, Decimal(0), "buy" if price >= ask else "sell")
        return Tick(bid, ask, QUOTED_SIZE, QUOTED_SIZE, trade)

    def whole_bar(self, at_s: int) -> WholeBar | None:
        """The row that starts at a venue time; None for one with quotes only, or odd numbers."""
        row = self.rows.get(at_s)
        if row is None:
            return WholeBar()
        if row.trades is None:
            return None
        open_, high, low, close, volume = row.trades
        step, least, most = self._step, float(low), float(high)
        if least < FINE * step or most > LARGE or volume > LARGE:
            return None
        away = 0.0
        if row.bid is not None and row.ask is not None:
            away = (float(row.bid) + float(row.ask)) / 2 - float(close)
        return WholeBar(
            (
                open_,
                open_ if open_ == high else high,
                open_ if open_ == low else low,
                close,
                volume + _EIGHT_DIGITS,
            ),
            least + away - step,
            most + away + step,
            abs(away) + step,
            float(close),
            STEPS,
        )

    def take_bar(self, at_s: int, bar: WholeBar) -> None:
        """Make the row the last one, if there is one."""
        if bar.trades is not None:
            self._last_row, self._last = self.rows[at_s], None

    @property
    def last(self) -> Tick | None:
        """The tick of the last step of the newest row."""
        row = self._last_row
        if self._last is None and row is not None and row.trades is not None:
            close, volume = row.trades[3:]
            bid, ask = self._quotes(row, close)
            trade = Trade(close, _share(volume, STEPS - 1), "buy" if close >= ask else "sell")
            self._last = Tick(bid, ask, QUOTED_SIZE, QUOTED_SIZE, trade)
        return self._last

    def has_bar(self, at_s: int) -> bool:
        """True if the file has a row for the bar."""
        return at_s - at_s % self._bar_s in self.rows

    def _quotes(self, row: PriceRow, price: Decimal | None) -> tuple[Decimal, Decimal]:
        """The row's closing quotes, shifted by the distance of this step's price from the close."""
        if row.bid is not None and row.ask is not None:
            moved = price - row.trades[3] if price is not None and row.trades else Decimal(0)
            return self._shifted(row.bid, row.ask, moved)
        assert price is not None, "a row has quotes or trades"
        return self._assumed_quotes(price)

    def _shifted(self, bid: Decimal, ask: Decimal, moved: Decimal) -> tuple[Decimal, Decimal]:
        step = self.product.quote_increment
        bid = max(step, bid + moved)
        return bid, max(bid + step, ask + moved)

    def _assumed_quotes(self, price: Decimal) -> tuple[Decimal, Decimal]:
        """Quotes around a price, at least a price step apart."""
        step = self.product.quote_increment
        half = _floor(_EXACT.divide(price * HALF_SPREAD_BPS, Decimal(10_000)), step)
        bid = max(step, price - half)
        return bid, max(bid + step, price + half)


def price_path_of(file: PriceFile, product_id: str = "") -> RecordedPricePath:
    """The price path of a file, with a price step as fine as its prices.

    Args:
        file: The file.
        product_id: Id of the product in the market; "" for the file's own.
    """
    product = listed_product(product_id or file.product_id)
    finest = Decimal(1).scaleb(-file.rows.price_digits)
    fitted = replace(product, quote_increment=min(product.quote_increment, finest))
    if product.quote_currency in COINS:
        fitted = replace(fitted, min_market_funds=COIN_FUNDS_MIN)
    return RecordedPricePath(fitted, file.rows, file.bar_s)


def _walk(row: PriceRow, index: int, step: Decimal) -> Decimal | None:
    """The trade price at a step of the bar; it reaches open, both extremes and close exactly."""
    if row.trades is None:
        return None
    open_, high, low, close, _ = row.trades
    first, second = (low, high) if close >= open_ else (high, low)
    corners = ((0, open_), (LOW_STEP, first), (HIGH_STEP, second), (STEPS - 1, close))
    for (start, from_), (end, to) in pairwise(corners):
        if index == start:
            return from_
        if start < index < end:
            part = _EXACT.divide((to - from_) * (index - start), Decimal(end - start))
            return min(high, max(low, _floor(_EXACT.add(from_, part), step)))
    return close


def _floor(number: Decimal, step: Decimal) -> Decimal:
    """A number rounded down to a multiple of a step."""
    return _EXACT.multiply(_EXACT.divide_int(number, step), step)


def _share(volume: Decimal, index: int) -> Decimal:
    """A twelfth of the bar's volume in whole 10^-8; the last step gets the rest."""
    part = _part(volume)
    return part if index < STEPS - 1 else volume - part * (STEPS - 1)


def _part(volume: Decimal) -> Decimal:
    return (volume / STEPS).quantize(_SIZE_STEP)
