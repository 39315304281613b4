"""Publishes a snapshot to `market.snapshots` whenever one is due.

A snapshot is made from acknowledged tickers only: the publisher waits for the candles of the minute
that just closed, flushes the tickers, and records their offsets in the snapshot.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from arena import topics
from arena.messages import MarketSnapshot
from arena.node import Node
from connectors.market.feed import Feed
from connectors.market.publisher import TickerPublisher
from connectors.market.recent_snapshots import newest_snapshots
from connectors.market.refresh import Refresher
from connectors.market.snapshot import Cadence, Origin, compose

HISTORY_DEADLINE_S: Final = 60.0
TICKERS_DEADLINE_S: Final = 10.0
CANDLES_WAIT_S: Final = (0.1, 3.0)
"""Least and most wall seconds a snapshot waits for the candles of the minute that just closed;
within these bounds it is a quarter of the wall time from snapshot to snapshot."""
PAUSE_S: Final = (0.02, 1.0)
"""Least and most wall seconds between two checks of the clock."""
WAITING_LOG_S: Final = 10.0


class Snapshotter:
    """Publishes the snapshots of one venue.

    Args:
        node: The process.
        feed: Source of last values and venue time.
        refresher: Source of candle books.
        publisher: Source of acknowledged tickers; snapshots are published only while it is active.
        interval_s: Venue seconds from snapshot to snapshot.
        origin: Returns where the prices come from.
        epoch: Returns the number of the connection.
    """

    def __init__(
        self,
        node: Node,
        feed: Feed,
        refresher: Refresher,
        publisher: TickerPublisher,
        *,
        interval_s: float,
        origin: Callable[[], Origin],
        epoch: Callable[[], int],
    ) -> None:
        """Create the snapshotter; the first snapshot is due once candles are loaded."""
        self._node = node
        self._feed = feed
        self._refresher = refresher
        self._publisher = publisher
        self._cadence = Cadence(interval_s)
        self._origin = origin
        self._epoch = epoch

    async def resume(self) -> MarketSnapshot | None:
        """Continue after the newest snapshot in the log, which another process may have published.

        Returns:
            The newest snapshot, or None if the log has none.

        Raises:
            BrokerUnavailable: The log could not be read.
        """
        snapshots, _ = await newest_snapshots(self._node, self._feed.venue, 1)
        if not snapshots:
            return None
        self._cadence.resume(snapshots[-1], self._node.clock.monotonic())
        return snapshots[-1]

    async def run(self) -> None:
        """Publish until cancelled."""
        await self._wait_for_history()
        await self._wait_for_tickers()
        while True:
            venue_now, now_s = self._feed.clock.now, self._node.clock.monotonic()
            if self._publisher.active and venue_now and self._cadence.due(venue_now, now_s):
                await self._publish(venue_now)
            else:
                await self._node.clock.sleep(self._pause_s())

    async def _wait_for_history(self) -> None:
        """Wait until all books are loaded, or after `HISTORY_DEADLINE_S` at least one."""
        clock = self._node.clock
        started_s = logged_s = clock.monotonic()
        while True:
            books = self._refresher.books.values()
            loaded = sum(book.known_until_s is not None for book in books)
            waited_s = clock.monotonic() - started_s
            if books and (loaded == len(books) or (loaded and waited_s > HISTORY_DEADLINE_S)):
                break
            if clock.monotonic() - logged_s > WAITING_LOG_S:
                logged_s = clock.monotonic()
                self._node.log.warning(
                    "waiting for history", loaded=loaded, products=len(books), s=round(waited_s)
                )
            await clock.sleep(PAUSE_S[0])
        self._node.log.info("history loaded", loaded=loaded, products=len(books))

    async def _wait_for_tickers(self) -> None:
        """Wait until every product has a ticker, at most `TICKERS_DEADLINE_S`."""
        clock = self._node.clock
        started_s = clock.monotonic()
        while clock.monotonic() - started_s < TICKERS_DEADLINE_S:
            if set(self._refresher.books) <= set(self._publisher.published):
                return
            await clock.sleep(PAUSE_S[0])

    async def _publish(self, windows_at: datetime) -> None:
        """Wait for the candles, flush the tickers, compose, append."""
        clock = self._node.clock
        began_s = clock.monotonic()
        low, high = CANDLES_WAIT_S
        wait_s = self._cadence.interval_s / self._origin().speed / 4
        current = await self._refresher.wait_until_current(windows_at, min(max(wait_s, low), high))
        await self._publisher.flush()
        if not self._publisher.active:
            return
        now_s = clock.monotonic()
        as_of = self._cadence.take(self._feed.clock.now or windows_at, now_s)
        snapshot = compose(
            feed=self._feed,
            books=self._refresher.books,
            published=self._publisher.published,
            terms=self._publisher.terms,
            ticker_offsets=self._publisher.next_offsets,
            as_of=as_of,
            windows_at=windows_at,
            now_s=now_s,
            now=clock.now(),
            interval_s=self._cadence.interval_s,
            origin=self._origin(),
            epoch=self._epoch(),
            rewinds=self._cadence.rewinds,
        )
        await self._node.bus.append(topics.SNAPSHOTS.name, snapshot, key=self._feed.venue)
        self._node.counters["snapshots"] += 1
        self._log_snapshot(snapshot, current, (clock.monotonic() - began_s) * 1000)

    def _log_snapshot(self, snapshot: MarketSnapshot, current: bool, duration_ms: float) -> None:
        self._node.log.info(
            "snapshot",
            id=snapshot.snapshot_id,
            as_of=snapshot.as_of.isoformat(),
            products=len(snapshot.products),
            stale=sum(view.stale for view in snapshot.products),
            candles="current" if current else "late",
            duration_ms=round(duration_ms, 1),
        )

    def _pause_s(self) -> float:
        """Wall seconds until the next snapshot may be due, within bounds."""
        low, high = PAUSE_S
        now, next_at = self._feed.clock.now, self._cadence.next_at
        if now is None or next_at is None:
            return low
        left_s = (next_at - now).total_seconds() / self._origin().speed
        return min(max(left_s / 2, low), high)
