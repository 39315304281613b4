"""Ticks folded to what the venue shows: tickers, trades, minute candles. Pure.

Time moves only by `advance`; sequence numbers and trade ids only grow. Candles and trades are
bounded; what is older is gone, as on the venue.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from connectors.exchange.noise import Noise
from connectors.exchange.tape import STEP_S, Tape, Tick, Trade

MINUTE_S: Final = 60
DAY_S: Final = 86_400
MINUTES_MAX: Final = 10_080
"""A week of minutes."""
TRADES_MAX: Final = 1_000
FIRST_TRADE_ID: Final = 1_000_000


@dataclass(slots=True)
class Bar:
    """One minute of trades."""

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
    """One trade as the venue tells of it."""

    trade_id: int
    sequence: int
    at: datetime
    trade: Trade


@dataclass(slots=True)
class Book:
    """Everything about one product.

    Attributes:
        minutes: Start of the minute -> bar, oldest first.
        changed: True from a trade until its ticker was sent.
        status, modes, terms: What the list of products says of it; terms by their names there.
        unlisted: True if that list leaves it out.
    """

    tape: Tape
    noise: Noise
    sequence: int
    trade_id: int = FIRST_TRADE_ID
    status: str = "online"
    modes: tuple[str, ...] = ()
    terms: dict[str, str | None] = field(default_factory=dict)
    unlisted: bool = False
    tick: Tick | None = None
    minutes: dict[int, Bar] = field(default_factory=dict)
    prints: deque[Print] = field(default_factory=lambda: deque(maxlen=TRADES_MAX))
    volume_24h: Decimal = Decimal(0)
    day_edge_s: int = 0
    changed: bool = False

    @property
    def live(self) -> bool:
        """True if the feed has it."""
        return self.status == "online" and not self.unlisted

    def fold(self, tick: Tick, at_s: int) -> None:
        """Take over one tick."""
        self.tick = tick
        self.sequence += self.noise.between(3, 60)
        if tick.trade is None:
            return
        self.changed = True
        self.trade_id += 1
        price, size = tick.trade.price, tick.trade.size
        minute = at_s - at_s % MINUTE_S
        bar = self.minutes.get(minute)
        if bar is None:
            self.minutes[minute] = Bar(price, price, price, price, size)
            self._forget(minute)
        else:
            bar.add(price, size)
        self.volume_24h += size
        at = datetime.fromtimestamp(at_s, UTC)
        self.prints.append(Print(self.trade_id, self.sequence, at, tick.trade))

    def _forget(self, minute: int) -> None:
        edge = minute - DAY_S
        while self.day_edge_s < edge:
            gone = self.minutes.get(self.day_edge_s)
            if gone is not None:
                self.volume_24h -= gone.volume
            self.day_edge_s += MINUTE_S
        while len(self.minutes) > MINUTES_MAX:
            del self.minutes[next(iter(self.minutes))]


class Market:
    """All products at one venue time.

    Args:
        tapes: Where the prices come from.
        start_s: Unix seconds at which the tapes begin, a multiple of a minute.
        end_s: Unix seconds at which they end, or None.
        seed: Of the steps of the sequence numbers.
    """

    def __init__(
        self, tapes: Iterable[Tape], *, start_s: int, end_s: int | None = None, seed: int = 0
    ) -> None:
        """Nothing has traded yet."""
        self.now_s = start_s
        self.end_s = end_s
        self.books = {
            tape.product.product_id: Book(
                tape,
                Noise(seed, "sequence", tape.product.product_id),
                sequence=start_s * 10,
                day_edge_s=start_s,
            )
            for tape in tapes
        }

    @property
    def ended(self) -> bool:
        """True where the tapes have no more to tell."""
        return self.end_s is not None and self.now_s >= self.end_s

    def advance(self, to_s: int) -> None:
        """Play every step that has begun by a venue time."""
        if self.end_s is not None:
            to_s = min(to_s, self.end_s)
        while self.now_s + STEP_S <= to_s:
            for book in self.books.values():
                tick = book.tape.step(self.now_s)
                if tick is not None:
                    book.fold(tick, self.now_s)
            self.now_s += STEP_S

    def price_24h_ago(self, product_id: str) -> Decimal:
        """Open of the oldest minute of the last 24 hours."""
        book = self.books[product_id]
        edge = self.now_s - DAY_S
        oldest = next(iter(book.minutes), self.now_s)
        for minute in range(max(oldest, edge + -edge % MINUTE_S), self.now_s, MINUTE_S):
            if (bar := book.minutes.get(minute)) is not None:
                return bar.open
        return book.tape.product.price

    def candles(
        self, product_id: str, granularity_s: int, start_s: int, end_s: int
    ) -> list[tuple[int, Bar]]:
        """Bars whose start lies between the ends, both included, newest first.

        The bucket that is still open is among them; one without trades is not.
        """
        bars: dict[int, Bar] = {}
        minutes = self.books[product_id].minutes
        first = start_s - start_s % MINUTE_S
        for minute in range(first, min(end_s + granularity_s, self.now_s + MINUTE_S), MINUTE_S):
            bar = minutes.get(minute)
            bucket = minute - minute % granularity_s
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
