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
from typing import Final

from arena.granularities import BOOK_BARS_MIN, GRANULARITIES, WINDOWS, granularity_of
from arena.messages import Candle, CandleWindow
from connectors.market.json_bodies import YEARS

MINUTE_S: Final = 60
INTERVALS_MAX: Final = 299
"""Most candles of one request: Coinbase gives at most 300."""
REFETCHED: Final = 3
"""Newest buckets that each poll fetches again."""
BOOK_MINUTES_MAX: Final = BOOK_BARS_MIN
"""Most minutes in a book, unless indicators or the operator need more."""
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


class CandleBook:
    """One-minute candles of one product.

    Args:
        minutes_max: Most minutes that are kept, and that the first request covers.
        bar_s: Length of the bars in seconds, if they are not minutes.

    Attributes:
        known_until_s: Buckets that start before this have been requested; Unix seconds, or None
            before the first poll.
    """

    def __init__(self, minutes_max: int = BOOK_MINUTES_MAX, bar_s: int = MINUTE_S) -> None:
        """Create an empty book; its first request covers the whole history."""
        self._bar_s = bar_s
        self._minutes_max = minutes_max
        self._minutes: OrderedDict[int, Candle] = OrderedDict()  # the oldest is found at once
        self._changed: set[int] = set()
        self._bars: dict[int, dict[int, tuple[Sequence[Candle], Candle]]] = {}
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
        earliest = end - self._minutes_max * MINUTE_S
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
        minutes = sorted(self._minutes)
        spans = window_spans(floor_s(now, self._bar_s), self._bar_s)
        return {
            name: self._window(minutes, GRANULARITIES[name], start, end)
            for name, (start, end) in reversed(spans.items())
        }

    def _window(
        self, minutes: Sequence[int], granularity: int, start: int, end: int
    ) -> CandleWindow:
        buckets: dict[int, list[Candle]] = {}
        for minute in minutes[bisect_left(minutes, start) : bisect_left(minutes, end)]:
            buckets.setdefault(minute - minute % granularity, []).append(self._minutes[minute])
        gaps = [s for s in range(start, end, granularity) if s not in buckets]
        newest = max(buckets, default=None)
        return CandleWindow(
            granularity_s=granularity,
            candles=self._combined(granularity, buckets),
            gaps=tuple(datetime.fromtimestamp(s, UTC) for s in gaps),
            stale=newest is None or end - (newest + granularity) > 2 * granularity,
        )

    def _combined(self, granularity: int, buckets: dict[int, list[Candle]]) -> tuple[Candle, ...]:
        """One bar per bucket; that of a bucket with the same bars as last time is kept."""
        known = self._bars.get(granularity, {})
        found: dict[int, tuple[Sequence[Candle], Candle]] = {}
        for start, bars in buckets.items():
            before, made = known.get(start, ((), None))
            if made is None or len(before) != len(bars) or not all(map(is_, before, bars)):
                made = combine(start, bars)
            found[start] = bars, made
        self._bars[granularity] = found
        return tuple(made for _, made in found.values())

    def _prune(self) -> None:
        excess = len(self._minutes) - self._minutes_max
        if excess <= 0:
            return
        if self._newest_s is not None:
            oldest = list(islice(self._minutes, excess))
        else:
            oldest = nsmallest(excess, self._minutes)
        for start in oldest:
            del self._minutes[start]
            self._changed.discard(start)


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
