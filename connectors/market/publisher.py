"""Publishes tickers and products to `market.tickers`; no other module of the connector writes them.

The read loop queues tickers without waiting; if the broker is too slow, the oldest are dropped and
counted. `flush` waits until everything queued is acknowledged, so that a snapshot is made from
tickers that are in the log.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Iterable
from typing import Final

from arena import topics
from arena.bus.base import AppendAck, Bus
from arena.clock import Clock
from arena.messages import Product, Ticker
from connectors.market.feed import Feed

QUEUED_MAX: Final = 5_000
QUIET_REPEAT_S: Final = 5.0
"""A ticker that is still valid is published again this often, with a newer `confirmed_at`."""
QUIET_CHECK_S: Final = 1.0


class TickerPublisher:
    """Publishes tickers and products.

    Args:
        bus: The bus; it must be started.
        feed: Source of tickers that are still valid.
        clock: Monotonic time.
        counters: Gets `tickers`, `tickers_repeated`, `tickers_dropped`, `tickers_merged`.
        every_s: Least monotonic seconds from batch to batch; of the tickers of a product that
            arrive in between, only the newest is published. 0 to publish every ticker.

    Attributes:
        published: Product id -> the last ticker the brokers have acknowledged.
        terms: Product id -> its trading rules as last acknowledged; snapshots show these.
        next_offsets: Partition -> offset after the last acknowledged ticker or product.
        active: While False (a standby), nothing is published and offered tickers are dropped.
        rules_epoch: The newest connection since which the products were listed; tickers of later
            connections are dropped. None for a source without a list.
    """

    def __init__(
        self, bus: Bus, feed: Feed, clock: Clock, counters: Counter[str], *, every_s: float = 0.0
    ) -> None:
        """Create the publisher with an empty queue."""
        self.published: dict[str, Ticker] = {}
        self.terms: dict[str, Product] = {}
        self.next_offsets: dict[int, int] = {}
        self.active = True
        self.rules_epoch: int | None = None
        self._bus = bus
        self._feed = feed
        self._clock = clock
        self._counters = counters
        self._queue: deque[Ticker] = deque()
        self._newest: dict[str, Ticker] = {}
        self._every_s = every_s
        self._filled = asyncio.Event()
        self._sending = asyncio.Lock()
        self._sent_s: dict[str, float] = {}

    def offer(self, ticker: Ticker) -> None:
        """Queue a ticker; never waits."""
        if not self.active or ticker.connection_epoch > (
            self.rules_epoch or ticker.connection_epoch
        ):
            return
        self._filled.set()
        if self._every_s > 0:
            self._counters["tickers_merged"] += ticker.product_id in self._newest
            self._newest[ticker.product_id] = ticker
            return
        if len(self._queue) >= QUEUED_MAX:
            self._queue.popleft()
            self._counters["tickers_dropped"] += 1
        self._queue.append(ticker)

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            await self._filled.wait()
            await self.flush()
            if self._every_s > 0:
                await self._clock.sleep(self._every_s)

    async def run_quiet(self) -> None:
        """Repeat the tickers that heartbeats confirm, until cancelled."""
        while True:
            await self._clock.sleep(QUIET_CHECK_S)
            self.offer_quiet()

    def offer_quiet(self) -> None:
        """Queue the valid ticker of each product that was not published for `QUIET_REPEAT_S`."""
        now_s = self._clock.monotonic()
        for product_id, known in self._feed.products.items():
            ticker = known.ticker
            last = self.published.get(product_id)
            if ticker is None or self._feed.stale(product_id, now_s):
                continue
            if now_s - self._sent_s.get(product_id, -QUIET_REPEAT_S) < QUIET_REPEAT_S:
                continue
            if last is None or last.confirmed_at != ticker.confirmed_at:
                self._counters["tickers_repeated"] += 1
                self.offer(ticker)

    async def flush(self) -> None:
        """Send what is queued and wait until the brokers have acknowledged it."""
        async with self._sending:
            self._filled.clear()
            batch = [*self._queue, *self._newest.values()]
            self._queue.clear()
            self._newest.clear()
            sent: list[tuple[Ticker, asyncio.Future[AppendAck]]] = []
            for ticker in batch:
                future = await self._bus.send(topics.TICKERS.name, ticker, key=ticker.product_id)
                sent.append((ticker, future))
                self._sent_s[ticker.product_id] = self._clock.monotonic()
            for ticker, future in sent:
                acked = await future
                self._counters["tickers"] += 1
                self.published[ticker.product_id] = ticker
                self.next_offsets[acked.partition] = acked.offset + 1

    async def publish_products(self, products: Iterable[Product]) -> None:
        """Append the trading rules of products and wait until they are acknowledged."""
        async with self._sending:
            for product in products:
                topic, key = topics.TICKERS.name, product.product_id
                acked = await self._bus.append(topic, product, key=key)
                self.terms[product.product_id] = product
                self.next_offsets[acked.partition] = acked.offset + 1

    def offer_last(self, product_id: str) -> None:
        """Queue the last ticker of a product without a feed; its age shows that it is old."""
        ticker = self.published.get(product_id)
        if ticker is not None:
            self.offer(ticker)

    def adopt(self, product_id: str, ticker: Ticker) -> None:
        """Use a ticker of an earlier process as the product's last one."""
        self.published.setdefault(product_id, ticker)
