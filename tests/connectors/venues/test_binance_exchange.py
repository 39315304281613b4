"""The simulated Binance and a connector to it: limits, faults, quiet products, playback."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from arena.bus.memory import MemoryBus
from arena.clock import ManualClock
from arena.messages import MarketSnapshot, Ticker
from arena.node import Node
from arena.settings import Settings
from connectors.market.playback import Playback
from connectors.simulator.binance.protocol import BinanceProtocol
from connectors.simulator.run import ExchangeOptions, open_market
from connectors.simulator.server import ExchangeServer
from connectors.simulator.simulator_state import SimulatorState
from connectors.venues.binance.session import ACK_TIMEOUT_S
from connectors.venues.binance.venue import VENUE as BINANCE
from tests.connectors.builders import FIXTURES, T0, build_market
from tests.connectors.venue import (
    RunningConnector,
    eventually,
    inject_fault,
    running_connector,
    running_exchange,
)

PRODUCTS = ("binance:BTCUSDT", "binance:SOLUSDT")


@asynccontextmanager
async def exchange(*, speed: float = 60.0) -> AsyncIterator[ExchangeServer]:
    """A simulated Binance."""
    async with running_exchange(products=PRODUCTS, speed=speed, protocol=BinanceProtocol) as server:
        yield server


@asynccontextmanager
async def connector(
    server: ExchangeServer, bus: MemoryBus, *, factor: float = 10.0
) -> AsyncIterator[RunningConnector]:
    """A connector to it."""
    async with running_connector(
        server, bus, venue=BINANCE, products=PRODUCTS, factor=factor
    ) as watched:
        yield watched


@asynccontextmanager
async def client(server: ExchangeServer) -> AsyncIterator[ClientConnection]:
    """A connection to its streams."""
    async with (
        asyncio.timeout(10),
        connect(f"{server.ws_url}/stream", proxy=None) as connection,
    ):
        yield connection


async def ask(connection: ClientConnection, method: str, *params: str, **more: object) -> object:
    """The response to a request."""
    body = {"method": method, "params": list(params), "id": 1} | more
    await connection.send(json.dumps(body))
    while True:
        reply = json.loads(await connection.recv())
        if "stream" not in reply:
            return reply


async def test_unknown_streams_are_acknowledged_and_errors_have_codes() -> None:
    """As on the real venue."""
    async with exchange(speed=1.0) as server, client(server) as connection:
        acked = await ask(connection, "SUBSCRIBE", "nopeusdt@bookTicker", "btcusdt@depth")
        names = await ask(connection, "LIST_SUBSCRIPTIONS", id=2)
        wrong = await ask(connection, "PRAY", id=3)

    assert {"result": None, "id": 1} == acked
    assert {"result": ["btcusdt@depth", "nopeusdt@bookTicker"], "id": 2} == names
    assert isinstance(wrong, dict)
    assert (2, 3) == (wrong["error"]["code"], wrong["id"])


async def test_too_many_streams_are_refused() -> None:
    """A connection has at most 1,024."""
    async with exchange(speed=1.0) as server, client(server) as connection:
        reply = await ask(connection, "SUBSCRIBE", *(f"s{n}usdt@trade" for n in range(1_025)))

    assert isinstance(reply, dict)
    assert "error" in reply


async def test_sixth_message_in_a_second_ends_the_connection() -> None:
    """The venue allows five."""
    async with exchange(speed=1.0) as server, client(server) as connection:
        with pytest.raises(ConnectionClosed):
            for number in range(20):
                await ask(connection, "SUBSCRIBE", "btcusdt@trade", id=number)
        assert 1008 == connection.close_code


async def test_errors_of_the_rest_api_have_codes() -> None:
    """Of an unknown symbol, an invalid interval, a missing parameter, and of both list forms."""
    paths = {
        '/api/v3/exchangeInfo?symbols=["BTCUSDT","NOPEUSDT"]': -1121,
        "/api/v3/exchangeInfo?symbols=BTCUSDT": -1100,
        '/api/v3/exchangeInfo?symbol=BTCUSDT&symbols=["BTCUSDT"]': -1128,
        "/api/v3/klines?symbol=BTCUSDT&interval=2m": -1120,
        "/api/v3/klines?interval=1m": -1102,
        "/api/v3/ticker/24hr?symbol=NOPEUSDT": -1121,
    }
    async with exchange(speed=1.0) as server, httpx.AsyncClient(trust_env=False) as http:
        replies = {path: await http.get(server.rest_url + path) for path in paths}
        unknown = await http.get(f"{server.rest_url}/api/v3/nothing")

    assert (404, "text/html") == (unknown.status_code, unknown.headers["content-type"])
    assert paths == {path: reply.json()["code"] for path, reply in replies.items()}
    assert {400} == {reply.status_code for reply in replies.values()}


@pytest.mark.parametrize("status", [418, 429])
async def test_too_many_requests_are_answered_with_a_pause(status: int) -> None:
    """REST and handshakes alike, with a Retry-After header."""
    async with exchange(speed=1.0) as server, httpx.AsyncClient(trust_env=False) as http:
        for asked in ("rest", "ws"):
            await inject_fault(server, f"{asked}_{status}", seconds=5, retry_after="7")
        reply = await http.get(f"{server.rest_url}/api/v3/time")
        with pytest.raises(InvalidStatus) as refused:
            async with connect(server.ws_url, proxy=None):
                pass

    assert (status, "7", -1003) == (
        reply.status_code,
        reply.headers["retry-after"],
        reply.json()["code"],
    )
    response = refused.value.response
    assert (status, "7") == (response.status_code, response.headers["Retry-After"])


async def test_connected_but_silent_feed_is_replaced(memory_bus: MemoryBus) -> None:
    """Requests are acknowledged and no data comes: REST gives the quotes, the session ends."""
    async with exchange() as server, connector(server, memory_bus) as watched:
        await eventually(lambda: bool(watched.snapshots), "a snapshot")
        await inject_fault(server, "silent", seconds=3)
        await eventually(lambda: watched.count("reconnects_silent") >= 1, "a reconnect")
        confirmed = watched.count("quotes_confirmed")
        assert confirmed > 0
        await eventually(lambda: watched.count("frames") > 0, "data")
        snapshots = watched.snapshots

    assert not any(view.stale for snapshot in snapshots for view in snapshot.products)


async def test_quiet_product_is_confirmed_by_rest(memory_bus: MemoryBus) -> None:
    """Its frames are withheld; it stays fresh, and only this product is requested."""
    quiet, busy = PRODUCTS[1], PRODUCTS[0]
    async with exchange() as server, connector(server, memory_bus) as watched:
        await eventually(lambda: bool(watched.snapshots), "a snapshot")
        await inject_fault(server, "gap", seconds=30, product=quiet)
        before = watched.count("quotes_confirmed")
        await eventually(lambda: watched.count("quotes_confirmed") > before + 2, "confirmations")
        seen = len(watched.snapshots)
        await eventually(lambda: len(watched.snapshots) > seen + 1, "snapshots")
        snapshots, tickers = watched.snapshots[seen:], watched.tickers

    assert not any(view.stale for snapshot in snapshots for view in snapshot.products)
    assert 0 in {t.sequence for t in tickers if t.product_id == quiet}
    newest = [t.sequence for t in tickers if t.product_id == busy][-1]
    assert newest > 0


async def test_announced_end_is_followed_by_a_new_connection(memory_bus: MemoryBus) -> None:
    """The connector does not wait for the close."""
    async with exchange() as server, connector(server, memory_bus) as watched:
        await eventually(lambda: bool(watched.snapshots), "a snapshot")
        await inject_fault(server, "shutdown")
        await eventually(lambda: watched.feed.stream.epoch >= 2, "a second connection")

        assert 1 == watched.count("reconnects_server_shutdown")


async def test_lost_acknowledgement_is_requested_again(memory_bus: MemoryBus) -> None:
    """The first request for the products is carried out without one."""
    async with exchange() as server:
        await inject_fault(server, "bad_ack", product=PRODUCTS[0])
        async with connector(server, memory_bus) as watched:
            await eventually(lambda: watched.feed.stream.settled.is_set(), "all acks")
            waited_s = watched.connector.node.clock.monotonic()

            assert waited_s > ACK_TIMEOUT_S
            assert 1 == watched.feed.stream.epoch
            await eventually(lambda: bool(watched.snapshots), "a snapshot")


async def test_old_and_bad_quotes_are_dropped(memory_bus: MemoryBus) -> None:
    """An older update id is out of order; a thousandth of the price is a bad print."""
    async with exchange() as server, connector(server, memory_bus) as watched:
        await eventually(
            lambda: any(t.sequence for t in watched.tickers if t.product_id == PRODUCTS[0]),
            "a ticker of the feed",
        )
        await inject_fault(server, "reorder")
        await eventually(lambda: watched.count("dropped_out_of_order") >= 1, "an old frame")
        await inject_fault(server, "bad_print")
        await eventually(lambda: watched.count("dropped_bad_print") >= 1, "a bad frame")


async def test_halt_and_delisting_close_a_product(memory_bus: MemoryBus) -> None:
    """BREAK, then TRADING again, then unlisted: its rules say so each time."""
    async with exchange() as server, connector(server, memory_bus) as watched:

        def is_now(status: str) -> bool:
            return [p for p in watched.products if p.product_id == PRODUCTS[1]][-1].status == status

        await eventually(lambda: bool(watched.snapshots), "a snapshot")
        await inject_fault(server, "status", product=PRODUCTS[1], status="BREAK")
        await eventually(lambda: is_now("break"), "a break")
        await inject_fault(server, "status", product=PRODUCTS[1], status="TRADING")
        await eventually(lambda: is_now("online"), "its end")
        await inject_fault(server, "unlist", product=PRODUCTS[1])
        await eventually(lambda: is_now("unlisted"), "the end of the product")
        seen = len(watched.snapshots)
        await eventually(lambda: len(watched.snapshots) > seen + 1, "snapshots")
        view = watched.snapshots[-1].view(PRODUCTS[1])

    assert view is not None
    assert "unlisted" == view.status
    assert view.ticker is not None


def test_market_of_price_files_has_the_products_of_the_venue() -> None:
    """A file of AAA-USD is the candles of binance:AAAUSD, digit by digit."""
    options = ExchangeOptions((), prices=(FIXTURES / "AAA-USD_1m.csv",), venue="binance")
    market = build_market(options, T0)

    assert ["binance:AAAUSD"] == list(market.products)
    assert "USD" == market.products["binance:AAAUSD"].price_path.product.quote_currency


def test_state_of_another_venue_is_not_continued() -> None:
    """The same seed gives other prices there; time does not go back nevertheless."""
    here = ExchangeOptions(PRODUCTS, venue="binance")
    saved = SimulatorState("seed 7", int(T0.timestamp()), T0.timestamp() + 100)
    own = SimulatorState(here.price_source, saved.began_s, saved.venue_s)

    assert "seed 7" == ExchangeOptions(("BTC-USD",)).price_source
    assert saved.began_s == open_market(here, T0, own).began_s
    other = open_market(here, T0, saved)
    assert (saved.began_s + 60, saved.venue_s) == (other.began_s, other.venue_s)


async def play(bus: MemoryBus, path: Path) -> tuple[list[Ticker], list[MarketSnapshot]]:
    """What a playback of a recording writes."""
    node = Node("connector", "replay", Settings(), bus, ManualClock(T0))
    await Playback(node, BINANCE, path, interval_s=60.0, speed=None).serve()
    reader = await bus.log_reader("market.tickers", "market.snapshots")
    messages = []
    while records := await reader.read(timeout_s=0):
        messages += [record.message() for record in records]
    tickers = [m for m in messages if isinstance(m, Ticker)]
    return tickers, [m for m in messages if isinstance(m, MarketSnapshot)]


async def test_fixture_is_published(memory_bus: MemoryBus) -> None:
    """The closed kline is the minute's candle; the second connection starts without quotes."""
    tickers, snapshots = await play(memory_bus, FIXTURES / "binance_frames.jsonl")

    aaa = [t for t in tickers if t.product_id == "binance:AAAUSDT"]
    assert [1, 1, 1, 1, 1, 2] == [t.connection_epoch for t in aaa]
    view = snapshots[-1].view("binance:AAAUSDT")
    assert view is not None
    bars = {c.start.minute: (f"{c.close:f}", f"{c.volume:f}") for c in view.windows["1m"].candles}
    assert ("10.20000000", "5.00000000") == bars[26]


