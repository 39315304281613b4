"""Types of the arguments of order tools: quantities, percentages, prices and times. Pure.

Numbers may come as JSON numbers or as text. A value that cannot be used is refused with what to
send instead; whether it makes sense in the market is for the executor to decide.
"""

import re
from decimal import Decimal
from typing import Annotated

from pydantic import PlainValidator, WithJsonSchema

from arena.durations import UNITS_S
from arena.money import parse_decimal
from trading_tools.context import Share

ALL = "all"
_DURATION = re.compile(r"(?:(\d{1,3})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m)?(?:(\d{1,8})s?)?", re.ASCII)


def _number(value: object) -> Decimal:
    if isinstance(value, int) and not isinstance(value, bool):
        return parse_decimal(Decimal(value))
    return parse_decimal(value)


def read_quantity(value: object) -> Decimal | Share:
    """Read a quantity: a decimal, "all", or a percentage such as "50%".

    Raises:
        ValueError: It is none of them.
    """
    text = value.strip() if isinstance(value, str) else ""
    if text.isascii() and text.lower() == ALL:
        return Share(Decimal(1))
    if not text.endswith("%"):
        return _number(value)
    percent = parse_decimal(text[:-1].rstrip())
    if not 0 < percent <= 100:
        raise ValueError('send more than "0%" and at most "100%", of the position or the cash')
    return Share(percent / 100)


def read_percent(value: object) -> Decimal | None:
    """Read a percentage: 3, "3" or "3%" for 3 %; None for none.

    Raises:
        ValueError: It is not a number.
    """
    if value is None:
        return None
    if isinstance(value, str) and value.rstrip().endswith("%"):
        return parse_decimal(value.rstrip()[:-1].strip())
    return _number(value)


def read_price(value: object) -> Decimal | None:
    """Read a price; None for none.

    Raises:
        ValueError: It is not a number.
    """
    return None if value is None else _number(value)


def read_seconds(value: object) -> int | None:
    """Read a time such as "30m", "4h", "1h30m" or a number of seconds; None for none.

    Raises:
        ValueError: It is not a time in whole seconds.
    """
    if value is None:
        return None
    text = value.replace(" ", "").lower() if isinstance(value, str) else ""
    if text and (found := _DURATION.fullmatch(text)):
        parts = zip(found.groups("0"), ("d", "h", "m", "s"), strict=True)
        return sum(int(number) * UNITS_S[unit] for number, unit in parts)
    try:
        seconds = _number(value)
    except ValueError:
        seconds = Decimal("0.5")
    if seconds != seconds.to_integral_value():
        raise ValueError('send a time such as "30m" or "4h", or whole seconds')
    return int(seconds)


Quantity = Annotated[
    Decimal | Share, PlainValidator(read_quantity), WithJsonSchema({"type": "string"})
]
Percent = Annotated[
    Decimal | None, PlainValidator(read_percent), WithJsonSchema({"type": "number"})
]
Price = Annotated[Decimal | None, PlainValidator(read_price), WithJsonSchema({"type": "string"})]
Seconds = Annotated[int | None, PlainValidator(read_seconds), WithJsonSchema({"type": "string"})]
