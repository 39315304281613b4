"""One venue within the connector: its connection, products, candles and tickers.

Publishes tickers (every update, and quiet ones again while heartbeats or REST confirm them),
products (at the start, at each connection, at each change, every five minutes), and malformed
frames to `dead_letters`. Trading rules are published before prices: after a reconnect no ticker is
published until the products were listed again.
"""

from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final

from arena.bus.base import Record
from arena.bus.dead_letters import send_dead_letter
from arena.errors import DependencyMissing, UsageError
from arena.granularities import BOOK_BARS
from arena.messages import MarketSnapshot, Ticker
from arena.node import Node
from connectors.market.bans import FOLDER as BANS
from connectors.market.bans import BanFile, BanTimer
from connectors.market.connection_errors import undocumented_answer, unexpected_status
from connectors.market.events import FrameMalformed
from connectors.market.feed import Feed, Received
from connectors.market.feed_status import FeedStatus
from connectors.market.http_client import OK, HttpClient, RestFailed
from connectors.market.options import MarketOptions
from connectors.market.publisher import TickerPublisher
from connectors.market.quiet_products import QuietProducts
from connectors.market.rate_limits import Backoff, Uniform
from connectors.market.recording import FrameRecorder
from connectors.market.refresh import Refresher
from connectors.market.stream import Stream
from connectors.market.subscription_manager import SubscriptionManager

CHECK_S: Final = 1.0
CLOCK_BACK_MAX_S: Final = 60.0
"""If the venue's time is further back than this after a reconnect, it has another clock."""
DEAD_LETTERS_QUEUED_MAX: Final = 100
FRAME_ORIGIN: Final = "venue."
"""Prefix of the origin of a malformed frame in `dead_letters`; the venue's name follows."""


