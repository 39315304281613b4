"""Symbols of Binance spot: ids of products in the arena, and what users type. Pure."""

import re
from typing import Final

from arena.errors import UsageError
from arena.products import SEPARATOR, product_key, quote_of, split_key

NAME: Final = "binance"
SYMBOL: Final = re.compile(r"[A-Z0-9]{2,30}", re.ASCII)
"""A symbol such as BTCUSDT. The venue also lists a few with other letters; they are not read."""
REMEDY: Final = "write BTCUSDT or BTC-USDT"


def product_of(symbol: object) -> str:
    """The product id of the venue's symbol: "binance:BTCUSDT" of "BTCUSDT".

    Raises:
        ValueError: It is not a symbol.
    """
    if not isinstance(symbol, str) or not SYMBOL.fullmatch(symbol):
        raise ValueError(f"the symbol is {str(symbol)[:40]!r}")
    return product_key(NAME, symbol)


def symbol_of(product_id: str) -> str:
    """The venue's symbol of a product id: "BTCUSDT" of "binance:BTCUSDT"."""
    return split_key(product_id).symbol


def read_product(text: str) -> str:
    """The product id in what a user typed: BTCUSDT, BTC-USDT, BTC/USDT or binance:BTCUSDT.

    A pair whose quote currency the arena does not know must be typed with a dash or a slash.

    Raises:
        UsageError: It is not an id of a product.
    """
    venue, separator, rest = text.strip().upper().rpartition(SEPARATOR)
    if separator and venue != NAME.upper():
        raise UsageError(f"{text!r} is not a product of Binance", remedy=REMEDY)
    base, dash, quote = rest.replace("/", "-").partition("-")
    symbol = base + quote
    if not SYMBOL.fullmatch(symbol) or (dash and not (base and quote)):
        raise UsageError(f"{text!r} is not a product id", remedy=REMEDY)
    if not dash and not quote_of(product_key(NAME, symbol)):
        raise UsageError(f"{text!r} does not end with a quote currency", remedy=REMEDY)
    return product_key(NAME, symbol)
