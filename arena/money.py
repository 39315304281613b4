"""Money and quantities: `Decimal` at the edges, scaled integers inside, strings on the wire.

There are two scales, with two types so that they cannot be mixed. An amount (cash, a quantity, a
fee) is an `int` in units of 10^-8 of its currency (USD, BTC, ...). A price is a `PriceUnits` in
units of 10^-18, because meme coins are quoted with twelve decimals and more. Python integers are
unbounded, so a position of 10^13 units at such a price is exact. Floats are refused everywhere:
they lose digits of JSON numbers.
"""

from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import Annotated, NewType

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

SCALE_DIGITS = 8
SCALE: int = 10**SCALE_DIGITS
PRICE_DIGITS = 18
PRICE_SCALE: int = 10**PRICE_DIGITS
CASH_STEP = 100
"""The smallest step of cash in dollar-like currencies: a millionth, 100 units of 10^-8."""
BPS = 10_000
AMOUNT_DIGITS_MAX = 18
"""Digits before the point that an amount may have; a larger number is an error in the feed."""
DIGITS_PATTERN = rf"^-?[0-9]{{1,{AMOUNT_DIGITS_MAX}}}(\.[0-9]{{1,44}})?$"
"""A decimal number in a message; the end is the end of the text."""
AMOUNT_MAX: int = 10**AMOUNT_DIGITS_MAX * SCALE - 1
"""The largest amount, in units of 10^-8."""
DECIMAL_TEXT_MAX = 64
COST_DIGITS = 12
"""Significant digits of an average unit cost below `SMALL_PRICE`."""

PriceUnits = NewType("PriceUnits", int)
"""A price, price step or price difference, in units of 10^-18 of the quote currency."""
SMALL_PRICE = PriceUnits(PRICE_SCALE // 10_000)

_EXACT = Context(prec=60)


def parse_decimal(value: object) -> Decimal:
    """Read a decimal from its text form (or a Decimal), never from a float or JSON number.

    Args:
        value: A `str` such as "64123.45", or a `Decimal`.

    Returns:
        The exact, finite value.

    Raises:
        ValueError: Another type, not a number, not finite, or beyond the digit limits.
    """
    if isinstance(value, Decimal):
        number = value
    elif isinstance(value, str):
        if len(value) > DECIMAL_TEXT_MAX:
            raise ValueError(f"a decimal of {len(value)} characters; at most {DECIMAL_TEXT_MAX}")
        try:
            # Python would accept "1_0.5" as 10.5, and digits of every script.
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
    """Read a share from 0 to 1: "0.2" or "20%".

    Args:
        value: A `str`, or a `Decimal`.

    Raises:
        ValueError: It is not a share from 0 to 1, or has more than eight decimals.
    """
    percent = isinstance(value, str) and value.rstrip().endswith("%")
    number = parse_decimal(value.rstrip()[:-1] if percent and isinstance(value, str) else value)
    share = number / 100 if percent else number
    if not 0 <= share <= 1:
        raise ValueError(f"{value} is not a share; write one from 0 to 1, such as 0.2 or 20%")
    to_units(share)
    return share


def decimal_text(number: Decimal) -> str:
    """Plain digits without an exponent: `Decimal("1E+3")` becomes "1000"."""
    return format(number, "f")


class _OnTheWire:
    """Reads plain digits without a call into Python, because a snapshot has hundreds of prices."""

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Decimal], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        text = core_schema.str_schema(pattern=DIGITS_PATTERN)
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


def to_digits(number: Decimal, digits: int) -> Decimal:
    """Round a number half to even to a number of digits after the point."""
    return _EXACT.quantize(number, Decimal(1).scaleb(-digits))


def units_text(units: int) -> str:
    """An amount in units of 10^-8 as plain decimal text without trailing zeros: "0.5", "-12"."""
    if units < 0:
        return f"-{units_text(-units)}"
    whole, part = divmod(units, SCALE)
    return f"{whole}.{part:08d}".rstrip("0") if part else str(whole)


def to_price_units(number: Decimal) -> PriceUnits:
    """The exact price in units of 10^-18.

    Raises:
        ValueError: The number has more than 18 digits after the point.
    """
    numerator, denominator = number.as_integer_ratio()
    whole, rest = divmod(numerator * PRICE_SCALE, denominator)
    if rest:
        raise ValueError(f"the price {decimal_text(number)} has more than {PRICE_DIGITS} decimals")
    return PriceUnits(whole)


