"""What an agent reads about the step of an order that its call asked for, from the event. Pure."""

from arena.newest_events import Event
from trading_tools.portfolio import format_cash
from trading_tools.portfolio_orders import ORDER_NAMES


def order_text(event: Event, unit: str, orders: int = 1) -> str:
    """The outcome of a call in words.

    Args:
        event: The newest event of the call.
        unit: Currency of the amounts.
        orders: How many orders it cancelled, or 1.
    """
    outcome = event["outcome"]
    if outcome == "rejected":
        return _rejected_text(event, unit)
    if outcome == "cancelled":
        name = ORDER_NAMES[event["order_type"]]
        one = f"Cancelled the {name} {event['product_id']}, id {event['order_id']}."
        return one if orders == 1 else f"Cancelled {orders} orders."
    if outcome == "accepted":
        return _accepted_text(event)
    rest = _rest_text(event) if outcome == "part_filled" else ""
    return f"{_filled_text(event, unit)}{rest}{_exits_text(event)}{_risk_text(event)}"


def _filled_text(event: Event, unit: str) -> str:
    buy = event["action"] == "buy"
    gain = "" if buy else format_cash(event["realised"], unit, signed=True)
    realised = "" if buy else f" Realised {gain} {unit}."
    return (
        f"{'Bought' if buy else 'Sold'} {event['quantity']} {event['product_id']}"
        f" at {event['price']} for {format_cash(event['notional'], unit)} {unit}"
        f" {'plus' if buy else 'less'} {format_cash(event['fee'], unit)} fee.{realised}"
        f" Cash {format_cash(event['cash_after'], unit)} {unit}."
    )


def _rest_text(event: Event) -> str:
    terms = event["terms"]
    expires = f" until {terms['expires_at']}" if "expires_at" in terms else ""
    of = f"{event['filled_quantity']} of {terms['quantity']}"
    return f" {of} filled; the rest waits at {terms['limit_price']}{expires}."


def _accepted_text(event: Event) -> str:
    terms, name = event["terms"], ORDER_NAMES[event["order_type"]]
    if event["order_type"] == "limit":
        expires = f" until {terms['expires_at']}" if "expires_at" in terms else ""
        what = f"to {event['action']} {terms['quantity']} {event['product_id']}"
        order = f"Placed a {name} {what} at {terms['limit_price']}{expires}"
    else:
        order = f"Set for {event['product_id']}: {name}{_level_text(terms)}"
    return f"{order}, id {event['order_id']}.{_exits_text(event)}{_risk_text(event)}"


def _exits_text(event: Event) -> str:
    exits = event.get("exits", ())
    if not exits:
        return ""
    named = (f"{ORDER_NAMES[one['order_type']]}{_level_text(one)}" for one in exits)
    when = " once it fills" if event["outcome"] == "accepted" and _is_limit(event) else ""
    return f" Exits{when}: {', '.join(named)}."


def _is_limit(event: Event) -> bool:
    return bool(event.get("order_type") == "limit")


def _level_text(terms: Event) -> str:
    if "trigger_price" in terms:
        return f" at {terms['trigger_price']}"
    if "trailing_pct" in terms:
        return f" {terms['trailing_pct']} % below the high"
    if "exits_at" in terms:
        return f" at {terms['exits_at']}"
    return f" after {terms['exit_after_s']} s"


def _risk_text(event: Event) -> str:
    risk = event.get("risk")
    if risk is None or risk["decision"] != "adjusted":
        return ""
    quantity = event["quantity"] or event["terms"]["quantity"]
    return f" Risk cut the order from {risk['asked']} to {quantity}: {risk['limit']}."


def _rejected_text(event: Event, unit: str) -> str:
    after = event["cash_after"]
    cash = f" Cash {format_cash(after, unit)} {unit}." if after else ""
    return f"Rejected: {words(event['reason'])}: {event['detail']}.{cash}"


def words(reason: str | None) -> str:
    """A listed reason in words."""
    return (reason or "").replace("_", " ")
