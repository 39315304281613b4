"""The venue."""

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Final

from arena.errors import UsageError
from arena.messages import Product
from arena.products import SEPARATOR, product_key
from connectors.market.rate_limits import TokenBucket
from connectors.venues._template.protocol import NAME, SYMBOL, parse
from connectors.venues._template.rest_protocol import read_time, unknown_product
from connectors.venues._template.session import TemplateSession

if TYPE_CHECKING:
    from connectors.market.http_client import HttpClient
    from connectors.market.venue import Decoder
    from connectors.venues._template.rest import TemplateRest


class TemplateVenue:
    """See `connectors.market.venue.Venue`."""

    name = NAME
    title = "Template Exchange"
    ws_url = "wss://feed.example.com"
    rest_url = "https://api.example.com"
    time_path = "/time"
    default_products: tuple[str, ...] = (f"{NAME}:BTC-USD", f"{NAME}:ETH-USD")
    confirm_after_s: float | None = None
    ticker_every_s = 0.0
    candles_max = 300

    def read_product(self, text: str) -> str:
        """An id such as "BTC-USD", with or without the venue.

        Raises:
            UsageError: It is not an id.
        """
        symbol = text.upper().removeprefix(NAME.upper() + SEPARATOR)
        if not SYMBOL.fullmatch(symbol):
            raise UsageError(f"{text!r} is not a product id", remedy="write BTC-USD")
        return product_key(NAME, symbol)

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
        """The decoder of frames; a new object if it remembers frames of its connection."""
        return parse

    def feed_url(self, ws_url: str) -> str:
        """The URL as it is."""
        return ws_url

    def session(self, products: list[str], now_s: float) -> TemplateSession:
        """The state of a new connection."""
        return TemplateSession(products, now_s)

    def rate_limit(self) -> TokenBucket:
        """Half of what the venue allows."""
        return TokenBucket(rate_per_s=5.0, burst=8)

    def rest(self, http: "HttpClient", counters: Counter[str]) -> "TemplateRest":
        """The REST API over a client."""
        from connectors.venues._template.rest import TemplateRest

        return TemplateRest(http)


VENUE: Final = TemplateVenue()
