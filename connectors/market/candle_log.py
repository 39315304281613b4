"""Appends closed minutes to `market.candles`, and folds what it appended into indicators.

The indicators of a snapshot are made from acknowledged records only, in the order of the log, so
that every reader of the topic gets the same values from the same records.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Final

from arena import topics
from arena.bus.base import EARLIEST, Bus
from arena.candle_fold import CandleFold
from arena.granularities import BOOK_BARS
from arena.indicators.feature_sets import FeatureSet
from arena.messages import Candle, ClosedCandle, MarketSnapshot
from arena.products import split_key
from arena.read_topic import read_backwards
from arena.topics import partition_of
from connectors.market.candles import CandleBook
from connectors.market.snapshot import PublishedCandles

CANDLES: Final = topics.CANDLES.name
BACK_MINUTES_MAX: Final = 3 * 24 * 60
"""How far back a process that takes over folds the log, unless a book or the bars that count in its
indicators are older."""
CHUNK: Final = 1_000
HOUR_MINUTES: Final = 60


class CandleLog:
    """The minutes in `market.candles`, and the indicators made of them.

    Args:
        bus: The bus; it must be started.
        features: The indicators to compute.
        counters: Gets `candles`, the number of appended minutes.
        book_minutes: Minutes that a book holds: so many are not appended again by a process that
            takes over.

    Attributes:
        offsets: Partition of `market.candles` -> offset after the newest minute.
    """

    def __init__(
        self,
        bus: Bus,
        features: FeatureSet,
        counters: Counter[str],
        *,
        book_minutes: int = BOOK_BARS,
    ) -> None:
        """Create it for an empty log; call `resume` for any other."""
        self._book_minutes = book_minutes
        self.offsets: dict[int, int] = {}
        self._bus = bus
        self._counters = counters
        self._features = features
        self._fold = CandleFold(features)
        self._known: dict[str, dict[datetime, Candle]] = {}
        self._rewinds = 0
        self._first: dict[str, datetime] = {}  # of the minutes folded from the log
        self._back_minutes = max(
            BACK_MINUTES_MAX, book_minutes + HOUR_MINUTES, features.minutes_that_count
        )

    def published(self, product_ids: Iterable[str]) -> PublishedCandles:
        """What a snapshot of some products has from the topic, as of the newest appended minute."""
        return PublishedCandles(
            {product_id: self._fold.windows(product_id) for product_id in product_ids},
            dict(self.offsets),
        )

    async def resume(self, newest: MarketSnapshot | None) -> None:
        """Fold the minutes in the log that the newest snapshot's indicators are made of.

        Args:
            newest: The newest snapshot in the log, whichever process published it.

        Raises:
            BrokerUnavailable: The log could not be read.
        """
        self._fold = CandleFold(self._features)
        self._known.clear()
        self._first.clear()
        self.offsets.clear()
        if newest is not None:
            self._rewinds = newest.rewinds
            await self._read_back(_oldest_starts(newest, self._book_minutes, self._back_minutes))

    async def publish(
        self, books: Mapping[str, CandleBook], until: datetime, *, rewinds: int = 0
    ) -> None:
        """Append the minutes closed by `until` that are new or changed, and fold them.

        A fold ignores minutes that are much older than its newest one. So a product starts a new
        series with all its minutes if this process has folded none of it, or if the book begins
        earlier than a series that is too short: a larger feature set needs a longer history.

        Args:
            books: Product id -> its minutes.
            until: Venue time.
            rewinds: How often the venue's clock went back.
        """
        if rewinds != self._rewinds:
            self._rewinds = rewinds
            self._known.clear()
            self._first.clear()
        changed = [
            ClosedCandle(
                venue=split_key(product_id).venue,
                product_id=product_id,
                candle=candle,
                rewinds=rewinds,
                restarts=restarts,
            )
            for product_id, book in sorted(books.items())
            for candle, restarts in self._changed(product_id, book, until)
        ]
        await self.append(changed)

    def _changed(
        self, product_id: str, book: CandleBook, until: datetime
    ) -> list[tuple[Candle, bool]]:
        """The minutes to append, each with True if it restarts the series of the product."""
        known = self._known.get(product_id)
        if not known or self._is_short(product_id, book, until):
            candles = book.take_all(until)
            if candles:
                self._first.pop(product_id, None)
                known = self._known[product_id] = {}
            return [(candle, index == 0) for index, candle in enumerate(candles)]
        if len(book):
            self._first.pop(product_id, None)
        return [(one, False) for one in book.take_changed(until) if known.get(one.start) != one]

    def _is_short(self, product_id: str, book: CandleBook, until: datetime) -> bool:
        """True if the log has fewer minutes than the indicators need, and the book has older."""
        first = self._first.get(product_id)
        if first is None or book.first_s is None or book.first_s >= first.timestamp():
            return False
        return until - first < timedelta(minutes=self._features.minutes_at_any_time)

    async def append(self, candles: Iterable[ClosedCandle]) -> None:
        """Append minutes, wait until they are acknowledged, and fold them."""
        sent = [
            (message, await self._bus.send(CANDLES, message, key=message.product_id))
            for message in candles
        ]
        for message, future in sent:
            acked = await future
            self.offsets[acked.partition] = acked.offset + 1
            self._counters["candles"] += 1
            self._take(message)

    def _take(self, message: ClosedCandle) -> None:
        self._fold.take(message)
        known = self._known.setdefault(message.product_id, {})
        known[message.candle.start] = message.candle
        if len(known) > 2 * self._book_minutes:
            for start in sorted(known)[: -self._book_minutes]:
                del known[start]

    async def _read_back(self, since: Mapping[str, datetime]) -> None:
        """Fold the newest records, as far back as `since` asks for each product."""
        partitions = {partition_of(p, await self._bus.partitions(CANDLES)) for p in since}
        for partition in sorted(partitions):
            found = await self._newest(partition, since)
            for message in found:
                product_id, start = message.product_id, message.candle.start
                oldest = since.get(product_id)
                if oldest is not None and message.restarts:
                    # A series counts from its beginning, which may be older than the one before.
                    since = {**since, product_id: min(oldest, start)}
                    self._known.pop(product_id, None)
                    self._first.pop(product_id, None)
                if oldest is not None and start >= since[product_id]:
                    if message.rewinds == self._rewinds:
                        self._first[product_id] = min(start, self._first.get(product_id, start))
                    self._take(message)

    async def _newest(self, partition: int, since: Mapping[str, datetime]) -> list[ClosedCandle]:
        """The records of a partition from a place before every `since`, oldest first."""
        reader = await self._bus.partition_reader(CANDLES, partition, EARLIEST)
        pair = CANDLES, partition
        try:
            end = self.offsets[partition] = (await reader.end_offsets())[pair]
            found: list[ClosedCandle] = []
            missing = set(since)
            async with aclosing(read_backwards(reader, pair, end, chunk=CHUNK)) as chunks:
                async for records in chunks:
                    messages = (record.message_or_none() for record in records)
                    older = [m for m in messages if isinstance(m, ClosedCandle)]
                    found = older + found
                    missing -= {m.product_id for m in older if _reaches(m, since, self._rewinds)}
                    if not missing or len(found) >= self._back_minutes * len(since):
                        break
            return found
        finally:
            await reader.close()


def _reaches(message: ClosedCandle, since: Mapping[str, datetime], rewinds: int) -> bool:
    """True if a record is as old as its product's fold needs, or of an earlier market."""
    oldest = since.get(message.product_id)
    return oldest is not None and (message.rewinds < rewinds or message.candle.start < oldest)


def _oldest_starts(
    snapshot: MarketSnapshot, book_minutes: int, back_minutes: int
) -> dict[str, datetime]:
    """Product id -> start of the oldest bar in its indicators; at least what a book holds."""
    book = snapshot.as_of - timedelta(minutes=book_minutes)
    furthest = snapshot.as_of - timedelta(minutes=back_minutes)
    return {
        view.product_id: max(
            furthest,
            min([book, *(w.since for w in view.indicators.values() if w.since is not None)]),
        )
        for view in snapshot.products
    }
