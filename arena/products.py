"""Ids of products: a venue and the venue's own id, in one text. Pure.

Two venues may list products of the same name, so everything that is kept per product (quotes,
positions, candles, books) is keyed by both: `binance:BTCUSDT` is BTCUSDT of Binance. An id without
a venue, such as `BTC-USD`, is one of Coinbase Exchange, the first venue of the arena: its logs,
prompts and commands have such ids. So a text has exactly one meaning, in old records as in new
ones.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

DEFAULT_VENUE: Final = "coinbase"
"""The venue of an id without one."""
SEPARATOR: Final = ":"
VENUES_SEPARATOR: Final = "+"
"""Between the venues of one snapshot, in its `venue`."""

_FIATS = (
    "USD EUR GBP JPY CHF CAD AUD NZD TRY BRL KRW INR MXN ZAR PLN UAH RUB NGN SGD HKD IDR ARS CZK"
    " RON COP"
)
FIATS: Final = frozenset(_FIATS.split())
_STABLES = "USDT USDC BUSD FDUSD TUSD USDP DAI USDE USDS USD1 PYUSD GUSD RLUSD EURC EURT"
STABLES: Final = frozenset(_STABLES.split())
COINS: Final = frozenset({"BTC", "XBT", "ETH", "BNB"})
"""Coins that are used as quote currencies."""
QUOTES: Final = FIATS | STABLES | COINS
QUOTES_BY_LENGTH: Final = tuple(sorted(QUOTES, key=lambda quote: (-len(quote), quote)))


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


def venue_of(product_ids: Iterable[str]) -> str:
    """The venue of products: "coinbase", or "binance+coinbase" if they are of several."""
    return VENUES_SEPARATOR.join(
        sorted({split_key(product_id).venue for product_id in product_ids})
    )


def product_in_file(product_id: str) -> str:
    """The product as names of price files have it: "BTC-USDT" for "binance:BTCUSDT"."""
    if SEPARATOR not in product_id:
        return product_id
    base, quote = _pair(product_id)
    return f"{base}-{quote}"


def base_of(product_id: str) -> str:
    """The base currency of a product: "BTC" of "BTC-USD" and of "binance:BTCUSDT"."""
    return _pair(product_id)[0]


def quote_of(product_id: str) -> str:
    """The quote currency of a product: "USDT" of "BTC-USDT" and of "binance:BTCUSDT"."""
    return _pair(product_id)[1]


def _pair(product_id: str) -> tuple[str, str]:
    """Base and quote of an id, by its dash, or else by the longest known quote that it ends with.

    A venue's own list (`Product`) is the authority; this is for what must be known before.
    """
    symbol = split_key(product_id).symbol
    base, dash, quote = symbol.rpartition("-")
    if dash:
        return base, quote
    known = (quote for quote in QUOTES_BY_LENGTH if symbol.endswith(quote) and symbol != quote)
    quote = next(known, "")
    return symbol[: len(symbol) - len(quote)], quote
