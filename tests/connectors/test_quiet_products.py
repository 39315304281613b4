"""Quotes of quiet products are fetched, and tickers of busy ones merged."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from arena import topics
from arena.bus.memory import MemoryBus
from arena.clock import ManualClock
from arena.messages import Ticker
from connectors.market.events import TickerSeen
from connectors.market.feed import Feed
from connectors.market.http_client import RestFailed
from connectors.market.publisher import TickerPublisher
from connectors.market.quiet_products import QuietProducts
from connectors.market.refresh import Refresher
from tests.connectors.builders import T0, received, ticker

BTC, SOL = "BTC-USD", "SOL-USD"
LATER = T0 + timedelta(seconds=30)


class QuotesOnly:
    """A REST API that gives quotes.

    Attributes:
        asked: Products that were asked for.
        meanwhile: Called before each response.
        fails: True to fail.
    """

    def __init__(self) -> None:
        """Answer every request."""
        self.asked: list[str] = []
        self.meanwhile: Callable[[], object] = lambda: None
        self.fails = False

    async def ticker(self, product_id: str) -> TickerSeen:
        """The quotes."""
        self.asked.append(product_id)
        self.meanwhile()
        if self.fails:
            raise RestFailed("/ticker", 500, "no")
        return ticker("101", sequence=0, product=product_id, trade_id=9, at=LATER)


class Quiet:
    """The parts around `QuietProducts`, without tasks."""

    def __init__(self) -> None:
        """Start at second 0 with two products that have a ticker."""
        self.clock = ManualClock(T0)
        self.feed = Feed("coinbase")
        self.rest = QuotesOnly()
        self.counters: Counter[str] = Counter()
        self.epoch = 1
        self.refresher = Refresher(
            self.rest,  # type: ignore[arg-type]  # no other request is made
            self.feed,
            clock=self.clock,
            rng=random.Random(7),
            counters=self.counters,
        )
        self.confirmer = QuietProducts(
            3.0,
            products=lambda: [BTC, SOL],
            epoch=lambda: self.epoch,
            feed=self.feed,
            refresher=self.refresher,
            on_ticker=lambda _: None,
            clock=self.clock,
        )
        for product_id in (BTC, SOL):
            self.hear(product_id, 1)

    def hear(self, product_id: str, sequence: int) -> None:
        """A ticker of the feed."""
        event = ticker(sequence=sequence, product=product_id, trade_id=5)
        self.feed.apply(event, received(self.clock.monotonic()))

    async def confirm(self, product_id: str) -> Ticker | None:
        """Fetch the quotes of a product."""
        return await self.refresher.confirm(product_id, lambda: self.epoch, every_s=3.0)


async def test_only_products_without_a_recent_confirmation_are_due() -> None:
    """Three seconds after the last one."""
    quiet = Quiet()
    await quiet.clock.sleep(2.0)
    quiet.hear(SOL, 2)
    await quiet.clock.sleep(1.5)

    assert [BTC] == quiet.confirmer.due(quiet.clock.monotonic())


async def test_confirmed_quotes_are_fresh() -> None:
    """They are a ticker without a sequence number, of the present connection."""
    quiet = Quiet()
    await quiet.clock.sleep(6.0)
    assert quiet.feed.stale(BTC, quiet.clock.monotonic())
    fetched = await quiet.confirm(BTC)

    assert fetched is not None
    assert (0, 1, 9) == (fetched.sequence, fetched.connection_epoch, fetched.trade_id)
    assert not quiet.feed.stale(BTC, quiet.clock.monotonic())
    assert 1 == quiet.counters["quotes_confirmed"]
    assert LATER == quiet.feed.clock.now


async def test_product_is_not_requested_again_at_once() -> None:
    """Even if the request failed."""
    quiet = Quiet()
    await quiet.clock.sleep(6.0)
    quiet.rest.fails = True

    assert [None, None] == [await quiet.confirm(BTC), await quiet.confirm(BTC)]
    assert [BTC] == quiet.rest.asked


async def test_newer_ticker_of_the_feed_wins() -> None:
    """It arrived while the response was on its way, so the response may be older."""
    quiet = Quiet()
    await quiet.clock.sleep(6.0)
    quiet.rest.meanwhile = lambda: quiet.hear(BTC, 2)

    assert await quiet.confirm(BTC) is None
    known = quiet.feed.products[BTC].ticker
    assert known is not None
    assert 2 == known.sequence


async def test_response_from_before_a_reconnect_is_not_used() -> None:
    """Quotes may have changed between the connections."""
    quiet = Quiet()
    await quiet.clock.sleep(6.0)
    quiet.rest.meanwhile = lambda: setattr(quiet, "epoch", 2)

    assert await quiet.confirm(BTC) is None


async def test_only_the_newest_ticker_between_two_batches_is_published(
    memory_bus: MemoryBus,
) -> None:
    """A feed that sends every change of the quotes would fill the topic."""
    await memory_bus.ensure_topics([topics.TICKERS])
    counters: Counter[str] = Counter()
    feed, clock = Feed("coinbase"), ManualClock(T0)
    publisher = TickerPublisher(memory_bus, feed, clock, counters, every_s=1.0)
    reader = await memory_bus.log_reader("market.tickers")
    task = asyncio.create_task(publisher.run())
    for sequence in range(1, 6):
        for product_id in (BTC, SOL):
            made = feed.apply(ticker(sequence=sequence, product=product_id), received())
            assert isinstance(made, Ticker)
            publisher.offer(made)
    await publisher.flush()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    seen = [record.message() for record in await reader.read(timeout_s=0)]

    assert [(BTC, 5), (SOL, 5)] == [
        (m.product_id, m.sequence) for m in seen if isinstance(m, Ticker)
    ]
    assert 8 == counters["tickers_merged"]
