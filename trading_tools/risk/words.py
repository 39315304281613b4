"""What risk says to an agent: the limit, the value before and after, and what would pass. Pure."""

from typing import Final

from arena.money import units_text
from trading_tools.risk.checks import Check
from trading_tools.risk.inputs import RiskInputs

_WORDS: Final = {
    "max_symbol_exposure_pct": (
        "{product} would be {after} % of equity (now {before} %), at most {threshold} % is allowed"
    ),
    "max_portfolio_exposure_pct": (
        "all positions would be {after} % of equity (now {before} %), at most {threshold} % is"
        " allowed"
    ),
    "max_position_risk_pct": (
        "if its stop fires, {product} would lose {after} % of equity (now {before} %), at most"
        " {threshold} % is allowed"
    ),
    "max_order_notional": "the order is worth {after}, at most {threshold} is allowed",
    "min_cash_pct": (
        "cash would be {after} % of equity (now {before} %), at least {threshold} % must remain"
    ),
    "max_trades_per_day": (
        "it would be buy {after} of this UTC day, at most {threshold} are allowed; sells are not"
        " limited"
    ),
    "cooldown_after_loss_s": (
        "the newest loss was {before} s ago, {threshold} s without buys follow a loss; {detail}"
    ),
    "loss_streak_max": "{before} sells in a row lost, at most {threshold} may; {detail}",
    "max_daily_loss_pct": (
        "the loss of this UTC day would be {after} % (now {before} %), at most {threshold} % is"
        " allowed"
    ),
    "max_drawdown_pct": (
        "the loss since the highest equity would be {after} % (now {before} %), at most"
        " {threshold} % is allowed"
    ),
    "max_var_pct": (
        "value at risk of a day would be {after} % of equity (now {before} %), at most"
        " {threshold} % is allowed"
    ),
    "max_price_jump_pct": (
        "{product} is {before} % from the close of its newest minute, at most {threshold} % is"
        " allowed; wait until the price settles"
    ),
    "require_stop": "a buy must bring a stop: set stop_loss_pct or trailing_pct",
    "veto_products": "{product} may not be bought here; choose another product",
    "veto_actions": "only sells are allowed",
}
BY_SIZE: Final = frozenset(
    {
        "max_symbol_exposure_pct",
        "max_portfolio_exposure_pct",
        "max_position_risk_pct",
        "max_order_notional",
        "min_cash_pct",
        "max_var_pct",
    }
)
"""Limits that a smaller order may pass."""
TOO_MUCH: Final = "more than 100"
"""Stands for a percentage of an equity that the order would use up."""


def limit_words(check: Check, product_id: str) -> str:
    """What a limit says: its name, the measured values and the threshold."""
    tripped = check.limit in {"max_daily_loss_pct", "max_drawdown_pct"} and check.detail
    words = "{detail}" if tripped else _WORDS[check.limit]
    text = words.format(
        product=product_id,
        threshold=check.threshold,
        before=check.before or "0",
        after=check.after or TOO_MUCH,
        detail=check.detail,
    )
    return f"{check.limit}: {text}"


def adjusted_words(check: Check, inputs: RiskInputs, quantity: int) -> str:
    """Why an order was cut, and to what."""
    asked = units_text(inputs.quantity)
    return f"cut from {asked} to {units_text(quantity)}: {limit_words(check, inputs.product_id)}"


def rejected_words(check: Check, inputs: RiskInputs, largest: int) -> str:
    """Why an order was rejected, and the largest quantity that passes."""
    text = limit_words(check, inputs.product_id)
    if largest > 0:
        return f"{text}; try {units_text(largest)}"
    return f"{text}; no smaller buy passes now" if check.limit in BY_SIZE else text
