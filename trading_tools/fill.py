"""Computes the amounts of an order at a price: a fill, or why the account or product forbids it.

Pure. Amounts are whole units of 10^-8, prices of 10^-18. The notional is rounded half to even to a
step of cash, and the fee up, once, here. The rounding difference is posted to `house/rounding`, so
postings sum to zero.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from arena.account_state import Account, Position
from arena.messages import QuoteSeen, RejectReason, Side
from arena.money import (
    AMOUNT_MAX,
    SCALE,
    PriceUnits,
    cash_notional_units,
    divide_half_even,
    fee_units,
    notional_units,
    price_difference,
    price_or_none,
    price_text,
    slip_price,
    to_price_units,
    to_units,
    units_text,
)
from trading_tools.context import Order
from trading_tools.portfolio import cash_text
from trading_tools.quotes import Listing, Quote
from trading_tools.rules import TradingRules

QUANTITY_MAX = AMOUNT_MAX
"""The largest quantity of an order and of a position, in units of 10^-8."""

Leg = tuple[str, str, int]
"""Account, unit, amount."""


@dataclass(frozen=True, slots=True)
class Fill:
    """A filled order, with all amounts of its event in units of 10^-8.

    Attributes:
        quantity: The filled quantity.
        price: The price with slippage.
        notional: Price times quantity, in steps of cash.
        fee: The fee.
        slippage: Lost against the best price.
        latency_cost: Lost by the move from the price that the agent saw to the best price.
        realised: Profit of a sell; None for a buy.
        scraped: The part of the profit that is set aside.
        postings: The legs of the fill; they sum to zero per unit.
        cash_after: The account's cash after the fill.
        position_after: The account's position after the fill.
    """

    quantity: int
    price: PriceUnits
    notional: int
    fee: int
    slippage: int
    latency_cost: int
    realised: int | None
    scraped: int
    postings: tuple[Leg, ...]
    cash_after: int
    position_after: int


@dataclass(frozen=True, slots=True)
class Rejection:
    """A rejected order: the rule, what was asked for, and what was possible."""

    reason: RejectReason
    detail: str


@dataclass(frozen=True, slots=True)
class Unfilled:
    """A step of an order that moves no money: accepted, cancelled or expired.

    Attributes:
        status: What the step makes of the order.
        reason: The rule by which the executor cancelled it; None for another cause.
        detail: In words; "" if the cause says it all.
    """

    status: Literal["accepted", "cancelled", "expired"]
    reason: RejectReason | None = None
    detail: str = ""


def seen_price(seen: QuoteSeen | None, action: Side) -> PriceUnits | None:
    """The price in the agent's snapshot that an order would have got, or None."""
    if seen is None:
        return None
    price = seen.ask if action == "buy" else seen.bid
    return None if price <= 0 else price_or_none(price)


def price_of(order: Order, quote: Quote, listing: Listing, rules: TradingRules) -> PriceUnits:
    """The price that an order fills at now: the best price with slippage, within its limit."""
    buy = order.action == "buy"
    best = quote.ask if buy else quote.bid
    price = slip_price(best, rules.slippage_bps, listing.quote_increment, up=buy)
    if order.limit_price is None:
        return price
    limit = to_price_units(order.limit_price)
    return min(price, limit) if buy else max(price, limit)


def fill_order(
    account: Account,
    agent: str,
    order: Order,
    quote: Quote,
    seen: QuoteSeen | None,
    listing: Listing,
    rules: TradingRules,
    *,
    at_limit: PriceUnits | None = None,
    reserved: int = 0,
) -> Fill | Rejection:
    """Fill an order completely, or reject it if the account or product does not allow it.

    Args:
        account: The account before the order.
        agent: The agent.
        order: The order; its quantity is a multiple of the product's step. Its limit price bounds
            the slippage.
        quote: The usable quote to fill at.
        seen: The prices in the agent's snapshot, for the cost of latency.
        listing: The trading rules of the product.
        rules: Fees and slippage.
        at_limit: The limit of a resting order that the market traded through: it fills exactly
            there.
        reserved: Cash that open orders reserve.
    """
    buy = order.action == "buy"
    assert isinstance(order.quantity, Decimal), "shares are resolved before"
    quantity = to_units(order.quantity)
    best = at_limit or (quote.ask if buy else quote.bid)
    price = at_limit or price_of(order, quote, listing, rules)
    unit, step = rules.currency, rules.cash_step
    notional = cash_notional_units(quantity, price, step)
    fee = fee_units(notional, rules.fee_bps, step)
    held = account.positions.get(order.product_id, Position())
    cost = (price, notional, fee)
    refusal = _check_funds(account, order, held, listing, rules, cost, reserved)
    if refusal is not None:
        return refusal
    side = 1 if buy else -1
    cash_move = -(notional + fee) if buy else notional - fee
    price_seen = seen_price(seen, order.action)
    realised = None if buy else _realised_profit(held, quantity, notional - fee)
    scraped = _set_aside(realised or 0, account.scrape, step)
    legs: tuple[Leg, ...] = (
        (f"agent/{agent}/cash", unit, cash_move - scraped),
        (f"agent/{agent}/scraped", unit, scraped),
        *_market_postings(quantity, best, price, notional, fee, side, unit),
        (f"agent/{agent}/position", listing.base_currency, side * quantity),
        ("house/market", listing.base_currency, -side * quantity),
    )
    slippage_loss = _loss(quantity, price, best, side)
    latency_loss = 0 if price_seen is None else _loss(quantity, best, price_seen, side)
    return Fill(
        quantity=quantity,
        price=price,
        notional=notional,
        fee=fee,
        slippage=slippage_loss,
        latency_cost=latency_loss,
        realised=realised,
        scraped=scraped,
        postings=tuple(leg for leg in legs if leg[2]),
        cash_after=account.cash + cash_move - scraped,
        position_after=held.quantity + side * quantity,
    )


