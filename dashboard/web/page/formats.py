"""Figures as the page writes them: those of every page, and those of the dashboard. Pure."""

from decimal import Decimal

from arena.gate_counts import reasons_text, saved_text
from arena.page.formats import (
    UNKNOWN,
    at_ms,
    clean,
    clock,
    gain,
    interval,
    iso,
    minus,
    money,
    pct,
    ranks,
    share,
    stamp,
)
from dashboard import text
from dashboard.model.results import GatesResult, RiskResult, Trade

__all__ = [
    "UNKNOWN",
    "at_ms",
    "bps",
    "by_limit",
    "clean",
    "clock",
    "cost",
    "duration",
    "gain",
    "gates_saved",
    "indicator",
    "interval",
    "iso",
    "milliseconds",
    "minus",
    "money",
    "not_asked",
    "order_words",
    "pct",
    "price",
    "quantity",
    "ranks",
    "share",
    "shown_model",
    "span",
    "stamp",
    "step_words",
]  # fmt: skip


def quantity(value: Decimal | None) -> str:
    """A quantity without trailing zeros: "0.41"."""
    if value is None:
        return UNKNOWN
    words = f"{value:,f}"
    return minus(words.rstrip("0").rstrip(".") if "." in words else words)


def price(value: Decimal | None) -> str:
    """A price with all its digits and at least two decimals."""
    return UNKNOWN if value is None else minus(text.price(value))


def cost(value: Decimal | None) -> str:
    """The cost of model calls in US dollars: "$0.0123"."""
    return UNKNOWN if value is None else f"${value.quantize(Decimal('0.0001')):,}"


def bps(value: Decimal | None) -> str:
    """Basis points with a sign: "+0.4"."""
    return UNKNOWN if value is None else minus(text.bps(value))


def duration(seconds: float | None) -> str:
    """A length of time: "0.3 s", "4m12"."""
    return UNKNOWN if seconds is None else text.age(seconds)


def span(seconds: int) -> str:
    """A whole length of time in its largest unit: "15 min", "1 h"."""
    for unit_s, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds % unit_s == 0:
            return f"{seconds // unit_s} {unit}"
    return f"{seconds} s"


def milliseconds(value: float | None) -> str:
    """A latency: "7 ms", "12.3 s"."""
    return UNKNOWN if value is None else text.milliseconds(value)


def not_asked(gates: GatesResult) -> str:
    """Reasons why an agent was not asked, with their counts."""
    return reasons_text(gates.skipped)


def gates_saved(gates: GatesResult) -> str:
    """An estimate of what the gates saved, in words."""
    return saved_text(gates.calls_saved_estimate, gates.usd_saved_estimate)


def by_limit(risk: RiskResult) -> str:
    """Orders that limits rejected, with their counts by limit: "2 (max_symbol_exposure_pct 2)"."""
    named = ", ".join(f"{limit} {count:,}" for limit, count in risk.rejected.items())
    return f"{sum(risk.rejected.values()):,}" + (f" ({named})" if named else "")


def order_words(one: Trade) -> str:
    """An order without its product: "buy 0.4", "sell stop loss all"."""
    if one.order_type == "market":
        return f"{one.action} {quantity(one.quantity)}"
    kind = one.order_type.replace("_", " ")
    sells_all = one.quantity is None and one.order_type != "limit"
    return f"{one.action} {kind} {'all' if sells_all else quantity(one.quantity)}"


def step_words(one: Trade) -> str:
    """What became of a step that neither filled nor was rejected: "cancelled: replaced"."""
    if one.outcome not in ("accepted", "cancelled", "expired"):
        return ""
    why = one.cause.replace("_", " ")
    return one.outcome + (f": {why}" if why not in ("", one.outcome) else "")


def shown_model(model: str, scripted: bool | None) -> str:
    """The name of a model; scripted rules are always marked as scripted."""
    if scripted and "scripted" not in model:
        return f"{model} (scripted)".strip()
    return model or UNKNOWN


def indicator(value: float | None) -> str:
    """An indicator in seven significant digits: "67,203.61"; a dash if it needs more bars."""
    return UNKNOWN if value is None else minus(text.significant(value))
