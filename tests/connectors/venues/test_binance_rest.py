"""The REST API of Binance spot: bodies, the list of products, and unknown symbols."""

import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.clock import SystemClock
from arena.errors import UsageError
from arena.trading_modes import ONLINE, UNLISTED, takes_market_orders
from connectors.market.http_client import HttpClient, RestFailed
from connectors.market.json_bodies import RestMalformed
from connectors.venues.binance.exchange_info import list_products, read_symbols
from connectors.venues.binance.rest import EXCHANGE_INFO, BinanceRest
from connectors.venues.binance.rest_protocol import (
    read_candles,
    read_ticker,
    read_time,
    read_trades,
)
from connectors.venues.binance.symbols import read_product
from connectors.venues.binance.venue import VENUE as BINANCE

PRODUCT = "binance:BTCUSDT"


def entry(symbol: str = "BTCUSDT", /, **fields: object) -> dict[str, object]:
    """An entry of the list, as the venue writes it."""
    body: dict[str, object] = {
        "symbol": symbol,
        "status": "TRADING",
        "baseAsset": symbol.removesuffix("USDT"),
        "quoteAsset": "USDT",
        "orderTypes": ["LIMIT", "MARKET"],
        "isSpotTradingAllowed": True,
        "filters": [
            {"filterType": "PRICE_FILTER", "tickSize": "0.01000000"},
            {"filterType": "LOT_SIZE", "stepSize": "0.00001000", "minQty": "0.00001000"},
            {"filterType": "MARKET_LOT_SIZE", "stepSize": "0.00000000"},
            {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": True},
        ],
    }
    return body | fields


def with_filter(kind: str, **fields: object) -> list[dict[str, object]]:
    """The filters of `entry`, with one replaced or added."""
    filters = entry()["filters"]
    assert isinstance(filters, list)
    return [*(f for f in filters if f["filterType"] != kind), {"filterType": kind, **fields}]


def listed(**fields: object) -> tuple[object, str]:
    """The product of an entry with these fields, or None and why it is rejected."""
    listing = list_products({"BTCUSDT": entry(**fields)}, [PRODUCT])
    product = next(iter((*listing.online, *listing.closed)), None)
    return product, listing.rejected.get(PRODUCT, "")


def test_filters_become_trading_rules() -> None:
    """Tick size, lot step and least notional, without the zeros at their ends."""
    (product,) = list_products({"BTCUSDT": entry()}, [PRODUCT]).online

    assert ("0.01", "0.00001", "5") == (
        f"{product.quote_increment}",
        f"{product.base_increment:f}",
        f"{product.min_market_funds}",
    )
    assert ("binance", "BTC", "USDT", ONLINE) == (
        product.venue,
        product.base_currency,
        product.quote_currency,
        product.status,
    )


@pytest.mark.parametrize(
    ("filters", "name", "value"),
    [
        (with_filter("MARKET_LOT_SIZE", stepSize="0.1"), "base_increment", "0.1"),
        (with_filter("NOTIONAL", minNotional="5", applyMinToMarket=False), "min_market_funds", "0"),
        (with_filter("MIN_NOTIONAL", minNotional="10.0"), "min_market_funds", "10"),
        (
            with_filter("MIN_NOTIONAL", minNotional="9", applyToMarket=False),
            "min_market_funds",
            "5",
        ),
        (with_filter("LOT_SIZE", stepSize="100.00000000"), "base_increment", "100"),
    ],
)
def test_filters_of_market_orders_count(
    filters: list[dict[str, object]], name: str, value: str
) -> None:
    """Orders here are market orders: the coarser step, and the notional if it binds them."""
    product, why = listed(filters=filters)

    assert (Decimal(value), "") == (getattr(product, name), why)


@pytest.mark.parametrize(
    ("fields", "status", "modes"),
    [
        ({"status": "HALT"}, "halt", ()),
        ({"status": "BREAK"}, "break", ()),
        ({"orderTypes": ["LIMIT"]}, ONLINE, ("limit_only",)),
        ({"isSpotTradingAllowed": False}, ONLINE, ("trading_disabled",)),
    ],
)
def test_restricted_product_takes_no_market_orders(
    fields: dict[str, object], status: str, modes: tuple[str, ...]
) -> None:
    """A status other than TRADING closes it; missing order types are a mode."""
    product, _ = listed(**fields)

    assert (status, modes) == (getattr(product, "status", ""), getattr(product, "modes", None))
    assert not takes_market_orders(status, modes)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"filters": None}, "no filters"),
        ({"filters": []}, "no filter LOT_SIZE"),
        ({"filters": with_filter("PRICE_FILTER", tickSize="0.00000000")}, "price step is 0"),
        ({"filters": with_filter("PRICE_FILTER", tickSize=0.01)}, "tickSize"),
        ({"filters": with_filter("LOT_SIZE", stepSize="-1")}, "zero or more"),
        ({"status": None}, "status"),
        ({"baseAsset": ""}, "baseAsset"),
    ],
)
def test_unreadable_entry_is_rejected(fields: dict[str, object], complaint: str) -> None:
    """The reason names the field."""
    product, why = listed(**fields)

    assert product is None
    assert complaint in why


