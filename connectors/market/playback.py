"""Publishes a recording through the parser, fold and publisher of the live feed, or prints it.

Snapshots follow venue time; the candles in them are made from the recorded trades. Pauses between
two frames (while the recorder was off) are cut to `PAUSE_MAX_S`.
"""

import dataclasses
import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

import orjson

from arena import topics
from arena.bus.partitions import require_partitions
from arena.errors import UsageError
from arena.indicators.feature_sets import NO_FEATURES, FeatureSet
from arena.messages import Candle, Ticker
from arena.money import decimal_text
from arena.node import Node
from connectors.market.candle_log import CandleLog
from connectors.market.candles import CandleBook
from connectors.market.candles_from_trades import TradeBars
from connectors.market.context.snapshot_context import SnapshotContext
from connectors.market.events import (
    CandleClosed,
    Event,
    FrameMalformed,
    TickerSeen,
    TradeSeen,
)
from connectors.market.feed import Dropped, Feed, Received
from connectors.market.publisher import TickerPublisher
from connectors.market.recent_snapshots import newest_snapshots
from connectors.market.recording import RecordedFrame, read_frames
from connectors.market.snapshot import Cadence, Origin, compose
from connectors.market.venue import Venue

PAUSE_MAX_S: Final = 10.0
FLUSH_EVERY_FRAMES: Final = 500
RAW_CHARS_MAX: Final = 500
NAME_CHARS_MAX: Final = 100


def print_frames(venue: Venue, path: Path) -> None:
    """Print every decoded event of a recording as a JSON line, then the counts to stderr.

    Raises:
        UsageError: The file cannot be read.
    """
    counts: dict[str, int] = {}
    decode, epoch = venue.decoder(), 0
    for frame in read_frames(path):
        if frame.epoch != epoch:
            decode, epoch = venue.decoder(), frame.epoch
        event = decode(frame.raw)
        name = type(event).__name__
        counts[name] = counts.get(name, 0) + 1
        sys.stdout.buffer.write(event_line(event, frame))
    sys.stdout.flush()
    print(json_text(counts), file=sys.stderr)


def json_text(body: object) -> str:
    """JSON in one line."""
    return orjson.dumps(body).decode()


def event_line(event: Event, frame: RecordedFrame) -> bytes:
    """An event as a JSON line: its kind, the time of receipt, its fields; decimals as text."""
    body = {"event": type(event).__name__, "received_at": frame.at, "conn": frame.epoch}
    fields = {f.name: getattr(event, f.name) for f in dataclasses.fields(event)}
    return orjson.dumps(body | fields, default=_plain, option=orjson.OPT_APPEND_NEWLINE)


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, bytes):
        return value[:RAW_CHARS_MAX].decode("utf-8", "backslashreplace")
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, Candle):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} has no JSON form here")


