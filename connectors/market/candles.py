"""Closed candles of one product: a bounded book of minutes, and the windows agents see.

The book holds one-minute candles of *venue time*; five- and fifteen-minute bars are made from them
(first open, highest high, lowest low, last close, summed volume), which is what the venue's own
longer candles contain. So the same requests fill every window. A bucket is used only after it
closed; the newest three are fetched again with each poll, because the venue may correct them.

Windows neither overlap nor leave holes; each starts where a bucket of the longer one ends:

    15m: from 4 h ago     5m: from 90 min ago     1m: the last 20 minutes     (rounded down)

A replay may have longer bars: they take the place of the minutes, and the windows are others
(`arena.granularities.WINDOWS`).
"""

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from heapq import nsmallest
from itertools import islice
from operator import is_
from typing import Final, NamedTuple

from arena.granularities import BOOK_BARS, GRANULARITIES, WINDOWS, granularity_of
from arena.messages import Candle, CandleWindow
from connectors.market.json_bodies import YEARS

MINUTE_S: Final = 60
INTERVALS_MAX: Final = 299
"""Most candles of one request: Coinbase gives at most 300."""
REFETCHED: Final = 3
"""Newest buckets that each poll fetches again."""
TAIL_RETRY_S: Final = 20
"""Venue seconds from a poll that lacked its newest bucket to one more poll."""


def floor_s(moment: datetime, granularity_s: int) -> int:
    """Unix seconds of the start of the bucket that contains a moment."""
    seconds = int(moment.timestamp())
    return seconds - seconds % granularity_s


