"""What every source of prices gives the market: one tick per product and step of venue time."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, Protocol

from connectors.exchange.listing import Listed

STEP_S: Final = 5
"""Venue seconds per step: the cadence of `ticker_batch`."""


@dataclass(frozen=True, slots=True)
class Trade:
    """A trade: base units at a price, and who crossed the spread."""

    price: Decimal
    size: Decimal
    taker_side: Literal["buy", "sell"]


@dataclass(frozen=True, slots=True)
class Tick:
    """Quotes after a step, and the trade made in it, if any."""

    bid: Decimal
    ask: Decimal
    bid_size: Decimal
    ask_size: Decimal
    trade: Trade | None


class Tape(Protocol):
    """Prices of one product, step by step."""

    @property
    def product(self) -> Listed:
        """What it is the tape of."""
        ...

    def step(self, at_s: int) -> Tick | None:
        """The tick of the step that starts at a venue time; None where nothing is known.

        Args:
            at_s: Unix seconds, a multiple of `STEP_S`; later with each call.
        """
        ...

    def knows(self, at_s: int) -> bool:
        """True where the source tells of the minute that a venue time lies in."""
        ...
