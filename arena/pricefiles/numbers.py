"""Reads the numbers of a price file exactly, with errors that name the cell's problem. Pure."""

import re
from decimal import Decimal
from typing import Final

from arena.money import AMOUNT_DIGITS_MAX, PRICE_DIGITS, parse_decimal

CHARS_SHOWN: Final = 40

_DECIMAL_COMMA = re.compile(r"-?(?:[0-9]+|[0-9]{1,3}(?:[. ][0-9]{3})+),[0-9]+")
_THOUSANDS = re.compile(r"-?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?|-?[0-9]{1,3}(?:[ '][0-9]{3})+")
_SIGNED = re.compile(r"[$\u20ac\u00a3\u00a5] ?-?[0-9].*|-?[0-9.,]+ ?[$\u20ac\u00a3\u00a5%]")


def number_of(cell: str) -> Decimal:
    """Parse the number in a cell.

    Raises:
        ValueError: It is not a number, or out of range; the message has the cell and the remedy.
    """
    text = cell.strip()
    try:
        return parse_decimal(text)
    except ValueError as error:
        message = str(error)
    shown = repr(text[:CHARS_SHOWN])
    if _DECIMAL_COMMA.fullmatch(text):
        why = "is not a decimal number: it has a decimal comma; save the file with decimal points"
    elif _THOUSANDS.fullmatch(text):
        why = "is not a decimal number: it has thousands separators; save the file without them"
    elif _SIGNED.fullmatch(text):
        why = "is not a decimal number: it has a currency sign; write plain digits, such as 67200.5"
    elif "not finite" in message:
        why = "is not finite; leave all four prices empty for a minute without a trade"
    elif "out of range" in message or "characters" in message:
        why = (
            f"is out of range; numbers have at most {AMOUNT_DIGITS_MAX} digits before the point, "
            f"and prices {PRICE_DIGITS} after it"
        )
    else:
        why = "is not a decimal number; write plain digits, such as 67200.5"
    raise ValueError(f"{shown} {why}")
