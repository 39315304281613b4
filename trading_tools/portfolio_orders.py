"""An agent's limit orders and exits, for programs and for models: open and newest closed ones.

Pure. Distances are from the newest bid to the order's level, in percent of the bid.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from pydantic import JsonValue

from arena.money import PriceUnits, from_units, price_text, to_digits, units_text
from arena.open_orders import AgentOrders, ClosedOrder, OpenOrder
from trading_tools.quotes import Quote

ORDERS_SHOWN_MAX = 30
"""Most open orders in a portfolio; `list_orders` shows all of them."""
CLOSED_SHOWN_MAX = 4
"""Most closed orders in the text for a model."""
ORDER_NAMES: Mapping[str, str] = {
    "limit": "limit order",
    "stop_loss": "stop-loss",
    "take_profit": "take-profit",
    "trailing_stop": "trailing stop",
    "time_exit": "time exit",
}
"""`arena.messages.orders.OrderType` -> what a trader calls it."""


@dataclass(frozen=True, slots=True)
class OrderView:
    """An open order at the newest prices.

    Attributes:
        quantity: What is not filled yet of a limit order; None for an exit, which sells all.
        level: The limit, or the bid at which an exit fires; None for a time exit.
        distance_pct: From the bid to the level, with two decimals; None without one of them.
        trailing_pct: Distance of a trailing stop, as text; "" for other types.
        ends_at: Venue time at which a limit order expires, or a time exit fires; None for never.
    """

    order_id: str
    order_type: str
    product_id: str
    action: str
    quantity: int | None
    level: PriceUnits | None
    distance_pct: Decimal | None
    trailing_pct: str
    ends_at: datetime | None

    def value(self) -> JsonValue:
        """The value for programs; what an order of its type does not have is left out."""
        found: dict[str, JsonValue] = {
            "order_id": self.order_id,
            "order_type": self.order_type,
            "product_id": self.product_id,
            "action": self.action,
        }
        if self.quantity is not None:
            found["quantity"] = units_text(self.quantity)
        if self.level is not None:
            found["level"] = price_text(self.level)
        if self.distance_pct is not None:
            found["distance_pct"] = str(self.distance_pct)
        if self.trailing_pct:
            found["trailing_pct"] = self.trailing_pct
        if self.ends_at is not None:
            found["ends_at"] = f"{self.ends_at:%Y-%m-%dT%H:%M:%SZ}"
        return found

    def text(self) -> str:
        """One line: "stop-loss BTC-USD: sell all at 65000 (-3.12 % from the bid), id ..."."""
        amount = "all" if self.quantity is None else units_text(self.quantity)
        parts = [f"{ORDER_NAMES[self.order_type]} {self.product_id}: {self.action} {amount}"]
        if self.level is not None:
            parts.append(f" at {price_text(self.level)}")
        if self.distance_pct is not None:
            parts.append(f" ({self.distance_pct:+} % from the bid)")
        if self.trailing_pct:
            parts.append(f", {self.trailing_pct} % below its high")
        if self.ends_at is not None:
            word = "expires" if self.order_type == "limit" else "at"
            parts.append(f", {word} {self.ends_at:%H:%M:%S}")
        return f"{''.join(parts)}, id {self.order_id}"


@dataclass(frozen=True, slots=True)
class OrdersView:
    """An agent's limit orders and exits.

    Attributes:
        open: In the order in which they were placed.
        closed: The newest closed ones, oldest first.
    """

    open: tuple[OrderView, ...] = ()
    closed: tuple[ClosedOrder, ...] = ()

    def value(self) -> dict[str, JsonValue]:
        """The parts "orders", "orders_open" and "closed" of a portfolio, each only if needed."""
        found: dict[str, JsonValue] = {}
        if self.open:
            found["orders"] = [order.value() for order in self.open[:ORDERS_SHOWN_MAX]]
        if len(self.open) > ORDERS_SHOWN_MAX:
            found["orders_open"] = len(self.open)
        if self.closed:
            found["closed"] = [closed_value(order) for order in self.closed]
        return found

    def lines(self, shown_max: int = ORDERS_SHOWN_MAX) -> list[str]:
        """The text for a model; no lines without orders.

        Args:
            shown_max: Most open orders that are shown.
        """
        found = [f"{len(self.open)} open orders:"] if self.open else []
        found += [f"- {order.text()}" for order in self.open[:shown_max]]
        if (more := len(self.open) - shown_max) > 0:
            found.append(f"- and {more} more: see list_orders")
        if self.closed:
            found.append("Closed last:")
            found += [f"- {closed_text(order)}" for order in self.closed[-CLOSED_SHOWN_MAX:]]
        return found


NO_ORDERS = OrdersView()


def orders_of(orders: AgentOrders | None, quotes: Mapping[str, Quote]) -> OrdersView:
    """The orders of an agent at the newest bids; nothing for None.

    Args:
        orders: The folded orders.
        quotes: Product -> its newest quote.
    """
    if orders is None:
        return NO_ORDERS
    return OrdersView(tuple(_views(orders.open.values(), quotes)), tuple(orders.closed))


def _views(orders: Iterable[OpenOrder], quotes: Mapping[str, Quote]) -> Iterable[OrderView]:
    for order in orders:
        quote = quotes.get(order.product_id)
        level = order.level or None
        distance = None
        if quote is not None and quote.usable and level is not None:
            exact = Decimal(level - quote.bid) * 100 / Decimal(quote.bid)
            distance = to_digits(exact, 2)
        ends_ms = order.expires_ms or order.exits_ms
        yield OrderView(
            order.order_id,
            order.order_type,
            order.product_id,
            order.action,
            None if order.is_exit else order.remaining,
            level,
            distance,
            order.trailing_pct,
            datetime.fromtimestamp(ends_ms / 1000, UTC) if ends_ms else None,
        )


def closed_value(order: ClosedOrder) -> JsonValue:
    """The end of an order for programs, as `arena.messages.turns.OrderClosing` reads it."""
    found: dict[str, JsonValue] = {
        "order_id": order.order_id,
        "order_type": order.order_type,
        "product_id": order.product_id,
        "action": order.action,
        "status": order.status,
        "seq": order.seq,
    }
    if order.reason:
        found["reason"] = order.reason
    if order.cause:
        found["cause"] = order.cause
    if order.quantity:
        found["quantity"] = units_text(order.quantity)
    if order.price:
        found["price"] = price_text(PriceUnits(order.price))
    if order.quantity and order.action == "sell":
        found["realised"] = units_text(order.realised)
        found["realised_pct"] = str(percent_of(order.realised_pct))
    return found


def percent_of(share: int) -> Decimal:
    """A share in units of 10^-8 as a percentage with two decimals."""
    return to_digits(from_units(share) * 100, 2)


def closed_text(order: ClosedOrder) -> str:
    """The end of an order in one line, such as "stop-loss SOL-USD: sold 0.4 at 139.02, -1.20 %"."""
    name = f"{ORDER_NAMES.get(order.order_type, order.order_type)} {order.product_id}"
    amount = units_text(order.quantity) if order.quantity else ""
    done = "bought" if order.action == "buy" else "sold"
    filled = f"{done} {amount} at {price_text(PriceUnits(order.price))}" if amount else ""
    if order.status == "filled":
        gain = f", {percent_of(order.realised_pct):+} %" if order.action == "sell" else ""
        return f"{name}: {filled}{gain}"
    why = (order.reason or order.cause).replace("_", " ")
    why = "" if why == order.status else why
    return f"{name}: {order.status}{f' ({why})' if why else ''}{f', {filled}' if filled else ''}"
