"""Money and quantities: `Decimal` at the edges, scaled integers inside, strings on the wire.

One scale serves every unit: an amount is a whole number of 10^-8 of its unit (USD, BTC, ...),
which is the finest increment of the venues we read, and leaves int64 room for 92 billion units.
Floats are refused everywhere: JSON numbers lose digits on their way through a float.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import Annotated

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

SCALE_DIGITS = 8
SCALE = 10**SCALE_DIGITS
CASH_STEP = 100
"""Cash moves in whole micro-dollars: 100 units of 10^-8 USD."""
BPS = 10_000
AMOUNT_DIGITS_MAX = 18
"""Digits before the point that an amount may have; more is a bad print, not money."""
DECIMAL_TEXT_MAX = 64

_EXACT = Context(prec=60)


def parse_decimal(value: object) -> Decimal:
    """Read a decimal from its text form (or a Decimal), never from a float or JSON number.

    Args:
        value: A `str` such as "64123.45", or a `Decimal`.

    Returns:
        The exact, finite value.

    Raises:
        ValueError: Another type, no number, not finite, or beyond the digit bounds.
    """
    if isinstance(value, Decimal):
        number = value
    elif isinstance(value, str):
        if len(value) > DECIMAL_TEXT_MAX:
            raise ValueError(f"a decimal of {len(value)} characters; at most {DECIMAL_TEXT_MAX}")
        try:
            # Python would read "1_0.5" as 10.5, and digits of every script.
            if "_" in value or not value.isascii():
                raise InvalidOperation
            number = Decimal(value)
        except InvalidOperation:
            remedy = 'send plain digits, such as "0.05"'
            raise ValueError(f"{value!r} is not a decimal number; {remedy}") from None
    else:
        raise ValueError(f"{value!r} is a {type(value).__name__}; send decimals as strings")
    if not number.is_finite():
        raise ValueError(f"{value!r} is not finite; send a finite number")
    if number and not -DECIMAL_TEXT_MAX < number.adjusted() < AMOUNT_DIGITS_MAX:
        digits = f"{AMOUNT_DIGITS_MAX} digits before the point and {SCALE_DIGITS} after it"
        raise ValueError(f"{value!r} is out of range; send at most {digits}")
    return number


def parse_share(value: object) -> Decimal:
    """Read a share of something: "0.2" or "20%", from nothing to the whole.

    Args:
        value: A `str`, or a `Decimal`.

    Raises:
        ValueError: No share between 0 and 1, or one with more than eight decimals.
    """
    percent = isinstance(value, str) and value.rstrip().endswith("%")
    number = parse_decimal(value.rstrip()[:-1] if percent and isinstance(value, str) else value)
    share = number / 100 if percent else number
    if not 0 <= share <= 1:
        raise ValueError(f"{value} is no share; write one from 0 to 1, such as 0.2 or 20%")
    to_units(share)
    return share


def decimal_text(number: Decimal) -> str:
    """Plain digits without an exponent: `Decimal("1E+3")` becomes "1000"."""
    return format(number, "f")


class _OnTheWire:
    """Reads plain digits without a call into Python: a snapshot holds hundreds of prices."""

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Decimal], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        text = core_schema.str_schema(
            pattern=rf"^-?[0-9]{{1,{AMOUNT_DIGITS_MAX}}}(\.[0-9]{{1,44}})?$"
        )
        return core_schema.json_or_python_schema(
            core_schema.chain_schema([text, core_schema.decimal_schema()]),
            core_schema.no_info_plain_validator_function(parse_decimal),
            serialization=core_schema.plain_serializer_function_ser_schema(
                decimal_text, return_schema=core_schema.str_schema()
            ),
        )


WireDecimal = Annotated[Decimal, _OnTheWire]
"""A pydantic field type: a `Decimal` in Python, a string of plain digits in JSON."""


def to_units(number: Decimal) -> int:
    """The exact amount in units of 10^-8.

    Raises:
        ValueError: The number has more than 8 digits after the point.
    """
    scaled = _EXACT.multiply(number, SCALE)
    whole = int(scaled)
    if whole != scaled:
        raise ValueError(f"{decimal_text(number)} has more than {SCALE_DIGITS} decimals")
    return whole


def round_to_units(number: Decimal, rounding: str = ROUND_HALF_EVEN) -> int:
    """The amount in units of 10^-8, rounded as asked (half to even by default)."""
    return int(_EXACT.multiply(number, SCALE).to_integral_value(rounding))


def from_units(units: int) -> Decimal:
    """The `Decimal` of an amount given in units of 10^-8."""
    return Decimal(units).scaleb(-SCALE_DIGITS, _EXACT)


def units_text(units: int) -> str:
    """An amount in units of 10^-8 as plain decimal text without trailing zeros: "0.5", "-12"."""
    if units < 0:
        return f"-{units_text(-units)}"
    whole, part = divmod(units, SCALE)
    return f"{whole}.{part:08d}".rstrip("0") if part else str(whole)


def divide_half_even(numerator: int, denominator: int) -> int:
    """Integer division rounded half to even; the denominator is positive."""
    quotient, remainder = divmod(numerator, denominator)
    twice = 2 * remainder
    if twice > denominator or (twice == denominator and quotient % 2):
        quotient += 1
    return quotient


def divide_up(numerator: int, denominator: int) -> int:
    """Integer division rounded towards plus infinity; the denominator is positive."""
    return -(-numerator // denominator)


def notional_units(quantity: int, price: int) -> int:
    """Quantity times price, all in units of 10^-8, rounded half to even to 10^-8."""
    return divide_half_even(quantity * price, SCALE)


def cash_notional_units(quantity: int, price: int) -> int:
    """Quantity times price rounded half to even to a whole micro-dollar (`CASH_STEP`)."""
    return divide_half_even(quantity * price, SCALE * CASH_STEP) * CASH_STEP


def fee_units(notional: int, fee_bps: Decimal) -> int:
    """The fee on a notional, in units of 10^-8, rounded up to a whole micro-dollar.

    Args:
        notional: Units of 10^-8 USD, not negative.
        fee_bps: Basis points, at most four decimals (0.0001 bps).
    """
    rate = int(fee_bps * BPS)
    return divide_up(notional * rate, BPS * BPS * CASH_STEP) * CASH_STEP


def slip_price(price: int, slippage_bps: Decimal, increment: int, *, up: bool) -> int:
    """A price moved against the taker by basis points, then out to the next price increment.

    Args:
        price: Units of 10^-8.
        slippage_bps: Basis points, at most four decimals.
        increment: The product's quote increment in units of 10^-8; positive.
        up: True for a buy (pays more), False for a sell (gets less).
    """
    moved = price * (BPS * BPS + (1 if up else -1) * int(slippage_bps * BPS))
    step = BPS * BPS * increment
    return (divide_up(moved, step) if up else moved // step) * increment


def round_price(number: Decimal, increment: Decimal, *, up: bool) -> Decimal:
    """A price rounded to a multiple of the increment, up or down."""
    steps = (number / increment).to_integral_value(ROUND_CEILING if up else ROUND_FLOOR)
    return steps * increment
