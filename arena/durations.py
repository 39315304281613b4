"""Durations: as settings have them ("25s", "30m", "2h", "7d"), and for people. Pure."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from arena.errors import UsageError

DAYS_MAX: Final = 7
FIRST: Final = datetime.min.replace(tzinfo=UTC)
LAST: Final = datetime.max.replace(tzinfo=UTC)
UNITS_S: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(r"(\d{1,7}(?:\.\d{1,3})?)([smhd])", re.ASCII)


def parse_duration(value: object, days_max: int = DAYS_MAX) -> float:
    """The seconds of a duration.

    Args:
        value: A text such as "25s".
        days_max: The longest duration, in days.

    Raises:
        ValueError: It is not such a text; the message names it and says what to write.
    """
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    seconds = float(found[1]) * UNITS_S[found[2]] if found else 0.0
    if not 0 < seconds <= days_max * UNITS_S["d"]:
        remedy = (
            f'write a time of at most "{days_max}d" as a number and s, m, h or d, such as "25s"'
        )
        raise ValueError(f"is {value!r}; {remedy}")
    return seconds


def duration_option(flag: str, text: str, days_max: int = DAYS_MAX) -> float:
    """The seconds of a duration that a flag was given.

    Raises:
        UsageError: It is not one; the message names the flag.
    """
    try:
        return parse_duration(text, days_max)
    except ValueError as error:
        raise UsageError(f"{flag} {error}") from None


def later(moment: datetime, seconds: float) -> datetime:
    """A time so many seconds later, or the first or last possible one if that is beyond them.

    A record may have any time, and no reader of it may fail.

    Args:
        moment: An aware datetime in UTC.
        seconds: Not NaN; below zero for an earlier time.
    """
    try:
        return moment + timedelta(seconds=seconds)
    except OverflowError:
        return LAST if seconds > 0 else FIRST


def duration_text(seconds: float) -> str:
    """A duration as it is written in settings: "25s", "30m"; the largest unit that is exact."""
    for unit in ("d", "h", "m"):
        if seconds % UNITS_S[unit] == 0:
            return f"{seconds / UNITS_S[unit]:g}{unit}"
    return f"{seconds:g}s"


def elapsed_text(seconds: float) -> str:
    """A duration for people, as m:ss, h:mm:ss, or days and hours."""
    whole = int(seconds + 0.5)
    days, rest = divmod(whole, UNITS_S["d"])
    hours, rest = divmod(rest, UNITS_S["h"])
    if days:
        return f"{days} d {hours} h"
    minutes, rest = divmod(rest, UNITS_S["m"])
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def measured_ms(milliseconds: float) -> str:
    """A measured duration for people: "1,204 ms"; in a backtest, which measures none, it is 0."""
    return f"{milliseconds:,.0f} ms" if milliseconds else "unmeasured time"
