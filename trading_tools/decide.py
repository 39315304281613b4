"""How an order is decided: a pure function of account, market, rules and the time.

An order fills whole or is refused, with the first reason of `RejectReason` that applies. Amounts
are whole units of 10^-8, prices of 10^-18; the fill's notional is rounded half to even to a step of
cash and its fee up, once, here. What rounding gives or takes is posted to `house/rounding`, so
postings sum to zero.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_FLOOR, Decimal

from arena.account_state import Account, Position
from arena.messages import QuoteSeen, RejectReason, Side, ToolCall
from arena.money import (
    AMOUNT_MAX,
    BPS,
    SCALE,
    PriceUnits,
    cash_notional_units,
    decimal_text,
    divide_half_even,
    fee_units,
    notional_units,
    price_difference,
    price_or_none,
    price_text,
    round_to_units,
    slip_price,
    to_units,
    units_text,
)
from arena.switch import Stop
from trading_tools.arguments import shown
from trading_tools.context import Order
from trading_tools.portfolio import cash_text
from trading_tools.quotes import Listing, Market, Quote
from trading_tools.rules import TradingRules
from trading_tools.schema import Refused

QUANTITY_MAX = AMOUNT_MAX
"""The most that an order may ask for and an account may hold, in units of 10^-8."""
PRODUCTS_NAMED_MAX = 12
CONTROL_UNREAD = "arena.control could not be read to its end since "
"""How the refusal of an order begins that waited for the kill switch until its deadline."""
CONTROL_UNREAD_FORMAT = "%Y-%m-%d %H:%M:%S UTC"

Leg = tuple[str, str, int]
"""Account, unit, amount."""


@dataclass(frozen=True, slots=True)
class Fill:
    """A filled order: everything its event says about money; amounts are units of 10^-8.

    Attributes:
        price: With slippage. notional: price times quantity, in steps of cash.
        slippage: Lost against the best price. latency_cost: lost against the price seen.
        realised: Profit of a sell, None for a buy. scraped: what of it is set aside.
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
class Refusal:
    """A refused order: the rule, what was asked, what was possible."""

    reason: RejectReason
    detail: str


@dataclass(frozen=True, slots=True)
class Decision:
    """How an order ends, and the prices that mattered.

    Attributes:
        order: As asked, or None where the arguments could not be read.
        quote: The newest of the product, if there is one: what the decision was made with.
        seen: The prices of the product in the agent's snapshot.
    """

    outcome: Fill | Refusal
    order: Order | None = None
    quote: Quote | None = None
    seen: QuoteSeen | None = None


def decide(
    account: Account,
    call: ToolCall,
    order: Order | Refused,
    market: Market,
    rules: TradingRules,
    now: datetime,
    *,
    prices_at: datetime | None = None,
    prices_current: bool = True,
    halt: Stop | None = None,
    control_unknown: datetime | None = None,
) -> Decision:
    """Decide an order.

    Args:
        account: Of the calling agent, after everything that was decided before.
        call: The command.
        order: What the tool made of its arguments, or why it could not.
        market: Newest prices and listings.
        rules: Of this arena.
        now: Our wall time.
        prices_at: The time that the age of a price is measured to, where it is not `now`.
        prices_current: False where prices as new as the agent's snapshot did not arrive in time.
        halt: What stops this agent's orders, or None.
        control_unknown: Since when `arena.control` could not be read to its end, while the order
            waited until its deadline had passed; None if it could.
    """
    if isinstance(order, Refused):
        return Decision(Refusal(RejectReason.MALFORMED_ARGUMENTS, order.reason))
    seen = call.quotes_seen.get(order.product_id)
    quote = market.quotes.get(order.product_id)
    listing = market.listings.get(order.product_id)
    refusal = (
        _refuse_unknown(call, now, control_unknown)
        or _refuse_late(call, now)
        or _refuse_halted(halt)
        or _refuse_product(order, listing, market, rules.currency)
        or _refuse_quantity(order, listing, account)
        or _refuse_price(order, quote, seen, rules, prices_at or now, prices_current)
    )
    if refusal is not None:
        return Decision(refusal, order, quote, seen)
    assert quote is not None
    assert listing is not None
    outcome = _fill(account, call.agent, order, quote, seen, listing, rules)
    return Decision(outcome, order, quote, seen)


