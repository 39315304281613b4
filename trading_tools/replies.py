"""The results that agents read after a call; those of orders are made from the event in the log."""

from pydantic import JsonValue

from arena.account_state import OrderOutcome
from arena.messages import ToolCall, ToolResult
from arena.newest_events import Event
from trading_tools.context import Answer
from trading_tools.order_text import order_text, words
from trading_tools.portfolio import PortfolioView


def answer_result(call: ToolCall, answer: Answer, account_seq: int | None = None) -> ToolResult:
    """The result of a tool that answered."""
    return ToolResult.model_construct(
        call_id=call.call_id,
        agent=call.agent,
        turn_id=call.turn_id,
        round=call.round,
        index=call.index,
        tool=call.tool,
        ok=not answer.error,
        text=answer.text,
        value=answer.value,
        error=answer.error,
        account_seq=account_seq,
    )


def failed_result(call: ToolCall, error: str, text: str) -> ToolResult:
    """The result of a call that was not carried out.

    Args:
        call: The call.
        error: A listed word, such as "expired".
        text: What was wrong, and what to do.
    """
    return answer_result(call, Answer(text, error=error))


def order_result(
    call: ToolCall, event: Event, portfolio: PortfolioView, orders: int = 1
) -> ToolResult:
    """The result of a request to the executor, from its event.

    Args:
        call: The call.
        event: The newest `OrderDecided` event of the call in the log.
        portfolio: The agent's portfolio after the event.
        orders: How many orders the call cancelled, or 1.
    """
    value: dict[str, JsonValue] = {
        "order_id": event["order_id"],
        "outcome": event["outcome"],
        "reason": event["reason"],
        "product_id": event["product_id"],
        "action": event["action"],
        "quantity": event["quantity"],
        "price": event["price"],
        "fee_usd": event["fee"],
        "notional_usd": event["notional"],
        "cash_usd": event["cash_after"],
        "portfolio": portfolio.value(),
    }
    unit = event.get("currency") or portfolio.currency
    text = order_text(event, unit, orders)
    error = event["reason"] if event["outcome"] == "rejected" else ""
    return answer_result(call, Answer(text, value, error), event["seq"])


def forgotten_order_result(call: ToolCall, known: OrderOutcome) -> ToolResult:
    """The result of an order whose event is no longer in memory."""
    reason = f": {words(known.reason)}" if known.reason else ""
    text = f"This order was decided before: {known.outcome}{reason}. See get_portfolio."
    value: JsonValue = {
        "order_id": call.call_id,
        "outcome": known.outcome,
        "reason": known.reason,
    }
    return answer_result(call, Answer(text, value, known.reason or ""), known.seq)
