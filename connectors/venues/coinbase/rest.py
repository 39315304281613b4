"""The public REST API of Coinbase Exchange, which needs no key."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from arena.messages import Candle
from connectors.market.candles import MINUTE_S
from connectors.market.events import TickerSeen, TradeSeen
from connectors.market.http_client import HttpClient
from connectors.market.listing import ProductListing
from connectors.market.snapshot import Origin
from connectors.market.trades import PAGE_ROWS_MAX
from connectors.venues.coinbase.protocol_products import list_products
from connectors.venues.coinbase.rest_protocol import read_candles, read_ticker, read_time
from connectors.venues.coinbase.trades import read_trades


class CoinbaseRest:
    """Requests to the REST API; see `connectors.market.venue.MarketRest`.

    Args:
        http: Client of the venue's host.
        venue: Name of the venue in products.
        counters: Gets `rest_rows_refused`.
    """

    def __init__(self, http: HttpClient, venue: str, counters: Counter[str]) -> None:
        """Take the client that the requests are made with."""
        self._http = http
        self._venue = venue
        self._counters = counters

    @property
    def origin(self) -> Origin:
        """Whether the venue is simulated; from the headers of the last response."""
        return self._http.origin

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def time(self) -> datetime:
        """The venue's time.

        Raises:
            RestFailed: There was no usable response.
        """
        return await self._http.read("/time", read_time)

    async def products(self, wanted: Iterable[str]) -> ProductListing:
        """The wanted products as the venue lists them now.

        Raises:
            RestFailed: There was no usable response.
        """
        return await self._http.read(
            "/products", lambda body: list_products(body, wanted, venue=self._venue)
        )

    async def ticker(self, product_id: str) -> TickerSeen:
        """The current quotes of a product.

        Raises:
            RestFailed: There was no usable response.
        """
        path = f"/products/{product_id}/ticker"
        return await self._http.read(path, lambda body: read_ticker(body, product_id))

    async def candles(
        self, product_id: str, start_s: int, end_s: int, granularity_s: int = MINUTE_S
    ) -> list[Candle]:
        """Candles from bucket `start_s` to bucket `end_s`, oldest first.

        Both ends are always given and advance with time, so that no cached response is served.

        Raises:
            RestFailed: There was no usable response.
        """
        path = f"/products/{product_id}/candles"
        query = {"granularity": str(granularity_s), "start": str(start_s), "end": str(end_s)}
        candles, refused = await self._http.read(path, read_candles, query)
        self._counters["rest_rows_refused"] += refused
        return candles

    async def trades(self, product_id: str, after: int | None = None) -> list[TradeSeen]:
        """The newest `PAGE_ROWS_MAX` trades with an id below `after`, newest first.

        Raises:
            RestFailed: There was no usable response.
        """
        path = f"/products/{product_id}/trades"
        query = {"limit": str(PAGE_ROWS_MAX)} | ({} if after is None else {"after": str(after)})
        trades, refused = await self._http.read(
            path, lambda body: read_trades(body, product_id), query
        )
        self._counters["rest_rows_refused"] += refused
        return trades
