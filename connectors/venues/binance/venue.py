"""Binance spot as a venue."""

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from arena.messages import Product
from connectors.market.rate_limits import TokenBucket
from connectors.venues.binance.exchange_info import unknown_product
from connectors.venues.binance.protocol import BinanceDecoder
from connectors.venues.binance.rest_protocol import read_time
from connectors.venues.binance.session import BinanceSession
from connectors.venues.binance.symbols import NAME, read_product

if TYPE_CHECKING:
    from connectors.market.http_client import HttpClient
    from connectors.market.venue import Decoder
    from connectors.venues.binance.rest import BinanceRest

WEIGHT_PER_S: Final = 40.0
"""2,400 a minute of the venue's 6,000."""
WEIGHT_BURST: Final = 200
COMBINED_PATH: Final = "/stream"
"""Path at which every frame names its stream."""


class BinanceVenue:
    """See `connectors.market.venue.Venue`.

    The hosts give market data only, need no key, and are those that the venue names for this
    purpose.
    """

    name = NAME
    title = "Binance spot"
    ws_url = "wss://data-stream.binance.vision"
    rest_url = "https://data-api.binance.vision"
    time_path = "/api/v3/time"
    default_products: tuple[str, ...] = ("binance:BTCUSDT", "binance:ETHUSDT", "binance:SOLUSDT")
    confirm_after_s: float | None = 3.0
    """A quiet product is stale after five seconds; this leaves time to check and to request."""
    ticker_every_s = 1.0
    """The best prices of one product change some forty times a second."""
    candles_max = 1_000

    def read_product(self, text: str) -> str:
        """The product id in BTCUSDT, BTC-USDT, BTC/USDT or binance:BTCUSDT, in any case.

        Raises:
            UsageError: It is not an id of a product.
        """
        return read_product(text)

    def read_time(self, body: bytes) -> datetime:
        """The venue's time.

        Raises:
            ValueError: The body has none.
        """
        return read_time(body)

    def unknown_product(self, product_id: str, status: str) -> Product:
        """The rules of a product without a usable entry."""
        return unknown_product(product_id, status)

    def decoder(self) -> "Decoder":
        """A decoder of one connection's frames."""
        return BinanceDecoder()

    def feed_url(self, ws_url: str) -> str:
        """The URL with the path of combined streams, unless it names another path."""
        if urlsplit(ws_url).path.strip("/"):
            return ws_url
        return ws_url.rstrip("/") + COMBINED_PATH

    def session(self, products: list[str], now_s: float) -> BinanceSession:
        """The state of a new connection."""
        return BinanceSession(products, now_s)

    def rate_limit(self) -> TokenBucket:
        """A bucket of weights, well within the venue's limit."""
        return TokenBucket(rate_per_s=WEIGHT_PER_S, burst=WEIGHT_BURST)

    def rest(self, http: "HttpClient", counters: Counter[str]) -> "BinanceRest":
        """The REST API over a client."""
        # The HTTP library is loaded by the process that needs it, not by every list of venues.
        from connectors.venues.binance.rest import BinanceRest

        return BinanceRest(http, counters)


VENUE: Final = BinanceVenue()
