"""Formats figures for readers: signs, separators, a real minus, a dash for None. Pure."""

import re
from datetime import timedelta

from arena.visible_text import visible
from judge.formatting import figure

UNKNOWN = "–"
MINUS = "−"
NUMBER_MAX = 100_000


def usd(amount: float | None, digits: int = 2) -> str:
    """Return an amount of money: "100,412.77"."""
    return UNKNOWN if amount is None else _signed(f"{amount:,.{digits}f}")


def change_usd(amount: float | None, digits: int = 2) -> str:
    """Return a gain or loss: "+38.20"."""
    return UNKNOWN if amount is None else _signed(f"{amount:+,.{digits}f}")


def share(ratio: float | None, digits: int = 1) -> str:
    """Return a share of a whole: 0.25 is "25.0 %"."""
    return UNKNOWN if ratio is None else f"{_signed(f'{ratio * 100:.{digits}f}')} %"


def change(ratio: float | None, digits: int = 2) -> str:
    """Return a relative change: 0.0041 is "+0.41 %"."""
    return UNKNOWN if ratio is None else f"{_signed(figure(ratio * 100, digits, signed=True))} %"


def number(value: float | None, digits: int = 2) -> str:
    """Return a plain figure, "1.37"; beyond `NUMBER_MAX`, as a ratio over a tiny loss, a bound."""
    if value is None:
        return UNKNOWN
    if abs(value) >= NUMBER_MAX:
        return f"over {NUMBER_MAX:,}" if value > 0 else f"under {MINUS}{NUMBER_MAX:,}"
    return _signed(f"{value:,.{digits}f}")


def p_value(value: float) -> str:
    """Return a p-value with three digits: "0.034", "< 0.001"."""
    return f"{value:.3f}" if value >= 0.001 else "< 0.001"


def p_text(value: float) -> str:
    """Return a p-value as a phrase: "p = 0.034", "p < 0.001"."""
    return f"p = {p_value(value)}".replace("= <", "<")


def spread(low: float, high: float, digits: int) -> str:
    """Return the ends of an interval: "−4.53 … −1.41"."""
    ends = (_signed(figure(end, digits, signed=True)) for end in (low, high))
    return " … ".join(ends)


def count(value: float | None) -> str:
    """Return an integer with separators."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def llm_usd(amount: float | None) -> str:
    """Return a model cost, with the digits that small sums need: "$0.0031"."""
    if amount is None:
        return UNKNOWN
    return f"${amount:,.2f}" if amount >= 100 or amount == 0 else f"${amount:,.4f}"


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


def rank_set(low: int, high: int) -> str:
    """Return a rank set: "1" or "1–4"."""
    return str(low) if low == high else f"{low}–{high}"


def quote(text: str, limit: int) -> str:
    """Return untrusted text with visible characters only, cut at `limit`."""
    shown = visible(text.strip()[: 2 * limit])
    return shown if len(shown) <= limit else f"{shown[:limit].rstrip()} …"


def _signed(text: str) -> str:
    """Return a figure with a real minus; one that rounds to zero has no sign."""
    if not re.search("[1-9]", text):
        return text.lstrip("+-")
    return text.replace("-", MINUS, 1)