def valid_candle(
    start_s: int, open_: Decimal, high: Decimal, low: Decimal, close: Decimal, volume: Decimal
) -> Candle | None:
    """A candle that starts at a time in Unix seconds; None if its values contradict each other."""
    try:
        start = datetime.fromtimestamp(start_s, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    if start.year not in YEARS or volume < 0:
        return None
    if not 0 < low <= min(open_, close) or high < max(open_, close):
        return None
    return Candle(start=start, open=open_, high=high, low=low, close=close, volume=volume)


class _Bucket(NamedTuple):
    """One longer candle: the range of its bars in Unix seconds, the bars, and what they make."""

    span: tuple[int, int]
    bars: Sequence[Candle]
    candle: Candle | None


class CandleBook:
    """The candles of one product, of the length of the market's bars.

    Args:
        bars_max: Most bars that are kept; in a market of minutes the first request covers as many.
        bar_s: Length of the bars in seconds, if they are not minutes.

    Attributes:
        known_until_s: Buckets that start before this have been requested; Unix seconds, or None
            before the first poll.
    """

    def __init__(self, bars_max: int = BOOK_BARS, bar_s: int = MINUTE_S) -> None:
        """Create an empty book; its first request covers the whole history."""
        self._bar_s = bar_s
        self._bars_max = bars_max
        self._minutes: OrderedDict[int, Candle] = OrderedDict()  # the oldest is found at once
        self._changed: set[int] = set()
        self._buckets: dict[int, dict[int, _Bucket]] = {}  # granularity -> start -> last window's
        self._unseen: set[int] = set()  # bars that changed since the last windows
        self._newest_s: int | None = None  # of bars kept in ascending order; None after others
        self.known_until_s: int | None = None
        self._polled_at: datetime | None = None
        self._tail_retried = False

    def __len__(self) -> int:
        return len(self._minutes)

    def due(self, now: datetime) -> bool:
        """True if a poll may bring new candles.

        Args:
            now: Venue time.
        """
        if self.known_until_s is None or self._polled_at is None:
            return True
        if floor_s(now, MINUTE_S) > self.known_until_s:
            return True
        tail_missing = self.known_until_s - MINUTE_S not in self._minutes
        waited_s = (now - self._polled_at).total_seconds()
        return tail_missing and not self._tail_retried and waited_s >= TAIL_RETRY_S

    def request(self, now: datetime) -> tuple[int, int]:
        """The range to request, Unix seconds of the first and the last bucket, both inclusive.

        It may be longer than one response: see `pages`.

        Args:
            now: Venue time.
        """
        end = floor_s(now, MINUTE_S)
        earliest = end - self._bars_max * MINUTE_S
        if self.known_until_s is None:
            return earliest, end
        start = min(self.known_until_s, end) - REFETCHED * MINUTE_S
        return max(earliest, start), end

    def merge(self, candles: Iterable[Candle], requested_until_s: int, now: datetime) -> int:
        """Add the candles of a response.

        Args:
            candles: Candles in any order; they may include the bucket that is still open.
            requested_until_s: End of the requested range; Unix seconds.
            now: Venue time; buckets that have not closed by then are ignored.

        Returns:
            Number of candles added.
        """
        closed = {int(c.start.timestamp()): c for c in candles}
        now_s = now.timestamp()
        closed = {start: c for start, c in closed.items() if start + MINUTE_S <= now_s}
        self._changed |= {s for s, c in closed.items() if self._minutes.get(s) != c}
        self._unseen |= closed.keys()
        self._minutes |= closed
        self._newest_s = None
        retry = self.known_until_s == requested_until_s
        self._tail_retried = retry
        self.known_until_s = max(requested_until_s, self.known_until_s or 0)
        self._polled_at = now
        self._prune()
        return len(closed)

    def keep(self, candle: Candle) -> None:
        """Add a bar made from trades; it appears in the windows after it closed."""
        start = int(candle.start.timestamp())
        if not self._minutes or (self._newest_s is not None and start > self._newest_s):
            self._newest_s = start
        else:
            self._newest_s = None
        self._minutes[start] = candle
        self._changed.add(start)
        self._unseen.add(start)
        self._prune()

    def take_changed(self, now: datetime) -> list[Candle]:
        """The minutes closed by `now` (venue time) that are new or changed since the last call."""
        end = floor_s(now, self._bar_s)
        starts = sorted(s for s in self._changed if s < end)
        self._changed.difference_update(starts)
        return [self._minutes[s] for s in starts if s in self._minutes]

    @property
    def first_s(self) -> int | None:
        """Start of the oldest minute, Unix seconds; None if there is none."""
        return min(self._minutes, default=None)

    def take_all(self, now: datetime) -> list[Candle]:
        """Every minute closed by `now` (venue time), oldest first; as `take_changed` otherwise."""
        self._changed |= self._minutes.keys()
        return self.take_changed(now)

    def windows(self, now: datetime) -> dict[str, CandleWindow]:
        """The windows that end with the last closed bar before `now`, longest candles first.

        Args:
            now: Venue time.
        """
        spans = window_spans(floor_s(now, self._bar_s), self._bar_s)
        minutes = sorted(self._minutes)
        found = {
            name: self._window(minutes, GRANULARITIES[name], start, end)
            for name, (start, end) in reversed(spans.items())
        }
        self._unseen.clear()
        return found

    def _window(
        self, minutes: Sequence[int], granularity: int, start: int, end: int
    ) -> CandleWindow:
        known = self._buckets.get(granularity, {})
        changed = {minute - minute % granularity for minute in self._unseen}
        buckets: dict[int, _Bucket] = {}
        for first in range(start - start % granularity, end, granularity):
            before = known.get(first)
            span = max(start, first), min(end, first + granularity)
            if before is not None and before.span == span and first not in changed:
                buckets[first] = before
            else:
                buckets[first] = self._bucket(minutes, first, span, before)
        self._buckets[granularity] = buckets
        gaps = [s for s in range(start, end, granularity) if buckets[s].candle is None]
        newest = max((s for s, bucket in buckets.items() if bucket.candle), default=None)
        return CandleWindow(
            granularity_s=granularity,
            candles=tuple(bucket.candle for bucket in buckets.values() if bucket.candle),
            gaps=tuple(datetime.fromtimestamp(s, UTC) for s in gaps),
            stale=newest is None or end - (newest + granularity) > 2 * granularity,
        )

    def _bucket(
        self, minutes: Sequence[int], first: int, span: tuple[int, int], before: "_Bucket | None"
    ) -> "_Bucket":
        """The bucket of the bars in a span; its candle is kept if they are the same bars."""
        inside = minutes[bisect_left(minutes, span[0]) : bisect_left(minutes, span[1])]
        bars = [self._minutes[minute] for minute in inside]
        if not bars:
            return _Bucket(span, bars, None)
        known = before.bars if before is not None else ()
        same = before is not None and len(known) == len(bars) and all(map(is_, known, bars))
        return _Bucket(span, bars, before.candle if before and same else combine(first, bars))

    def _prune(self) -> None:
        if len(self._unseen) > self._bars_max:
            self._buckets.clear()
            self._unseen.clear()
        excess = len(self._minutes) - self._bars_max
        if excess <= 0:
            return
        if self._newest_s is not None:
            oldest = list(islice(self._minutes, excess))
        else:
            oldest = nsmallest(excess, self._minutes)
        for start in oldest:
            del self._minutes[start]
            self._changed.discard(start)
            self._unseen.add(start)


def pages(start_s: int, end_s: int) -> list[tuple[int, int]]:
    """Split a range of minutes into ranges that one request covers, oldest first.

    Args:
        start_s: Start of the first minute, Unix seconds.
        end_s: Start of the last minute.
    """
    step_s = INTERVALS_MAX * MINUTE_S
    return [
        (first_s, min(first_s + step_s - MINUTE_S, end_s))
        for first_s in range(start_s, end_s + MINUTE_S, step_s)
    ]


def window_spans(end_s: int, bar_s: int = MINUTE_S) -> dict[str, tuple[int, int]]:
    """Start and end of each window in Unix seconds, newest first.

    Args:
        end_s: End of the newest bar.
        bar_s: Length of the market's bars in seconds.
    """
    spans: dict[str, tuple[int, int]] = {}
    windows = WINDOWS[granularity_of(bar_s)]
    for place, (name, count) in enumerate(windows):
        length_s = GRANULARITIES[name]
        start = end_s - count * length_s
        start -= start % GRANULARITIES[windows[min(place + 1, len(windows) - 1)][0]]
        spans[name] = start, end_s
        end_s = start
    return spans


def combine(start_s: int, bars: Sequence[Candle]) -> Candle:
    """One bar that covers at least one shorter bar, oldest first."""
    if len(bars) == 1 and int(bars[0].start.timestamp()) == start_s:
        return bars[0]
    return Candle(
        start=datetime.fromtimestamp(start_s, UTC),
        open=bars[0].open,
        high=max(b.high for b in bars),
        low=min(b.low for b in bars),
        close=bars[-1].close,
        volume=sum((b.volume for b in bars[1:]), bars[0].volume),
    )
