"""What a venue must have, so that the connector can publish its market.

A venue is a package in `connectors/venues/` with the name that users type; its `VENUE` is an object
of this protocol. `connectors/venues/_template/` is one to copy. Everything but `MarketRest` is
pure: no I/O, no clock.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from arena.messages import Candle, Product
from connectors.market.candles import MINUTE_S
from connectors.market.events import Event, TickerSeen, TradeSeen
from connectors.market.listing import ProductListing
from connectors.market.rate_limits import TokenBucket
from connectors.market.session import VenueSession
from connectors.market.snapshot import Origin

if TYPE_CHECKING:
    from connectors.market.http_client import HttpClient

Decoder = Callable[[bytes | str], Event]
"""Decodes one frame; it may remember earlier ones, and never raises on what a venue sends."""


class MarketRest(Protocol):
    """A venue's REST API. Every request raises `RestFailed` if there was no usable response."""

    @property
    def origin(self) -> Origin:
        """Whether the venue is simulated, and how fast its time runs."""

    async def close(self) -> None:
        """Close the connections."""

    async def time(self) -> datetime:
        """The venue's time."""

    async def products(self, wanted: Iterable[str]) -> ProductListing:
        """The wanted products as the venue lists them now."""

    async def ticker(self, product_id: str) -> TickerSeen:
        """The current quotes of a product, without a sequence number (0)."""

    async def candles(
        self, product_id: str, start_s: int, end_s: int, granularity_s: int = MINUTE_S
    ) -> list[Candle]:
        """Candles that start from `start_s` to `end_s`, both inclusive, oldest first.

        At most `Venue.candles_max`; the newest may be that of a time that has not ended.
        """

    async def trades(self, product_id: str, after: int | None = None) -> list[TradeSeen]:
        """The newest trades with an id below `after`, newest first, at most `PAGE_ROWS_MAX`."""


class Venue(Protocol):
    """One venue.

    Attributes:
        name: The venue in messages, groups and commands, such as "coinbase".
        title: The venue in sentences, such as "Coinbase Exchange".
        ws_url, rest_url: URLs of the public market data.
        time_path: Path of the venue's time at `rest_url`.
        default_products: The products if a user names none.
        confirm_after_s: The feed of a product without news is silent, so its quotes are requested
            by REST after so many seconds; None for a venue that sends heartbeats.
        ticker_every_s: Least seconds from one published ticker of a product to the next, for a feed
            that sends each change; 0 to publish all that it sends.
        candles_max: Most candles of one request.
    """

    name: str
    title: str
    ws_url: str
    rest_url: str
    time_path: str
    default_products: tuple[str, ...]
    confirm_after_s: float | None
    ticker_every_s: float
    candles_max: int

    def read_product(self, text: str) -> str:
        """The product id in what a user typed.

        Raises:
            UsageError: It is not an id of a product.
        """

    def read_time(self, body: bytes) -> datetime:
        """The time in the body of `time_path`.

        Raises:
            ValueError: It has none.
        """

    def unknown_product(self, product_id: str, status: str) -> Product:
        """The rules to publish for a product without a usable entry, so that no order is filled."""

    def decoder(self) -> Decoder:
        """A decoder of the feed's frames."""

    def feed_url(self, ws_url: str) -> str:
        """The URL to connect to, from the URL of the feed's host."""

    def session(self, products: list[str], now_s: float) -> VenueSession:
        """The state of a connection that was opened at a time in monotonic seconds."""

    def rate_limit(self) -> TokenBucket:
        """A limit on REST requests, well within the venue's."""

    def rest(self, http: "HttpClient", counters: Counter[str]) -> MarketRest:
        """The venue's REST API, over a client."""
