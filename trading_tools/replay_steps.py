"""Takes the recorded steps of orders again that no command asked for, or that cancel orders. Pure.

Such a step follows from the account log and from the ticker that its record names, so the same code
must write the same bytes.
"""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from arena.accounts import CANCELLED
from arena.messages import RejectReason, ToolCall
from arena.money import to_price_units, to_units
from arena.open_orders import AgentOrders, OpenOrder
from arena.risk_state import account_name
from trading_tools.command_handler import CommandHandler
from trading_tools.events import PendingEvent, origin_of_call
from trading_tools.fill import Rejection
from trading_tools.orders.accounts import settlement_in
from trading_tools.orders.desk import Desk
from trading_tools.orders.steps import (
    EXPIRED,
    FLATTEN,
    NOT_POSSIBLE,
    TRIGGERED,
    StepMaker,
    due_step,
)
from trading_tools.replay_prices import Event


def is_step(event: Event) -> bool:
    """True for a step that is taken again here, and not by the command handler."""
    return bool(event.get("cause"))


def take_step(handler: CommandHandler, event: Event, call: ToolCall | None) -> PendingEvent | None:
    """The record of a step, made again; None if the step was not due.

    Args:
        handler: Its shard is before the step, its market as the record names it.
        event: The recorded step.
        call: The call that cancelled an order; None for other steps.
    """
    desk = handler.desk(datetime.fromisoformat(event["at"]))
    steps, agent, cause = desk.steps(), event["agent"], event["cause"]
    if cause.startswith(FLATTEN):
        own = settlement_in(handler.shard, handler.rules, agent, event.get("currency", ""))
        if account_name(agent, own.wallet) not in handler.shard.risk:
            return None
        return steps.flatten(own, agent, event["product_id"])
    order = handler.shard.standing.get(agent, AgentOrders()).open.get(event["order_id"])
    if order is None:
        return None
    if cause == CANCELLED:
        if call is None:
            return None
        source = event["source"]
        origin = origin_of_call(call, (source["partition"], source["offset"]))
        return steps.cancel(
            agent,
            order,
            CANCELLED,
            origin=replace(origin, order_id=order.order_id),
            by_call=event.get("by_call", ""),
        )
    if cause == EXPIRED:
        return steps.cancel(agent, order, EXPIRED)
    if cause in (TRIGGERED, NOT_POSSIBLE):
        return _fill(desk, steps, agent, order, event)
    due = due_step(handler.shard, agent)
    if due is None or due.order.order_id != order.order_id:
        return None
    if due.kind == "arm":
        return steps.arm(agent, order)
    return steps.cancel(agent, order, due.cause)


def _fill(
    desk: Desk, steps: StepMaker, agent: str, order: OpenOrder, event: Event
) -> PendingEvent | None:
    if event["cause"] == NOT_POSSIBLE:
        refusal = Rejection(RejectReason(event["reason"]), event["detail"])
        return steps.cancel(agent, order, NOT_POSSIBLE, refusal=refusal, risk=event.get("risk"))
    quote = desk.market.quotes.get(order.product_id)
    if quote is None or not _meets(order, event["trigger"]):
        return None
    if order.is_exit:
        return steps.sell_all(agent, order, quote, event["trigger"])
    risk = event.get("risk")
    asked = to_units(Decimal(event["quantity"] if risk is None else risk["asked"]))
    return steps.fill_limit(agent, order, asked, quote, event["trigger"])


def _meets(order: OpenOrder, trigger: Event) -> bool:
    """True if the ticker that a record names triggers the order at the order's own level.

    The level of a trailing stop follows from all tickers since it was placed, so it is taken from
    the record: it is never below the one that the log knows.
    """
    bid, ask = Decimal(trigger["bid"]), Decimal(trigger["ask"])
    if order.order_type == "time_exit":
        return True
    level = Decimal(trigger.get("level", "0"))
    if order.order_type == "trailing_stop":
        return bid <= level and to_price_units(level) >= order.level
    if to_price_units(level) != order.level:
        return False
    if order.order_type == "take_profit":
        return bid >= level
    if order.order_type == "limit":
        return ask < level if order.action == "buy" else bid > level
    return bid <= level
