"""The interface of every price source: one tick per product and step of venue time.

A bar is played in `STEPS` steps, whatever its length: five seconds in a market of minutes.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, Protocol

from arena.granularities import GRANULARITIES, MINUTE
from connectors.simulator.listing import ListedProduct

MINUTE_S: Final = GRANULARITIES[MINUTE]
STEPS: Final = 12
"""Steps of a bar."""
STEP_S: Final = MINUTE_S // STEPS
"""Venue seconds per step in a market of minutes: the cadence of `ticker_batch`."""


def step_of_bar(bar_s: int) -> int:
    """Venue seconds per step in a market of bars of a length in seconds."""
    return bar_s // STEPS


@dataclass(frozen=True, slots=True)
class Trade:
    """A trade: base units at a price, and the side that crossed the spread."""

    price: Decimal
    size: Decimal
    taker_side: Literal["buy", "sell"]


@dataclass(frozen=True, slots=True)
class Tick:
    """Quotes after a step, and the trade in that step, if any."""

    bid: Decimal
    ask: Decimal
    bid_size: Decimal
    ask_size: Decimal
    trade: Trade | None


@dataclass(frozen=True, slots=True)
class WholeBar:
    """All steps of a bar at once.

    Attributes:
        trades: Open, high, low and close, and the volume as the steps sum it; None if no step
            trades.
        low: Lower bound of the middle of bid and ask in any of its steps.
        high: Upper bound of the same.
        distance: Upper bound of how far a price is from that middle.
        mid: Last middle, rounded; 0 if all quotes are those of the bar before and no step trades.
        count: Number of steps that trade.
    """

    trades: tuple[Decimal, Decimal, Decimal, Decimal, Decimal] | None = None
    low: float = 0.0
    high: float = 0.0
    distance: float = 0.0
    mid: float = 0.0
    count: int = 0

    @property
    def is_quiet(self) -> bool:
        """True if nothing happens in it."""
        return not self.mid


class PricePath(Protocol):
    """Prices of one product, step by step."""

    @property
    def product(self) -> ListedProduct:
        """The product that is priced."""
        ...

    def step(self, at_s: int) -> Tick | None:
        """The tick of the step that starts at a venue time; None before the first price.

        Args:
            at_s: Unix seconds, a multiple of the step, increasing from call to call.
        """
        ...

    def open_tick(self, at_s: int) -> Tick | None:
        """The quotes, and the price if it trades, with which the bar at a venue time begins.

        Nothing in it depends on what happens later in the bar; the trade's size is 0, because it
        counts when the step is played.

        Args:
            at_s: Unix seconds, a multiple of the bar's length: the time of the next step.

        Returns:
            None if the source has no price for the start of the bar.
        """
        ...

    def whole_bar(self, at_s: int) -> WholeBar | None:
        """What all steps of the bar that starts at a venue time give together.

        Unless it is quiet, its last step trades or moves the quotes.

        Returns:
            None if its steps must be played one by one.
        """
        ...

    def take_bar(self, at_s: int, bar: WholeBar) -> None:
        """Move on by the bar that `whole_bar` gave, as its steps would."""
        ...

    @property
    def last(self) -> Tick | None:
        """The tick of the last step of the newest whole bar; None before the first.

        If that step does not trade, the newest trade of the whole bars.
        """
        ...

    def has_bar(self, at_s: int) -> bool:
        """True if the source has prices for the bar that contains a venue time."""
        ...
