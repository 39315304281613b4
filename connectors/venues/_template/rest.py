"""The public REST API."""

from collections.abc import Iterable
from datetime import datetime

from arena.messages import Candle
from arena.products import split_key
from connectors.market.candles import MINUTE_S
from connectors.market.events import TickerSeen, TradeSeen
from connectors.market.http_client import HttpClient
from connectors.market.listing import ProductListing
from connectors.market.snapshot import Origin
from connectors.venues._template import rest_protocol


class TemplateRest:
    """Requests to the REST API; see `connectors.market.venue.MarketRest`.

    Args:
        http: Client of the venue's host.
    """

    def __init__(self, http: HttpClient) -> None:
        """Take the client that the requests are made with."""
        self._http = http

    @property
    def origin(self) -> Origin:
        """Whether the venue is simulated."""
        return self._http.origin

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def time(self) -> datetime:
        """The venue's time."""
        return await self._http.read("/time", rest_protocol.read_time)

    async def products(self, wanted: Iterable[str]) -> ProductListing:
        """The wanted products as the venue lists them now."""
        listed = list(wanted)
        return await self._http.read(
            "/products", lambda body: rest_protocol.list_products(body, listed)
        )

    async def ticker(self, product_id: str) -> TickerSeen:
        """The current quotes of a product."""
        path = f"/ticker/{split_key(product_id).symbol}"
        return await self._http.read(path, lambda body: rest_protocol.read_ticker(body, product_id))

    async def candles(
        self, product_id: str, start_s: int, end_s: int, granularity_s: int = MINUTE_S
    ) -> list[Candle]:
        """Candles from `start_s` to `end_s`, both inclusive, oldest first."""
        path = f"/candles/{split_key(product_id).symbol}"
        query = {"start": str(start_s), "end": str(end_s), "granularity": str(granularity_s)}
        return await self._http.read(path, rest_protocol.read_candles, query)

    async def trades(self, product_id: str, after: int | None = None) -> list[TradeSeen]:
        """The newest trades with an id below `after`, newest first."""
        path = f"/trades/{split_key(product_id).symbol}"
        query = {} if after is None else {"after": str(after)}
        return await self._http.read(
            path, lambda body: rest_protocol.read_trades(body, product_id), query
        )