class Playback:
    """Publishes a recording.

    Args:
        node: The process.
        venue: The venue whose frames it holds.
        path: File of the recording.
        interval_s: Venue seconds from snapshot to snapshot.
        speed: Recorded seconds per wall second; None for as fast as it can be read.
        products: Products to publish; empty for all.
        features: The indicators in the snapshots.
        context_files: Files of dated context that are published before the first snapshot.
    """

    def __init__(
        self,
        node: Node,
        venue: Venue,
        path: Path,
        *,
        interval_s: float,
        speed: float | None,
        products: tuple[str, ...] = (),
        features: FeatureSet = NO_FEATURES,
        context_files: tuple[Path, ...] = (),
    ) -> None:
        """Create the playback; call `serve` to start it."""
        self.node = node
        self.feed = Feed(venue.name)
        self.books: dict[str, CandleBook] = {}
        self.publisher = TickerPublisher(node.bus, self.feed, node.clock, node.counters)
        self._venue = venue
        self._decode = venue.decoder()
        self._path = path
        self._speed = speed
        self._products = frozenset(products)
        self._cadence = Cadence(interval_s)
        source = f"{ascii(path.name[:NAME_CHARS_MAX])[1:-1]} (frames of {venue.name.capitalize()})"
        self._origin = Origin(True, speed or 1.0, recorded=True, source=source)
        self._bars: dict[str, TradeBars] = {}
        self._candles = CandleLog(node.bus, features, node.counters)
        self._context = SnapshotContext(node, context_files)
        self._epoch = 0

    async def serve(self) -> None:
        """Publish the whole recording.

        Raises:
            UsageError: It cannot be read, or holds no ticker that can be published.
        """
        await self.node.bus.ensure_topics(
            [topics.TICKERS, topics.CANDLES, topics.SNAPSHOTS, topics.DEAD_LETTERS]
        )
        await require_partitions(self.node.bus, topics.SNAPSHOTS)
        if before := (await newest_snapshots(self.node, self.feed.venue, 1))[0]:
            self._cadence.resume(before[-1], self.node.clock.monotonic())
            await self._candles.resume(before[-1])
            self._cadence.next_at = None  # The recording's first frame sets when snapshots are due.
        self.node.status = "running"
        last: datetime | None = None
        for number, frame in enumerate(read_frames(self._path), 1):
            last = await self._keep_pace(last, frame.at)
            self._take(frame)
            if number % FLUSH_EVERY_FRAMES == 0:
                await self.publisher.flush()
            await self._snapshot_if_due()
        await self.publisher.flush()
        if self.feed.clock.now != self._cadence.as_of or not self.node.counters["snapshots"]:
            await self._publish_snapshot()
        if not self.publisher.published:
            of = f" of {', '.join(sorted(self._products))}" if self._products else ""
            raise UsageError(f"{self._path} has no ticker{of} that can be published")
        counters = {name: self.node.counters[name] for name in ("frames", "tickers", "snapshots")}
        self.node.log.info("recording ended", file=self._path.name, **counters)

    async def _keep_pace(self, last: datetime | None, at: datetime | None) -> datetime | None:
        """Wait for the recorded time between two frames, divided by the speed."""
        if last is not None and at is not None and self._speed is not None:
            pause_s = min((at - last).total_seconds(), PAUSE_MAX_S) / self._speed
            if pause_s > 0:
                await self.node.clock.sleep(pause_s)
        return at or last

    def _take(self, frame: RecordedFrame) -> None:
        clock = self.node.clock
        if frame.epoch != self._epoch:
            self._epoch = frame.epoch
            self._decode = self._venue.decoder()
            self.feed.connected()
        self.node.counters["frames"] += 1
        event = self._decode(frame.raw)
        if isinstance(event, FrameMalformed):
            self.node.counters["malformed"] += 1
            self.node.log.warning("malformed frame", why=event.why)
        if isinstance(event, TickerSeen | TradeSeen | CandleClosed):
            if self._products and event.product_id not in self._products:
                return
            self._fold_bar(event)
        outcome = self.feed.apply(event, Received(clock.now(), clock.monotonic(), self._epoch))
        if isinstance(outcome, Ticker):
            self.publisher.offer(outcome)
        elif isinstance(outcome, Dropped):
            self.node.counters[f"dropped_{outcome.why}"] += 1

    def _fold_bar(self, event: TickerSeen | TradeSeen | CandleClosed) -> None:
        """Add a trade to its minute, or the venue's own candle; it is shown after it closed."""
        book = self.books.setdefault(event.product_id, CandleBook())
        if isinstance(event, CandleClosed):
            book.keep(event.candle)
            return
        bar = self._bars.setdefault(event.product_id, TradeBars()).add(event)
        if bar is not None:
            book.keep(bar)

    async def _snapshot_if_due(self) -> None:
        now = self.feed.clock.now
        if now is None:
            return
        if self._cadence.next_at is None:
            self._cadence.take(now, self.node.clock.monotonic())
        elif now >= self._cadence.next_at and self._cadence.interval_s > 0:
            await self._publish_snapshot()

    async def _publish_snapshot(self) -> None:
        """Flush the tickers and publish a snapshot at the present venue time."""
        now, clock = self.feed.clock.now, self.node.clock
        if now is None:
            return
        await self._candles.publish(self.books, now, rewinds=self._cadence.rewinds_at(now))
        await self.publisher.flush()
        as_of = self._cadence.take(now, clock.monotonic())
        context = await self._context.at(as_of, self.books.keys(), simulated=True)
        snapshot = compose(
            venue=self.feed.venue,
            freshness=self.feed,
            books=self.books,
            published=self.publisher.published,
            terms=self.publisher.terms,
            ticker_offsets=self.publisher.next_offsets,
            as_of=as_of,
            windows_at=now,
            now_s=clock.monotonic(),
            now=clock.now(),
            interval_s=self._cadence.interval_s,
            origin=self._origin,
            epoch=self._epoch,
            rewinds=self._cadence.rewinds,
            candles=self._candles.published(self.books),
            context=context,
        )
        await self.node.bus.append(topics.SNAPSHOTS.name, snapshot, key=self.feed.venue)
        self.node.counters["snapshots"] += 1
