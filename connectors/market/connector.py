"""The connector: publishes the venue's feed and REST data as tickers, products and snapshots.

Writes tickers (every update, and quiet ones again while heartbeats or REST confirm them), products
(at start, at each connection, at each change, every five minutes), snapshots (every interval of
venue time), and malformed frames to `dead_letters`. Trading rules are published before prices:
after a reconnect no ticker is published until the products were listed again. The parts run as one
task group: the first that fails ends the process, and a supervisor starts it again.
"""

from collections import deque
from collections.abc import Coroutine
from typing import Any, Final

from arena import topics
from arena.bus.base import Record
from arena.bus.dead_letters import send_dead_letter
from arena.bus.partitions import require_partitions
from arena.errors import DependencyMissing
from arena.liveness import FEED_DOWN
from arena.messages import MarketSnapshot, Ticker
from arena.node import Node
from arena.tasks import task_group
from connectors.market.connection_errors import unexpected_status
from connectors.market.events import FrameMalformed
from connectors.market.feed import Feed, Received
from connectors.market.http_client import HttpClient, RestFailed
from connectors.market.leadership import Leadership
from connectors.market.options import ConnectorOptions
from connectors.market.publisher import TickerPublisher
from connectors.market.quiet_products import QuietProducts
from connectors.market.rate_limits import Backoff, Uniform
from connectors.market.recording import FrameRecorder
from connectors.market.refresh import Refresher
from connectors.market.snapshotter import Snapshotter
from connectors.market.stream import Stream
from connectors.market.subscription_manager import SubscriptionManager

START_DEADLINE_S: Final = 60.0
CHECK_S: Final = 1.0
CLOCK_BACK_MAX_S: Final = 60.0
"""If the venue's time is further back than this after a reconnect, it has another clock."""
DEAD_LETTERS_QUEUED_MAX: Final = 100
FRAME_ORIGIN: Final = "venue."
"""Prefix of the origin of a malformed frame in `dead_letters`; the venue's name follows."""