def _refuse_late(call: ToolCall, now: datetime) -> Refusal | None:
    if now <= call.deadline_at:
        return None
    late_s = (now - call.deadline_at).total_seconds()
    return Refusal(RejectReason.EXPIRED, f"the order came {late_s:.1f} s after its deadline")


def _refuse_unknown(call: ToolCall, now: datetime, since: datetime | None) -> Refusal | None:
    """It came in time, and is late only because it had to wait: so `expired` does not apply."""
    if since is None or now <= call.deadline_at:
        return None
    detail = (
        f"{CONTROL_UNREAD}{since.astimezone(UTC):{CONTROL_UNREAD_FORMAT}}, so whether trading is"
        " halted was unknown until the order's deadline; nothing was traded"
    )
    return Refusal(RejectReason.CONTROL_UNKNOWN, detail)


def control_unknown_since(detail: str) -> datetime | None:
    """The time that the detail of a `control_unknown` names, or None for another detail."""
    if not detail.startswith(CONTROL_UNREAD):
        return None
    text = detail.removeprefix(CONTROL_UNREAD)[: len("2026-11-21 09:12:03 UTC")]
    try:
        return datetime.strptime(text, CONTROL_UNREAD_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None


def _refuse_halted(halt: Stop | None) -> Refusal | None:
    return None if halt is None else Refusal(RejectReason.HALTED, halt.sentence)


def _refuse_product(
    order: Order, listing: Listing | None, market: Market, currency: str
) -> Refusal | None:
    if listing is not None and listing.tradable(currency):
        return None
    if listing is None:
        what = f"{shown(order.product_id)} is not traded here"
    elif listing.quote_currency != currency:
        what = f"{order.product_id} is quoted in {listing.quote_currency}, accounts hold {currency}"
    else:
        what = f"{order.product_id} is {listing.status} at the venue"
    names = market.tradable(currency)
    named = ", ".join(names[:PRODUCTS_NAMED_MAX]) or "nothing yet"
    more = f" and {len(names) - PRODUCTS_NAMED_MAX} more" if len(names) > PRODUCTS_NAMED_MAX else ""
    return Refusal(RejectReason.UNKNOWN_PRODUCT, f"{what}; traded are {named}{more}")


def _refuse_quantity(order: Order, listing: Listing | None, account: Account) -> Refusal | None:
    assert listing is not None
    asked = decimal_text(order.quantity)
    if order.quantity <= 0:
        detail = f"quantity was {asked}; send a positive quantity of {listing.base_currency}"
        return Refusal(RejectReason.INVALID_QUANTITY, detail)
    floor = round_to_units(order.quantity, ROUND_FLOOR)
    held = account.positions.get(order.product_id, Position()).quantity
    room = QUANTITY_MAX - held if order.action == "buy" else QUANTITY_MAX
    if floor > room:
        detail = f"quantity was {asked}; at most {units_text(room)} can be ordered"
        return Refusal(RejectReason.INVALID_QUANTITY, detail)
    step = listing.base_increment
    if floor % step or not _is_exact(order.quantity):
        possible = units_text(max(floor // step, 1) * step)
        increment = units_text(step)
        detail = f"{asked} is no multiple of {increment} {listing.base_currency}; try {possible}"
        return Refusal(RejectReason.BAD_INCREMENT, detail)
    return None


def _is_exact(quantity: Decimal) -> bool:
    try:
        to_units(quantity)
    except ValueError:
        return False
    return True


def _refuse_price(
    order: Order,
    quote: Quote | None,
    seen: QuoteSeen | None,
    rules: TradingRules,
    now: datetime,
    prices_current: bool,
) -> Refusal | None:
    name = order.product_id
    if not prices_current:
        detail = f"prices of {name} as new as your snapshot did not arrive in time; try again"
        return Refusal(RejectReason.NO_PRICE, detail)
    if quote is None or not quote.usable:
        return Refusal(RejectReason.NO_PRICE, f"{name} has no usable price now; try again later")
    age_s = quote.age_ms(now) / 1000
    if age_s > rules.price_age_s_max:
        limit_s = f"{rules.price_age_s_max:g}"
        detail = f"the price of {name} is {age_s:.1f} s old, at most {limit_s} s is traded on"
        return Refusal(RejectReason.STALE_PRICE, detail)
    seen_price = _seen_units(seen, order.action)
    if seen_price is None:
        return None
    best = quote.ask if order.action == "buy" else quote.bid
    if abs(best - seen_price) * BPS * BPS > int(rules.collar_bps * BPS) * seen_price:
        moved_bps = divide_half_even((best - seen_price) * BPS, seen_price)
        detail = (
            f"{name} moved {moved_bps:+d} bps since your snapshot, {price_text(seen_price)} to"
            f" {price_text(best)}; the collar is {decimal_text(rules.collar_bps)} bps"
        )
        return Refusal(RejectReason.BEYOND_COLLAR, detail)
    return None


def _seen_units(seen: QuoteSeen | None, action: Side) -> PriceUnits | None:
    if seen is None:
        return None
    price = seen.ask if action == "buy" else seen.bid
    return None if price <= 0 else price_or_none(price)


def _fill(
    account: Account,
    agent: str,
    order: Order,
    quote: Quote,
    seen: QuoteSeen | None,
    listing: Listing,
    rules: TradingRules,
) -> Fill | Refusal:
    buy = order.action == "buy"
    quantity = to_units(order.quantity)
    best = quote.ask if buy else quote.bid
    price = slip_price(best, rules.slippage_bps, listing.quote_increment, up=buy)
    unit, step = rules.currency, rules.cash_step
    notional = cash_notional_units(quantity, price, step)
    fee = fee_units(notional, rules.fee_bps, step)
    held = account.positions.get(order.product_id, Position())
    asked = f"{units_text(quantity)} {order.product_id} at {price_text(price)}"
    if notional < max(listing.min_funds, 1):
        worth = cash_text(notional, unit, grouped=True)
        least = cash_text(listing.min_funds, unit, grouped=True)
        detail = f"{asked} is worth {worth} {unit}, the smallest order is {least} {unit}"
        return Refusal(RejectReason.BELOW_MINIMUM, detail)
    if buy and notional + fee > account.cash:
        needs = cash_text(notional + fee, unit, grouped=True)
        has = cash_text(account.cash, unit, grouped=True)
        detail = f"{asked} needs {needs} with fees, has {has}"
        return Refusal(RejectReason.INSUFFICIENT_CASH, detail)
    if not buy and quantity > held.quantity:
        detail = (
            f"selling {units_text(quantity)} {order.product_id}, has {units_text(held.quantity)}"
        )
        return Refusal(RejectReason.INSUFFICIENT_POSITION, detail)
    if not buy and account.cash + notional > AMOUNT_MAX:
        detail = f"{asked} would leave more than the {units_text(AMOUNT_MAX)} {unit} of an account"
        return Refusal(RejectReason.INVALID_QUANTITY, detail)
    side = 1 if buy else -1
    cash_move = -(notional + fee) if buy else notional - fee
    seen_price = _seen_units(seen, order.action)
    realised = None if buy else _realised(held, quantity, notional - fee)
    scraped = _scraped(realised or 0, account.scrape, step)
    legs: tuple[Leg, ...] = (
        (f"agent/{agent}/cash", unit, cash_move - scraped),
        (f"agent/{agent}/scraped", unit, scraped),
        *_market_postings(quantity, best, price, notional, fee, side, unit),
        (f"agent/{agent}/position", listing.base_currency, side * quantity),
        ("house/market", listing.base_currency, -side * quantity),
    )
    lost = _lost(quantity, price, best, side)
    latency = 0 if seen_price is None else _lost(quantity, best, seen_price, side)
    return Fill(
        quantity=quantity,
        price=price,
        notional=notional,
        fee=fee,
        slippage=lost,
        latency_cost=latency,
        realised=realised,
        scraped=scraped,
        postings=tuple(leg for leg in legs if leg[2]),
        cash_after=account.cash + cash_move - scraped,
        position_after=held.quantity + side * quantity,
    )


def _lost(quantity: int, price: PriceUnits, better: PriceUnits, side: int) -> int:
    """What a taker lost by one price instead of a better one; negative if it gained."""
    return side * notional_units(quantity, price_difference(price, better))


def _realised(held: Position, quantity: int, proceeds: int) -> int:
    return proceeds - divide_half_even(held.cost * quantity, held.quantity)


def _scraped(realised: int, share: int, step: int) -> int:
    """What of a profit is set aside: its share, down to a step of cash."""
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
    """Where the agent's money went: to the market at its best price, and what trading cost."""
    at_best = notional_units(quantity, best)
    slippage = _lost(quantity, price, best, side)
    return (
        ("house/market", unit, side * at_best),
        ("house/slippage", unit, slippage),
        ("house/fees", unit, fee),
        ("house/rounding", unit, side * (notional - at_best) - slippage),
    )
