"""Figures, times and untrusted text as pages write them. Pure.

A minus is a true one, zero has no sign; times are in UTC; an unknown value is a dash.
"""

from datetime import UTC, datetime
from decimal import Decimal

from arena.visible_text import visible

UNKNOWN = "–"
MINUS = "−"
Number = Decimal | float


def minus(words: str) -> str:
    """A number with a true minus instead of a hyphen; one that rounds to zero has no sign."""
    if not any(char in "123456789" for char in words):
        return words.lstrip("+-")
    return words.replace("-", MINUS, 1)


def money(value: Number | None, digits: int = 2) -> str:
    """An amount: "100,412.77"."""
    return UNKNOWN if value is None else minus(f"{value:,.{digits}f}")


def gain(value: Number | None, digits: int = 2) -> str:
    """A change of an amount, with its sign: "+38.20"."""
    return UNKNOWN if value is None else minus(f"{value:+,.{digits}f}")


def pct(value: Number | None, digits: int = 2) -> str:
    """A percentage with its sign: "+3.75 %"."""
    return UNKNOWN if value is None else f"{gain(value, digits)} %"


def share(value: float | None, digits: int = 2) -> str:
    """A share as a signed percentage: 0.0375 is "+3.75 %"."""
    return UNKNOWN if value is None else pct(value * 100, digits)


def interval(low: float | None, high: float | None) -> str:
    """The bounds of shares: "−4.07 to +12.21 %"."""
    if low is None or high is None:
        return UNKNOWN
    if low == high:
        return "constant"
    return f"{gain(low * 100)} to {gain(high * 100)} %"


def ranks(low: int, high: int) -> str:
    """A set of ranks: "1–8", "3"."""
    return str(low) if low == high else f"{low}–{high}"


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


def clean(words: str, limit: int) -> str:
    """Untrusted text with its invisible characters as escapes; cut, with a note, at a limit."""
    if len(words) <= limit:
        return visible(words)
    return f"{visible(words[:limit])}… ({len(words) - limit:,} more characters)"
