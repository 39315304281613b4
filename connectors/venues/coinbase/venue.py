"""Coinbase Exchange as a venue."""

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Final

from arena.errors import UsageError
from arena.messages import Product
from arena.products import SEPARATOR
from connectors.market.rate_limits import TokenBucket
from connectors.venues.coinbase.protocol import PRODUCT_ID, parse
from connectors.venues.coinbase.protocol_products import unknown_product
from connectors.venues.coinbase.rest_protocol import read_time
from connectors.venues.coinbase.session import CoinbaseSession

if TYPE_CHECKING:
    from connectors.market.http_client import HttpClient
    from connectors.market.venue import Decoder
    from connectors.venues.coinbase.rest import CoinbaseRest

REST_RATE_PER_S: Final = 5.0
"""Half of what Coinbase Exchange allows an address: 10 requests per second, bursts of 15."""
REST_BURST: Final = 8


class CoinbaseVenue:
    """See `connectors.market.venue.Venue`."""

    name = "coinbase"
    title = "Coinbase Exchange"
    ws_url = "wss://ws-feed.exchange.coinbase.com"
    rest_url = "https://api.exchange.coinbase.com"
    time_path = "/time"
    default_products: tuple[str, ...] = ("BTC-USD", "FARTCOIN-USD", "SOL-USD")
    confirm_after_s: float | None = None
    ticker_every_s = 0.0
    candles_max = 300

    def read_product(self, text: str) -> str:
        """An id such as "BTC-USD" or "coinbase:BTC-USD", typed in any case.

        Raises:
            UsageError: It is not an id.
        """
        product_id = text.upper().removeprefix(f"{self.name.upper()}{SEPARATOR}")
        if not PRODUCT_ID.fullmatch(product_id):
            raise UsageError(f"{product_id!r} is not a product id", remedy="write BTC-USD")
        return product_id

    def read_time(self, body: bytes) -> datetime:
        """The venue's time.

        Raises:
            ValueError: The body has none.
        """
        return read_time(body)

    def unknown_product(self, product_id: str, status: str) -> Product:
        """The rules of a product without a usable entry."""
        return unknown_product(product_id, status, self.name)

    def decoder(self) -> "Decoder":
        """The decoder of frames, which remembers nothing."""
        return parse

    def feed_url(self, ws_url: str) -> str:
        """The URL as it is."""
        return ws_url

    def session(self, products: list[str], now_s: float) -> CoinbaseSession:
        """The state of a new connection."""
        return CoinbaseSession(products, now_s)

    def rate_limit(self) -> TokenBucket:
        """Half of what the venue allows."""
        return TokenBucket(rate_per_s=REST_RATE_PER_S, burst=REST_BURST)

    def rest(self, http: "HttpClient", counters: Counter[str]) -> "CoinbaseRest":
        """The REST API over a client."""
        # The HTTP library is loaded by the process that needs it, not by every list of venues.
        from connectors.venues.coinbase.rest import CoinbaseRest

        return CoinbaseRest(http, self.name, counters)


VENUE: Final = CoinbaseVenue()
