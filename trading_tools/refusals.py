"""Refuses orders for reasons that do not depend on limits of risk. Pure.

Each function returns the refusal, or None; `trading_tools.decide` asks them in order of precedence.
"""

from datetime import UTC, datetime
from decimal import ROUND_FLOOR, Decimal

from arena.kill_switch import ActiveHalt
from arena.messages import QuoteSeen, RejectReason, ToolCall
from arena.money import (
    BPS,
    PriceUnits,
    decimal_text,
    divide_half_even,
    price_text,
    round_to_units,
    to_price_units,
    to_units,
    units_text,
)
from arena.trading_modes import MARKET_ORDERS_REFUSED, ONLINE, condition
from trading_tools.arguments import quoted
from trading_tools.context import Order
from trading_tools.fill import QUANTITY_MAX, Rejection, seen_price
from trading_tools.quotes import Listing, MarketState, Quote
from trading_tools.rules import TradingRules
from trading_tools.suggested_quantity import QuantitySuggestion

PRODUCTS_NAMED_MAX = 12
NOT_TRADED_HERE = " is not traded here"
TRADED_ARE = "; traded are "
CONTROL_UNREAD = "arena.control could not be read to its end since "
"""How the rejection of an order begins if it waited for the kill switch until its deadline."""
CONTROL_UNREAD_FORMAT = "%Y-%m-%d %H:%M:%S UTC"


def refuse_early(
    call: ToolCall,
    product_id: str,
    market: MarketState,
    rules: TradingRules,
    now: datetime,
    halt: ActiveHalt | None,
    control_unknown: datetime | None,
) -> Rejection | None:
    """Refuse a request for reasons that have nothing to do with quantity and price.

    Args:
        call: The command.
        product_id: The product.
        market: For the listings.
        rules: The rules, in the currency in which the order would be settled.
        now: Wall time.
        halt: The halt that stops this agent's orders, or None.
        control_unknown: See `decide`.
    """
    return (
        _refuse_unknown(call, now, control_unknown)
        or _refuse_late(call, now)
        or _refuse_halted(halt)
        or _refuse_product(product_id, market.listings.get(product_id), market, rules)
    )


def off_step(order: Order, listing: Listing) -> Rejection:
    """The refusal of a limit price that is no multiple of the price increment."""
    assert order.limit_price is not None
    step = listing.quote_increment
    down = PriceUnits(to_price_units(order.limit_price) // step * step)
    near = down if order.action == "buy" and down > 0 else PriceUnits(down + step)
    detail = (
        f"limit_price was {decimal_text(order.limit_price)}, no multiple of"
        f" {price_text(step)}; try {price_text(near)}"
    )
    return Rejection(RejectReason.BAD_TERMS, detail)


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
    product_id: str, listing: Listing | None, market: MarketState, rules: TradingRules
) -> Rejection | None:
    currency = rules.currency
    if listing is not None and listing.tradable((currency,)):
        return None
    reason = RejectReason.UNKNOWN_PRODUCT
    if listing is None:
        what = f"{quoted(product_id)}{NOT_TRADED_HERE}"
    elif listing.quote_currency != currency:
        held = " and ".join(unit for unit, _ in rules.starting_amounts)
        what = f"{product_id} is quoted in {listing.quote_currency}, accounts hold {held}"
    else:
        reason = RejectReason.NOT_TRADABLE
        what = f"{product_id} is {condition(listing.status, listing.modes)} at the venue"
        what += f": {MARKET_ORDERS_REFUSED}" if listing.status == ONLINE else ""
    names = market.tradable(rules.currencies)
    named = ", ".join(names[:PRODUCTS_NAMED_MAX]) or "nothing yet"
    more = f" and {len(names) - PRODUCTS_NAMED_MAX} more" if len(names) > PRODUCTS_NAMED_MAX else ""
    return Rejection(reason, f"{what}{TRADED_ARE}{named}{more}")


def refuse_quantity(order: Order, suggestion: QuantitySuggestion) -> Rejection | None:
    """Refuse a quantity that is not positive, too large, or not in whole steps."""
    assert isinstance(order.quantity, Decimal), "shares are resolved before"
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


def refuse_old(order: Order, *, current: bool) -> Rejection | None:
    """Refuse an order if prices as new as the agent's snapshot did not arrive in time."""
    if current:
        return None
    name = order.product_id
    detail = f"prices of {name} as new as your snapshot did not arrive in time; try again"
    return Rejection(RejectReason.NO_PRICE, detail)


def no_price(order: Order) -> Rejection:
    """The refusal of an order for a product without a usable price."""
    name = order.product_id
    return Rejection(RejectReason.NO_PRICE, f"{name} has no usable price now; try again later")


def refuse_price(
    order: Order,
    quote: Quote | None,
    seen: QuoteSeen | None,
    rules: TradingRules,
    now: datetime,
) -> Rejection | None:
    """Refuse an order if its product has no fresh price near the one that the agent saw.

    Args:
        order: The order.
        quote: The product's newest quote.
        seen: The prices in the agent's snapshot.
        rules: The limits of age and move.
        now: Wall time; in lock-step the market's time.
    """
    name = order.product_id
    if quote is None or not quote.usable:
        return no_price(order)
    age_s = quote.age_ms(now) / 1000
    if age_s > rules.price_age_s_max:
        limit_s = f"{rules.price_age_s_max:g}"
        detail = f"the price of {name} is {age_s:.1f} s old, at most {limit_s} s is traded on"
        return Rejection(RejectReason.STALE_PRICE, detail)
    price_seen = None if order.limit_price is not None else seen_price(seen, order.action)
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
