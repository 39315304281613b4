"""The checker computes the reason of every refusal again."""

import json
from collections import Counter
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from operations.storm.checker_records import ExecutorSettings, Findings, Json, TopicRecord
from operations.storm.checker_refusals import (
    HaltedScopes,
    OrderMemory,
    check_reason,
    check_without_event,
    read_order,
)

TERMS = ExecutorSettings(
    Decimal(100_000), Decimal(60), Decimal(2), 30_000, Decimal(200), remembered=2
)
LISTING: Json = {
    "product_id": "BTC-USD",
    "base_currency": "BTC",
    "quote_currency": "USD",
    "base_increment": "0.0001",
    "quote_increment": "0.01",
    "min_market_funds": "1",
    "status": "online",
}
SOUND: Json = {"product_id": "BTC-USD", "quantity": "0.5", "action": "buy"}
NO_HALTS, A_HALT = HaltedScopes([]), HaltedScopes([TopicRecord(0, 0, "Halt", b"", b"agent/mo")])
RICH, POOR = (Decimal(100_000), Decimal(1)), (Decimal(30_000), Decimal("0.25"))


def at(seconds: float) -> str:
    """A time of a message."""
    return f"2026-11-21T09:{int(seconds // 60):02d}:{seconds % 60:06.3f}Z"


def reasons_found(
    said: str | None,
    *,
    order: Json | str = SOUND,
    decided_s: float = 10.0,
    ticker: Json | None = None,
    listing: Json | None = LISTING,
    money: tuple[Decimal, Decimal] = RICH,
    halts: HaltedScopes = NO_HALTS,
) -> Findings:
    """Return the findings on an order with this reason; deadline at 60 s, price at 9 s."""
    asked = order if isinstance(order, str) else json.dumps(order)
    price: Json = {
        "best_bid": "67000",
        "best_ask": "67000.01",
        "received_at": at(9),
        "confirmed_at": None,
        **(ticker or {}),
    }
    call = {
        "arguments": asked,
        "deadline_at": at(60),
        "quotes_seen": {"BTC-USD": {"bid": "67000", "ask": "67000.01"}},
    }
    event = {"seq": 7, "agent": "mo", "reason": said, "at": at(decided_s), "used": {"offset": 3}}
    findings = Findings()
    check_reason(event, call, price, listing, money, TERMS, halts, findings)
    return findings


RIGHT: list[tuple[str | None, dict[str, Any]]] = [  # Any: arguments of `reasons_found`
    (None, {}),
    ("malformed_arguments", {"order": '{"product_id": '}),
    ("malformed_arguments", {"order": {**SOUND, "quantity": "lots"}}),
    ("malformed_arguments", {"order": {**SOUND, "more": 1}}),
    ("malformed_arguments", {"order": {**SOUND, "action": "hold"}, "decided_s": 90.0}),
    ("expired", {"decided_s": 60.001}),
    ("control_unknown", {"decided_s": 61.0}),
    ("unknown_product", {"listing": None}),
    ("not_tradable", {"listing": {**LISTING, "status": "delisted"}}),
    ("not_tradable", {"listing": {**LISTING, "modes": ["limit_only"]}}),
    ("invalid_quantity", {"order": {**SOUND, "quantity": "0"}}),
    ("bad_increment", {"order": {**SOUND, "quantity": "0.00005"}}),
    ("bad_increment", {"order": {**SOUND, "quantity": "0.123456789"}}),
    ("no_price", {"ticker": {"best_bid": "67001"}}),
    ("stale_price", {"decided_s": 39.001}),
    ("beyond_collar", {"ticker": {"best_bid": "69000", "best_ask": "69000"}}),
    ("below_minimum", {"listing": {**LISTING, "min_market_funds": "40000"}}),
    ("insufficient_cash", {"money": POOR}),
    ("insufficient_position", {"order": {**SOUND, "action": "sell"}, "money": POOR}),
]


@pytest.mark.parametrize(("reason", "how"), RIGHT, ids=str)
def test_reason_of_a_refusal_is_computed_again(reason: str | None, how: dict[str, Any]) -> None:
    """The right reason passes; every other one, and a fill, is a finding."""
    assert not reasons_found(reason, **how).wrong
    assert (reason is not None) == reasons_found(reason, **how).counts["refusals_judged"]
    late = {"expired", "control_unknown"}
    for other in {said for said, _ in RIGHT} - {reason} - {"halted"}:
        judged = reasons_found(other, **how)
        unjudged = judged.counts[f"unjudged_{other}"]
        assert judged.wrong or unjudged or {other, reason} == late, other


