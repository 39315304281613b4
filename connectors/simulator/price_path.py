"""The interface of every price source: one tick per product and step of venue time."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, Protocol

from connectors.simulator.listing import ListedProduct

STEP_S: Final = 5
"""Venue seconds per step: the cadence of `ticker_batch`."""


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


class PricePath(Protocol):
    """Prices of one product, step by step."""

    @property
    def product(self) -> ListedProduct:
        """The product that is priced."""
        ...

    def step(self, at_s: int) -> Tick | None:
        """The tick of the step that starts at a venue time; None before the first price.

        Args:
            at_s: Unix seconds, a multiple of `STEP_S`, increasing from call to call.
        """
        ...

    def has_minute(self, at_s: int) -> bool:
        """True if the source has prices for the minute that contains a venue time."""
        ...