class VenueFeed:
    """Publishes one venue's tickers and products.

    Args:
        options: The venue, its products and addresses.
        node: The process; its counters, gauges and details show the state of the feed.
        rng: Random source for jitter.
        on_status: Called when `status` has changed.
        others: Returns True if the connector has a product of any venue.
        history_minutes: Minutes of candles in the book of a product.

    Attributes:
        status: The state of the feed, for the heartbeats.
        rest_ban: Until when the venue asked for no requests; `feed_ban` is for connections.
    """

    def __init__(
        self,
        options: MarketOptions,
        node: Node,
        rng: Uniform,
        on_status: Callable[[], None],
        *,
        others: Callable[[], bool],
        history_minutes: int = BOOK_BARS,
    ) -> None:
        """Create the parts; call `start` and then run `parts`."""
        clock, counters = node.clock, node.counters
        self.options = options
        self.node = node
        self.status = FeedStatus(options.venue.name)
        self._on_status = on_status
        self._others = others
        self._without_products = ""
        venue = options.venue
        self.feed = Feed(venue.name)
        bans = BanFile(node.settings.home / BANS / f"{venue.name}.json")
        self.rest_ban = BanTimer(options.rest_url, clock, bans)
        self.feed_ban = BanTimer(options.ws_url, clock, bans)
        http = HttpClient(
            options.rest_url,
            venue.rate_limit(),
            clock=clock,
            rng=rng,
            counters=counters,
            ban=self.rest_ban,
        )
        self.rest = venue.rest(http, counters)
        self.publisher = TickerPublisher(
            node.bus, self.feed, clock, counters, every_s=venue.ticker_every_s
        )
        self.refresher = Refresher(
            self.rest, self.feed, history_minutes, clock=clock, rng=rng, counters=counters
        )
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
            ban=self.feed_ban,
        )
        self.recorder = (
            FrameRecorder(options.record, clock=clock, counters=counters, threads=node.threads)
            if options.record
            else None
        )
        self._quiet = self._quiet_products()
        self._backoff = Backoff(rng)
        self._malformed: deque[Record] = deque()

    def _quiet_products(self) -> QuietProducts | None:
        """What confirms quiet products; None for a venue that sends heartbeats."""
        if self.options.venue.confirm_after_s is None:
            return None
        return QuietProducts(
            self.options.venue.confirm_after_s,
            products=lambda: list(self.subscriptions.products),
            epoch=lambda: self.stream.epoch,
            feed=self.feed,
            refresher=self.refresher,
            on_ticker=self.on_ticker,
            clock=self.node.clock,
        )

    async def start(self, deadline_s: float) -> None:
        """Fetch the venue's time and products.

        Args:
            deadline_s: How long to try.

        Raises:
            DependencyMissing: The venue did not answer.
            UsageError: None of the products is online.
        """
        self.publisher.active = False
        self.rest_ban.restore()
        self.feed_ban.restore()
        await self._wait_for_venue(deadline_s)
        self.publisher.rules_epoch = 1

    def parts(self) -> list[Coroutine[Any, Any, None]]:  # Any: a coroutine's yield and send types
        """The coroutines that must run until the connector ends."""
        found = [
            self.stream.run(),
            self.publisher.run(),
            self.publisher.run_quiet(),
            self._report_forever(),
            self._check_forever(),
            self._bury_forever(),
        ]
        if self._quiet is not None:
            found.append(self._quiet.run())
        return found + ([self.recorder.run()] if self.recorder else [])

    async def set_publishing(self, leads: bool, newest: MarketSnapshot | None) -> None:
        """Start or stop publishing.

        Args:
            leads: True if this process must publish.
            newest: The newest snapshot in the log, for tickers of products without a feed.
        """
        if leads:
            # Rules before prices: an executor must not fill at a new price by old rules.
            self._adopt_last_tickers(newest)
            await self.subscriptions.publish()
        self.publisher.active = leads
        for product_id in self.subscriptions.closed:
            self.publisher.offer_last(product_id)
        self._offer_known()

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

    async def _wait_for_venue(self, deadline_s: float) -> None:
        """Fetch the venue's time and products, with retries until the deadline."""
        try:
            async with self.node.clock.timeout(deadline_s):
                while True:
                    try:
                        self.feed.clock.restart(await self.rest.time())
                        await self.subscriptions.list_first()
                        break
                    except RestFailed as error:
                        error.log(self.node.log, "venue does not answer")
                        await self._report_down(error)
                        await self.node.clock.sleep(self._backoff.next_delay())
        except TimeoutError:
            down = self.rest_ban.text or self.status.down or "the venue did not answer"
            cause, _, remedy = down.partition("; ")
            lasting = "" if self.rest_ban.is_long else f", for {deadline_s:.0f} s"
            raise DependencyMissing(cause + lasting, remedy=remedy or "check --rest-url") from None
        self.status.down = ""
        self._report_origin()

    async def _report_down(self, error: RestFailed) -> None:
        """Set the heartbeats' reason for a silent feed; send one at once if it is new."""
        url = self.options.rest_url
        if error.status == OK:
            words = undocumented_answer(url, error.detail)
        elif error.status and error.status == self.rest_ban.status:
            words = self.rest_ban.text
        else:
            words = unexpected_status(url, error.status) if error.status else error.detail
        if self.status.down != words:
            self.status.down = words
            self._on_status()
            await self.node.beat()

    async def _report_forever(self) -> None:
        """Report the state once a second, also while a request takes long."""
        while True:
            await self.node.clock.sleep(CHECK_S)
            self._report_health(self.node.clock.monotonic())

    async def _check_forever(self) -> None:
        """Check products and missing quotes once a second."""
        clock = self.node.clock
        epoch = 0
        while True:
            await clock.sleep(CHECK_S)
            now_s = clock.monotonic()
            if epoch != self.stream.epoch:
                epoch = self.stream.epoch
                await self._on_new_connection(epoch)
            await self._check_list(now_s)
            await self._repair(now_s)

    async def _check_list(self, now_s: float) -> None:
        """Check the products; a venue without any ends the connector only if it is the last."""
        try:
            await self.subscriptions.check_list(now_s)
            self._without_products = ""
        except UsageError as error:
            if not self._others():
                raise
            if not self._without_products:
                venue, why = self.feed.venue, str(error)
                self.node.log.warning("venue has no product", venue=venue, why=why)
            self._without_products = f"{self.feed.venue}: {error}"

    async def _on_new_connection(self, epoch: int) -> None:
        """List and publish the products; restart the books if the venue's clock went back."""
        try:
            await self.subscriptions.list_again()
        except RestFailed as error:
            error.log(self.node.log, "products not listed")
        if self.publisher.active:
            await self.subscriptions.publish()
        if epoch != self.publisher.rules_epoch:
            self.publisher.rules_epoch = epoch
            self._offer_known()
        try:
            venue_now = await self.rest.time()
        except RestFailed as error:
            error.log(self.node.log, "venue time unknown")
            return
        self._report_origin()
        known = self.feed.clock.now or venue_now
        if (known - venue_now).total_seconds() > CLOCK_BACK_MAX_S:
            self.node.log.warning("the venue's clock went back", venue_time=str(venue_now))
            self.refresher.restart()
            self.feed.clock.restart(venue_now)
        elif venue_now > known:
            self.feed.clock.restart(venue_now)

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
        origin, status = self.rest.origin, self.status
        status.simulated, status.speed = origin.simulated, origin.speed
        status.products = tuple(self.subscriptions.products)
        self._on_status()

    def _report_health(self, now_s: float) -> None:
        products, status = self.subscriptions.products, self.status
        silences = [self.feed.silence_s(product_id, now_s) for product_id in products]
        ages_s = [s for s in silences if s is not None]
        status.age_ms = round(min(ages_s) * 1000) if ages_s else status.age_ms
        status.stale_products = sum(self.feed.stale(p, now_s) for p in products)
        status.connection_epoch = self.stream.epoch
        status.connected = self.stream.settled.is_set()
        status.down = self._without_products or self.stream.down
        if not status.down and status.stale_products == len(products):
            # Connected, and without data: quotes of a quiet feed come by REST.
            status.down = self.rest_ban.long_text
        status.products = tuple(products)
        self._on_status()

    @property
    def bans_text(self) -> str:
        """The long bans of this venue; "" without one."""
        texts = (self.rest_ban.long_text, self.feed_ban.long_text)
        return " / ".join(text for text in dict.fromkeys(texts) if text)

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