def test_reasons_that_cannot_be_checked_are_counted() -> None:
    """A halt must have existed for that agent; prices may not have arrived in time."""
    assert reasons_found("halted").wrong
    assert not reasons_found("halted", halts=A_HALT).wrong
    assert 1 == reasons_found("halted", halts=A_HALT).counts["unjudged_halted"]
    assert 1 == reasons_found("halted", halts=HaltedScopes(None)).counts["unjudged_halted"]
    assert reasons_found("halted", halts=A_HALT, decided_s=61.0).wrong
    assert 1 == reasons_found("no_price").counts["unjudged_no_price"]
    assert reasons_found("no_price", decided_s=61.0).wrong


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        '{"product_id": "A", "quantity": NaN, "action": "buy"}',
        '{"product_id": "A", "quantity": true, "action": "buy"}',
        '{"product_id": "A", "quantity": "1_0", "action": "buy"}',
        '{"product_id": "A", "quantity": "1e999", "action": "buy"}',
        '{"product_id": "A", "quantity": "\\u0661", "action": "buy"}',
        '{"product_id": "A", "product_id": "A", "quantity": "1", "action": "buy"}',
        '{"product_id": "\\ud800", "quantity": "1", "action": "buy"}',
        '{"product_id": "' + "A" * 65 + '", "quantity": "1", "action": "buy"}',
        "[" * 9_000,
    ],
    ids=lambda text: text[:48],
)
def test_invalid_arguments_are_not_an_order(text: str) -> None:
    """Arguments that cannot be read exactly are refused."""
    assert read_order(text) is None
    assert read_order(json.dumps(SOUND)) is not None


def call_of(order_id: str, issued_s: float) -> Json:
    """An order of mo."""
    times = {"issued_at": at(issued_s), "deadline_at": at(issued_s + 60)}
    return {"call_id": order_id, "agent": "mo", "tool": "execute_trade", **times}


def event_of(order_id: str, offset: int) -> Json:
    """The event of an order that was issued at the second of its offset."""
    place = {"source": {"offset": offset}, "order_id": order_id}
    return {**place, "agent": "mo", "issued_at": at(offset)}


FORGOTTEN = OrderMemory([event_of(f"order-{n}", n) for n in range(5)], TERMS.remembered)


def without_event(call: Json, offset: int, buried: set[int], error: str = "too_old") -> Findings:
    """Return the findings on an order that was refused without an event."""
    told = Counter({(call["call_id"], error): 1})
    findings = Findings()
    calls = {call["call_id"]: [(offset, call)]}
    written = dict.fromkeys(buried, int(datetime.fromisoformat(at(0)).timestamp() * 1000))
    check_without_event(calls, written, told, FORGOTTEN, lambda call: False, findings)
    return findings


def test_order_is_too_old_only_if_the_records_prove_it() -> None:
    """It was issued before orders that the executor, which remembers two, has forgotten."""
    assert not without_event(call_of("old", 2.0), 9, {9}).wrong
    assert 1 == without_event(call_of("old", 2.0), 9, {9}).counts["refused_too_old"]
    assert without_event(call_of("new", 2.5), 9, {9}).wrong
    assert without_event(call_of("old", 2.0), 4, {4}).wrong  # no order that new was forgotten then
    assert without_event(call_of("order-3", 3.0), 9, {9}).wrong  # a remembered one
    assert not without_event(call_of("order-2", 2.0), 9, {9}).wrong  # a forgotten one
    assert without_event(call_of("old", 2.0), 9, set()).wrong  # not dead-lettered
    assert without_event(call_of("old", 2.0), 9, {9}, "busy").wrong


def test_order_is_ahead_only_if_the_records_prove_it() -> None:
    """Its issue time is more than an hour after the broker's time."""
    ahead = call_of("new", 0) | {"issued_at": "2026-11-21T10:00:00.001Z"}
    in_time = call_of("new", 0) | {"issued_at": "2026-11-21T10:00:00.000Z"}

    assert not without_event(ahead, 9, {9}, "issued_ahead").wrong
    assert 1 == without_event(ahead, 9, {9}, "issued_ahead").counts["refused_issued_ahead"]
    assert without_event(in_time, 9, {9}, "issued_ahead").wrong
    assert without_event(ahead, 9, {9}, "too_old").wrong
