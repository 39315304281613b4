"""The open orders of an agent, a part of the account fold. Pure.

Quantities are units of 10^-8, prices of 10^-18, times Unix milliseconds of venue time.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from arena.account_log import ExitRead
from arena.money import SCALE, PriceUnits, notional_units

NO_PRICE = PriceUnits(0)
STOP_TYPES = ("stop_loss", "trailing_stop")
CLOSED_REMEMBERED = 16
"""Number of closed orders that are kept per agent, to tell it what happened since its last turn."""
OPEN_ORDERS_MAX = 200
"""Most open orders of an agent, exits included."""


@dataclass(slots=True)
class OpenOrder:
    """An order that is not closed.

    Attributes:
        order_type: "limit", "stop_loss", "take_profit", "trailing_stop" or "time_exit".
        action: "buy" or "sell"; exits sell.
        quantity: Of a limit order; 0 for an exit, which sells all that is held.
        filled: Sum of the fills so far.
        step: The newest step; -1 before the first record of an exit.
        limit: The worst price of a limit order.
        trigger: Level of a stop-loss or take-profit.
        trailing_pct: Distance of a trailing stop in percent, as text; "" for other types.
        peak: The highest bid since a trailing stop was placed.
        expires_ms: When it expires; 0 for never.
        exits_ms: When a time exit fires; 0 for other types.
        parent: Order id of the entry, or id of the call, that brought an exit.
        placed_partition, placed_offset: Place of the product's newest ticker when it was placed,
            or, of a limit order, of the ticker of its newest fill.
        currency: Currency of the wallet; "" for the main account.
        turn_id, round, index, snapshot_id, source, issued_at: Of the call that placed it; `source`
            is its offset in `account.commands`.
        exits: Of a limit order: the exits that its first fill brings.
        waiting: What triggered it, as JSON, while it waits for a fresh ticker; "" otherwise.
    """

    order_id: str
    product_id: str
    order_type: str
    action: str
    quantity: int = 0
    filled: int = 0
    step: int = 0
    limit: PriceUnits = NO_PRICE
    trigger: PriceUnits = NO_PRICE
    trailing_pct: str = ""
    peak: PriceUnits = NO_PRICE
    expires_ms: int = 0
    exits_ms: int = 0
    parent: str = ""
    placed_partition: int = 0
    placed_offset: int = -1
    currency: str = ""
    turn_id: str = ""
    round: int = 0
    index: int = 0
    snapshot_id: str = ""
    source: int = -1
    issued_at: str = ""
    exits: list[ExitRead] = field(default_factory=list)
    waiting: str = ""

    @property
    def is_placed(self) -> bool:
        """False for an exit that an entry brought, before its first record."""
        return self.step >= 0

    @property
    def is_exit(self) -> bool:
        """True for an exit of a position, False for a limit order."""
        return self.order_type != "limit"

    @property
    def remaining(self) -> int:
        """What is not filled yet of a limit order."""
        return self.quantity - self.filled

    @property
    def level(self) -> PriceUnits:
        """The bid at which an exit fires, or the limit; 0 for a time exit."""
        if self.order_type == "limit":
            return self.limit
        if not self.trailing_pct:
            return self.trigger
        return trailing_level(self.peak, self.trailing_pct)


class ClosedOrder(NamedTuple):
    """How an order was closed: a limit order, an exit, or a sale after a breach.

    Attributes:
        status: "filled", "cancelled", "expired" or "rejected".
        quantity: What was filled in all.
        price: Price of the last fill; 0 without one.
        realised: Profit of the last fill in units of cash; 0 without one.
        realised_pct: The same as a share of the cost of what was sold, in 10^-8; 0 without one.
        seq: Sequence number of its last event.
        at_ms: Venue time of the ticker of its last fill; 0 without one.
    """

    order_id: str
    product_id: str
    order_type: str
    action: str
    status: str
    reason: str
    cause: str
    quantity: int
    price: int
    realised: int
    realised_pct: int
    seq: int
    at_ms: int


@dataclass(slots=True)
class AgentOrders:
    """An agent's limit orders and exits.

    Attributes:
        open: Open orders by id, in the order in which they were placed.
        closed: The newest closed ones, oldest first.
    """

    open: dict[str, OpenOrder] = field(default_factory=dict)
    closed: list[ClosedOrder] = field(default_factory=list)

    def of_product(self, product_id: str) -> Iterator[OpenOrder]:
        """The open orders of a product, in the order in which they were placed."""
        return (order for order in self.open.values() if order.product_id == product_id)

    def buy_notionals(self, currency: str) -> dict[str, int]:
        """Product -> notional of the open limit buys of an account; "" for the main account."""
        found: dict[str, int] = {}
        for order in self.open.values():
            if order.is_exit or order.action != "buy" or order.currency != currency:
                continue
            notional = notional_units(order.remaining, order.limit)
            found[order.product_id] = found.get(order.product_id, 0) + notional
        return found

    def stop_level(self, product_id: str) -> PriceUnits | None:
        """The highest level at which a stop sells the position; None without a stop."""
        stops = (one for one in self.of_product(product_id) if one.order_type in STOP_TYPES)
        return max((one.level for one in stops), default=None)


def trailing_level(peak: PriceUnits, trailing_pct: str) -> PriceUnits:
    """The bid at which a trailing stop fires: its distance below the highest bid, rounded down."""
    return PriceUnits(peak * (SCALE - pct_units(Decimal(trailing_pct))) // SCALE)


def pct_units(pct: Decimal) -> int:
    """A percentage as a share in units of 10^-8: 1 % is 10^6."""
    return int(pct.scaleb(6))