def test_ticker_has_quotes_and_the_last_trade() -> None:
    """From one response; its sequence is 0, so that it is not compared with the feed's."""
    body = {"lastPrice": "10.0", "bidPrice": "9.9", "askPrice": "10.1", "lastId": 7}
    more = {"bidQty": "1", "askQty": "2", "lastQty": "3", "volume": "4", "openPrice": "5"}
    seen = read_ticker(json.dumps(body | more | {"closeTime": 1_789_000_000_000}), PRODUCT)

    assert (Decimal("9.9"), Decimal("10.1"), 7, 0) == (
        seen.best_bid,
        seen.best_ask,
        seen.trade_id,
        seen.sequence,
    )
    assert seen.time is not None
    with pytest.raises(RestMalformed):
        read_ticker(b'{"lastPrice":"1"}', PRODUCT)


def test_invalid_rows_are_counted_and_left_out() -> None:
    """A high below the low, a number instead of a string, a start within a minute."""
    start = 1_789_000_020_000
    good = [start, "1", "3", "1", "2", "9", 0, "0", 1, "0", "0", "0"]
    bad = [[*good[:2], "0.5", *good[3:]], [start, 1, *good[2:]], [start + 1, *good[1:]], 5]
    candles, wrong = read_candles(json.dumps([good, *bad]))
    trade = {"id": 5, "price": "1", "qty": "2", "time": 1_789_000_000_000, "isBuyerMaker": True}
    trades, refused = read_trades(json.dumps([trade, trade | {"id": -1}, 1]), PRODUCT)

    assert ([Decimal(2)], 4) == ([candle.close for candle in candles], wrong)
    assert ([5], ["sell"], 2) == (
        [t.trade_id for t in trades],
        [t.taker_side for t in trades],
        refused,
    )


@pytest.mark.parametrize("body", [b"", b"null", b"{}", b"<html>", b'{"symbols":{}}'])
def test_bodies_of_another_shape_are_malformed(body: bytes) -> None:
    """Every reader says so with the same error."""
    for read in (read_time, read_symbols, read_candles):
        with pytest.raises(RestMalformed):
            read(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.sampled_from(["1", "-1"]),
    lambda inner: (
        st.lists(inner, max_size=12)
        | st.dictionaries(
            st.sampled_from(
                ["symbols", "symbol", "filters", "serverTime", "lastPrice", "id", "price"]
            ),
            inner,
        )
    ),
    max_leaves=12,
)


