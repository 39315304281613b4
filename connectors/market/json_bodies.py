"""Bodies of REST responses and text of frames: JSON with exact decimals, times, errors. Pure.

Numbers are read as `Decimal`, never as float. Errors are JSON objects, plain text or, from the
network in front of a venue, HTML; each becomes one line of text.
"""

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeVar

from arena.money import AMOUNT_DIGITS_MAX, parse_decimal

ERROR_CHARS_MAX: Final = 200
DIGITS_MAX: Final = 40
NUMBER: Final = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?", re.ASCII)
YEARS: Final = range(2012, 2200)
"""Years of valid venue times; venues also send year 1 or 1970 for "unknown"."""
INTEGER_MAX: Final = 2**63 - 1
_TITLE: Final = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_TAG: Final = re.compile(r"<[^>]*>")

Body = Mapping[str, object]
Row = TypeVar("Row")


class RestMalformed(ValueError):
    """A body that is not what the venue documents."""


# Any: each caller checks the shape of the JSON.
def load(body: bytes | str, *, number: Callable[[str], object] | None = None) -> Any:
    """A JSON body with decimals for numbers, whole ones as `int`.

    Args:
        body: The body as received.
        number: Converts the text of every number, including NaN and infinities, instead.

    Raises:
        RestMalformed: It is not JSON, or holds a number that cannot be read.
    """
    try:
        if number is not None:
            return json.loads(body, parse_float=number, parse_int=number, parse_constant=number)
        return json.loads(body, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, InvalidOperation, RecursionError) as error:
        raise RestMalformed(f"not JSON: {str(error)[:ERROR_CHARS_MAX]}") from None


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not a number")


# Any: keys that can be compared with each other.
def read_rows(
    body: bytes | str,
    name: str,
    read: Callable[[object], Row | None],
    key: Callable[[Row], Any],
) -> tuple[list[Row], int]:
    """The rows of a JSON list, ordered by their keys, the last one of each key.

    Args:
        body: The body as received.
        name: What it lists, for the error.
        read: Returns a row, or None if it is invalid.
        key: Returns the key of a row.

    Returns:
        The rows, and the number of invalid ones.

    Raises:
        RestMalformed: The body is not a list.
    """
    rows = load(body)
    if not isinstance(rows, list):
        raise RestMalformed(f"{name}: expected a list")
    valid = [found for row in rows if (found := read(row)) is not None]
    by_key = {key(row): row for row in valid}
    return [by_key[one] for one in sorted(by_key)], len(rows) - len(valid)


def parse_number(body: Body, name: str) -> Decimal:
    """A required number, as a string of digits.

    Raises:
        ValueError: It is missing, not a string, not a number, or has too many digits.
    """
    value = body.get(name)
    if not isinstance(value, str) or not NUMBER.fullmatch(value):
        raise ValueError(f"{name} is {str(value)[:40]!r}; expected a string of digits")
    return parse_decimal(value)


def optional_number(body: Body, name: str) -> Decimal | None:
    """A number that may be missing, null, empty, or larger than an amount can be.

    A coin with a supply of 10^20 has such volumes; its prices are valid nevertheless.
    """
    value = body.get(name)
    if value in (None, ""):
        return None
    is_number = isinstance(value, str) and NUMBER.fullmatch(value)
    if is_number and Decimal(str(value)).adjusted() >= AMOUNT_DIGITS_MAX:
        return None
    return parse_number(body, name)


def parse_integer(body: Body, name: str, *, default: int | None = None) -> int:
    """A whole number from 0 to 2^63 - 1.

    Raises:
        ValueError: It is missing without a default, not a whole number, or out of range.
    """
    value = body.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= INTEGER_MAX:
        raise ValueError(f"{name} is {str(value)[:40]!r}; expected a whole number")
    return value


def decimal_value(value: object) -> Decimal:
    """A JSON number as a decimal.

    Raises:
        ValueError: It is not a number, or has too many digits.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        value = Decimal(value)
    if not isinstance(value, Decimal):
        raise ValueError(f"{str(value)[:40]!r} is not a number")
    number = parse_decimal(value)
    if len(number.as_tuple().digits) > DIGITS_MAX:
        raise ValueError("too many digits")
    return number


def error_text(content_type: str, body: bytes) -> str:
    """The message of an error body of any format, in one line."""
    text = body[: 20 * ERROR_CHARS_MAX].decode("utf-8", "replace").strip()
    if "json" in content_type or text.startswith("{"):
        try:
            entry = load(text)
        except RestMalformed:
            entry = None
        message = entry.get("message", entry.get("msg")) if isinstance(entry, dict) else None
        if isinstance(message, str):
            return message[:ERROR_CHARS_MAX]
    if "html" in content_type or text.startswith("<"):
        title = _TITLE.search(text)
        text = "HTML: " + (title.group(1) if title else _TAG.sub(" ", text))
    return " ".join(text.split())[:ERROR_CHARS_MAX] or "an empty body"
