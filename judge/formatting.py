"""Formats figures and short phrases as plain text. Pure."""

from collections.abc import Sequence

import numpy as np

from arena.messages import Estimate

DASH = "-"
NAMES_SHOWN = 4
SIZE_MAX = 1.0
"""A difference above 100 % is not printed as a figure: a trader cannot use it."""
DECIMALS_MAX = 9
"""A value that needs more decimals to differ from zero is rounding, and printed as zero."""


def duration_text(seconds: float) -> str:
    """Return a duration in its largest suitable units: "16 days", "2 h 5 min", "40 s"."""
    whole = round(seconds)
    if whole >= 2 * 86_400:
        days = whole / 86_400
        return f"{days:.0f} days" if abs(days - round(days)) < 0.05 else f"{days:.1f} days"
    hours, rest = divmod(whole, 3_600)
    minutes, left = divmod(rest, 60)
    parts = [(hours, "h"), (minutes, "min"), (left if not hours else 0, "s")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s"


def utc_text(time: np.datetime64) -> str:
    """Return a time to the second: "2026-01-31 23:59:00 UTC"."""
    return f"{str(time)[:19].replace('T', ' ')} UTC"


def rank_text(low: int, high: int) -> str:
    """Return a rank set: "1" or "1-3"."""
    return str(low) if low == high else f"{low}-{high}"


def figure(value: float, decimals: int, *, signed: bool = False) -> str:
    """Return a figure with these decimals, or more if it would otherwise look like zero.

    Rounding errors are zero: "+0.41", "-0.0000002", "+0.00".
    """
    sign = "+" if signed else ""
    for count in (decimals, *range(decimals + 1, DECIMALS_MAX + 1)):
        text = f"{value:{sign},.{count}f}"
        if any(digit in "123456789" for digit in text):
            return text
    return f"{0.0:{sign}.{decimals}f}"


def percent(share: float | None, *, signed: bool = False) -> str:
    """Return a share in percent, with more decimals below 1 %: "+4.1 %", "0.012 %"."""
    if share is None:
        return DASH
    hundredths = share * 100
    decimals = 1 if abs(hundredths) >= 1 else 2 if abs(hundredths) >= 0.1 else 3
    text = figure(hundredths, decimals, signed=signed)
    return f"{text} %" if any(digit in "123456789" for digit in text) else "0.0 %"


def interval_text(interval: Estimate | None) -> str:
    """Return the ends of an interval of shares in percent: "-1.20 .. +3.40"."""
    if interval is None:
        return DASH
    low, high = (figure(end * 100, 2, signed=True) for end in (interval.low, interval.high))
    return f"{low} .. {high}"


def joined_names(names: Sequence[str], shown: int = NAMES_SHOWN) -> str:
    """Return names as a list: "a", "a and b", "a, b and c", "a, b, c, d and 3 more"."""
    if len(names) > shown + 1:
        return f"{', '.join(names[:shown])} and {len(names) - shown} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1]))) if names else ""


def sentence(text: str) -> str:
    """Return a text as a sentence: with a capital letter and a full stop."""
    whole = text[:1].upper() + text[1:]
    return whole if whole.endswith((".", "!", "?")) else f"{whole}."
