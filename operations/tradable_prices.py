"""Whether an account can trade at the prices of a file at all. Pure.

A quantity has `AMOUNT_DIGITS_MAX` digits before the point and moves in the steps of its product. At
prices outside of what follows from that and from the starting cash, every order is refused.
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
"""What an account opens with unless its rules say otherwise."""

_EXACT = Context(prec=60)


def untradable_reason(cash: Decimal, low: Decimal, high: Decimal, base_step: Decimal) -> str:
    """Why an account cannot trade at some prices; "" if it can.

    Args:
        cash: What it opens with.
        low: The lowest price, in the same currency; positive.
        high: The highest price.
        base_step: The step of quantities.
    """
    if _EXACT.multiply(low, Decimal(10) ** AMOUNT_DIGITS_MAX) <= cash:
        return (
            f"at {plain(low)} a cash of {plain(cash)} buys more than the {AMOUNT_DIGITS_MAX} "
            "digits that a quantity may have"
        )
    if _EXACT.multiply(high, base_step) > cash:
        return (
            f"at {plain(high)} the smallest quantity, {plain(base_step)}, costs more than "
            f"the cash of {plain(cash)}"
        )
    return ""


def mark_untradable(files: Sequence[PriceFacts], cash: Decimal | None) -> tuple[PriceFacts, ...]:
    """The files, those that an account cannot trade with the reason.

    Args:
        files: What is in them.
        cash: What an account opens with; None for `STARTING_CASH`.

    Raises:
        UsageError: None of them can be traded.
    """
    cash = STARTING_CASH if cash is None else cash
    told = tuple(
        replace(file, left_out=untradable_reason(cash, file.low, file.high, BASE_STEP))
        for file in files
    )
    if told and all(file.left_out for file in told):
        raise UsageError(
            f"{told[0].name}: no order of {told[0].product_id} can be filled: {told[0].left_out}",
            remedy="set another [rules] starting_cash, or give prices of a larger or smaller unit "
            "(1000PEPE instead of PEPE)",
        )
    return told


def plain(number: Decimal) -> str:
    """A number without zeros at its end: "100000", "0.000000000000000001"."""
    text = decimal_text(number)
    return text.rstrip("0").rstrip(".") if "." in text else text
