"""One line of text per message about limits of risk and about intents."""

from collections.abc import Mapping

from arena.messages import (
    MarketChecked,
    OrderDecided,
    RiskLimitsSet,
    RiskRequest,
    RiskTripped,
    TradeIntent,
)


def limits_text(limits: Mapping[str, object], preset: str) -> str:
    """The limits in a message: "cautious: max_symbol_exposure_pct 10"."""
    values = ", ".join(f"{name} {value}" for name, value in sorted(limits.items())) or "no limits"
    return f"{preset}: {values}" if preset else values


def limits_set_text(message: RiskLimitsSet) -> str:
    """The line of a `RiskLimitsSet`."""
    who = f" by {message.by}" if message.by else ""
    lifted = ", buys allowed again" if message.lift else ""
    text = limits_text(message.limits, message.preset)
    return f"limits of {message.agent} set ({message.set_by}{who}): {text}{lifted}"


def tripped_text(message: RiskTripped) -> str:
    """The line of a `RiskTripped`."""
    until = f"until {message.until:%Y-%m-%d %H:%M} UTC" if message.until else "until lifted"
    sold = ", all positions are sold" if message.flatten else ""
    return (
        f"{message.agent} may only sell {until}: {message.limit} is {message.value:f},"
        f" the limit is {message.threshold:f}{sold}"
    )


def checked_text(message: MarketChecked) -> str:
    """The line of a `MarketChecked`."""
    return (
        "open orders and limits checked up to the snapshot as of"
        f" {message.as_of:%Y-%m-%d %H:%M:%S} UTC"
    )


def request_text(message: RiskRequest) -> str:
    """The line of a `RiskRequest`."""
    whose = message.agent or "all agents"
    if message.reset:
        what = "the settings of the files"
    elif message.limits is None:
        what = "allow buys again"
    else:
        what = limits_text(message.limits, message.preset)
    return f"limits of {whose} requested by {message.by}: {what}"


def intent_text(message: TradeIntent) -> str:
    """The line of a `TradeIntent`."""
    quantity = "" if message.quantity is None else f" {message.quantity:f}"
    limit = "" if message.limit_price is None else f" at {message.limit_price:f}"
    order = f"{message.action}{quantity} {message.product_id}"
    return f"{message.agent} {order} ({message.order_type}{limit})"


def lived_text(message: OrderDecided) -> str:
    """Order and outcome of a step of a limit order or an exit: "sell all SOL-USD stop loss"."""
    quantity = "all" if message.quantity is None else f"{message.quantity:f}"
    kind = "" if message.order_type == "market" else f" {message.order_type.replace('_', ' ')}"
    terms, level = message.terms, ""
    if terms is not None and (price := terms.trigger_price or terms.limit_price) is not None:
        level = f" at {price:f}"
    elif terms is not None and terms.trailing_pct is not None:
        level = f" of {terms.trailing_pct:f} %"
    elif terms is not None and terms.exits_at is not None:
        level = f" at {terms.exits_at:%m-%d %H:%M:%S} UTC"
    step = message.outcome.replace("_", " ")
    why = f" ({message.cause.replace('_', ' ')})" if message.cause not in ("", step) else ""
    return f"{message.action or 'trade'} {quantity} {message.product_id}{kind}{level} {step}{why}"
