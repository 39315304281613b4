"""The fields of an order's record that a plain market order does not have, as JSON values. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from arena.account_log import ExitRead
from arena.messages import OrderType
from arena.money import PriceUnits, price_text
from arena.wire import utc_text
from trading_tools.quotes import Quote

Json = dict[str, Any]  # Any: JSON values, in the order of the message's fields


@dataclass(frozen=True, slots=True)
class StepDetails:
    """What the record of a step has besides the outcome; see `arena.messages.OrderDecided`.

    Attributes:
        terms: `OrderTerms` as JSON.
        exits: Each an `ExitRequested` as JSON.
        filled_quantity: Sum of all fills so far as text.
        trigger: `Trigger` as JSON.
        risk: `RiskVerdict` as JSON.
        venue_at: Venue time, if the step depends on it.
    """

    step: int = 0
    order_type: OrderType = "market"
    terms: Json | None = None
    exits: tuple[Json, ...] = ()
    filled_quantity: str | None = None
    trigger: Json | None = None
    cause: str = ""
    by_call: str = ""
    risk: Json | None = None
    venue_at: datetime | None = None

    def fields(self) -> Json:
        """The fields as JSON; those with their default are omitted."""
        found: Json = {}
        if self.step:
            found["step"] = self.step
        if self.order_type != "market":
            found["order_type"] = self.order_type
        if self.terms is not None:
            found["terms"] = self.terms
        if self.exits:
            found["exits"] = list(self.exits)
        if self.filled_quantity is not None:
            found["filled_quantity"] = self.filled_quantity
        if self.trigger is not None:
            found["trigger"] = self.trigger
        if self.cause:
            found["cause"] = self.cause
        if self.by_call:
            found["by_call"] = self.by_call
        if self.risk is not None:
            found["risk"] = self.risk
        if self.venue_at is not None:
            found["venue_at"] = utc_text(self.venue_at)
        return found


MARKET_ORDER = StepDetails()
"""The details of a market order of an account without limits: its record has none of the fields."""


def trigger_of(quote: Quote, level: PriceUnits) -> Json:
    """The ticker that met a condition as JSON.

    Args:
        quote: The ticker.
        level: The price that it reached; 0 for a time exit.
    """
    return {
        "partition": quote.partition,
        "offset": quote.offset,
        "bid": quote.bid_text,
        "ask": quote.ask_text,
        **({"level": price_text(level)} if level else {}),
        "event_time": utc_text(quote.event_time),
    }


def exit_json(wanted: ExitRead) -> Json:
    """An exit that an entry brings, as JSON without empty fields."""
    found: Json = {"order_id": wanted.order_id, "order_type": wanted.order_type}
    if wanted.trigger_price is not None:
        found["trigger_price"] = wanted.trigger_price
    if wanted.trailing_pct is not None:
        found["trailing_pct"] = wanted.trailing_pct
    if wanted.exits_at is not None:
        found["exits_at"] = wanted.exits_at
    if wanted.exit_after_s is not None:
        found["exit_after_s"] = wanted.exit_after_s
    return found
