"""Ids of products: a venue and the venue's own id, in one text. Pure.

Two venues may list products of the same name, so everything that is kept per product (quotes,
positions, candles, books) is keyed by both: `binance:BTCUSDT` is BTCUSDT of Binance. An id without
a venue, such as `BTC-USD`, is one of Coinbase Exchange, the first venue of the arena: its logs,
prompts and commands have such ids. So a text has exactly one meaning, in old records as in new
ones.
"""

from typing import Final, NamedTuple

DEFAULT_VENUE: Final = "coinbase"
"""The venue of an id without one."""
SEPARATOR: Final = ":"


class VenueProduct(NamedTuple):
    """A product id in its parts: the venue, and the id by which the venue lists the product."""

    venue: str
    symbol: str


def product_key(venue: str, symbol: str) -> str:
    """The id of a venue's product in the arena, such as "BTC-USD" or "binance:BTCUSDT"."""
    return symbol if venue == DEFAULT_VENUE else f"{venue}{SEPARATOR}{symbol}"


def split_key(product_id: str) -> VenueProduct:
    """The venue and the symbol of a product id."""
    venue, separator, symbol = product_id.partition(SEPARATOR)
    return VenueProduct(venue, symbol) if separator else VenueProduct(DEFAULT_VENUE, product_id)
