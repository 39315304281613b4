"""Equity over time: every agent's equity at each snapshot, from the logs alone. Pure.

A fill counts at a snapshot if it was priced no later than the snapshot's venue time and answers an
earlier snapshot. Fills of an agent count in the order of the log. Positions are marked at the bids
of the snapshot. So the curve depends on the content of the topics and not on the order in which
they were read.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate, islice
from operator import truediv
from typing import TypeVar

from arena.account_state import Position
from arena.messages import MarketSnapshot
from arena.money import PriceUnits, notional_units, price_or_none

SNAPSHOTS_WINDOW = 1_440
"""Newest snapshots that are kept: a day of them at one per minute."""
FILLS_KEPT = 4_096
"""Newest fills kept per agent; earlier snapshots have no equity."""

Kept = TypeVar("Kept")
Value = tuple[int, int | None]
"""Venue time in Unix milliseconds, and equity in units of 10^-8."""


TRACED = ("ema_20", "bollinger_upper_20_2", "bollinger_lower_20_2", "rsi_14")
"""The indicators whose values at each kept snapshot are kept, of the finest granularity."""


@dataclass(frozen=True, slots=True)
class Point:
    """The bids of a snapshot, and the values of `TRACED`; times are Unix milliseconds."""

    offset: int
    snapshot_id: str
    as_of_ms: int
    published_ms: int
    bids: dict[str, PriceUnits]
    traced: dict[str, tuple[float | None, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CurveFill:
    """An agent's account after a fill: cash, and the quantity and cost of one product."""

    snapshot_id: str
    priced_ms: int
    product_id: str
    quantity: int
    cost: int
    cash: int


