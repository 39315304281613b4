"""Figures as the report writes them: those of every page, and those of the judge. Pure."""

from datetime import timedelta

from arena.page.formats import MINUS, UNKNOWN, gain, minus, money, ranks
from arena.visible_text import visible
from judge.formatting import figure

__all__ = [
    "MINUS", "UNKNOWN", "change", "count", "duration", "gain", "llm_usd", "minus", "money",
    "number", "p_text", "p_value", "quote", "ranks", "share", "spread",
]  # fmt: skip

NUMBER_MAX = 100_000


def share(ratio: float | None, digits: int = 1) -> str:
    """Return a share of a whole: 0.25 is "25.0 %"."""
    return UNKNOWN if ratio is None else f"{minus(f'{ratio * 100:.{digits}f}')} %"


def change(ratio: float | None, digits: int = 2) -> str:
    """Return a relative change: 0.0041 is "+0.41 %"."""
    return UNKNOWN if ratio is None else f"{minus(figure(ratio * 100, digits, signed=True))} %"


def number(value: float | None, digits: int = 2) -> str:
    """Return a plain figure, "1.37"; beyond `NUMBER_MAX`, as a ratio over a tiny loss, a bound."""
    if value is None:
        return UNKNOWN
    if abs(value) >= NUMBER_MAX:
        return f"over {NUMBER_MAX:,}" if value > 0 else f"under {MINUS}{NUMBER_MAX:,}"
    return minus(f"{value:,.{digits}f}")


def p_value(value: float) -> str:
    """Return a p-value with three digits: "0.034", "< 0.001"."""
    return f"{value:.3f}" if value >= 0.001 else "< 0.001"


def p_text(value: float) -> str:
    """Return a p-value as a phrase: "p = 0.034", "p < 0.001"."""
    return f"p = {p_value(value)}".replace("= <", "<")


def spread(low: float, high: float, digits: int) -> str:
    """Return the ends of an interval: "−4.53 … −1.41"."""
    ends = (minus(figure(end, digits, signed=True)) for end in (low, high))
    return " … ".join(ends)


def count(value: float | None) -> str:
    """Return an integer with separators."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def llm_usd(amount: float | None) -> str:
    """Return a model cost, with the digits that small sums need: "$0.0031"."""
    if amount is None:
        return UNKNOWN
    return f"${amount:,.2f}" if amount >= 100 or amount == 0 else f"${amount:,.4f}"


def measured(milliseconds: float | None) -> str:
    """Return a measured duration; "not measured" for none and for zero, as in a backtest."""
    return duration(milliseconds / 1000) if milliseconds else "not measured"


def duration(seconds: float | None) -> str:
    """Return a duration in its two largest units: "1 h 12 min"."""
    if seconds is None:
        return UNKNOWN
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = timedelta(seconds=seconds) // timedelta(minutes=1)
    days, rest = divmod(minutes, 24 * 60)
    hours, minutes = divmod(rest, 60)
    parts = [f"{n} {unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if n]
    return " ".join(parts[:2])


def quote(text: str, limit: int) -> str:
    """Return untrusted text with visible characters only, cut at `limit`."""
    shown = visible(text.strip()[: 2 * limit])
    return shown if len(shown) <= limit else f"{shown[:limit].rstrip()} …"
