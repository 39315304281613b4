"""The connector: publishes the feeds of one or more venues, and their market as snapshots.

Each venue has a `VenueFeed`, which publishes its tickers and products. The snapshots hold all
venues as of one time, one snapshot every interval of venue time. The parts run as one task group:
the first that fails ends the process, and a supervisor starts it again.
"""

import asyncio

from arena import topics
from arena.bus.partitions import require_partitions
from arena.liveness import FEED_DOWN
from arena.node import Node
from arena.tasks import run_until_all_end, task_group
from connectors.market.feed_status import details_of, gauges_of
from connectors.market.leadership import Leadership
from connectors.market.options import ConnectorOptions
from connectors.market.rate_limits import Uniform
from connectors.market.snapshotter import Snapshotter
from connectors.market.venue_feed import VenueFeed


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
            VenueFeed(market, node, rng, self._report_status) for market in options.markets
        )
        self.snapshotter = Snapshotter(
            node, options.venue, self.feeds, interval_s=options.interval_s
        )
        self.leadership = Leadership(node.bus, options.venue)
        self._leads = False

    async def serve(self) -> None:
        """Run until cancelled.

        Raises:
            DependencyMissing: A venue did not answer at the start.
            UsageError: None of a venue's products is online.
        """
        await self.node.bus.ensure_topics([topics.TICKERS, topics.SNAPSHOTS, topics.DEAD_LETTERS])
        await require_partitions(self.node.bus, topics.SNAPSHOTS)
        try:
            await run_until_all_end(*(feed.start() for feed in self.feeds))
            async with task_group() as tasks:
                parts = [self.leadership.run(), self._follow_leadership(), self.snapshotter.run()]
                for feed in self.feeds:
                    parts += feed.parts()
                for part in parts:
                    tasks.create_task(part)
                for feed in self.feeds:
                    feed.subscriptions.follow_all(tasks)
        finally:
            await asyncio.gather(*(feed.rest.close() for feed in self.feeds))

    def _report_status(self) -> None:
        """Put the state of all venues into the next heartbeat."""
        statuses = [feed.status for feed in self.feeds]
        self.node.gauges |= gauges_of(statuses)
        self.node.details.pop(FEED_DOWN, None)
        self.node.details |= details_of(statuses)

    async def _follow_leadership(self) -> None:
        """Start and stop publishing as leadership changes, until cancelled."""
        while True:
            await self.leadership.changed.wait()
            self.leadership.changed.clear()
            leads = self.leadership.leads
            self.node.status = "running" if leads else "standby"
            if leads != self._leads:
                newest = await self.snapshotter.resume() if leads else None
                for feed in self.feeds:
                    await feed.set_publishing(leads, newest)
                self._leads = leads
                self.node.log.info("publishing" if leads else "standing by")
