"""Finds the open orders that a price triggers, without looking at the others. Pure.

Per product one heap for each direction in which a price can reach an order. A ticker that triggers
none compares the top of each heap with the price. Trailing stops are kept in groups with one
highest bid: a new high merges the groups below it, so a rising price costs no work per order.

An order that was closed stays in a heap until it reaches the top: `is_open` says whether it counts.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from heapq import heappop, heappush

from arena.money import PriceUnits
from arena.open_orders import NO_PRICE, OpenOrder, pct_units, trailing_level

OrderKey = tuple[str, str]
"""Agent and order id."""
Entry = tuple[int, OrderKey]
Triggered = tuple[OrderKey, PriceUnits]
"""An order, and the price that it was triggered at."""
IsOpen = Callable[[OrderKey], bool]


@dataclass(slots=True)
class _TrailingGroup:
    """Trailing stops with the same highest bid, the shortest distance first."""

    peak: PriceUnits
    members: list[tuple[int, OrderKey, str]] = field(default_factory=list)
    level: PriceUnits = NO_PRICE

    def update_level(self) -> None:
        """Compute the bid at which the first member fires."""
        self.level = NO_PRICE
        if self.members:
            self.level = trailing_level(self.peak, self.members[0][2])


@dataclass(slots=True)
class ProductTriggers:
    """The open orders of one product, by the price that triggers them.

    Attributes:
        falls: Stop-losses: the highest level first, fire at a bid at or below it.
        rises: Take-profits: the lowest level first, fire at a bid at or above it.
        buys: Limit buys: the highest limit first, fill at an ask below it.
        sells: Limit sells: the lowest limit first, fill at a bid above it.
        trailing: Groups of trailing stops, the highest peak first.
    """

    falls: list[Entry] = field(default_factory=list)
    rises: list[Entry] = field(default_factory=list)
    buys: list[Entry] = field(default_factory=list)
    sells: list[Entry] = field(default_factory=list)
    trailing: list[_TrailingGroup] = field(default_factory=list)

    def add(self, key: OrderKey, order: OpenOrder) -> None:
        """Add an order that was placed; a time exit has no price and is not added."""
        if order.order_type == "stop_loss":
            heappush(self.falls, (-order.trigger, key))
        elif order.order_type == "take_profit":
            heappush(self.rises, (order.trigger, key))
        elif order.order_type == "trailing_stop":
            self._add_trailing(key, order)
        elif order.order_type == "limit" and order.action == "buy":
            heappush(self.buys, (-order.limit, key))
        elif order.order_type == "limit":
            heappush(self.sells, (order.limit, key))

    def _add_trailing(self, key: OrderKey, order: OpenOrder) -> None:
        place = len(self.trailing)
        while place and self.trailing[place - 1].peak < order.peak:
            place -= 1
        if not place or self.trailing[place - 1].peak != order.peak:
            self.trailing.insert(place, _TrailingGroup(order.peak))
            place += 1
        group = self.trailing[place - 1]
        distance = pct_units(Decimal(order.trailing_pct))
        heappush(group.members, (distance, key, order.trailing_pct))
        group.update_level()

    def triggered(self, bid: PriceUnits, ask: PriceUnits, is_open: IsOpen) -> list[Triggered]:
        """The orders that these prices trigger, with the level reached; they are removed.

        Args:
            bid: The best bid.
            ask: The best ask.
            is_open: Says whether an order is still open.
        """
        found: list[Triggered] = []
        if self.falls and bid <= -self.falls[0][0]:
            _take(self.falls, lambda level: bid <= -level, is_open, found)
        if self.rises and bid >= self.rises[0][0]:
            _take(self.rises, lambda level: bid >= level, is_open, found)
        if self.buys and ask < -self.buys[0][0]:
            _take(self.buys, lambda limit: ask < -limit, is_open, found)
        if self.sells and bid > self.sells[0][0]:
            _take(self.sells, lambda limit: bid > limit, is_open, found)
        if self.trailing:
            self._trail(bid, is_open, found)
        return found

    def _trail(self, bid: PriceUnits, is_open: IsOpen, found: list[Triggered]) -> None:
        groups = self.trailing
        if groups[-1].peak < bid:
            self._merge_below(bid)
        if all(bid > group.level for group in groups):
            return
        for group in groups:
            while group.members and bid <= group.level:
                key = heappop(group.members)[1]
                if is_open(key):
                    found.append((key, group.level))
                group.update_level()
        self.trailing = [group for group in groups if group.members]

    def _merge_below(self, bid: PriceUnits) -> None:
        """Merge the groups whose peak is below a new high; the largest keeps its heap."""
        groups = self.trailing
        merged = groups.pop()
        while groups and groups[-1].peak <= bid:
            other = groups.pop()
            small, large = sorted((merged, other), key=lambda one: len(one.members))
            for member in small.members:
                heappush(large.members, member)
            merged = large
        merged.peak = bid
        merged.update_level()
        groups.append(merged)

    def peaks(self) -> Iterable[tuple[OrderKey, PriceUnits]]:
        """Each trailing stop with the highest bid since it was placed; also closed ones."""
        return ((key, group.peak) for group in self.trailing for _, key, _ in group.members)

    def is_empty(self) -> bool:
        """True if no order is left."""
        return not (self.falls or self.rises or self.buys or self.sells or self.trailing)


def _take(
    heap: list[Entry], reached: Callable[[int], bool], is_open: IsOpen, found: list[Triggered]
) -> None:
    while heap and reached(heap[0][0]):
        level, key = heappop(heap)
        if is_open(key):
            found.append((key, PriceUnits(abs(level))))
