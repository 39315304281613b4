"""The connector: the venue's feed and REST API to `market.tickers` and `market.snapshots`.

Writes tickers (every update, and quiet ones again while heartbeats confirm them), products (at
start, after each reconnect, every five minutes), snapshots (every interval of venue time), and
malformed frames to `dead_letters`. Its parts run side by side in one task group: the first that
fails ends the process, and a supervisor starts it anew.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from arena import topics
from arena.bus.base import Record
from arena.bus.dead_letters import bury
from arena.errors import DependencyMissing, UsageError
from arena.messages import MarketSnapshot, Product, Ticker
from arena.node import Node
from connectors.coinbase.events import FrameMalformed
from connectors.coinbase.feed import VENUE, Feed, Received
from connectors.coinbase.leadership import Leadership
from connectors.coinbase.pacing import Backoff, Uniform
from connectors.coinbase.publisher import TickerPublisher
from connectors.coinbase.recording import FrameRecorder
from connectors.coinbase.refresh import Refresher
from connectors.coinbase.rest import CoinbaseRest, RestFailed
from connectors.coinbase.snapshot import Cadence, compose
from connectors.coinbase.stream import Stream

START_DEADLINE_S: Final = 60.0
HISTORY_DEADLINE_S: Final = 60.0
TICKERS_DEADLINE_S: Final = 10.0
CANDLES_DEADLINE_S: Final = 3.0
"""How long a snapshot waits for the candles of the minute that just closed, in wall seconds."""
PRODUCTS_EVERY_S: Final = 300.0
SILENT_PRODUCT_S: Final = 30.0
SILENT_CHECK_EVERY_S: Final = 60.0
CHECK_S: Final = 1.0
SNAPSHOT_PAUSE_S: Final = (0.02, 1.0)
DEAD_LETTERS_QUEUED_MAX: Final = 100
FRAME_ORIGIN: Final = "venue.coinbase"


@dataclass(frozen=True, slots=True)
class ConnectorOptions:
    """What `arena connector coinbase` is asked for.

    Attributes:
        products: Ids in any order.
        interval_s: Venue seconds from snapshot to snapshot.
        record: File for raw frames, or None.
    """

    products: tuple[str, ...]
    interval_s: float
    ws_url: str
    rest_url: str
    record: Path | None = None


class CoinbaseConnector:
    """Runs one venue's feed into the topics.

    Args:
        options: What to connect to.
        node: The process; its counters, gauges and details tell how the feed fares.
        rng: For jitter.
    """

    def __init__(self, options: ConnectorOptions, node: Node, rng: Uniform) -> None:
        """Nothing is connected."""
        clock, counters = node.clock, node.counters
        self.options = options
        self.node = node
        self.feed = Feed(VENUE)
        self.products: dict[str, Product] = {}
        self.rest = CoinbaseRest(
            options.rest_url, venue=VENUE, clock=clock, rng=rng, counters=counters
        )
        self.publisher = TickerPublisher(node.bus, self.feed, clock, counters)
        self.refresher = Refresher(self.rest, self.feed, clock=clock, rng=rng, counters=counters)
        self.stream = Stream(
            options.ws_url,
            lambda: list(self.products),
            self.feed,
            self,
            clock=clock,
            rng=rng,
            counters=counters,
        )
        self.leadership = Leadership(node.bus, VENUE)
        self.cadence = Cadence(options.interval_s)
        self.recorder = (
            FrameRecorder(options.record, clock=clock, counters=counters)
            if options.record
            else None
        )
        self._backoff = Backoff(rng)
        self._refused: set[str] = set()
        self._malformed: deque[Record] = deque()
        self._tasks: asyncio.TaskGroup | None = None

    async def serve(self) -> None:
        """Run until cancelled.

        Raises:
            DependencyMissing: The venue does not answer at start.
            UsageError: None of the products trades.
        """
        await self.node.bus.ensure_topics([topics.TICKERS, topics.SNAPSHOTS, topics.DEAD_LETTERS])
        self.publisher.active = False
        try:
            await self._meet_venue()
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                for part in self._parts():
                    tasks.create_task(part)
                for product_id in self.products:
                    tasks.create_task(self.refresher.follow(product_id))
        except BaseExceptionGroup as group:
            raise _first(group) from group
        finally:
            await self.rest.close()

    def on_frame(self, raw: bytes, received: Received) -> None:
        """Record a frame."""
        if self.recorder is not None:
            self.recorder.put(raw, received.at, received.epoch)

    def on_ticker(self, ticker: Ticker) -> None:
        """Publish a ticker of a product that was asked for."""
        if ticker.product_id in self.products:
            self.publisher.offer(ticker)

    def on_malformed(self, frame: FrameMalformed, received: Received) -> None:
        """Keep a malformed frame for `dead_letters`."""
        self.node.log.warning("malformed frame", why=frame.why, bytes=len(frame.raw))
        if len(self._malformed) >= DEAD_LETTERS_QUEUED_MAX:
            self._malformed.popleft()
            self.node.counters["dead_letters_dropped"] += 1
        self._malformed.append(
            Record(
                topic=FRAME_ORIGIN,
                partition=0,
                offset=self.node.counters["frames"],
                timestamp_ms=int(received.at.timestamp() * 1000),
                key=None,
                value=frame.raw,
                headers={"why": frame.why.encode()},
            )
        )

    def on_refused(self, product_id: str, reason: str) -> None:
        """The feed refuses a product: forget it for good."""
        self._refused.add(product_id)
        self._drop(product_id, reason)

    def _parts(self) -> list[Coroutine[Any, Any, None]]:  # Any: what a coroutine is sent
        parts = [
            self.leadership.run(),
            self.stream.run(),
            self.publisher.run(),
            self.publisher.run_quiet(),
            self._snapshot_for_ever(),
            self._look_after_products(),
            self._bury_for_ever(),
        ]
        return parts + ([self.recorder.run()] if self.recorder else [])

    async def _meet_venue(self) -> None:
        """Learn the venue's time and products."""
        try:
            async with asyncio.timeout(START_DEADLINE_S):
                while True:
                    try:
                        self.feed.clock.restart(await self.rest.time())
                        await self._list_products()
                        break
                    except RestFailed as error:
                        self.node.log.warning("venue does not answer", error=str(error))
                        await self.node.clock.sleep(self._backoff.next_delay())
        except TimeoutError:
            raise DependencyMissing(
                f"{self.options.rest_url} did not answer in {START_DEADLINE_S:.0f} s",
                remedy="is the network up, and is --rest-url right?",
            ) from None
        origin = self.rest.origin
        self.node.details |= {"simulated": origin.simulated, "speed": origin.speed}
        if not self.products:
            raise UsageError(
                f"none of {', '.join(self.options.products)} trades on {self.options.rest_url}",
                remedy="choose others with --products",
            )

    async def _list_products(self) -> None:
        """Check the wanted products; drop those that are gone, take in those that came."""
        listing = await self.rest.products(self.options.products)
        for product_id, reason in listing.rejected.items():
            if product_id in self.products or self._tasks is None:
                self._drop(product_id, reason)
        fresh = [
            p
            for p in listing.online
            if p.product_id not in self.products and p.product_id not in self._refused
        ]
        for product in listing.online:
            if product.product_id not in self._refused:
                self.products[product.product_id] = product
        if self._tasks is not None and fresh:
            for product in fresh:
                self.feed.adopt(product.product_id)
                self._tasks.create_task(self.refresher.follow(product.product_id))
            self.stream.reconnect()
        self.node.details["products"] = ", ".join(sorted(self.products))

    def _drop(self, product_id: str, reason: str) -> None:
        """Stop following a product and say so."""
        self.node.log.warning("product dropped", product=product_id, reason=reason)
        self.node.counters["products_dropped"] += 1
        self.feed.forget(product_id)
        self.refresher.forget(product_id)
        self.publisher.forget(product_id)
        product = self.products.pop(product_id, None)
        if product is not None and self._tasks is not None:
            gone = product.model_copy(update={"status": "delisted"})
            self._tasks.create_task(self.publisher.publish_products([gone]))

    async def _look_after_products(self) -> None:
        """Publish products when due; list them again when one falls silent."""
        clock = self.node.clock
        listed_s, checked_s, epoch = clock.monotonic(), clock.monotonic(), 0
        while True:
            await clock.sleep(CHECK_S)
            now_s = clock.monotonic()
            self._follow_leadership()
            self._tell_health(now_s)
            due = now_s - listed_s >= PRODUCTS_EVERY_S
            silent = now_s - checked_s >= SILENT_CHECK_EVERY_S and self._someone_silent(now_s)
            if due or silent:
                listed_s = checked_s = now_s
                try:
                    await self._list_products()
                except RestFailed as error:
                    self.node.log.warning("products not listed", error=str(error))
            if due or (self.stream.settled.is_set() and epoch != self.stream.epoch):
                epoch = self.stream.epoch
                await self.publisher.publish_products(self.products.values())
            await self._repair(now_s)

    def _someone_silent(self, now_s: float) -> bool:
        silences = [self.feed.silence_s(product_id, now_s) for product_id in self.products]
        known = [s for s in silences if s is not None]
        return bool(known) and min(known) < SILENT_PRODUCT_S < max(known)

    async def _repair(self, now_s: float) -> None:
        """Fetch the quotes of products whose ticker is missing or behind their heartbeats."""
        for product_id in list(self.products):
            if self.feed.behind(product_id, now_s):
                ticker = await self.refresher.repair(product_id, self.stream.epoch)
                if ticker is not None:
                    self.on_ticker(ticker)

    def _follow_leadership(self) -> None:
        """Begin or stop publishing as the group decides."""
        leads = self.leadership.leads
        if leads == self.publisher.active:
            return
        self.publisher.active = leads
        self.node.status = "running" if leads else "standby"
        self.node.log.info("publishing" if leads else "standing by")
        if leads and self._tasks is not None:
            now_s = self.node.clock.monotonic()
            for product_id, known in self.feed.products.items():
                if known.ticker is not None and not self.feed.stale(product_id, now_s):
                    self.on_ticker(known.ticker)
            self._tasks.create_task(self.publisher.publish_products(self.products.values()))

    def _tell_health(self, now_s: float) -> None:
        silences = [self.feed.silence_s(product_id, now_s) for product_id in self.products]
        ages_s = [s for s in silences if s is not None]
        self.node.gauges["feed_age_ms"] = round(min(ages_s) * 1000) if ages_s else -1
        self.node.gauges["stale_products"] = sum(self.feed.stale(p, now_s) for p in self.products)
        self.node.gauges["epoch"] = self.stream.epoch

    async def _snapshot_for_ever(self) -> None:
        await self._wait_for_history()
        while True:
            venue_now, now_s = self.feed.clock.now, self.node.clock.monotonic()
            if self.publisher.active and venue_now and self.cadence.due(venue_now, now_s):
                await self._publish_snapshot(venue_now)
            else:
                await self.node.clock.sleep(self._pause_s())

    async def _wait_for_history(self) -> None:
        """Wait for every book, or for what came in time; never begin without any."""
        clock = self.node.clock
        started_s = clock.monotonic()
        while True:
            now = self.feed.clock.now
            books = self.refresher.books
            loaded = sum(book.known_until_s is not None for book in books.values())
            if now is not None and books and loaded == len(books):
                break
            late = clock.monotonic() - started_s > HISTORY_DEADLINE_S
            if late and loaded:
                self.node.log.warning("history incomplete", loaded=loaded, products=len(books))
                break
            await clock.sleep(SNAPSHOT_PAUSE_S[0])
        started_s = clock.monotonic()
        while clock.monotonic() - started_s < TICKERS_DEADLINE_S:
            if all(p in self.publisher.published for p in self.products):
                break
            await clock.sleep(SNAPSHOT_PAUSE_S[0])
        self.node.log.info("history loaded", products=len(self.refresher.books))

    async def _publish_snapshot(self, windows_at: datetime) -> None:
        """Wait for the candles, flush the tickers, compose, append."""
        clock = self.node.clock
        began_s = clock.monotonic()
        current = await self.refresher.wait_until_current(windows_at, CANDLES_DEADLINE_S)
        await self.publisher.flush()
        now_s = clock.monotonic()
        as_of = self.cadence.take(self.feed.clock.now or windows_at, now_s)
        snapshot = compose(
            feed=self.feed,
            books=self.refresher.books,
            published=self.publisher.published,
            ticker_offsets=self.publisher.next_offsets,
            as_of=as_of,
            windows_at=windows_at,
            now_s=now_s,
            now=clock.now(),
            interval_s=self.options.interval_s,
            origin=self.rest.origin,
            epoch=self.stream.epoch,
        )
        await self._append(snapshot, current, began_s)

    async def _append(self, snapshot: MarketSnapshot, current: bool, began_s: float) -> None:
        await self.node.bus.append(topics.SNAPSHOTS.name, snapshot, key=VENUE)
        self.node.counters["snapshots"] += 1
        self.node.log.info(
            "snapshot",
            id=snapshot.snapshot_id,
            as_of=snapshot.as_of.isoformat(),
            products=len(snapshot.products),
            stale=sum(view.stale for view in snapshot.products),
            candles="current" if current else "late",
            duration_ms=round((self.node.clock.monotonic() - began_s) * 1000, 1),
        )

    def _pause_s(self) -> float:
        """Wall seconds until the next snapshot may be due, within bounds."""
        low, high = SNAPSHOT_PAUSE_S
        now, last = self.feed.clock.now, self.cadence.as_of
        if now is None or last is None:
            return low
        left_s = self.options.interval_s - (now - last).total_seconds()
        return min(max(left_s / self.rest.origin.speed / 2, low), high)

    async def _bury_for_ever(self) -> None:
        while True:
            await self.node.clock.sleep(CHECK_S)
            while self._malformed:
                record = self._malformed.popleft()
                why = record.headers["why"].decode()
                await bury(self.node.bus, record, why, self.node.id, self.node.clock.now())
                self.node.counters["dead_letters"] += 1


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first plain exception in a group: what ended the process."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
