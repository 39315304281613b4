"""Decides an order: a pure function of account, market, rules and time.

An order is filled completely or rejected, with the first reason of `RejectReason` that applies. The
amounts of a fill are computed in `trading_tools.fill`.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import ROUND_FLOOR, Decimal

from arena.account_state import Account
from arena.kill_switch import ActiveHalt
from arena.messages import QuoteSeen, RejectReason, ToolCall
from arena.money import (
    BPS,
    PriceUnits,
    decimal_text,
    divide_half_even,
    from_units,
    price_text,
    round_to_units,
    slip_price,
    to_units,
    units_text,
)
from arena.trading_modes import MARKET_ORDERS_REFUSED, ONLINE, condition
from trading_tools.arguments import quoted
from trading_tools.context import Order
from trading_tools.fill import QUANTITY_MAX, Fill, Rejection, fill_order, seen_price
from trading_tools.quotes import Listing, MarketState, Quote
from trading_tools.rules import TradingRules
from trading_tools.schema import InvalidArguments
from trading_tools.suggested_quantity import QuantitySuggestion, position_quantity

__all__ = ["Decision", "Fill", "Rejection", "control_unknown_since", "decide"]

PRODUCTS_NAMED_MAX = 12
NOT_TRADED_HERE = " is not traded here"
TRADED_ARE = "; traded are "
CONTROL_UNREAD = "arena.control could not be read to its end since "
"""How the rejection of an order begins if it waited for the kill switch until its deadline."""
CONTROL_UNREAD_FORMAT = "%Y-%m-%d %H:%M:%S UTC"


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome of an order, and the prices that it was decided by.

    Attributes:
        outcome: The fill or the rejection.
        order: The order, or None if the arguments could not be read.
        quote: The product's newest quote, which the order was decided by; None without one.
        seen: The prices of the product in the agent's snapshot.
        listing: The product's trading rules, if they are known.
    """

    outcome: Fill | Rejection
    order: Order | None = None
    quote: Quote | None = None
    seen: QuoteSeen | None = None
    listing: Listing | None = None


def decide(
    account: Account,
    call: ToolCall,
    order: Order | InvalidArguments,
    market: MarketState,
    rules: TradingRules,
    now: datetime,
    *,
    prices_at: datetime | None = None,
    prices_current: bool = True,
    halt: ActiveHalt | None = None,
    control_unknown: datetime | None = None,
) -> Decision:
    """Decide an order.

    Args:
        account: The agent's account after everything that was decided before.
        call: The command.
        order: The order that the tool returned, or why its arguments cannot be used.
        market: The newest quotes and listings.
        rules: The rules of this arena, in the order's currency and with the agent's wallets.
        now: Wall time of this process.
        prices_at: The time for the age of prices, if it is not `now`.
        prices_current: False if prices as new as the agent's snapshot did not arrive in time.
        halt: The halt that stops this agent's orders, or None.
        control_unknown: Since when `arena.control` could not be read to its end, if the order
            waited for that until its deadline; None if it could be read.
    """
    if isinstance(order, InvalidArguments):
        return Decision(Rejection(RejectReason.MALFORMED_ARGUMENTS, order.reason))
    seen = call.quotes_seen.get(order.product_id)
    quote = market.quotes.get(order.product_id)
    listing = market.listings.get(order.product_id)
    at = prices_at or now

    def outcome_of(asked: Order) -> Fill | Rejection:
        refusal = _refuse_price(asked, quote, seen, rules, at, prices_current)
        if refusal is not None:
            return refusal
        assert quote is not None
        assert listing is not None
        return fill_order(account, call.agent, asked, quote, seen, listing, rules)

    def fits(quantity: int) -> bool:
        return isinstance(outcome_of(replace(order, quantity=from_units(quantity))), Fill)

    refusal = (
        _refuse_unknown(call, now, control_unknown)
        or _refuse_late(call, now)
        or _refuse_halted(halt)
        or _refuse_product(order, listing, market, rules)
    )
    if refusal is None:
        assert listing is not None
        suggestion = QuantitySuggestion(
            order.action,
            account,
            position_quantity(account, order.product_id),
            listing,
            _price_of(order, quote, listing, rules),
            rules.fee_bps,
            rules.cash_step,
            fits,
        )
        refusal = _refuse_quantity(order, suggestion)
    return Decision(refusal or outcome_of(order), order, quote, seen, listing)


def _price_of(
    order: Order, quote: Quote | None, listing: Listing, rules: TradingRules
) -> PriceUnits | None:
    """The price that an order would be filled at; None without a usable quote."""
    if quote is None or not quote.usable:
        return None
    buy = order.action == "buy"
    best = quote.ask if buy else quote.bid
    return slip_price(best, rules.slippage_bps, listing.quote_increment, up=buy)


def _refuse_late(call: ToolCall, now: datetime) -> Rejection | None:
    if now <= call.deadline_at:
        return None
    late_s = (now - call.deadline_at).total_seconds()
    return Rejection(RejectReason.EXPIRED, f"the order came {late_s:.1f} s after its deadline")


