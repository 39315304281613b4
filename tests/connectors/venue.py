"""A simulated exchange and a connector that run in this process, for tests of the shell."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import httpx

from arena.bus.base import Bus, LogReader, Record
from arena.clock import SystemClock
from arena.granularities import BOOK_BARS
from arena.messages import MarketSnapshot, Message, Product, Ticker
from arena.node import Node
from arena.settings import Settings
from connectors.market.connector import LiveConnector
from connectors.market.options import ConnectorOptions, MarketOptions
from connectors.market.venue import Venue
from connectors.market.venue_feed import VenueFeed
from connectors.simulator.coinbase.protocol import CoinbaseProtocol
from connectors.simulator.run import ExchangeOptions
from connectors.simulator.server import ExchangeServer
from connectors.simulator.simulated_market import SimulatedMarket
from connectors.simulator.venue_protocol import ExchangeProtocol
from connectors.venues.coinbase.venue import VENUE as COINBASE
from tests.connectors.builders import FastClock, build_market

DEADLINE_S = 20.0
POLL_S = 0.02
PRODUCTS = ("BTC-USD", "SOL-USD", "AERO-USD")


async def eventually(
    condition: Callable[[], bool], what: str, *, deadline_s: float = DEADLINE_S
) -> None:
    """Wait until the condition holds.

    Raises:
        AssertionError: It does not hold before the deadline.
    """
    loop = asyncio.get_running_loop()
    ends = loop.time() + deadline_s
    while not condition():
        assert loop.time() < ends, f"not within {deadline_s} s: {what}"
        await asyncio.sleep(POLL_S)


@asynccontextmanager
async def running_exchange(
    *,
    products: tuple[str, ...] = PRODUCTS,
    speed: float = 60.0,
    port: int = 0,
    start: datetime | None = None,
    history_minutes: int = BOOK_BARS,
    protocol: Callable[[SimulatedMarket], ExchangeProtocol] = CoinbaseProtocol,
) -> AsyncIterator[ExchangeServer]:
    """A simulated exchange on a free port."""
    options = ExchangeOptions(products, start=start, history_s=history_minutes * 60)
    market = build_market(options, datetime.now(UTC))
    server = ExchangeServer(protocol(market), speed=speed, clock=SystemClock(), label="seed 7")
    async with await server.listen(port):
        playing = asyncio.create_task(server.run())
        try:
            yield server
        finally:
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)


async def inject_fault(server: ExchangeServer, kind: str, **words: object) -> None:
    """Set a fault of the exchange through its own port."""
    query = urlencode({"kind": kind, **words})
    async with httpx.AsyncClient(trust_env=False) as client:
        reply = await client.get(f"{server.rest_url}/_sim/fault?{query}")
    assert 200 == reply.status_code, reply.text


class RunningConnector:
    """A running connector and everything it has written.

    Attributes:
        connector: The connector.
        records: Records it has written, in the order they were read.
        messages: Their messages.
    """

    def __init__(self, connector: LiveConnector, reader: LogReader) -> None:
        """Observe a connector through a reader of its topics."""
        self.connector = connector
        self.records: list[Record] = []
        self.messages: list[Message] = []
        self._reader = reader

    async def read_forever(self) -> None:
        """Collect records until cancelled."""
        while True:
            self._add(await self._reader.read(timeout_s=0.1))

    async def read_rest(self) -> None:
        """Collect what it wrote before it ended."""
        while records := await self._reader.read(timeout_s=0.1):
            self._add(records)

    def _add(self, records: list[Record]) -> None:
        self.records += records
        self.messages += [record.message() for record in records]

    @property
    def snapshots(self) -> list[MarketSnapshot]:
        """Every snapshot."""
        return [m for m in self.messages if isinstance(m, MarketSnapshot)]

    @property
    def tickers(self) -> list[Ticker]:
        """Every ticker."""
        return [m for m in self.messages if isinstance(m, Ticker)]

    @property
    def feed(self) -> VenueFeed:
        """The only venue of the connector."""
        (feed,) = self.connector.feeds
        return feed

    @property
    def products(self) -> list[Product]:
        """Every product."""
        return [m for m in self.messages if isinstance(m, Product)]

    def count(self, name: str) -> int:
        """A counter of the process."""
        return self.connector.node.counters[name]


@asynccontextmanager
async def running_connector(
    server: ExchangeServer,
    bus: Bus,
    *,
    products: tuple[str, ...] = PRODUCTS,
    interval_s: float = 60.0,
    factor: float = 10.0,
    record: Path | None = None,
    venue: Venue = COINBASE,
    history_minutes: int = BOOK_BARS,
    context: tuple[Path, ...] = (),
) -> AsyncIterator[RunningConnector]:
    """Run a connector to the exchange, with a clock that runs `factor` times as fast."""
    market = MarketOptions(venue, products, server.ws_url, server.rest_url, record)
    options = ConnectorOptions(
        (market,), interval_s, history_minutes=history_minutes, context=context
    )
    node = Node("connector", venue.name, Settings(), bus, FastClock(factor))
    connector = LiveConnector(options, node, random.Random(7))
    watched = RunningConnector(
        connector, await bus.log_reader("market.tickers", "market.snapshots", "dead_letters")
    )
    tasks = [
        asyncio.create_task(connector.serve()),
        asyncio.create_task(watched.read_forever()),
    ]
    try:
        yield watched
        assert not tasks[0].done(), tasks[0]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
