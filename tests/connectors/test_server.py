"""The simulated exchange over real sockets: its rules and its thinning."""

import asyncio
from collections import Counter

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from arena.clock import SystemClock
from arena.errors import DependencyMissing
from connectors.coinbase.events import HeartbeatSeen, TickerSeen, TradeSeen
from connectors.coinbase.protocol import parse
from connectors.coinbase.subscription import CHANNELS, subscribe_messages
from connectors.exchange import server as server_module
from connectors.exchange.run import ExchangeOptions, build_market
from connectors.exchange.server import ExchangeServer
from tests.connectors.builders import FIXTURES, T0
from tests.connectors.venue import eventually, running_exchange


async def test_who_does_not_subscribe_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    """The venue waits five seconds for the first message; here less."""
    monkeypatch.setattr(server_module, "SUBSCRIBE_WITHIN_S", 0.1)
    async with running_exchange() as server, connect(server.ws_url, proxy=None) as connection:
        with pytest.raises(ConnectionClosed):
            await connection.recv()
        assert 1000 == connection.close_code


async def test_fast_time_thins_the_heartbeats() -> None:
    """Ten a second and product at most; tickers at every step in which something traded."""
    async with (
        running_exchange(speed=60.0) as server,
        connect(server.ws_url, proxy=None) as connection,
        asyncio.timeout(10),
    ):
        await connection.send(subscribe_messages((*CHANNELS, "matches"), ["BTC-USD"])[0])
        kinds: Counter[type] = Counter()
        while kinds[HeartbeatSeen] < 20:
            kinds[type(parse(await connection.recv()))] += 1

    assert 15 <= kinds[TickerSeen] <= 40
    assert 15 <= kinds[TradeSeen] <= 40


async def test_a_reader_that_sleeps_is_thrown_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue of a client is bounded."""
    monkeypatch.setattr(server_module, "QUEUED_FRAMES_MAX", 3)
    async with running_exchange() as server, connect(server.ws_url, proxy=None) as connection:
        (text,) = subscribe_messages(CHANNELS, ["BTC-USD", "SOL-USD", "AERO-USD"])
        for _ in range(3):
            await connection.send(text)
        await eventually(lambda: not server.clients, "the client is gone")


async def test_it_ends_with_its_prices() -> None:
    """A file that ends closes every connection and returns."""
    options = ExchangeOptions((), prices=(FIXTURES / "AAA-USD_1m.csv",))
    server = ExchangeServer(build_market(options, T0), speed=600.0, clock=SystemClock())
    async with (
        await server.listen(0),
        connect(server.ws_url, proxy=None) as connection,
        asyncio.timeout(10),
    ):
        await connection.send(subscribe_messages(CHANNELS, ["AAA-USD"])[0])
        playing = asyncio.create_task(server.run())
        with pytest.raises(ConnectionClosed):
            while True:
                await connection.recv()
        await playing
        assert 1001 == connection.close_code
    assert server.market.end_s == server.venue_now().timestamp()


async def test_a_taken_port_is_told() -> None:
    """The message names the port and the remedy."""
    async with running_exchange() as server:
        with pytest.raises(DependencyMissing, match=rf"port {server.port}.*--port 0"):
            async with running_exchange(port=server.port):
                pass