def price_or_none(number: Decimal) -> PriceUnits | None:
    """The exact price in units of 10^-18; None if it has more digits."""
    try:
        return to_price_units(number)
    except ValueError:
        return None


def from_price_units(price: PriceUnits) -> Decimal:
    """The `Decimal` of a price given in units of 10^-18."""
    return Decimal(price).scaleb(-PRICE_DIGITS, _EXACT)


def price_text(price: PriceUnits) -> str:
    """A price as plain decimal text without trailing zeros: "0.000001123456", "67200.5"."""
    if price < 0:
        return f"-{price_text(PriceUnits(-price))}"
    whole, part = divmod(price, PRICE_SCALE)
    return f"{whole}.{part:018d}".rstrip("0") if part else str(whole)


def price_difference(price: PriceUnits, less: PriceUnits) -> PriceUnits:
    """The difference of two prices."""
    return PriceUnits(price - less)


def unit_cost(cost: int, quantity: int) -> PriceUnits:
    """The average cost of one unit: to 10^-8, or to `COST_DIGITS` digits if it is small.

    Args:
        cost: Units of 10^-8 of the quote currency.
        quantity: Units of 10^-8 of the base currency; positive.
    """
    exact = divide_half_even(cost * PRICE_SCALE, quantity)
    step = 10 ** (PRICE_DIGITS - SCALE_DIGITS)
    if 0 < exact < SMALL_PRICE:
        step = 10 ** max(0, len(str(exact)) - COST_DIGITS)
    return PriceUnits(divide_half_even(cost * PRICE_SCALE, quantity * step) * step)


def carried_base_step(increment: Decimal) -> Decimal | None:
    """The quantity step to trade with, for the quantity step of a venue.

    Quantities have a resolution of 10^-8. If that is a multiple of the venue's finer step, the
    venue accepts every such quantity.

    Returns:
        The venue's step, or 10^-8 for a finer one; None if neither is possible.
    """
    least = Decimal(1).scaleb(-SCALE_DIGITS)
    if increment <= 0:
        return None
    if _EXACT.remainder(increment, least) == 0:
        return increment
    return least if _EXACT.remainder(least, increment) == 0 else None


def why_not_carried(base_increment: Decimal, quote_increment: Decimal) -> str:
    """Return why a product with these steps cannot be traded here; "" if it can."""
    for name, step in (("quantity", base_increment), ("price", quote_increment)):
        if step <= 0:
            return f"its {name} step is {decimal_text(step)}, not a positive number"
    if carried_base_step(base_increment) is None:
        text = decimal_text(base_increment)
        return f"its quantity step {text} does not fit the {SCALE_DIGITS} decimals of an amount"
    if price_or_none(quote_increment) is None:
        text = decimal_text(quote_increment)
        return f"its price step {text} does not fit the {PRICE_DIGITS} decimals of a price"
    return ""


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


def notional_units(quantity: int, price: PriceUnits) -> int:
    """Quantity in units of 10^-8 times price, rounded half to even to 10^-8."""
    return divide_half_even(quantity * price, PRICE_SCALE)


def cash_notional_units(quantity: int, price: PriceUnits, step: int = CASH_STEP) -> int:
    """Quantity times price rounded half to even to a step (`arena.currency.cash_step`)."""
    return divide_half_even(quantity * price, PRICE_SCALE * step) * step


def fee_units(notional: int, fee_bps: Decimal, step: int = CASH_STEP) -> int:
    """The fee on a notional, in units of 10^-8, rounded up to a step of cash.

    Args:
        notional: Units of 10^-8 of the currency, not negative.
        fee_bps: Basis points, at most four decimals (0.0001 bps).
        step: Step of cash (`arena.currency.cash_step`).
    """
    rate = int(fee_bps * BPS)
    return divide_up(notional * rate, BPS * BPS * step) * step


def slip_price(
    price: PriceUnits, slippage_bps: Decimal, increment: PriceUnits, *, up: bool
) -> PriceUnits:
    """Move a price against the taker by basis points, then on to the next price increment.

    Args:
        price: The best price.
        slippage_bps: Basis points, at most four decimals.
        increment: The product's quote increment; positive.
        up: True for a buy (pays more), False for a sell (gets less).
    """
    moved = price * (BPS * BPS + (1 if up else -1) * int(slippage_bps * BPS))
    step = BPS * BPS * increment
    return PriceUnits((divide_up(moved, step) if up else moved // step) * increment)
