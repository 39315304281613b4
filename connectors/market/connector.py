"""The connector: publishes the feeds of one or more venues, and their market as snapshots.

Each venue has a `VenueFeed`, which publishes its tickers and products. The snapshots hold all
venues as of one time, one snapshot every interval of venue time. The parts run as one task group:
the first that fails ends the process, and a supervisor starts it again. Of several venues, those
that answer at the start are published, and the others join when they answer.
"""

import asyncio
from typing import Final

from arena import topics
from arena.bus.partitions import require_partitions
from arena.errors import DependencyMissing, UsageError
from arena.liveness import FEED_DOWN, VENUE_BANS
from arena.node import Node
from arena.tasks import run_until_all_end, task_group
from connectors.market.feed_status import details_of, gauges_of
from connectors.market.leadership import Leadership
from connectors.market.options import ConnectorOptions
from connectors.market.rate_limits import Uniform
from connectors.market.snapshotter import Snapshotter
from connectors.market.venue_feed import VenueFeed

START_DEADLINE_S: Final = 60.0
"""How long the venues have to answer at the start."""
WAIT_FOR_OTHERS_S: Final = 10.0
"""How long the venues that answer at the start wait for the others."""
START_AGAIN_S: Final = 15.0


class LiveConnector:
    """Publishes the market of one or more venues.

    Args:
        options: Venues and interval.
        node: The process.
        rng: Random source for jitter.
    """

    def __init__(self, options: ConnectorOptions, node: Node, rng: Uniform) -> None:
        """Create the connector's parts; call `serve` to connect."""
        self.node = node
        self.feeds = tuple(
            VenueFeed(
                market,
                node,
                rng,
                self._report_status,
                others=self._have_products,
                history_minutes=options.history_minutes,
            )
            for market in options.markets
        )
        self._started: list[VenueFeed] = []
        self.snapshotter = Snapshotter(
            node,
            options.venue,
            self._started,
            products={p for market in options.markets for p in market.products},
            interval_s=options.interval_s,
            features=options.features,
            book_minutes=options.history_minutes,
            context_files=options.context,
        )
        self.leadership = Leadership(node.bus, options.venue)
        self._leads = False
        self._changing = asyncio.Lock()

    async def serve(self) -> None:
        """Run until cancelled.

        Raises:
            DependencyMissing: No venue answered at the start.
            UsageError: No product of any venue is online.
        """
        await self.node.bus.ensure_topics(
            [topics.TICKERS, topics.CANDLES, topics.SNAPSHOTS, topics.DEAD_LETTERS]
        )
        await require_partitions(self.node.bus, topics.SNAPSHOTS)
        try:
            await self._start()
            late = [feed for feed in self.feeds if feed not in self._started]
            async with task_group() as tasks:
                parts = [self.leadership.run(), self._follow_leadership(), self.snapshotter.run()]
                parts += [self._start_late(feed, tasks) for feed in late]
                for part in parts:
                    tasks.create_task(part)
                for feed in self._started:
                    _run_parts(feed, tasks)
        finally:
            await asyncio.gather(*(feed.rest.close() for feed in self.feeds))

    async def _start(self) -> None:
        """Start the venues that answer, at least one."""
        if len(self.feeds) == 1:
            await self._start_alone(self.feeds[0])
            self._started.append(self.feeds[0])
            return
        errors: dict[VenueFeed, DependencyMissing | UsageError] = {}

        async def start(feed: VenueFeed) -> None:
            try:
                await feed.start(WAIT_FOR_OTHERS_S)
            except (DependencyMissing, UsageError) as error:
                errors[feed] = error

        ends_s = self.node.clock.monotonic() + START_DEADLINE_S
        while True:
            errors.clear()
            began_s = self.node.clock.monotonic()
            await run_until_all_end(*(start(feed) for feed in self.feeds))
            self._started += [feed for feed in self.feeds if feed not in errors]
            lasting = all(isinstance(error, UsageError) for error in errors.values())
            if self._started:
                break
            banned = any(feed.rest_ban.held_after(began_s) for feed in self.feeds)
            if lasting or (self.node.clock.monotonic() >= ends_s and not banned):
                raise next(iter(errors.values()))
        for feed, error in errors.items():
            self._log_down(feed, error)

    async def _start_alone(self, feed: VenueFeed) -> None:
        """Start the only venue; wait for the end of a ban, however long that takes.

        After it the venue has the whole deadline to answer.
        """
        while True:
            began_s = self.node.clock.monotonic()
            try:
                await feed.start(START_DEADLINE_S)
                return
            except DependencyMissing as error:
                if not feed.rest_ban.held_after(began_s):
                    raise
                self._log_down(feed, error)

    async def _start_late(self, feed: VenueFeed, tasks: asyncio.TaskGroup) -> None:
        """Start a venue that did not answer, however long that takes, and publish it."""
        while True:
            await self.node.clock.sleep(START_AGAIN_S)
            try:
                await feed.start(START_DEADLINE_S)
                break
            except (DependencyMissing, UsageError) as error:
                self._log_down(feed, error)
        self.node.log.info("venue is up", venue=feed.feed.venue)
        async with self._changing:
            _run_parts(feed, tasks)
            await feed.set_publishing(self._leads, self.snapshotter.newest)
            self._started.append(feed)

    def _log_down(self, feed: VenueFeed, error: DependencyMissing | UsageError) -> None:
        if isinstance(error, UsageError):  # It answers now, whatever was wrong before.
            feed.status.down = f"{feed.feed.venue}: {error}"
        feed.status.down = feed.status.down or str(error)
        self._report_status()
        self.node.log.warning("venue is down; trying again", venue=feed.feed.venue, why=str(error))

    def _have_products(self) -> bool:
        """True if a product of any venue is followed."""
        return any(feed.subscriptions.products for feed in self._started)

    def _report_status(self) -> None:
        """Put the state of all venues into the next heartbeat."""
        for feed in self.feeds:
            feed.status.bans = feed.bans_text
        statuses = [feed.status for feed in self.feeds]
        self.node.gauges |= gauges_of(statuses)
        for name in (FEED_DOWN, VENUE_BANS):
            self.node.details.pop(name, None)
        self.node.details |= details_of(statuses)

    async def _follow_leadership(self) -> None:
        """Start and stop publishing as leadership changes, until cancelled."""
        while True:
            await self.leadership.changed.wait()
            self.leadership.changed.clear()
            leads = self.leadership.leads
            self.node.status = "running" if leads else "standby"
            if leads != self._leads:
                async with self._changing:
                    self.snapshotter.others.forget()
                    if leads:
                        await self.snapshotter.resume()
                    for feed in self._started:
                        await feed.set_publishing(leads, self.snapshotter.newest)
                    self._leads = leads
                self.node.log.info("publishing" if leads else "standing by")


def _run_parts(feed: VenueFeed, tasks: asyncio.TaskGroup) -> None:
    """Run a venue that has started, and keep its candles current."""
    for part in feed.parts():
        tasks.create_task(part)
    feed.subscriptions.follow_all(tasks)
