"""Turns the exits that an agent asked for into the terms of orders, or into a refusal. Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec.structs import replace

from arena import ids
from arena.account_log import ExitRead
from arena.messages import ExitType
from arena.money import SCALE, PriceUnits, decimal_text, price_text, to_price_units
from arena.open_orders import pct_units, trailing_level
from arena.wire import utc_text
from trading_tools.context import ExitRequest
from trading_tools.quotes import Listing


class BadTerms(ValueError):
    """Terms that cannot be used; the message has the value and the remedy."""


def exit_id(order_id: str, order_type: ExitType) -> str:
    """The order id of an exit that an entry, or a call, brings."""
    return ids.derive("exit", order_id, order_type)


def exits_of(
    request: ExitRequest,
    order_id: str,
    entry: PriceUnits,
    bid: PriceUnits,
    listing: Listing,
    at: datetime | None,
) -> list[ExitRead]:
    """The exits that a request asks for, in the order of `EXIT_TYPES`.

    Args:
        request: The request.
        order_id: The entry, or the call.
        entry: The price that percentages are measured from.
        bid: The best bid now: a stop must be below it, a take-profit above.
        listing: For the price increment.
        at: Venue time from which a time exit counts; None if that is not known yet.

    Raises:
        BadTerms: A level is on the wrong side of the bid.
    """
    step, found = listing.quote_increment, list[ExitRead]()

    def add(order_type: ExitType) -> ExitRead:
        found.append(ExitRead(order_id=exit_id(order_id, order_type), order_type=order_type))
        return found[-1]

    stop = _level(request.stop_loss_price, request.stop_loss_pct, entry, step, up=False)
    if stop is not None:
        _check_stop(stop, request, bid)
        add("stop_loss").trigger_price = price_text(stop)
    take = _level(request.take_profit_price, request.take_profit_pct, entry, step, up=True)
    if take is not None:
        _check_take(take, request, bid)
        add("take_profit").trigger_price = price_text(take)
    if request.trailing_pct is not None:
        add("trailing_stop").trailing_pct = decimal_text(request.trailing_pct.normalize())
    if request.exit_after_s is not None:
        time_exit = add("time_exit")
        if at is None:
            time_exit.exit_after_s = request.exit_after_s
        else:
            time_exit.exits_at = due_text(at, request.exit_after_s)
    return found


def due_text(at: datetime, after_s: int) -> str:
    """A venue time some seconds after another one, as text in messages."""
    return utc_text(at + timedelta(seconds=after_s))


def exits_at_fill(exits: Iterable[ExitRead], at: datetime) -> list[ExitRead]:
    """The exits of a limit order at its first fill: its time exit gets its venue time."""
    return [
        one
        if one.exit_after_s is None
        else replace(one, exits_at=due_text(at, one.exit_after_s), exit_after_s=None)
        for one in exits
    ]


def _level(
    price: Decimal | None, pct: Decimal | None, entry: PriceUnits, step: PriceUnits, *, up: bool
) -> PriceUnits | None:
    """The level of a stop-loss or take-profit, rounded away from the entry to a price step."""
    if price is not None:
        units = to_price_units(price)
    elif pct is not None:
        share = pct_units(pct)
        units = PriceUnits(entry * (SCALE + share if up else SCALE - share) // SCALE)
    else:
        return None
    whole = units // step * step
    return PriceUnits(whole + step if up and whole < units else whole)


def _check_stop(stop: PriceUnits, request: ExitRequest, bid: PriceUnits) -> None:
    asked = _asked("stop_loss", request.stop_loss_price, request.stop_loss_pct)
    if stop <= 0:
        raise BadTerms(f"{asked} is below the smallest price; give a smaller distance")
    if stop >= bid:
        raise BadTerms(
            f"{asked} is at {price_text(stop)}, not below the bid of {price_text(bid)}: it would"
            " sell at once; give a lower stop"
        )


def _check_take(take: PriceUnits, request: ExitRequest, bid: PriceUnits) -> None:
    if take <= bid:
        asked = _asked("take_profit", request.take_profit_price, request.take_profit_pct)
        raise BadTerms(
            f"{asked} is at {price_text(take)}, not above the bid of {price_text(bid)}: it would"
            " sell at once; give a higher one"
        )


def _asked(name: str, price: Decimal | None, pct: Decimal | None) -> str:
    if price is not None:
        return f"{name}_price {decimal_text(price)}"
    return f"{name}_pct {decimal_text(pct or Decimal(0))}"


def stop_level(exits: list[ExitRead], bid: PriceUnits) -> PriceUnits | None:
    """The highest level at which attached exits sell at a loss, or None without a stop."""
    levels = [
        to_price_units(Decimal(one.trigger_price))
        for one in exits
        if one.order_type == "stop_loss" and one.trigger_price is not None
    ]
    levels += [trailing_level(bid, one.trailing_pct) for one in exits if one.trailing_pct]
    return max(levels, default=None)