class Snapshots:
    """The newest `SNAPSHOTS_WINDOW` snapshots, in the order of the topic.

    Attributes:
        points: The snapshots, oldest first.
        added: Number of snapshots ever added.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.points: deque[Point] = deque()
        self.added = 0
        self._as_of_ms: dict[str, int] = {}

    def add(self, offset: int, snapshot: MarketSnapshot) -> None:
        """Add a snapshot; bids of products that it lacks are carried forward."""
        bids = dict(self.points[-1].bids) if self.points else {}
        for view in snapshot.products:
            bid = None if view.ticker is None else price_or_none(view.ticker.best_bid)
            if bid is not None:
                bids[view.product_id] = bid
        as_of_ms = int(snapshot.as_of.timestamp() * 1000)
        published_ms = int(snapshot.published_at.timestamp() * 1000)
        traced = {
            view.product_id: tuple(finest.values.get(name) for name in TRACED)
            for view in snapshot.products
            if (finest := next(iter(view.indicators.values()), None)) is not None
        }
        self.add_point(Point(offset, snapshot.snapshot_id, as_of_ms, published_ms, bids, traced))

    def add_point(self, point: Point) -> None:
        """Add a point, and drop those that leave the window."""
        self.points.append(point)
        self._as_of_ms[point.snapshot_id] = point.as_of_ms
        self.added += 1
        while self.points[0].offset <= point.offset - SNAPSHOTS_WINDOW:
            self._as_of_ms.pop(self.points.popleft().snapshot_id, None)

    def after(self, snapshot_id: str) -> int:
        """The first millisecond of venue time after a snapshot; 0 if it is not kept."""
        as_of_ms = self._as_of_ms.get(snapshot_id)
        return 0 if as_of_ms is None else as_of_ms + 1

    def holds(self, snapshot_id: str) -> bool:
        """True if the snapshot is kept."""
        return snapshot_id in self._as_of_ms


@dataclass(slots=True)
class Holdings:
    """Cash and positions of one agent."""

    cash: int
    positions: dict[str, Position] = field(default_factory=dict)

    def apply(self, fill: CurveFill) -> None:
        """Update them to their state after a fill."""
        self.cash = fill.cash
        if fill.quantity:
            self.positions[fill.product_id] = Position(fill.quantity, fill.cost)
        else:
            self.positions.pop(fill.product_id, None)

    def equity(self, bids: dict[str, PriceUnits]) -> int:
        """Cash and positions at the bid; a position without a bid at its cost."""
        value = self.cash
        for product_id, position in self.positions.items():
            bid = bids.get(product_id)
            value += position.cost if bid is None else notional_units(position.quantity, bid)
        return value

    def copy(self) -> "Holdings":
        """An independent copy."""
        return Holdings(self.cash, dict(self.positions))


class EquityCurve:
    """One agent's equity at each of the newest snapshots.

    Values are computed on demand and cached; a fill that belongs before a snapshot that is already
    valued restarts the computation.

    Attributes:
        opened_ms: Wall time at which the account was opened, Unix milliseconds.
        fills: The newest fills, oldest first.
        added: Number of fills that were added in this process.
        base: Holdings before these fills.
        base_ms: Newest venue time of a fill before them, Unix milliseconds.
        base_snapshot: Snapshot that the last fill before them answers.
    """

    def __init__(self, opening: int, opened_ms: int) -> None:
        """Start with the opening cash of an account, at a wall time in Unix milliseconds."""
        self.opened_ms = opened_ms
        self.fills: deque[CurveFill] = deque()
        self.added = 0
        self.base = Holdings(opening)
        self.base_ms = 0
        self.base_snapshot = ""
        self._restart()

    @classmethod
    def restored(
        cls,
        opened_ms: int,
        fills: Iterable[CurveFill],
        base: Holdings,
        base_ms: int,
        base_snapshot: str,
    ) -> "EquityCurve":
        """The curve with these attributes, from a checkpoint."""
        curve = cls(0, opened_ms)
        curve.fills.extend(fills)
        curve.base, curve.base_ms, curve.base_snapshot = base, base_ms, base_snapshot
        curve._restart()
        return curve

    def _restart(self) -> None:
        self._values: list[Value] = []
        self._valued = 0
        self._now = self.base.copy()
        self._applied = 0
        self._newest_ms = 0
        self._guessed: set[str] = set()

    def add(self, fill: CurveFill) -> None:
        """Add the agent's next fill, in the order of the log."""
        self.fills.append(fill)
        self.added += 1
        if len(self.fills) > FILLS_KEPT:
            oldest = self.fills.popleft()
            self.base.apply(oldest)
            self.base_ms = max(self.base_ms, oldest.priced_ms)
            self.base_snapshot = oldest.snapshot_id
            if self._applied:
                self._applied -= 1
            else:
                self._restart()

    def values(self, snapshots: Snapshots) -> list[Value]:
        """Venue time in Unix milliseconds and equity of each kept snapshot; do not change it.

        Equity is None before the account was opened and before the oldest kept fill.
        """
        if self._must_restart(snapshots):
            self._restart()
        new = self._new_points(snapshots)
        self._values += [(point.as_of_ms, self._value_at(point, snapshots)) for point in new]
        self._valued = snapshots.added
        del self._values[: len(self._values) - len(snapshots.points)]
        known_from = max(self.base_ms, snapshots.after(self.base_snapshot))
        for index, (ms, _) in enumerate(self._values):
            if ms >= known_from:
                break
            self._values[index] = (ms, None)
        return self._values

    def _new_points(self, snapshots: Snapshots) -> list[Point]:
        count = min(snapshots.added - self._valued, len(snapshots.points))
        return list(islice(reversed(snapshots.points), count))[::-1]

    def _must_restart(self, snapshots: Snapshots) -> bool:
        """True if a fill was, or would be, counted at another snapshot than the logs require."""
        if len(self._guessed) > FILLS_KEPT:
            return True
        if any(p.snapshot_id in self._guessed for p in self._new_points(snapshots)):
            return True
        if self._applied >= len(self.fills):
            return False
        return self._counts_from(self.fills[self._applied], snapshots) <= self._newest_ms

    def _counts_from(self, fill: CurveFill, snapshots: Snapshots) -> int:
        return max(fill.priced_ms, snapshots.after(fill.snapshot_id))

    def _value_at(self, point: Point, snapshots: Snapshots) -> int | None:
        self._newest_ms = max(self._newest_ms, point.as_of_ms)
        while self._applied < len(self.fills):
            fill = self.fills[self._applied]
            if self._counts_from(fill, snapshots) > point.as_of_ms:
                break
            if not snapshots.holds(fill.snapshot_id):
                self._guessed.add(fill.snapshot_id)
            self._now.apply(fill)
            self._applied += 1
        if point.published_ms < self.opened_ms:
            return None
        return self._now.equity(point.bids)


def thin(values: list[Kept], first: int, points_max: int) -> list[Kept]:
    """At most about `points_max` of the values, always with the last one.

    Every 2nd, 4th, 8th, ... offset is kept, so that the choice is the same for every reader and a
    curve does not flicker as it grows.

    Args:
        values: A value for each kept snapshot.
        first: Offset of the snapshot of the first value.
        points_max: Approximate number of values to keep.
    """
    stride = 1
    while len(values) // stride > points_max:
        stride *= 2
    chosen = values[-first % stride :: stride]
    return chosen if stride == 1 else [*chosen, values[-1]]


def max_drawdown(values: list[Value]) -> tuple[int, int] | None:
    """The largest loss from a high, as a share of that high: the loss, and the high.

    Args:
        values: Values; None without a known one.
    """
    known = [value for _, value in values if value is not None]
    if not known:
        return None
    highs = [*accumulate(known, max, initial=1)][1:]
    left = [*map(truediv, known, highs)]
    lowest = left.index(min(left))
    return highs[lowest] - known[lowest], highs[lowest]


def value_before(values: list[Value], venue_ms: int) -> int | None:
    """The newest known equity at or before a venue time, else the oldest known."""
    index = bisect_right(values, venue_ms, key=lambda pair: pair[0])
    for _, value in reversed(values[:index]):
        if value is not None:
            return value
    return next((v for _, v in values if v is not None), None)
