"""Parses the time of a candle in any notation as Unix nanoseconds. Pure.

Numbers are seconds, milliseconds, microseconds or nanoseconds by their size: from 2000 to 2100
these ranges do not overlap. A text is ISO 8601; without an offset it is UTC, on every machine.
"""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final

SECOND_NS: Final = 1_000_000_000
MINUTE_NS: Final = 60 * SECOND_NS
UNITS: Final = (
    (10**11, SECOND_NS, "seconds"),
    (10**14, 1_000_000, "milliseconds"),
    (10**17, 1_000, "microseconds"),
    (10**20, 1, "nanoseconds"),
)
"""Upper bound of a number, its factor to nanoseconds, and its unit."""
FIRST_NS: Final = 946_684_800 * SECOND_NS
"""2000-01-01; earlier times are refused."""
END_NS: Final = 4_102_444_800 * SECOND_NS
"""2100-01-01; later times are refused."""
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
SHOWN_CHARS: Final = 40
TEXT_CHARS_MAX: Final = 64
WANTED: Final = "write Unix time in s, ms, us or ns, or a UTC time such as 2025-10-29T04:22:00Z"

_CLOCK = re.compile(r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?")
_HOUR = re.compile(r"(.+) ([01][0-9])-([AP])M")
_SHORT = re.compile(r"[0-9][.,]?[0-9]{0,6}[eE]\+?[0-9]{1,2}")
_FRACTION = re.compile(r"(\.[0-9]{1,6})[0-9]*")


def unix_ns(cell: str) -> int:
    """Parse the time in a cell.

    Raises:
        ValueError: It is not a time from 2000 to 2100.
    """
    text = cell.strip()
    if "," in text and is_shortened(text):
        text = text.replace(",", ".")
    if text.isascii() and text.isdigit() and len(text) < 21:
        found = _scaled(int(text), text)
    elif not text:
        raise ValueError(f"the time is empty; {WANTED}")
    elif len(text) > TEXT_CHARS_MAX:
        raise ValueError(f"a time of {len(text)} characters; {WANTED}")
    else:
        found = _number(text) if _is_number(text) else _iso(text)
    if not FIRST_NS <= found < END_NS:
        raise ValueError(f"time {text[:SHOWN_CHARS]} is not from 2000 to 2100; {WANTED}")
    return found


def require_price_time(moment: datetime) -> datetime:
    """A start or an end of prices, which is returned unchanged; without an offset it is UTC.

    Raises:
        ValueError: It is not from 2000 to 2100, as the times of candles.
    """
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if not FIRST_NS <= (aware - EPOCH) // timedelta(microseconds=1) * 1_000 < END_NS:
        raise ValueError(
            f"{moment.date().isoformat()} is not from 2000 to 2100, as prices are; "
            "choose a day from 2000-01-01 to 2099-12-31"
        )
    return moment


def is_clock(cell: str) -> bool:
    """True for a time of day without a date, such as "04:22:00"."""
    return _CLOCK.fullmatch(cell.strip()) is not None


def is_time(cell: str) -> bool:
    """True for a cell that `unix_ns` can parse."""
    try:
        unix_ns(cell)
    except ValueError:
        return False
    return True


def is_shortened(cell: str) -> bool:
    """True for a number with few digits and an exponent, as spreadsheets write: "1.76171E+09"."""
    return _SHORT.fullmatch(cell.strip()) is not None


def time_text(time_s: int) -> str:
    """Format Unix seconds: "2025-10-29 04:22 UTC"."""
    moment = datetime.fromtimestamp(time_s, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if time_s % 60 else f"{moment:%Y-%m-%d %H:%M} UTC"


def time_iso(time_s: int) -> str:
    """Format Unix seconds as ISO 8601: "2025-10-29T04:22:00Z"."""
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _scaled(number: int, text: str) -> int:
    for below, factor, _ in UNITS:
        if number < below:
            return number * factor
    raise ValueError(f"time {text[:SHOWN_CHARS]} is not from 2000 to 2100; {WANTED}")


def _is_number(text: str) -> bool:
    return text.isascii() and not text.strip("0123456789.+-eE") and any(map(str.isdigit, text))


def _number(text: str) -> int:
    """Parse a number with a point or an exponent, such as 1761711720.0 or 1.76171172e9."""
    if text.count("-") > 1:
        return _iso(text)
    try:
        number = Decimal(text)
    except InvalidOperation:
        return _iso(text)
    if abs(number.adjusted()) > 20:
        raise ValueError(f"time {text[:SHOWN_CHARS]} is not from 2000 to 2100; {WANTED}")
    for below, factor, _ in UNITS:
        if number < below:
            return int(number * factor)
    raise ValueError(f"time {text[:SHOWN_CHARS]} is not from 2000 to 2100; {WANTED}")


def _iso(text: str) -> int:
    if found := _HOUR.fullmatch(text):  # CryptoDataDownload: 2019-10-17 09-AM
        text = f"{found[1]} {int(found[2]) % 12 + 12 * (found[3] == 'P'):02d}:00"
    plain = text.removesuffix("UTC").removesuffix("GMT").rstrip()
    plain = _FRACTION.sub(r"\1", plain.replace("/", "-") if plain[4:5] == "/" else plain)
    try:
        moment = datetime.fromisoformat(plain)
    except ValueError:
        raise ValueError(f"{text[:SHOWN_CHARS]!r} is not a time; {WANTED}") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"time {text[:SHOWN_CHARS]} is not from 2000 to 2100; {WANTED}") from None
    return (moment - EPOCH) // datetime.resolution * 1_000