@pytest.mark.parametrize(
    ("name", "products"),
    [
        ("cryptofeed_v2/BINANCE.ws.1.0.zst", 2),
        ("hftbacktest_binance_spot/ethusdt_20240808.gz", 1),
    ],
)
async def test_real_recordings_are_published(
    memory_bus: MemoryBus, shared_recordings: Path, name: str, products: int
) -> None:
    """Every product with quotes and a price is in the last snapshot, with candles of its trades."""
    tickers, snapshots = await play(memory_bus, shared_recordings / "ws" / name)

    assert products == len({t.product_id for t in tickers})
    assert {"binance"} == {snapshot.venue for snapshot in snapshots}
    assert all(snapshot.recorded for snapshot in snapshots)
    views = [view for view in snapshots[-1].products if view.ticker is not None]
    assert products == len(views)
    if "eth" in name:
        assert 6 == len(views[0].windows["1m"].candles)


async def test_banned_address_waits_as_told(memory_bus: MemoryBus) -> None:
    """A handshake that is answered 418 is tried again after the seconds of Retry-After."""
    async with exchange() as server, connector(server, memory_bus) as watched:
        await eventually(lambda: bool(watched.snapshots), "a snapshot")
        await inject_fault(server, "ws_418", seconds=3, retry_after="60")
        await inject_fault(server, "drop")
        await eventually(lambda: watched.count("reconnects_http_418") >= 1, "a refusal")
        refused_s = watched.connector.node.clock.monotonic()
        assert "answered 418" in watched.feed.stream.down
        await eventually(lambda: watched.feed.stream.epoch >= 2, "a second connection")

        assert watched.connector.node.clock.monotonic() - refused_s > 45
        assert 1 == watched.count("reconnects_http_418")
