"""Resolves a quantity that is a share of the position or of the cash. Pure.

"all" of a sell is the position in whole steps. "all" of a buy is the largest quantity in whole
steps that the cash pays for at the price, fee included; "50%" is the same of half of it. Cash that
open limit orders hold back cannot be spent.
"""

from arena.account_state import Account
from arena.messages import RejectReason, Side
from arena.money import (
    AMOUNT_MAX,
    BPS,
    PRICE_SCALE,
    SCALE,
    PriceUnits,
    cash_notional_units,
    fee_units,
    to_units,
    units_text,
)
from trading_tools.context import Share
from trading_tools.fill import Rejection
from trading_tools.portfolio import cash_text
from trading_tools.quotes import Listing
from trading_tools.rules import TradingRules
from trading_tools.suggested_quantity import position_quantity


def resolve_share(
    share: Share,
    action: Side,
    account: Account,
    listing: Listing,
    price: PriceUnits,
    rules: TradingRules,
    reserved: int = 0,
) -> int | Rejection:
    """The quantity in units of 10^-8, in whole steps of the product, or why there is none.

    Args:
        share: The share.
        action: "sell" takes it of the position, "buy" of the cash.
        account: The account before the order.
        listing: The trading rules of the product.
        price: What the order would pay per unit, slippage included; not used by a sell.
        rules: The fee and the step of cash, in the order's currency.
        reserved: Cash that open limit orders hold back.
    """
    part, step = to_units(share.part), listing.base_increment
    if action == "sell":
        held = position_quantity(account, listing.product_id)
        quantity: int = held * part // SCALE // step * step
        if quantity:
            return quantity
        if not held:
            detail = f"{share.text} of {listing.product_id}: none is held"
            return Rejection(RejectReason.INSUFFICIENT_POSITION, detail)
        detail = (
            f"{share.text} of the {units_text(held)} {listing.product_id} held is less than one"
            f" step of {units_text(step)}"
        )
        return Rejection(RejectReason.BAD_INCREMENT, detail)
    cash = max(0, account.cash - reserved)
    budget = cash * part // SCALE
    quantity = affordable(budget, listing, price, rules)
    held = position_quantity(account, listing.product_id)
    quantity = min(quantity, (AMOUNT_MAX - held) // step * step)
    if quantity > 0:
        return quantity
    unit = rules.currency
    detail = (
        f"{share.text} of the {cash_text(cash, unit, grouped=True)} {unit} of cash is less than"
        f" {units_text(step)} {listing.product_id} costs with its fee"
    )
    return Rejection(RejectReason.INSUFFICIENT_CASH, detail)


def affordable(budget: int, listing: Listing, price: PriceUnits, rules: TradingRules) -> int:
    """The largest quantity in whole steps whose cost, fee included, is within a budget.

    Args:
        budget: Units of 10^-8 of cash.
        listing: The trading rules of the product.
        price: The price per unit; positive.
        rules: The fee and the step of cash.
    """
    rate = BPS * BPS + int(rules.fee_bps * BPS)
    step = listing.base_increment
    # Rounding can save two steps of cash, so this is a bound; the search below it is exact.
    most: int = (budget + 2 * rules.cash_step) * PRICE_SCALE * BPS * BPS // (price * rate) // step
    least = 0
    while least < most:
        middle = (least + most + 1) // 2
        notional = cash_notional_units(middle * step, price, rules.cash_step)
        if notional + fee_units(notional, rules.fee_bps, rules.cash_step) <= budget:
            least = middle
        else:
            most = middle - 1
    return least * step