class LiveConnector:
    """Publishes one venue's feed.

    Args:
        options: Products, addresses and interval.
        node: The process; its counters, gauges and details show the state of the feed.
        rng: Random source for jitter.
    """

    def __init__(self, options: ConnectorOptions, node: Node, rng: Uniform) -> None:
        """Create the connector's parts; call `serve` to connect."""
        clock, counters = node.clock, node.counters
        self.options = options
        self.node = node
        venue = options.venue
        self.feed = Feed(venue.name)
        http = HttpClient(
            options.rest_url, venue.rate_limit(), clock=clock, rng=rng, counters=counters
        )
        self.rest = venue.rest(http, counters)
        self.publisher = TickerPublisher(
            node.bus, self.feed, clock, counters, every_s=venue.ticker_every_s
        )
        self.refresher = Refresher(self.rest, self.feed, clock=clock, rng=rng, counters=counters)
        self.subscriptions = SubscriptionManager(
            options.products,
            node,
            venue,
            self.rest,
            self.feed,
            self.refresher,
            self.publisher,
            reconnect=lambda: self.stream.reconnect(),
        )
        self.stream = Stream(
            venue,
            options.ws_url,
            lambda: list(self.subscriptions.products),
            self.feed,
            self,
            clock=clock,
            rng=rng,
            counters=counters,
        )
        self.snapshotter = Snapshotter(
            node,
            self.feed,
            self.refresher,
            self.publisher,
            interval_s=options.interval_s,
            origin=lambda: self.rest.origin,
            epoch=lambda: self.stream.epoch,
        )
        self.leadership = Leadership(node.bus, venue.name)
        self.recorder = (
            FrameRecorder(options.record, clock=clock, counters=counters, threads=node.threads)
            if options.record
            else None
        )
        self._quiet = (
            QuietProducts(
                venue.confirm_after_s,
                products=lambda: list(self.subscriptions.products),
                epoch=lambda: self.stream.epoch,
                feed=self.feed,
                refresher=self.refresher,
                on_ticker=self.on_ticker,
                clock=clock,
            )
            if venue.confirm_after_s is not None
            else None
        )
        self._backoff = Backoff(rng)
        self._malformed: deque[Record] = deque()

    async def serve(self) -> None:
        """Run until cancelled.

        Raises:
            DependencyMissing: The venue did not answer at the start.
            UsageError: None of the products is online.
        """
        await self.node.bus.ensure_topics([topics.TICKERS, topics.SNAPSHOTS, topics.DEAD_LETTERS])
        await require_partitions(self.node.bus, topics.SNAPSHOTS)
        self.publisher.active = False
        try:
            await self._wait_for_venue()
            self.publisher.rules_epoch = 1
            async with task_group() as tasks:
                for part in self._parts():
                    tasks.create_task(part)
                self.subscriptions.follow_all(tasks)
        finally:
            await self.rest.close()

    def on_frame(self, raw: bytes, received: Received) -> None:
        """Record a frame."""
        if self.recorder is not None:
            self.recorder.put(raw, received.at, received.epoch)

    def on_ticker(self, ticker: Ticker) -> None:
        """Publish a ticker if its product is followed."""
        if ticker.product_id in self.subscriptions.products:
            self.publisher.offer(ticker)

    def on_malformed(self, frame: FrameMalformed, received: Received) -> None:
        """Queue a malformed frame for `dead_letters`."""
        self.node.log.warning("malformed frame", why=frame.why, bytes=len(frame.raw))
        if len(self._malformed) >= DEAD_LETTERS_QUEUED_MAX:
            self._malformed.popleft()
            self.node.counters["dead_letters_dropped"] += 1
        self._malformed.append(
            Record(
                topic=FRAME_ORIGIN + self.feed.venue,
                partition=0,
                offset=self.node.counters["frames"],
                timestamp_ms=int(received.at.timestamp() * 1000),
                key=None,
                value=frame.raw,
                headers={"why": frame.why.encode()},
            )
        )

    def on_refused(self, product_id: str, reason: str) -> None:
        """Stop following a product that the feed refuses."""
        self.subscriptions.refuse(product_id, reason)

    def _parts(self) -> list[Coroutine[Any, Any, None]]:  # Any: a coroutine's yield and send types
        parts = [
            self.leadership.run(),
            self._follow_leadership(),
            self.stream.run(),
            self.publisher.run(),
            self.publisher.run_quiet(),
            self.snapshotter.run(),
            self._check_forever(),
            self._bury_forever(),
        ]
        if self._quiet is not None:
            parts.append(self._quiet.run())
        return parts + ([self.recorder.run()] if self.recorder else [])

    async def _wait_for_venue(self) -> None:
        """Fetch the venue's time and products, with retries until `START_DEADLINE_S`."""
        try:
            async with self.node.clock.timeout(START_DEADLINE_S):
                while True:
                    try:
                        self.feed.clock.restart(await self.rest.time())
                        await self.subscriptions.list_first()
                        break
                    except RestFailed as error:
                        self.node.log.warning("venue does not answer", error=str(error))
                        await self._report_down(error)
                        await self.node.clock.sleep(self._backoff.next_delay())
        except TimeoutError:
            down = str(self.node.details.get(FEED_DOWN, "the venue did not answer"))
            cause, _, remedy = down.partition("; ")
            raise DependencyMissing(
                f"{cause}, for {START_DEADLINE_S:.0f} s",
                remedy=remedy or "check --rest-url",
            ) from None
        self.node.details.pop(FEED_DOWN, None)
        self._report_origin()

    async def _report_down(self, error: RestFailed) -> None:
        """Set the heartbeats' reason for a silent feed; send one at once if it is new."""
        words = (
            error.detail
            if not error.status
            else unexpected_status(self.options.rest_url, error.status)
        )
        if self.node.details.get(FEED_DOWN) != words:
            self.node.details[FEED_DOWN] = words
            await self.node.beat()

    async def _check_forever(self) -> None:
        """Check health, products and missing quotes once a second."""
        clock = self.node.clock
        epoch = 0
        while True:
            await clock.sleep(CHECK_S)
            now_s = clock.monotonic()
            self._report_health(now_s)
            if epoch != self.stream.epoch:
                epoch = self.stream.epoch
                await self._on_new_connection(epoch)
            await self.subscriptions.check_list(now_s)
            await self._repair(now_s)

    async def _on_new_connection(self, epoch: int) -> None:
        """List and publish the products; restart the books if the venue's clock went back."""
        try:
            await self.subscriptions.list_again()
        except RestFailed as error:
            self.node.log.warning("products not listed", error=str(error))
        if self.publisher.active:
            await self.subscriptions.publish()
        if epoch != self.publisher.rules_epoch:
            self.publisher.rules_epoch = epoch
            self._offer_known()
        try:
            venue_now = await self.rest.time()
        except RestFailed as error:
            self.node.log.warning("venue time unknown", error=str(error))
            return
        self._report_origin()
        known = self.feed.clock.now or venue_now
        if (known - venue_now).total_seconds() > CLOCK_BACK_MAX_S:
            self.node.log.warning("the venue's clock went back", venue_time=str(venue_now))
            self.refresher.restart()
            self.feed.clock.restart(venue_now)
        elif venue_now > known:
            self.feed.clock.restart(venue_now)

    async def _follow_leadership(self) -> None:
        """Start and stop publishing as leadership changes, until cancelled."""
        while True:
            await self.leadership.changed.wait()
            self.leadership.changed.clear()
            leads = self.leadership.leads
            self.node.status = "running" if leads else "standby"
            if leads != self.publisher.active:
                await self._set_publishing(leads)

    async def _set_publishing(self, leads: bool) -> None:
        if leads:
            # Rules before prices: an executor must not fill at a new price by old rules.
            self._adopt_last_tickers(await self.snapshotter.resume())
            await self.subscriptions.publish()
        self.publisher.active = leads
        self.node.log.info("publishing" if leads else "standing by")
        for product_id in self.subscriptions.closed:
            self.publisher.offer_last(product_id)
        self._offer_known()

    def _offer_known(self) -> None:
        """Publish the tickers that are valid now."""
        now_s = self.node.clock.monotonic()
        for product_id, known in list(self.feed.products.items()):
            if known.ticker is not None and not self.feed.stale(product_id, now_s):
                self.on_ticker(known.ticker)

    def _adopt_last_tickers(self, newest: MarketSnapshot | None) -> None:
        """Adopt the last tickers of products that no longer have a feed."""
        for view in newest.products if newest is not None else ():
            if view.product_id in self.subscriptions.closed and view.ticker is not None:
                self.publisher.adopt(view.product_id, view.ticker)

    async def _repair(self, now_s: float) -> None:
        """Fetch the quotes of products whose ticker is missing or older than their heartbeats."""
        for product_id in list(self.subscriptions.products):
            if self.feed.is_lagging(product_id, now_s):
                ticker = await self.refresher.repair(product_id, self.stream.epoch)
                if ticker is not None:
                    self.on_ticker(ticker)

    def _report_origin(self) -> None:
        origin = self.rest.origin
        self.node.details |= {"simulated": origin.simulated, "speed": origin.speed}

    def _report_health(self, now_s: float) -> None:
        products = self.subscriptions.products
        silences = [self.feed.silence_s(product_id, now_s) for product_id in products]
        if ages_s := [s for s in silences if s is not None]:
            self.node.gauges["feed_age_ms"] = round(min(ages_s) * 1000)
        self.node.gauges["stale_products"] = sum(self.feed.stale(p, now_s) for p in products)
        self.node.gauges["connection_epoch"] = self.stream.epoch
        self.node.gauges["connected"] = int(self.stream.settled.is_set())
        self.node.details.pop(FEED_DOWN, None)
        if self.stream.down:
            self.node.details[FEED_DOWN] = self.stream.down

    async def _bury_forever(self) -> None:
        while True:
            await self.node.clock.sleep(CHECK_S)
            while self._malformed:
                record = self._malformed.popleft()
                why = record.headers["why"].decode()
                await send_dead_letter(
                    self.node.bus, record, why, self.node.id, self.node.clock.now()
                )
                self.node.counters["dead_letters"] += 1
