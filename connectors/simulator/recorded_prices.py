"""Recorded candles as a price path: each minute goes through open, low, high and close.

`arena.pricefiles` reads the file. The candles that the market folds from the price path equal the
rows of the file, digit by digit.
"""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Context, Decimal
from itertools import pairwise
from typing import Final

from arena.pricefiles.read import PriceFile
from arena.pricefiles.rows import MINUTE_S, PriceRow
from arena.products import COINS
from connectors.simulator.listing import ListedProduct, listed_product
from connectors.simulator.price_path import STEP_S, Tick, Trade

STEPS: Final = MINUTE_S // STEP_S
HALF_SPREAD_BPS: Final = 1
LOW_STEP: Final = 4
HIGH_STEP: Final = 8
COIN_FUNDS_MIN: Final = Decimal("0.00001")
"""Smallest order in a quote currency whose unit is worth thousands of dollars, such as BTC."""
QUOTED_SIZE: Final = Decimal("1.5")

_EXACT = Context(prec=60)
"""Eighteen digits before the point and as many after it, with room for a product of two."""


class RecordedPricePath:
    """The price path of one file.

    Args:
        product: The product; its increments must be fine enough for the file's prices.
        rows: Start of the minute in Unix seconds -> row.

    Attributes:
        first_s: Unix seconds of the start of the first minute.
        last_s: Unix seconds of the end of the last minute.
    """

    def __init__(self, product: ListedProduct, rows: Mapping[int, PriceRow]) -> None:
        """Create the price path, before its first row."""
        self.product = product
        self.rows = rows
        self.first_s = min(rows)
        self.last_s = max(rows) + MINUTE_S
        self._last: Tick | None = None

    def step(self, at_s: int) -> Tick | None:
        """The tick at a venue time; the last quotes if the file has no row there."""
        row = self.rows.get(at_s - at_s % MINUTE_S)
        index = at_s % MINUTE_S // STEP_S
        if row is None:
            return None if self._last is None else replace(self._last, trade=None)
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

    def has_minute(self, at_s: int) -> bool:
        """True if the file has a row for the minute."""
        return at_s - at_s % MINUTE_S in self.rows

    def _quotes(self, row: PriceRow, price: Decimal | None) -> tuple[Decimal, Decimal]:
        """The row's closing quotes, shifted by the distance of this step's price from the close."""
        step = self.product.quote_increment
        if row.bid is not None and row.ask is not None:
            moved = price - row.trades[3] if price is not None and row.trades else Decimal(0)
            bid = max(step, row.bid + moved)
            return bid, max(bid + step, row.ask + moved)
        assert price is not None, "a row has quotes or trades"
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
    return RecordedPricePath(fitted, file.rows)


def _walk(row: PriceRow, index: int, step: Decimal) -> Decimal | None:
    """The trade price at a step of the minute; it reaches open, both extremes and close exactly."""
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
    """A twelfth of the minute's volume in whole 10^-8; the last step gets the rest."""
    part = (volume / STEPS).quantize(Decimal("1E-8"))
    return part if index < STEPS - 1 else volume - part * (STEPS - 1)