@given(body=st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_body_makes_a_reader_fail(body: bytes) -> None:
    """Each reader gives a result or says that the body is malformed."""
    for read in (
        read_time,
        read_candles,
        lambda text: read_ticker(text, PRODUCT),
        lambda text: read_trades(text, PRODUCT),
        lambda text: list_products(read_symbols(text), [PRODUCT]),
    ):
        with suppress(RestMalformed):
            read(body)


@pytest.mark.parametrize(
    "text", ["BTCUSDT", "btcusdt", "BTC-USDT", "btc/usdt", "binance:BTCUSDT", "Binance:btc-usdt"]
)
def test_every_way_to_write_a_product_is_read(text: str) -> None:
    """As the same id."""
    assert PRODUCT == read_product(text)


def test_pair_of_an_unknown_quote_needs_its_parts() -> None:
    """Otherwise a mistyped word would be a product."""
    assert "binance:ETHTRX" == read_product("ETH-TRX")
    for text in ("bitcoin", "BTC-", "-USDT", "", "coinbase:BTC-USD", "BTC USDT", "B:C:D"):
        with pytest.raises(UsageError):
            read_product(text)


class ListOnly:
    """A venue that lists some symbols; it answers requests for the list only.

    Attributes:
        symbols: The symbols that it lists.
        asked: The symbols of each request.
    """

    def __init__(self, *symbols: str) -> None:
        """List these symbols."""
        self.symbols = list(symbols)
        self.asked: list[list[str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        url = urlsplit(str(request.url))
        assert url.path == EXCHANGE_INFO
        asked = json.loads(dict(parse_qsl(url.query))["symbols"])
        self.asked.append(asked)
        if not set(asked) <= set(self.symbols):
            return httpx.Response(400, json={"code": -1121, "msg": "Invalid symbol."})
        return httpx.Response(200, json={"symbols": [entry(symbol) for symbol in asked]})


@asynccontextmanager
async def rest_of(venue: ListOnly) -> AsyncIterator[BinanceRest]:
    """A client of that venue, without a network."""
    counters: Counter[str] = Counter()
    http = HttpClient(
        "http://127.0.0.1",
        BINANCE.rate_limit(),
        clock=SystemClock(),
        rng=random.Random(7),
        counters=counters,
    )
    http._client = httpx.AsyncClient(
        base_url="http://127.0.0.1", transport=httpx.MockTransport(venue)
    )
    rest = BinanceRest(http, counters)
    try:
        yield rest
    finally:
        await rest.close()


async def test_unknown_symbol_does_not_hide_the_others() -> None:
    """A refused list is halved; the unknown symbol is remembered and asked for apart."""
    venue = ListOnly("AUSDT", "BUSDT", "CUSDT")
    wanted = [f"binance:{letter}USDT" for letter in "AXBC"]
    async with rest_of(venue) as rest:
        first = await rest.products(wanted)
        requests = list(venue.asked)
        venue.asked.clear()
        second = await rest.products(wanted)

    assert first == second
    assert {"binance:XUSDT": UNLISTED} == dict(first.rejected)
    assert ["AUSDT", "BUSDT", "CUSDT"] == [p.product_id.partition(":")[2] for p in first.online]
    assert ["AUSDT", "XUSDT", "BUSDT", "CUSDT"] == requests[0]
    assert [["XUSDT"], ["AUSDT", "BUSDT", "CUSDT"]] == venue.asked


async def test_symbol_that_is_listed_later_is_found() -> None:
    """One of the remembered symbols is asked for with each list."""
    venue = ListOnly("AUSDT")
    wanted = ["binance:AUSDT", "binance:XUSDT", "binance:YUSDT"]
    async with rest_of(venue) as rest:
        await rest.products(wanted)
        venue.symbols.append("YUSDT")
        listings = [await rest.products(wanted) for _ in range(3)]

    assert "binance:YUSDT" in {p.product_id for p in listings[-1].online}
    assert ["binance:XUSDT"] == list(listings[-1].rejected)


async def test_other_errors_are_not_taken_for_unknown_symbols() -> None:
    """A refused request of another kind is an error of the whole list."""

    def refuse(request: httpx.Request) -> httpx.Response:
        return httpx.Response(400, json={"code": -1100, "msg": "Illegal characters found."})

    async with rest_of(ListOnly()) as rest:
        rest._http._client = httpx.AsyncClient(
            base_url="http://127.0.0.1", transport=httpx.MockTransport(refuse)
        )
        with pytest.raises(RestFailed, match="Illegal characters"):
            await rest.products([PRODUCT])
