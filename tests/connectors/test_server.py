"""The simulated exchange over real sockets: timeouts, heartbeat rate, slow clients, its end."""

import asyncio
from collections import Counter

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from arena.clock import SystemClock
from arena.errors import DependencyMissing
from connectors.market.events import HeartbeatSeen, TickerSeen, TradeSeen
from connectors.simulator import server as server_module
from connectors.simulator.coinbase import protocol as coinbase_protocol
from connectors.simulator.coinbase.protocol import CoinbaseProtocol
from connectors.simulator.run import ExchangeOptions
from connectors.simulator.server import ExchangeServer
from connectors.venues.coinbase.protocol import parse
from connectors.venues.coinbase.subscription import CHANNELS, subscribe_messages
from tests.connectors.builders import FIXTURES, T0, build_market
from tests.connectors.venue import eventually, running_exchange


async def test_client_that_does_not_subscribe_is_disconnected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The venue waits five seconds for the first message; the test shortens that."""
    monkeypatch.setattr(coinbase_protocol, "SUBSCRIBE_WITHIN_S", 0.1)
    async with running_exchange() as server, connect(server.ws_url, proxy=None) as connection:
        with pytest.raises(ConnectionClosed):
            await connection.recv()
        assert 1000 == connection.close_code


async def test_heartbeats_are_limited_when_time_runs_fast() -> None:
    """There are at most ten per second and product; tickers and matches are not limited."""
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


async def test_slow_client_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue of a client is bounded."""
    monkeypatch.setattr(server_module, "QUEUED_FRAMES_MAX", 3)
    async with running_exchange() as server, connect(server.ws_url, proxy=None) as connection:
        (text,) = subscribe_messages(CHANNELS, ["BTC-USD", "SOL-USD", "AERO-USD"])
        for _ in range(3):
            await connection.send(text)
        await eventually(lambda: not server.clients, "the end of the client")


async def test_server_ends_with_its_prices() -> None:
    """At the end of the file it closes every connection and returns."""
    options = ExchangeOptions((), prices=(FIXTURES / "AAA-USD_1m.csv",))
    protocol = CoinbaseProtocol(build_market(options, T0))
    server = ExchangeServer(protocol, speed=600.0, clock=SystemClock())
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


async def test_port_in_use_is_an_error() -> None:
    """The message names the port and the remedy."""
    async with running_exchange() as server:
        with pytest.raises(DependencyMissing, match=rf"port {server.port}.*--port 0"):
            async with running_exchange(port=server.port):
                pass
