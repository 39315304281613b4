"""Parses the time at which an item of context was published. Pure.

A text is RFC 3339 with an offset, such as `2026-01-01T09:30:00Z`; a number is Unix seconds or
milliseconds, by its size: from 2001 to 2100 the two ranges do not overlap. A time without an
offset and a date without a time are refused: if they were read wrongly, an agent would see an item
before it was published. Fractions finer than a microsecond are rounded up, for the same reason.

`after` is a duration of ISO 8601, such as `PT5M` or `-P1D`, from the first snapshot of a simulated
market on.
"""

import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_S: Final = 1_000_000_000
"""2001-09-09; earlier times are refused."""
END_S: Final = 4_102_444_800
"""2100-01-01; later times are refused."""
AFTER_DAYS_MAX: Final = 3_660
SHOWN_CHARS: Final = 60
WANTED: Final = (
    "write a time with an offset, such as 2026-01-01T09:30:00Z, or Unix seconds or milliseconds"
)
AFTER_WANTED: Final = 'write a duration such as "PT5M", "PT1H30M" or "-P1D"'

_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,18}))?([Zz]|[+-]\d\d:\d\d)?", re.ASCII
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_NUMBER = re.compile(r"\d{1,18}(?:\.\d{1,18})?", re.ASCII)
_AFTER = re.compile(
    r"(-?)P(?:(\d{1,4})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,8})S)?)?", re.ASCII
)


def parse_time(value: object) -> datetime:
    """Parse a time of publication.

    Args:
        value: A text or a number of JSON (`int`, or `Decimal` if it has a fraction).

    Raises:
        ValueError: It is not an unambiguous time from 2001 to 2100; the text has the remedy.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError(f"is {_shown(value)}; {WANTED}")
    text = str(value).strip()
    if _NUMBER.fullmatch(text):
        found = _unix(Decimal(text))
    elif (time := _TIME.fullmatch(text)) is not None:
        found = _text(text, time)
    elif _DATE.fullmatch(text):
        raise ValueError(f"{text} has no time of day; {WANTED}")
    else:
        raise ValueError(f"{_shown(value)} is not a time; {WANTED}")
    if found is None or not FIRST_S <= found.timestamp() < END_S:
        raise ValueError(f"{_shown(value)} is not from 2001-09-09 to 2099; {WANTED}")
    return found


def parse_after(value: object) -> timedelta:
    """Parse a duration after the first snapshot of a simulated market.

    Raises:
        ValueError: It is not one, or is longer than ten years; the text has the remedy.
    """
    found = _AFTER.fullmatch(value) if isinstance(value, str) else None
    if found is None or not any(found.groups()[1:]):
        raise ValueError(f"{_shown(value)} is not a duration; {AFTER_WANTED}")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups()[1:])
    length = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if length.days > AFTER_DAYS_MAX:
        raise ValueError(f"{value} is longer than {AFTER_DAYS_MAX:,} days; write a shorter one")
    return -length if found[1] else length


def _unix(number: Decimal) -> datetime | None:
    """Seconds or milliseconds; None if they are outside the range."""
    if FIRST_S <= number < END_S:
        return _since_epoch(number)
    if FIRST_S * 1000 <= number < END_S * 1000:
        return _since_epoch(number / 1000)
    return None


def _since_epoch(seconds: Decimal) -> datetime:
    micros = (seconds * 1_000_000).to_integral_value(ROUND_CEILING)
    return EPOCH + timedelta(microseconds=int(micros))


def _text(text: str, time: re.Match[str]) -> datetime | None:
    day, clock, fraction, offset = time.groups()
    if offset is None:
        raise ValueError(f"{text} has no offset, so it can be any of 27 hours; {WANTED}")
    micros = Decimal(f"0.{fraction or 0}") * 1_000_000
    more = timedelta(microseconds=int(micros.to_integral_value(ROUND_CEILING)))
    try:
        at = datetime.fromisoformat(f"{day}T{clock}{offset.upper().replace('Z', '+00:00')}")
        return at.astimezone(UTC) + more
    except OverflowError:
        return None
    except ValueError as error:
        raise ValueError(f"{text} is not a time: {error}; {WANTED}") from None


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + "..."
