"""Turns and decided orders as results. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from arena.currency import DEFAULT_CURRENCY
from arena.messages import ChatMessage, OrderDecided, RequestedCall, Round, Turn
from dashboard.model.frame import words_of
from dashboard.model.results import (
    RoundResult,
    ToolCallResult,
    Trade,
    TurnDetail,
    TurnSummary,
)
from dashboard.model.trade_rows import price_move_bps

PROMPT_ROLES = ("system", "user")


def turn_summary(turn: Turn, partition: int, offset: int) -> TurnSummary:
    """A turn in a list.

    Args:
        turn: The turn.
        partition: Partition of its record in `agent.turns`.
        offset: Offset of its record.
    """
    return TurnSummary(
        turn_id=turn.turn_id,
        agent=turn.agent,
        strategy=turn.strategy,
        model=turn.model,
        scripted=turn.scripted,
        replayed=turn.replayed,
        outcome=turn.outcome,
        cause=turn.cause,
        words=words_of(turn),
        snapshot_id=turn.snapshot_id,
        as_of=turn.as_of,
        started_at=turn.started_at,
        ended_at=turn.ended_at,
        rounds=len(turn.rounds),
        orders=_orders(turn),
        tokens=turn.usage.prompt_tokens + turn.usage.completion_tokens,
        tokens_estimated=turn.usage.estimated,
        cost_usd=Decimal(0) if turn.scripted or turn.replayed else turn.usage.cost_usd,
        total_ms=turn.total_ms,
        turn_kind=turn.turn_kind,
        asked=turn.asked,
        asked_by=turn.asked_by,
        place=(partition, offset),
    )


def _orders(turn: Turn) -> tuple[str, ...]:
    return tuple(
        call.call_id
        for one in round_results(turn)
        for call in one.calls
        if call.call_id and call.name == "execute_trade"
    )


def turn_detail(turn: Turn, partition: int, offset: int) -> TurnDetail:
    """A whole turn: the prompt as it was rendered, and everything after it."""
    count = next(
        (i for i, one in enumerate(turn.messages) if one.role not in PROMPT_ROLES),
        len(turn.messages),
    )
    return TurnDetail(
        summary=turn_summary(turn, partition, offset),
        prompt=turn.messages[:count],
        prompt_sha256=turn.prompt_sha256,
        prompt_size=turn.prompt_size,
        left_out=turn.left_out,
        conversation=turn.messages[count:],
        rounds=round_results(turn),
        memory=turn.memory,
        context=turn.context,
    )


def round_results(turn: Turn) -> tuple[RoundResult, ...]:
    """The model calls of a turn with the text and the tool calls that each of them returned.

    A round that got no answer has no assistant message.
    """
    answers = iter(one for one in turn.messages if one.role == "assistant")
    results = {one.tool_call_id: one.content for one in turn.messages if one.role == "tool"}
    found = []
    for one in turn.rounds:
        answer = next(answers, None) if one.outcome == "ok" else None
        found.append(_round(one, answer, results))
    return tuple(found)


def _round(
    one: Round, answer: ChatMessage | None, results: Mapping[str | None, str]
) -> RoundResult:
    calls = answer.tool_calls if answer else ()
    return RoundResult(
        call_id=one.call_id,
        outcome=one.outcome,
        error=one.error,
        role=one.role,
        stage=one.stage,
        text=answer.content if answer else "",
        reasoning=answer.reasoning if answer else "",
        prompt_tokens=one.usage.prompt_tokens,
        completion_tokens=one.usage.completion_tokens,
        tokens_estimated=one.usage.estimated,
        cost_usd=one.usage.cost_usd,
        model_ms=one.model_ms,
        tools_ms=one.tools_ms,
        calls=tuple(_call(one, call, index, results) for index, call in enumerate(calls)),
    )


def _call(
    one: Round, call: RequestedCall, index: int, results: Mapping[str | None, str]
) -> ToolCallResult:
    known = index < len(one.tool_call_ids)
    return ToolCallResult(
        call_id=one.tool_call_ids[index] if known else "",
        name=call.name,
        arguments=call.arguments,
        result=results.get(call.model_call_id, ""),
        ok=one.tools_ok[index] if index < len(one.tools_ok) else None,
    )


# Any: an event is decoded JSON; its shape is `arena.messages.account`.
def trade(event: Mapping[str, Any], currency: str = DEFAULT_CURRENCY) -> Trade:
    """A decided order, from an event that the fold has checked.

    Args:
        event: The event.
        currency: Currency of the main accounts.
    """
    order = OrderDecided.model_validate(event)
    seen = None
    if order.seen is not None and order.action is not None:
        seen = order.seen.ask if order.action == "buy" else order.seen.bid
    used = order.used.event_time if order.used else None
    return Trade(
        order_id=order.order_id,
        turn_id=order.turn_id,
        agent=order.agent,
        at=_utc(order.at),
        venue_time=used,
        product_id=order.product_id,
        action=order.action or "order",
        quantity=order.quantity,
        outcome=order.outcome,
        seen=seen,
        price=order.price,
        move_bps=price_move_bps(seen, order.price),
        notional=order.notional,
        fee=order.fee,
        slippage=order.slippage,
        realised=order.realised,
        currency=order.currency or currency,
        latency_ms=None if order.step else (order.at - order.issued_at).total_seconds() * 1000,
        reason=order.detail or str(order.reason or "") if order.outcome == "rejected" else "",
        step=order.step,
        order_type=order.order_type,
        cause=order.cause,
    )


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC)