def _check_funds(
    account: Account,
    order: Order,
    held: Position,
    listing: Listing,
    rules: TradingRules,
    cost: tuple[PriceUnits, int, int],
    reserved: int,
) -> Rejection | None:
    """Reject an order with this price, notional and fee if it cannot be filled; None if it can."""
    price, notional, fee = cost
    assert isinstance(order.quantity, Decimal), "shares are resolved before"
    buy, quantity = order.action == "buy", to_units(order.quantity)
    unit, step = rules.currency, rules.cash_step
    asked = f"{units_text(quantity)} {order.product_id} at {price_text(price)}"
    if notional < max(listing.min_funds, 1):
        worth = cash_text(notional, unit, grouped=True)
        least = cash_text(listing.min_funds, unit, grouped=True)
        detail = f"{asked} is worth {worth} {unit}, the smallest order is {least} {unit}"
        if not buy and held.quantity and not _max_sellable(account, held, price, listing, step):
            detail += f"; all of the {units_text(held.quantity)} held is too little to be sold"
        return Rejection(RejectReason.BELOW_MINIMUM, detail)
    if buy and notional + fee > account.cash - reserved:
        needs = cash_text(notional + fee, unit, grouped=True)
        has = cash_text(account.cash - reserved, unit, grouped=True)
        detail = f"{asked} needs {needs} with fees, has {has}"
        if reserved:
            detail += f" besides {cash_text(reserved, unit, grouped=True)} for open orders"
        return Rejection(RejectReason.INSUFFICIENT_CASH, detail)
    if not buy and quantity > held.quantity:
        detail = (
            f"selling {units_text(quantity)} {order.product_id}, has {units_text(held.quantity)}"
        )
        if held.quantity % listing.base_increment:
            whole = _max_sellable(account, held, price, listing, step)
            rest = f"of which {units_text(whole)} can be sold" if whole else "too little to be sold"
            detail += f", {rest} in steps of {units_text(listing.base_increment)}"
        return Rejection(RejectReason.INSUFFICIENT_POSITION, detail)
    if not buy and account.cash + notional > AMOUNT_MAX:
        detail = f"{asked} would leave more than the {units_text(AMOUNT_MAX)} {unit} of an account"
        return Rejection(RejectReason.INVALID_QUANTITY, detail)
    return None


def check_funds(
    account: Account,
    order: Order,
    price: PriceUnits,
    listing: Listing,
    rules: TradingRules,
    *,
    reserved: int = 0,
) -> Rejection | None:
    """Reject an order that the account could not fill whole at a price; None if it could.

    Args:
        account: The account before the order.
        order: The order; its quantity is a multiple of the product's step.
        price: The price.
        listing: The trading rules of the product.
        rules: The fee.
        reserved: Cash that open orders reserve.
    """
    assert isinstance(order.quantity, Decimal), "shares are resolved before"
    notional = cash_notional_units(to_units(order.quantity), price, rules.cash_step)
    fee = fee_units(notional, rules.fee_bps, rules.cash_step)
    held = account.positions.get(order.product_id, Position())
    return _check_funds(account, order, held, listing, rules, (price, notional, fee), reserved)


def part_that_fills(
    quantity: int, size: int | None, price: PriceUnits, listing: Listing, cash_step: int
) -> int:
    """How much of a quantity a ticker's size fills; 0 if that would be less than an order.

    Args:
        quantity: Wanted, in whole steps.
        size: The size at the best price; None if it is not known, then all of it fills.
        price: The price of the fill.
        listing: For the step and the smallest order.
        cash_step: Step of the account's cash.
    """
    if size is None or size >= quantity:
        return quantity
    part = size // listing.base_increment * listing.base_increment
    worth = cash_notional_units(part, price, cash_step)
    return part if worth >= max(listing.min_funds, 1) else 0


def _max_sellable(
    account: Account, held: Position, price: PriceUnits, listing: Listing, cash_step: int
) -> int:
    """The most of a position that can be sold at a price; 0 if it is too little for an order."""
    whole = held.quantity // listing.base_increment * listing.base_increment
    worth = cash_notional_units(whole, price, cash_step)
    fits = worth >= max(listing.min_funds, 1) and account.cash + worth <= AMOUNT_MAX
    return whole if fits else 0


def _loss(quantity: int, price: PriceUnits, better: PriceUnits, side: int) -> int:
    """A taker's loss by one price instead of a better one; negative for a gain."""
    return side * notional_units(quantity, price_difference(price, better))


def _realised_profit(held: Position, quantity: int, proceeds: int) -> int:
    return proceeds - divide_half_even(held.cost * quantity, held.quantity)


def _set_aside(realised: int, share: int, step: int) -> int:
    """The part of a profit that is set aside, rounded down to a step of cash."""
    if realised <= 0:
        return 0
    aside: int = realised * share // SCALE // step * step
    return aside


def _market_postings(
    quantity: int,
    best: PriceUnits,
    price: PriceUnits,
    notional: int,
    fee: int,
    side: int,
    unit: str,
) -> tuple[Leg, ...]:
    """The postings of an agent's money: to the market at its best price, and to costs."""
    at_best = notional_units(quantity, best)
    slippage = _loss(quantity, price, best, side)
    return (
        ("house/market", unit, side * at_best),
        ("house/slippage", unit, slippage),
        ("house/fees", unit, fee),
        ("house/rounding", unit, side * (notional - at_best) - slippage),
    )
