"""Figures, times and untrusted text as the page writes them. Pure.

A number has its sign with a true minus; times are in UTC; an unknown value is a dash.
"""

from datetime import UTC, datetime
from decimal import Decimal

from arena.visible_text import visible
from dashboard import text

UNKNOWN = "–"
TEXT_CHARS_MAX = 20_000
"""Characters of one text on a page; the rest is in the API."""


def minus(words: str) -> str:
    """A number with a true minus instead of a hyphen."""
    return words.replace("-", "−")


def pct(value: Decimal | float | None, digits: int = 2) -> str:
    """A percentage with its sign: "+3.75 %"."""
    return UNKNOWN if value is None else f"{_signed(value, digits)} %"


def share(value: float | None, digits: int = 2) -> str:
    """A share as a signed percentage: 0.0375 is "+3.75 %"."""
    return UNKNOWN if value is None else pct(value * 100, digits)


def interval(low: float | None, high: float | None) -> str:
    """The bounds of shares: "−4.07 to +12.21 %"."""
    if low is None or high is None:
        return UNKNOWN
    if low == high:
        return "constant"
    return f"{_signed(low * 100)} to {_signed(high * 100)} %"


def ranks(low: int, high: int) -> str:
    """A set of ranks: "1-8", "3"."""
    return str(low) if low == high else f"{low}–{high}"


def _signed(value: Decimal | float, digits: int = 2) -> str:
    words = f"{value:+,.{digits}f}"
    return minus(words) if any(char in "123456789" for char in words) else words[1:]


def money(value: Decimal | None, digits: int = 2) -> str:
    """An amount: "100,412.77"."""
    return UNKNOWN if value is None else minus(f"{value:,.{digits}f}")


def gain(value: Decimal | None, digits: int = 2) -> str:
    """A change of an amount, with its sign."""
    return UNKNOWN if value is None else _signed(value, digits)


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


def clock(moment: datetime | None) -> str:
    """A time of day in UTC: "12:03:41"."""
    return UNKNOWN if moment is None else f"{moment.astimezone(UTC):%H:%M:%S}"


def stamp(moment: datetime | None) -> str:
    """A day and time in UTC: "Sun 29 Nov 12:03:41"."""
    return UNKNOWN if moment is None else f"{moment.astimezone(UTC):%a %d %b %H:%M:%S}"


def iso(moment: datetime) -> str:
    """A time for programs."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def at_ms(ms: int) -> str:
    """A day and time of Unix milliseconds."""
    return stamp(datetime.fromtimestamp(ms / 1000, UTC))


def clean(words: str, limit: int = TEXT_CHARS_MAX) -> str:
    """Untrusted text with its invisible characters as escapes; cut, with a note, at a limit."""
    if len(words) <= limit:
        return visible(words)
    return f"{visible(words[:limit])}… ({len(words) - limit:,} more characters)"


def shown_model(model: str, scripted: bool | None) -> str:
    """The name of a model; scripted rules are always marked as scripted."""
    if scripted and "scripted" not in model:
        return f"{model} (scripted)".strip()
    return model or UNKNOWN
