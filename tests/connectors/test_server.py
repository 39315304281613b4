"""The simulated exchange over real sockets: timeouts, heartbeat rate, slow clients, its end."""

import asyncio
from collections import Counter
from collections.abc import Callable

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from arena.clock import SystemClock
from arena.errors import DependencyMissing, UsageError
from connectors.market.events import HeartbeatSeen, TickerSeen, TradeSeen
from connectors.simulator import server as server_module
from connectors.simulator.binance.protocol import BinanceProtocol
from connectors.simulator.coinbase import protocol as coinbase_protocol
from connectors.simulator.coinbase.protocol import CoinbaseProtocol
from connectors.simulator.faults import VenueFault
from connectors.simulator.listing import listed_product
from connectors.simulator.run import ExchangeOptions, options_by_venue
from connectors.simulator.server import ExchangeServer
from connectors.simulator.simulated_market import SimulatedMarket
from connectors.simulator.synthetic_prices import SyntheticPricePath
from connectors.simulator.venue_protocol import ExchangeProtocol
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


@pytest.mark.parametrize("kind", ["gap", "bad_print", "stall"])
async def test_fault_of_an_unknown_product_is_refused(kind: str) -> None:
    """With the products that exist, whether it is scheduled or set now."""
    fault = VenueFault(kind, product="BTC-EUR")
    market = build_market(ExchangeOptions(("BTC-USD",)), T0)
    with pytest.raises(UsageError) as scheduled:
        ExchangeServer(CoinbaseProtocol(market), speed=1.0, clock=SystemClock(), faults=[fault])
    async with running_exchange() as server, httpx.AsyncClient(trust_env=False) as http:
        url = f"{server.rest_url}/_sim/fault?kind={kind}&product=BTC-EUR"
        reply = await http.get(url)

    assert "the products are BTC-USD" == scheduled.value.remedy
    assert 400 == reply.status_code
    assert "the products are BTC-USD, SOL-USD, AERO-USD" in reply.text


def test_faults_of_two_venues_go_to_the_venue_of_their_product() -> None:
    """One without a product goes to both."""
    products = ("BTC-USD", "binance:BTCUSDT")
    faults = [VenueFault("gap", product=name) for name in (*products, "")]
    parts = options_by_venue(ExchangeOptions(products, faults=tuple(faults)))

    assert [faults[1:], [faults[0], faults[2]]] == [list(part.faults) for part in parts]


@pytest.mark.parametrize("unknown", ["mtgox:BTCUSD", "BTCUSDT", "binance:"])
def test_refusal_of_a_fault_names_the_products_of_all_venues(unknown: str) -> None:
    """Whichever venue the unknown product would be of."""
    faults = (VenueFault("gap", product=unknown),)
    with pytest.raises(UsageError) as caught:
        options_by_venue(ExchangeOptions(("BTC-USD", "binance:BTCUSDT"), faults=faults))

    assert "the products are BTC-USD, binance:BTCUSDT" == caught.value.remedy


async def test_fault_that_a_venue_cannot_have_is_refused() -> None:
    """At once; when it is due, it would end the other venues of the exchange, too."""
    market = build_market(ExchangeOptions(("BTC-USD",)), T0)
    fault = VenueFault("shutdown", at=60.0)
    with pytest.raises(UsageError, match="shutdown: Coinbase Exchange does not announce"):
        ExchangeServer(CoinbaseProtocol(market), speed=1.0, clock=SystemClock(), faults=[fault])
    async with running_exchange() as server:
        with pytest.raises(UsageError, match="name a product of another venue"):
            await server.set_fault(VenueFault("shutdown"))


@pytest.mark.parametrize("kind", ["bad_print", "reorder"])
@pytest.mark.parametrize(
    ("protocol", "product"),
    [(CoinbaseProtocol, "BTC-USD"), (BinanceProtocol, "binance:BTCUSDT")],
)
def test_frame_of_a_fault_needs_a_price(
    kind: str, protocol: Callable[[SimulatedMarket], ExchangeProtocol], product: str
) -> None:
    """Before the first one the fault is refused."""
    path = SyntheticPricePath(listed_product(product), 7)
    market = SimulatedMarket([path], start_s=int(T0.timestamp()), seed=7)

    with pytest.raises(UsageError, match="yet"):
        protocol(market).faulty_frame(product, kind)
