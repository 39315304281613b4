"""The results that agents read after a call; those of orders are made from the event in the log."""

from pydantic import JsonValue

from arena.account_state import OrderOutcome
from arena.messages import ToolCall, ToolResult
from arena.newest_events import Event
from trading_tools.context import Answer
from trading_tools.portfolio import PortfolioView, format_cash


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


def order_result(call: ToolCall, event: Event, portfolio: PortfolioView) -> ToolResult:
    """The result of an order, from its event.

    Args:
        call: The call.
        event: The `OrderDecided` event in the log.
        portfolio: The agent's portfolio after the event.
    """
    filled = event["outcome"] == "filled"
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
    text = _filled_text(event, unit) if filled else _rejected_text(event, unit)
    error = "" if filled else event["reason"]
    return answer_result(call, Answer(text, value, error), event["seq"])


def forgotten_order_result(call: ToolCall, known: OrderOutcome) -> ToolResult:
    """The result of an order whose event is no longer in memory."""
    reason = f": {_words(known.reason)}" if known.reason else ""
    text = f"This order was decided before: {known.outcome}{reason}. See get_portfolio."
    value: JsonValue = {
        "order_id": call.call_id,
        "outcome": known.outcome,
        "reason": known.reason,
    }
    return answer_result(call, Answer(text, value, known.reason or ""), known.seq)


def _filled_text(event: Event, unit: str) -> str:
    buy = event["action"] == "buy"
    gain = "" if buy else format_cash(event["realised"], unit, signed=True)
    realised = "" if buy else f" Realised {gain} {unit}."
    return (
        f"{'Bought' if buy else 'Sold'} {event['quantity']} {event['product_id']}"
        f" at {event['price']} for {format_cash(event['notional'], unit)} {unit}"
        f" {'plus' if buy else 'less'} {format_cash(event['fee'], unit)} fee.{realised}"
        f" Cash {format_cash(event['cash_after'], unit)} {unit}."
    )


def _rejected_text(event: Event, unit: str) -> str:
    after = event["cash_after"]
    cash = f" Cash {format_cash(after, unit)} {unit}." if after else ""
    return f"Rejected: {_words(event['reason'])}: {event['detail']}.{cash}"


def _words(reason: str | None) -> str:
    return (reason or "").replace("_", " ")
