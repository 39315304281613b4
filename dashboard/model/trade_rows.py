"""Decided orders as rows of the trades pane. Pure."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from arena.currency import DEFAULT_CURRENCY, cash_digits
from arena.money import to_digits, to_units
from dashboard.model.accounts_view import Event
from dashboard.model.rows import TradeRow
from dashboard.text import one_line, price, quantity

BPS_DIGITS = 2
FILLED = ("filled", "part_filled")
SHORT_TYPES = {
    "limit": "limit",
    "stop_loss": "stop",
    "take_profit": "target",
    "trailing_stop": "trail",
    "time_exit": "timed",
}


def trade_row(
    event: Event, colour: int, currency: str = DEFAULT_CURRENCY, *, several: bool = False
) -> TradeRow:
    """A decided order as a row of the trades pane.

    Args:
        event: The event.
        colour: Colour of the agent.
        currency: Currency of the main accounts.
        several: True if accounts hold several currencies.
    """
    currency = event.get("currency") or currency
    used, seen = event["used"], _seen(event)
    filled = event["outcome"] in FILLED
    at, issued_at = (datetime.fromisoformat(event[name]) for name in ("at", "issued_at"))
    fill_price = _decimal(event["price"]) if filled else None
    move = price_move_bps(seen, fill_price)
    return TradeRow(
        order_id=event["order_id"],
        at=at,
        venue_time=datetime.fromisoformat(used["event_time"]) if used else None,
        agent=event["agent"],
        colour=colour,
        action=_action(event),
        quantity=_quantity_text(event["quantity"]),
        product_id=one_line(event["product_id"], 24),
        seen=seen,
        price=fill_price,
        move_bps=move,
        against=move is not None and move != 0 and (move > 0) == (event["action"] == "buy"),
        latency_ms=None if event.get("step") else (at - issued_at).total_seconds() * 1000,
        notional=_units(event["notional"]) if filled else None,
        fee=_units(event["fee"]) if filled else None,
        words="" if filled else _words(event),
        digits=cash_digits(currency),
        unit=currency if several else "",
    )


def price_move_bps(seen: Decimal | None, price: Decimal | None) -> Decimal | None:
    """The change from the price seen to the price paid in basis points; None without both.

    It is rounded once, here, so that every skin shows the same tenths of it.
    """
    if not seen or price is None:
        return None
    return to_digits((price / seen - 1) * 10_000, BPS_DIGITS)


def _seen(event: Event) -> Decimal | None:
    quote = event["seen"]
    if not quote or not event["action"]:
        return None
    return _decimal(quote["ask" if event["action"] == "buy" else "bid"])


def _action(event: Event) -> str:
    """The side, and the type of an order that is not a market order: "sell stop"."""
    kind = SHORT_TYPES.get(event.get("order_type", ""), "")
    return f"{event['action'] or 'order'} {kind}".rstrip()


def _words(event: Event) -> str:
    """What became of a step that filled nothing."""
    outcome = event["outcome"]
    if outcome == "rejected":
        return _refusal(event)
    kind = str(event.get("order_type", "order")).replace("_", " ")
    terms = event.get("terms") or {}
    level = terms.get("trigger_price") or terms.get("limit_price")
    if outcome == "accepted":
        trailing = terms.get("trailing_pct")
        at = f" at {level}" if level else f" of {trailing} %" if trailing else ""
        return f"{'limit order stands' if kind == 'limit' else f'{kind} armed'}{at}"
    why = str(event.get("cause") or "").replace("_", " ")
    return f"{kind} {outcome}" + (f": {why}" if why not in ("", outcome) else "")


def _refusal(event: Event) -> str:
    reason = str(event["reason"] or "refused").replace("_", " ")
    detail = one_line(event["detail"])
    return f"rejected: {detail if detail.startswith(reason) else f'{reason}: {detail}'}".rstrip(
        ": "
    )


# Any: a JSON value that the fold has checked to be the text of a decimal, or null.
def _decimal(text: Any) -> Decimal | None:
    return None if text is None else Decimal(text)


def _units(text: str | None) -> int | None:
    return None if text is None else to_units(Decimal(text))


def _quantity_text(text: str | None) -> str:
    if text is None:
        return ""
    try:
        return quantity(to_units(Decimal(text)))
    except ValueError:
        return price(Decimal(text))
