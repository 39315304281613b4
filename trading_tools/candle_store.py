"""The newest minutes of each product, as of any offset that is not far back. Pure.

The tool server follows `market.candles`. A call names the offsets of its snapshot, and its tool
sees the records before them and nothing else, however far the server has read: so the answer does
not depend on when it runs.
"""

from collections.abc import Callable, Hashable, Mapping
from typing import Final, NamedTuple

from arena.errors import UsageError
from arena.indicators import (
    CORRECTED_MINUTES,
    Bar,
    FeatureSet,
    IndicatorSpec,
    ProductIndicators,
    bar_of,
)
from arena.indicators.bars import MINUTE_S
from arena.messages import ClosedCandle, IndicatorWindow
from arena.unknown_names import closest_first, listed

RECORDS_SEEN: Final = 4_320
"""Newest records of a product that a call sees: three days of minutes without corrections."""
RECORDS_AHEAD: Final = 480
"""Further records that are kept, for calls on earlier snapshots."""
KEPT: Final = RECORDS_SEEN + RECORDS_AHEAD
REMEMBERED_MAX: Final = 256
"""Most indicators that are remembered."""


class _Minute(NamedTuple):
    """One record: its offset, and what it says; in a market of longer bars, of one of these."""

    offset: int
    rewinds: int
    restarts: bool
    bar: Bar


def _minute(offset: int, message: ClosedCandle) -> _Minute:
    bar = bar_of(message.candle, message.granularity_s)
    return _Minute(offset, message.rewinds, message.restarts, bar)


class UnknownProduct(UsageError):
    """A product without candles."""


class CandleStore:
    """The newest records of each product, in the order of the log."""

    def __init__(self) -> None:
        """Create an empty store."""
        self._minutes: dict[str, list[_Minute]] = {}
        self._partitions: dict[str, int] = {}
        self._bar_s = MINUTE_S
        self._windows: dict[Hashable, IndicatorWindow] = {}

    def add(self, partition: int, offset: int, message: ClosedCandle) -> None:
        """Add the next record of a partition."""
        minutes = self._of(partition, message)
        minutes.append(_minute(offset, message))
        if len(minutes) >= KEPT + RECORDS_AHEAD:
            del minutes[:-KEPT]

    def add_older(self, partition: int, older: list[tuple[int, ClosedCandle]]) -> None:
        """Add records from before those of a partition, with their offsets, oldest first."""
        found: dict[str, list[_Minute]] = {}
        for offset, message in reversed(older):
            minutes = found.setdefault(message.product_id, [])
            if len(minutes) + len(self._of(partition, message)) < KEPT:
                minutes.append(_minute(offset, message))
        for product_id, minutes in found.items():
            self._minutes[product_id][:0] = minutes[::-1]

    def is_full(self, partition: int) -> bool:
        """True if every known product of a partition has as many records as are kept."""
        products = [p for p, found in self._partitions.items() if found == partition]
        return bool(products) and all(len(self._minutes[p]) >= KEPT for p in products)

    def view(self, offsets: Mapping[int, int]) -> "CandleView":
        """What a call on a snapshot sees.

        Args:
            offsets: Partition -> offset after the newest record; all records if empty.
        """
        return CandleView(self, offsets)

    def records(self, product_id: str, offsets: Mapping[int, int]) -> list[_Minute]:
        """The records of a product that a call sees, of its newest series, oldest first."""
        minutes = list(self._minutes.get(product_id, ()))
        if offsets:
            end = offsets.get(self._partitions.get(product_id, -1), 0)
            minutes = [one for one in minutes if one.offset < end]
        rewinds = max((one.rewinds for one in minutes), default=0)
        seen = [one for one in minutes[-RECORDS_SEEN:] if one.rewinds == rewinds]
        begin = max((i for i, one in enumerate(seen) if one.restarts), default=0)
        return seen[begin:]

    def remembered(self, key: Hashable, compute: Callable[[], IndicatorWindow]) -> IndicatorWindow:
        """The indicators of a key: many agents ask for the same on one snapshot."""
        found = self._windows.get(key)
        if found is None:
            if len(self._windows) >= REMEMBERED_MAX:
                self._windows.clear()
            found = self._windows[key] = compute()
        return found

    def products(self) -> list[str]:
        """The known products, sorted."""
        return sorted(self._minutes)

    @property
    def bar_s(self) -> int:
        """Length of the market's candles in seconds."""
        return self._bar_s

    def _of(self, partition: int, message: ClosedCandle) -> list[_Minute]:
        self._partitions[message.product_id] = partition
        self._bar_s = message.granularity_s
        return self._minutes.setdefault(message.product_id, [])


class CandleView:
    """Closed minutes up to the snapshot of a call; read-only.

    Args:
        store: The kept records.
        offsets: Partition of `market.candles` -> offset after the newest record of the snapshot.
    """

    def __init__(self, store: CandleStore, offsets: Mapping[int, int]) -> None:
        """Take the records, and how far the call sees."""
        self._store = store
        self._offsets = dict(offsets)

    @property
    def bar_s(self) -> int:
        """Length of the candles in seconds: a minute, unless a replay has longer bars."""
        return self._store.bar_s

    def products(self) -> tuple[str, ...]:
        """Products that have candles, sorted."""
        known = self._store.products()
        return tuple(p for p in known if self._store.records(p, self._offsets))

    def records(self, product_id: str) -> list[Bar]:
        """The newest minutes as the log has them, at most `RECORDS_SEEN`: a correction comes later.

        Raises:
            UnknownProduct: There are none; the remedy names those that there are.
        """
        found = [one.bar for one in self._store.records(product_id, self._offsets)]
        if found:
            return found
        known = self.products()
        if not known:
            raise UnknownProduct(
                "no candles yet",
                remedy="call again after the next snapshot; the connector publishes them",
            )
        names = listed(closest_first(product_id[:80], known))
        raise UnknownProduct(
            f"no candles of {product_id[:80]!r}", remedy=f"the products are {names}"
        )

    def indicators(self, product_id: str, granularity: str, spec: IndicatorSpec) -> IndicatorWindow:
        """The values of an indicator after the newest closed bar, as a snapshot has them.

        Args:
            product_id: The product.
            granularity: Not shorter than the market's candles.
            spec: The indicator.

        Raises:
            UnknownProduct: The product has no candles.
        """
        records = self.records(product_id)
        newest = self._store.records(product_id, self._offsets)[-1]
        key = (product_id, granularity, spec.text, newest.offset, len(records))

        def compute() -> IndicatorWindow:
            folded = ProductIndicators(FeatureSet({granularity: (spec,)}), self.bar_s)
            for bar in records:
                folded.take_bar(bar)
            return folded.windows()[granularity]

        return self._store.remembered(key, compute)

    def minutes(self, product_id: str) -> list[Bar]:
        """The newest candles of a product, oldest first; corrected ones as they are now.

        Prices are floats in quote units, volumes are in base units; those without a trade are
        missing.

        Raises:
            UnknownProduct: There are none; the remedy names those that there are.
        """
        found: dict[int, Bar] = {}
        newest_s = 0
        for bar in self.records(product_id):
            newest_s = max(newest_s, bar.start_s)
            if bar.start_s >= newest_s - CORRECTED_MINUTES * self.bar_s:
                found[bar.start_s] = bar
        return [found[start_s] for start_s in sorted(found)]
