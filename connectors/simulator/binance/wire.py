"""Numbers, times and symbols as Binance spot writes them. Pure."""

from datetime import datetime
from decimal import Decimal
from typing import Final

from arena.products import product_key, split_key

VENUE: Final = "binance"
DECIMALS: Final = 8
"""Least decimals of a price or a size; the venue fills them with zeros."""


def number_text(number: Decimal) -> str:
    """A number with at least eight decimals, without rounding."""
    exponent = number.as_tuple().exponent
    decimals = max(DECIMALS, -exponent if isinstance(exponent, int) else 0)
    return f"{number:.{decimals}f}"


def milliseconds(moment: datetime) -> int:
    """A time in Unix milliseconds."""
    return int(moment.timestamp() * 1000)


def symbol_of(product_id: str) -> str:
    """The symbol of a product id: "BTCUSDT" of "binance:BTCUSDT"."""
    return split_key(product_id).symbol


def product_of(symbol: str) -> str:
    """The product id of a symbol: "binance:BTCUSDT" of "BTCUSDT"."""
    return product_key(VENUE, symbol)