def _refuse_unknown(call: ToolCall, now: datetime, since: datetime | None) -> Rejection | None:
    """Refuse an order that came in time and had to wait: so `expired` does not apply."""
    if since is None or now <= call.deadline_at:
        return None
    detail = (
        f"{CONTROL_UNREAD}{since.astimezone(UTC):{CONTROL_UNREAD_FORMAT}}, so whether trading is"
        " halted was unknown until the order's deadline; nothing was traded"
    )
    return Rejection(RejectReason.CONTROL_UNKNOWN, detail)


def control_unknown_since(detail: str) -> datetime | None:
    """The time in the detail of a `control_unknown` rejection; None for another detail."""
    if not detail.startswith(CONTROL_UNREAD):
        return None
    text = detail.removeprefix(CONTROL_UNREAD)[: len("2026-11-21 09:12:03 UTC")]
    try:
        return datetime.strptime(text, CONTROL_UNREAD_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None


def _refuse_halted(halt: ActiveHalt | None) -> Rejection | None:
    return None if halt is None else Rejection(RejectReason.HALTED, halt.sentence)


def _refuse_product(
    order: Order, listing: Listing | None, market: MarketState, rules: TradingRules
) -> Rejection | None:
    currency = rules.currency
    if listing is not None and listing.tradable((currency,)):
        return None
    reason = RejectReason.UNKNOWN_PRODUCT
    if listing is None:
        what = f"{quoted(order.product_id)}{NOT_TRADED_HERE}"
    elif listing.quote_currency != currency:
        held = " and ".join(unit for unit, _ in rules.starting_amounts)
        what = f"{order.product_id} is quoted in {listing.quote_currency}, accounts hold {held}"
    else:
        reason = RejectReason.NOT_TRADABLE
        what = f"{order.product_id} is {condition(listing.status, listing.modes)} at the venue"
        what += f": {MARKET_ORDERS_REFUSED}" if listing.status == ONLINE else ""
    names = market.tradable(rules.currencies)
    named = ", ".join(names[:PRODUCTS_NAMED_MAX]) or "nothing yet"
    more = f" and {len(names) - PRODUCTS_NAMED_MAX} more" if len(names) > PRODUCTS_NAMED_MAX else ""
    return Rejection(reason, f"{what}{TRADED_ARE}{named}{more}")


def _refuse_quantity(order: Order, suggestion: QuantitySuggestion) -> Rejection | None:
    asked, unit = decimal_text(order.quantity), suggestion.listing.base_currency
    if order.quantity <= 0:
        detail = f"quantity was {asked}; send a positive quantity of {unit}"
        return Rejection(RejectReason.INVALID_QUANTITY, detail)
    floor = round_to_units(order.quantity, ROUND_FLOOR)
    buy = order.action == "buy"
    if floor > (QUANTITY_MAX - suggestion.held if buy else QUANTITY_MAX):
        nearest = suggestion.nearest(floor)
        detail = f"quantity was {asked}, " + (
            f"at most {units_text(nearest)} can be {'bought' if buy else 'sold'} now"
            if nearest is not None
            else f"more {unit} than an account can {'hold' if buy else 'sell'}"
        )
        return Rejection(RejectReason.INVALID_QUANTITY, detail)
    step = suggestion.listing.base_increment
    if floor % step == 0 and _is_exact(order.quantity):
        return None
    detail = f"{asked} is no multiple of {units_text(step)} {unit}"
    nearest = suggestion.nearest(floor)
    if nearest is not None:
        detail += f"; try {units_text(nearest)}"
    elif not buy and 0 < suggestion.held < step:
        detail += (
            f", and the {units_text(suggestion.held)} held is less than that: it cannot be sold"
        )
    return Rejection(RejectReason.BAD_INCREMENT, detail)


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
) -> Rejection | None:
    name = order.product_id
    if not prices_current:
        detail = f"prices of {name} as new as your snapshot did not arrive in time; try again"
        return Rejection(RejectReason.NO_PRICE, detail)
    if quote is None or not quote.usable:
        return Rejection(RejectReason.NO_PRICE, f"{name} has no usable price now; try again later")
    age_s = quote.age_ms(now) / 1000
    if age_s > rules.price_age_s_max:
        limit_s = f"{rules.price_age_s_max:g}"
        detail = f"the price of {name} is {age_s:.1f} s old, at most {limit_s} s is traded on"
        return Rejection(RejectReason.STALE_PRICE, detail)
    price_seen = seen_price(seen, order.action)
    if price_seen is None:
        return None
    best = quote.ask if order.action == "buy" else quote.bid
    if abs(best - price_seen) * BPS * BPS > int(rules.collar_bps * BPS) * price_seen:
        moved_bps = divide_half_even((best - price_seen) * BPS, price_seen)
        detail = (
            f"{name} moved {moved_bps:+d} bps since your snapshot, {price_text(price_seen)} to"
            f" {price_text(best)}; the collar is {decimal_text(rules.collar_bps)} bps"
        )
        return Rejection(RejectReason.BEYOND_COLLAR, detail)
    return None
