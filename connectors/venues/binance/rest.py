"""The public REST API of Binance spot, which needs no key.

Each request has a weight; the venue allows an address 6,000 a minute, answers 429 above that, and
418 to an address that continues nevertheless. Weights are as documented in 2026.

The list of products is requested for the wanted symbols only, because that of all symbols is many
megabytes. One unknown symbol refuses the whole request, so a refused list is halved until the
unknown ones are alone; they are left out from then on, and one of them is requested with each later
list, in case it is listed again.
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import orjson

from arena.granularities import granularity_of
from arena.messages import Candle
from connectors.market.candles import MINUTE_S
from connectors.market.events import TickerSeen, TradeSeen
from connectors.market.http_client import HttpClient, RestFailed
from connectors.market.json_bodies import Body
from connectors.market.listing import ProductListing
from connectors.market.snapshot import Origin
from connectors.market.trades import PAGE_ROWS_MAX
from connectors.venues.binance.exchange_info import list_products, read_symbols
from connectors.venues.binance.rest_protocol import (
    read_candles,
    read_ticker,
    read_time,
    read_trades,
)
from connectors.venues.binance.symbols import symbol_of

KLINES_MAX: Final = 1_000
BAD_REQUEST: Final = 400
UNKNOWN_SYMBOL: Final = "Invalid symbol"
"""Begin of the message of error -1121."""
TIME: Final = "/api/v3/time"
TIME_WEIGHT: Final = 1
EXCHANGE_INFO_WEIGHT: Final = 20
TICKER_WEIGHT: Final = 2
KLINES_WEIGHT: Final = 2
TRADES_WEIGHT: Final = 25

EXCHANGE_INFO: Final = "/api/v3/exchangeInfo"
TICKER: Final = "/api/v3/ticker/24hr"
KLINES: Final = "/api/v3/klines"
TRADES: Final = "/api/v3/trades"
OLD_TRADES: Final = "/api/v3/historicalTrades"


class BinanceRest:
    """Requests to the REST API; see `connectors.market.venue.MarketRest`.

    Args:
        http: Client of the venue's host.
        counters: Gets `rest_rows_refused`.
    """

    def __init__(self, http: HttpClient, counters: Counter[str]) -> None:
        """Take the client that the requests are made with."""
        self._http = http
        self._counters = counters
        self._unknown: deque[str] = deque()

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
        return await self._http.read(TIME, read_time, weight=TIME_WEIGHT)

    async def products(self, wanted: Iterable[str]) -> ProductListing:
        """The wanted products as the venue lists them now.

        Raises:
            RestFailed: There was no usable response.
        """
        listed = list(dict.fromkeys(wanted))
        known = [symbol for p in listed if (symbol := symbol_of(p)) not in self._unknown]
        entries: dict[str, Body] = {}
        if self._unknown:
            entries |= await self._entries([self._unknown.popleft()])
        entries |= await self._entries(known)
        return list_products(entries, listed)

    async def ticker(self, product_id: str) -> TickerSeen:
        """The current quotes of a product, with its last trade and 24-hour figures.

        `ticker/24hr` rather than `ticker/bookTicker` and `ticker/price`: one request of the same
        weight has both, and the id of the last trade.

        Raises:
            RestFailed: There was no usable response.
        """
        query = {"symbol": symbol_of(product_id)}
        return await self._http.read(
            TICKER, lambda body: read_ticker(body, product_id), query, weight=TICKER_WEIGHT
        )

    async def candles(
        self, product_id: str, start_s: int, end_s: int, granularity_s: int = MINUTE_S
    ) -> list[Candle]:
        """Candles that start from `start_s` to `end_s`, both inclusive, oldest first.

        Raises:
            RestFailed: There was no usable response.
        """
        assert (end_s - start_s) // granularity_s < KLINES_MAX, "more than one request gives"
        query = {
            "symbol": symbol_of(product_id),
            "interval": granularity_of(granularity_s),
            "startTime": str(start_s * 1000),
            "endTime": str(end_s * 1000),
            "limit": str(KLINES_MAX),
        }
        candles, refused = await self._http.read(KLINES, read_candles, query, weight=KLINES_WEIGHT)
        self._counters["rest_rows_refused"] += refused
        return candles

    async def trades(self, product_id: str, after: int | None = None) -> list[TradeSeen]:
        """The newest `PAGE_ROWS_MAX` trades with an id below `after`, newest first.

        Older pages come from `historicalTrades`, which asked for a key until 2024 or so; if it does
        again, older trades of a gap stay missing.

        Raises:
            RestFailed: There was no usable response.
        """
        query = {"symbol": symbol_of(product_id), "limit": str(PAGE_ROWS_MAX)}
        path = TRADES
        if after is not None:
            path = OLD_TRADES
            query["fromId"] = str(max(0, after - PAGE_ROWS_MAX))
        trades, refused = await self._http.read(
            path, lambda body: read_trades(body, product_id), query, weight=TRADES_WEIGHT
        )
        self._counters["rest_rows_refused"] += refused
        return [trade for trade in trades if after is None or trade.trade_id < after]

    async def _entries(self, symbols: Sequence[str]) -> Mapping[str, Body]:
        """The entries of symbols; those that the venue does not know are remembered."""
        found: dict[str, Body] = {}
        waiting = [list(symbols)] if symbols else []
        while waiting:
            batch = waiting.pop()
            try:
                found |= await self._request_entries(batch)
            except RestFailed as error:
                if error.status != BAD_REQUEST or UNKNOWN_SYMBOL not in error.detail:
                    raise
                if len(batch) == 1:
                    self._unknown.append(batch[0])
                else:
                    middle = len(batch) // 2
                    waiting += [batch[middle:], batch[:middle]]
        return found

    async def _request_entries(self, symbols: Sequence[str]) -> Mapping[str, Body]:
        query = {"symbols": orjson.dumps(list(symbols)).decode()}
        return await self._http.read(
            EXCHANGE_INFO, read_symbols, query, weight=EXCHANGE_INFO_WEIGHT
        )
