"""Ticks folded to the venue's public data: tickers, trades, candles. Pure.

Time moves only by `advance`; sequence numbers and trade ids only grow. Candles and trades are
bounded; older ones are dropped, as on the venue.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from connectors.simulator.hidden_future import HiddenFuture
from connectors.simulator.noise import Noise
from connectors.simulator.price_path import (
    MINUTE_S,
    STEPS,
    PricePath,
    Tick,
    Trade,
    WholeBar,
    step_of_bar,
)

DAY_S: Final = 86_400
BARS_MAX: Final = 10_080
"""A week of minutes."""
TRADES_MAX: Final = 1_000
FIRST_TRADE_ID: Final = 1_000_000


@dataclass(slots=True)
class Bar:
    """The trades of one bar."""

    low: Decimal
    high: Decimal
    open: Decimal
    close: Decimal
    volume: Decimal

    def add(self, price: Decimal, size: Decimal) -> None:
        """Fold one trade."""
        self.low, self.high = min(self.low, price), max(self.high, price)
        self.close = price
        self.volume += size


@dataclass(frozen=True, slots=True)
class Print:
    """One trade as the venue reports it."""

    trade_id: int
    sequence: int
    at: datetime
    trade: Trade


@dataclass(slots=True)
class ProductState:
    """The state of one product.

    Attributes:
        price_path: Source of its prices.
        noise: Steps of its sequence numbers.
        sequence: Newest sequence number.
        trade_id: Newest trade id.
        status: Its status in the list of products.
        modes: The flags that are on in that list.
        terms: Fields of that list that a fault has changed; None is sent as null.
        unlisted: True if that list omits it.
        tick: Newest quotes, or None before the first tick.
        bar_s: Length of the market's bars in seconds.
        bars: Start of the bar in Unix seconds -> bar, oldest first.
        prints: Newest trades, oldest first.
        volume_24h: Base units traded in the last 24 hours and the open minute; if bars are longer,
            in those that begin in the 24 hours before the newest one ends.
        day_edge_s: Unix seconds of the first bar in `volume_24h`.
        bars_max: Most bars that are kept.
        changed: True from a trade until its ticker was sent.
        steps_due: Steps of whole bars since `settle`.
    """

    price_path: PricePath
    noise: Noise
    sequence: int
    trade_id: int = FIRST_TRADE_ID
    status: str = "online"
    modes: tuple[str, ...] = ()
    terms: dict[str, str | None] = field(default_factory=dict)
    unlisted: bool = False
    tick: Tick | None = None
    bar_s: int = MINUTE_S
    bars: OrderedDict[int, Bar] = field(default_factory=OrderedDict)
    prints: deque[Print] = field(default_factory=lambda: deque(maxlen=TRADES_MAX))
    volume_24h: Decimal = Decimal(0)
    day_edge_s: int = 0
    bars_max: int = BARS_MAX
    changed: bool = False
    steps_due: int = 0

    @property
    def live(self) -> bool:
        """True if the feed sends it."""
        return self.status == "online" and not self.unlisted

    def fold(self, tick: Tick, at_s: int) -> None:
        """Fold one tick at a venue time in Unix seconds."""
        self.tick = tick
        self.sequence += self.noise.between(3, 60)
        if tick.trade is None:
            return
        self.changed = True
        self.trade_id += 1
        price, size = tick.trade.price, tick.trade.size
        start = at_s - at_s % self.bar_s
        bar = self.bars.get(start)
        if bar is None:
            self.bars[start] = Bar(price, price, price, price, size)
            self._forget(start)
        else:
            bar.add(price, size)
        self.volume_24h += size
        at = datetime.fromtimestamp(at_s, UTC)
        self.prints.append(Print(self.trade_id, self.sequence, at, tick.trade))

    def fold_bar(self, bar: WholeBar, start_s: int) -> None:
        """Fold all steps of a bar that starts at a venue time, as `fold` would one by one.

        Tick, sequence number and prints follow with `settle`.
        """
        self.steps_due += STEPS
        if bar.trades is None:
            return
        open_, high, low, close, volume = bar.trades
        self.changed = True
        self.trade_id += bar.count
        self.bars[start_s] = Bar(low, high, open_, close, volume)
        self._forget(start_s)
        self.volume_24h += volume

    def settle(self, step_s: int) -> None:
        """Note the last tick of the whole bars that were folded.

        Args:
            step_s: Unix seconds at which its step began.
        """
        tick, steps = self.price_path.last, self.steps_due
        self.steps_due = 0
        if tick is None or not steps:
            return
        self.sequence += self.noise.sum_between(3, 60, steps)
        if not self.changed:
            self.tick = replace(tick, trade=None)
            return
        self.tick = tick
        if tick.trade is not None:
            at = datetime.fromtimestamp(step_s, UTC)
            self.prints.append(Print(self.trade_id, self.sequence, at, tick.trade))

    def _forget(self, start: int) -> None:
        edge = start - DAY_S
        if self.bar_s != MINUTE_S:
            edge += self.bar_s
        while self.day_edge_s < edge:
            gone = self.bars.get(self.day_edge_s)
            if gone is not None:
                self.volume_24h -= gone.volume
            self.day_edge_s += self.bar_s
        while len(self.bars) > self.bars_max:
            self.bars.popitem(last=False)


class SimulatedMarket:
    """All products at one venue time.

    Args:
        price_paths: Sources of the prices, one per product.
        start_s: Unix seconds at which the prices begin, a multiple of a bar.
        end_s: Unix seconds at which they end, or None.
        seed: Seed of the steps of the sequence numbers.
        bar_s: Length of the bars in seconds, that of the price paths.
        bars_max: Most bars that are kept.

    Attributes:
        now_s: Venue time, Unix seconds.
        bar_s: Length of the bars in seconds.
        step_s: Venue seconds per step.
        end_s: Unix seconds at which the prices end, or None.
        products: Product id -> its state.
    """

    def __init__(
        self,
        price_paths: Iterable[PricePath],
        *,
        start_s: int,
        end_s: int | None = None,
        seed: int = 0,
        bar_s: int = MINUTE_S,
        bars_max: int = BARS_MAX,
    ) -> None:
        """Create the market at `start_s`, without trades."""
        self.now_s = start_s
        self.bar_s = bar_s
        self.step_s = step_of_bar(bar_s)
        self.end_s = end_s
        self.products = {
            price_path.product.product_id: ProductState(
                price_path,
                Noise(seed, "sequence", price_path.product.product_id),
                sequence=start_s * 10,
                day_edge_s=start_s,
                bar_s=bar_s,
                bars_max=bars_max,
            )
            for price_path in price_paths
        }

    @property
    def ended(self) -> bool:
        """True if the prices have ended."""
        return self.end_s is not None and self.now_s >= self.end_s

    def advance(self, to_s: int) -> None:
        """Play every step that has ended by a venue time in Unix seconds."""
        if self.end_s is not None:
            to_s = min(to_s, self.end_s)
        while self.now_s + self.step_s <= to_s:
            for state in self.products.values():
                tick = state.price_path.step(self.now_s)
                if tick is not None:
                    state.fold(tick, self.now_s)
            self.now_s += self.step_s

    def hide_from(self, at_s: int) -> None:
        """Hide the prices of all products from a venue time in Unix seconds on."""
        for state in self.products.values():
            state.price_path = HiddenFuture(state.price_path, at_s)

    def price_24h_ago(self, product_id: str) -> Decimal:
        """Open of the oldest bar of the last 24 hours."""
        state = self.products[product_id]
        edge = self.now_s - DAY_S
        oldest = next(iter(state.bars), self.now_s)
        for start in range(max(oldest, edge + -edge % self.bar_s), self.now_s, self.bar_s):
            if (bar := state.bars.get(start)) is not None:
                return bar.open
        return state.price_path.product.price

    def candles(
        self, product_id: str, granularity_s: int, start_s: int, end_s: int
    ) -> list[tuple[int, Bar]]:
        """Bars that start between `start_s` and `end_s`, both inclusive, newest first.

        The bucket that is still open is included; buckets without trades are not.
        """
        bars: dict[int, Bar] = {}
        known, bar_s = self.products[product_id].bars, self.bar_s
        first = start_s - start_s % bar_s
        for start in range(first, min(end_s + granularity_s, self.now_s + bar_s), bar_s):
            bar = known.get(start)
            bucket = start - start % granularity_s
            if bar is None or not start_s <= bucket <= end_s:
                continue
            whole = bars.get(bucket)
            if whole is None:
                bars[bucket] = Bar(bar.low, bar.high, bar.open, bar.close, bar.volume)
            else:
                whole.low, whole.high = min(whole.low, bar.low), max(whole.high, bar.high)
                whole.close = bar.close
                whole.volume += bar.volume
        return sorted(bars.items(), reverse=True)
