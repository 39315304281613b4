"""Decides an order: a pure function of account, market, rules, limits and time.

A market order is filled completely or rejected, with the first reason of `RejectReason` that
applies. A limit order fills as far as it can at once, and what is left stands. The amounts of a
fill are computed in `trading_tools.fill`, limits of risk by the `Guard`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, Protocol

from arena.account_log import ExitRead
from arena.account_state import Account
from arena.kill_switch import ActiveHalt
from arena.messages import QuoteSeen, RejectReason, Side, ToolCall
from arena.money import (
    PriceUnits,
    from_units,
    to_price_units,
    to_units,
)
from trading_tools.context import Order, Share
from trading_tools.fill import (
    Fill,
    Rejection,
    Unfilled,
    check_funds,
    fill_order,
    part_that_fills,
    price_of,
)
from trading_tools.order_quantity import resolve_share
from trading_tools.orders.records import Json
from trading_tools.orders.terms import BadTerms, exits_of, stop_level
from trading_tools.quotes import Listing, MarketState, Quote
from trading_tools.refusals import (
    control_unknown_since,
    no_price,
    off_step,
    refuse_early,
    refuse_old,
    refuse_price,
    refuse_quantity,
)
from trading_tools.rules import TradingRules
from trading_tools.schema import InvalidArguments
from trading_tools.suggested_quantity import QuantitySuggestion, position_quantity

__all__ = ["Decision", "Fill", "Guard", "Rejection", "control_unknown_since", "decide"]


class RiskOutcome(NamedTuple):
    """What limits of risk say about an order.

    Attributes:
        quantity: The quantity that passes, in units of 10^-8; 0 if it is rejected.
        detail: In words, for the agent; "" if it passes as it is.
        record: `RiskVerdict` as JSON.
    """

    quantity: int
    detail: str
    record: Json


class Guard(Protocol):
    """Checks orders of one account against its limits."""

    def assess(
        self,
        action: Side,
        product_id: str,
        quantity: int,
        price: PriceUnits,
        stop: PriceUnits | None,
        listing: Listing,
        *,
        resting: bool = False,
    ) -> RiskOutcome:
        """Check an order at the price that it would pay; `stop` is the level of its exit."""
        ...


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome of an order, and the prices that it was decided by.

    Attributes:
        outcome: The fill, the rejection, or the step without a fill.
        order: The order, or None if the arguments could not be read; its quantity is a share only
            if it was rejected before the share was known.
        quote: The product's newest quote, which the order was decided by; None without one.
        seen: The prices of the product in the agent's snapshot.
        listing: The product's trading rules, if they are known.
        is_part: True for a fill that leaves a rest standing.
        exits: The exits that the order brings.
        risk: `RiskVerdict` as JSON; None for an account without limits.
    """

    outcome: Fill | Rejection | Unfilled
    order: Order | None = None
    quote: Quote | None = None
    seen: QuoteSeen | None = None
    listing: Listing | None = None
    is_part: bool = False
    exits: tuple[ExitRead, ...] = ()
    risk: Json | None = None


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
    reserved: int = 0,
    guard: Guard | None = None,
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
        reserved: Cash that the account's open orders reserve.
        guard: The limits of the account; None for none.
    """
    if isinstance(order, InvalidArguments):
        return Decision(Rejection(RejectReason.MALFORMED_ARGUMENTS, order.reason))
    seen = call.quotes_seen.get(order.product_id)
    quote = market.quotes.get(order.product_id)
    listing = market.listings.get(order.product_id)
    refused = Decision(_NOTHING, order, quote, seen, listing)
    refusal = refuse_early(call, order.product_id, market, rules, now, halt, control_unknown)
    if refusal is not None:
        return replace(refused, outcome=refusal)
    assert listing is not None
    prices = _Prices(
        quote, seen, rules, prices_at or now, prices_current, market.newest_at or now, reserved
    )
    if isinstance(order.quantity, Share):
        resolved = _resolve(order, account, prices, listing)
        if isinstance(resolved, Rejection):
            return replace(refused, outcome=resolved)
        order = resolved
    asked: Order = order

    def outcome_of(quantity: int) -> Decision:
        wanted = replace(asked, quantity=from_units(quantity))
        return _decide_at(account, call, wanted, prices, listing, guard)

    suggestion = _suggestion(order, account, prices, listing, outcome_of)
    refusal = refuse_quantity(order, suggestion)
    if refusal is not None:
        return replace(refused, outcome=refusal, order=order)
    return _decide_at(account, call, order, prices, listing, guard)


def _suggestion(
    order: Order,
    account: Account,
    prices: "_Prices",
    listing: Listing,
    outcome_of: Callable[[int], Decision],
) -> QuantitySuggestion:
    """Finds a quantity near the asked one that would be filled as it is."""
    quote, rules = prices.quote, prices.rules

    def fits(quantity: int) -> bool:
        found = outcome_of(quantity).outcome
        return isinstance(found, Fill) and found.quantity == quantity

    usable = quote is not None and quote.usable
    return QuantitySuggestion(
        order.action,
        account,
        position_quantity(account, order.product_id),
        listing,
        price_of(order, quote, listing, rules) if quote is not None and usable else None,
        rules.fee_bps,
        rules.cash_step,
        fits,
    )


@dataclass(frozen=True, slots=True)
class _Prices:
    """The prices of one product, and how current they are."""

    quote: Quote | None
    seen: QuoteSeen | None
    rules: TradingRules
    at: datetime
    current: bool
    venue_at: datetime
    reserved: int


_NOTHING = Unfilled("accepted")


def _resolve(
    order: Order, account: Account, prices: _Prices, listing: Listing
) -> Order | Rejection:
    """The order with the quantity that its share means."""
    assert isinstance(order.quantity, Share)
    price = PriceUnits(1)
    if order.action == "buy":
        refusal = refuse_price(order, prices.quote, prices.seen, prices.rules, prices.at)
        if not prices.current or refusal is not None:
            return refuse_old(order, current=prices.current) or refusal or no_price(order)
        assert prices.quote is not None
        price = price_of(order, prices.quote, listing, prices.rules)
        if order.limit_price is not None:
            price = to_price_units(order.limit_price)
    found = resolve_share(
        order.quantity, order.action, account, listing, price, prices.rules, prices.reserved
    )
    if isinstance(found, Rejection):
        return found
    return replace(order, quantity=from_units(found))


def _decide_at(
    account: Account,
    call: ToolCall,
    order: Order,
    prices: _Prices,
    listing: Listing,
    guard: Guard | None,
) -> Decision:
    """Decide an order whose quantity is a number in whole steps."""
    quote, rules = prices.quote, prices.rules
    refused = Decision(_NOTHING, order, quote, prices.seen, listing)
    refusal = refuse_old(order, current=prices.current) or refuse_price(
        order, quote, prices.seen, rules, prices.at
    )
    if refusal is not None:
        return replace(refused, outcome=refusal)
    assert quote is not None
    assert isinstance(order.quantity, Decimal)
    limit = None if order.limit_price is None else to_price_units(order.limit_price)
    if limit is not None and limit % listing.quote_increment:
        return replace(refused, outcome=off_step(order, listing))
    stands = limit is not None and not _is_marketable(order.action, quote, limit)
    price = limit if stands and limit is not None else price_of(order, quote, listing, rules)
    bid = price if stands else quote.bid
    try:
        wanted = order.exits
        venue_at = None if stands else prices.venue_at
        exits = (
            [] if wanted is None else exits_of(wanted, call.call_id, price, bid, listing, venue_at)
        )
    except BadTerms as error:
        return replace(refused, outcome=Rejection(RejectReason.BAD_TERMS, str(error)))
    risk: Json | None = None
    if guard is not None:
        stop, quantity = stop_level(exits, bid), to_units(order.quantity)
        said = guard.assess(
            order.action, order.product_id, quantity, price, stop, listing, resting=stands
        )
        risk = said.record
        if not said.quantity:
            outcome = Rejection(RejectReason.RISK_LIMIT, said.detail)
            return replace(refused, outcome=outcome, risk=risk)
        if said.quantity != quantity:
            order = replace(order, quantity=from_units(said.quantity))
    filled, is_part = _fill_or_stand(account, call, order, prices, listing, stands=stands)
    brings = () if isinstance(filled, Rejection) else tuple(exits)
    return Decision(filled, order, quote, prices.seen, listing, is_part, brings, risk)


def _fill_or_stand(
    account: Account,
    call: ToolCall,
    order: Order,
    prices: _Prices,
    listing: Listing,
    *,
    stands: bool,
) -> tuple[Fill | Rejection | Unfilled, bool]:
    """Fill what fills at once; the second value is True if a rest stands."""
    quote, rules, reserved = prices.quote, prices.rules, prices.reserved
    assert quote is not None
    assert isinstance(order.quantity, Decimal)
    now, is_part = order, False
    if order.limit_price is not None:
        limit = to_price_units(order.limit_price)
        refusal = check_funds(account, order, limit, listing, rules, reserved=reserved)
        if refusal is not None:
            return refusal, False
        asked, price = to_units(order.quantity), price_of(order, quote, listing, rules)
        size = quote.ask_size if order.action == "buy" else quote.bid_size
        part = 0 if stands else part_that_fills(asked, size, price, listing, rules.cash_step)
        if not part:
            return Unfilled("accepted"), False
        is_part = part < asked
        now = replace(order, quantity=from_units(part))
    seen = prices.seen
    fill = fill_order(account, call.agent, now, quote, seen, listing, rules, reserved=reserved)
    return fill, is_part


def _is_marketable(action: Side, quote: Quote, limit: PriceUnits) -> bool:
    return quote.ask <= limit if action == "buy" else quote.bid >= limit
