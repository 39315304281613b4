"""Checks whether an account can trade at the prices of a file, and tickers can hold them. Pure.

A quantity has at most `AMOUNT_DIGITS_MAX` digits before the point, and is a multiple of its
product's step. With these limits and the starting cash, orders at too low or too high prices are
always refused.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Context, Decimal
from typing import Final

from arena.errors import UsageError
from arena.money import AMOUNT_DIGITS_MAX, SCALE_DIGITS, decimal_text
from arena.pricefiles.facts import PriceFacts

BASE_STEP: Final = Decimal(1).scaleb(-SCALE_DIGITS)
"""The finest step of a quantity."""
STARTING_CASH: Final = Decimal(100_000)
"""Default opening cash of an account."""

_EXACT = Context(prec=60)


def untradable_reason(cash: Decimal, low: Decimal, high: Decimal, base_step: Decimal) -> str:
    """Return why an account cannot trade at some prices; "" if it can.

    Args:
        cash: Its opening cash.
        low: The lowest price, in the same currency; positive.
        high: The highest price.
        base_step: The step of quantities.
    """
    if _EXACT.multiply(low, Decimal(10) ** AMOUNT_DIGITS_MAX) <= cash:
        return (
            f"at {plain_number(low)} a cash of {plain_number(cash)} buys more than the "
            f"{AMOUNT_DIGITS_MAX} digits that a quantity may have"
        )
    if _EXACT.multiply(high, base_step) > cash:
        return (
            f"at {plain_number(high)} the smallest quantity, {plain_number(base_step)}, costs more "
            f"than the cash of {plain_number(cash)}"
        )
    return ""


def oversized_volume_reason(day_volume: Decimal) -> str:
    """Return why the tickers of a product cannot be written; "" if they can.

    Args:
        day_volume: The largest volume of 24 hours, in base units.
    """
    if day_volume < Decimal(10) ** AMOUNT_DIGITS_MAX:
        return ""
    return (
        f"its largest volume of 24 hours is {plain_number(day_volume)}, more than the "
        f"{AMOUNT_DIGITS_MAX} digits that a volume may have"
    )


def mark_untradable(files: Sequence[PriceFacts], cash: Decimal | None) -> tuple[PriceFacts, ...]:
    """Return the files; those that cannot be traded have the reason in `left_out`.

    Args:
        files: The facts about the files.
        cash: Opening cash of an account; None for `STARTING_CASH`.

    Raises:
        UsageError: No file can be traded.
    """
    cash = STARTING_CASH if cash is None else cash
    marked = tuple(
        replace(
            file,
            left_out=untradable_reason(cash, file.low, file.high, BASE_STEP)
            or oversized_volume_reason(file.day_volume),
        )
        for file in files
    )
    if marked and all(file.left_out for file in marked):
        raise UsageError(
            f"{marked[0].name}: no order of {marked[0].product_id} can be filled: "
            f"{marked[0].left_out}",
            remedy="change [rules] starting_cash, or give prices of a larger or smaller unit "
            "(1000PEPE instead of PEPE)",
        )
    return marked


def plain_number(number: Decimal) -> str:
    """A number without trailing zeros: "100000", "0.000000000000000001"."""
    text = decimal_text(number)
    return text.rstrip("0").rstrip(".") if "." in text else text
