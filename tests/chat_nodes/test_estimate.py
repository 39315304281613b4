"""Tokens that no server counted: a high estimate, marked as one."""

from decimal import Decimal

import pytest

from arena.messages import Cause, RequestedCall, Usage
from arena.model_prices import own_price
from chat_nodes.call_records import CallInProgress
from chat_nodes.decode import Decoded, Tokens
from chat_nodes.estimate import (
    add_attempt_usage,
    call_usage,
    estimate_call_tokens,
    estimate_text_tokens,
)
from chat_nodes.model import build_request
from tests.chat_nodes.example_requests import START, prompt, request

PRICE = own_price(Decimal(1), Decimal(10))
BODY = b'{"choices": []}'


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        # Counts of mistral-common 1.5.4: the larger one of `tekken` and `v1`.
        ("09:10,67203.60,67203.60,67203.60,67203.60,12\n" * 20, 901),
        ("01:15 142.68 142.05 1534.4\n02:15 142.70 142.21 98.1\n" * 20, 1041),
        ("I hold because momentum is weak and the spread is wide. " * 20, 241),
        ('{"product_id": "BTC-USD", "quantity": "0.01", "action": "buy"}' * 20, 599),
    ],
)
def test_estimate_is_at_most_60_percent_too_high(text: str, tokens: int) -> None:
    """Never below 97 % of a tokenizer's count, never above 160 %."""
    assert 0.97 * tokens <= estimate_text_tokens(text.encode()) <= 1.6 * tokens


@pytest.mark.parametrize("text", [b"", "現金を保つ".encode(), b"\xff\xfe\x00", b" \n" * 40])
def test_arbitrary_bytes_have_an_estimate(text: bytes) -> None:
    """Empty text has no tokens, and no bytes fail."""
    assert 0 <= estimate_text_tokens(text) <= len(text)
    assert (estimate_text_tokens(text) == 0) == (not text.strip(b" \n"))


def test_text_thoughts_and_calls_are_completion_tokens() -> None:
    """Reasoning is part of the completion, as providers count it."""
    call = RequestedCall(model_call_id="a", name="execute_trade", arguments='{"quantity": "0.01"}')
    decoded = Decoded("ok", text="I buy.", reasoning="It went up.", tool_calls=(call,))
    tokens = estimate_call_tokens(b"x" * 30, decoded, BODY)

    assert (10, False) == (tokens.prompt, tokens.reported)
    assert tokens.completion == estimate_text_tokens(
        b"I buy."
    ) + tokens.reasoning + estimate_text_tokens(b'execute_trade{"quantity": "0.01"}')
    assert tokens.reasoning == estimate_text_tokens(b"It went up.") > 0


def test_cut_answer_counts_by_its_bytes() -> None:
    """The part that the record does not have was paid for, too."""
    tokens = estimate_call_tokens(b"", Decoded("ok", text="a", truncated=True), b"1" * 9_000)

    assert 9_000 == tokens.completion


def ended_call(*, attempts: int = 1, body: bytes = BODY) -> CallInProgress:
    """A call that has ended."""
    wanted = request(prompt({"BTC-USD": (1, 2)}))
    sent = build_request("m", wanted, {}) if attempts else None
    return CallInProgress(wanted, START, 0.0, attempts=attempts, sent=sent, body=body)


def usage_of(decoded: Decoded, call: CallInProgress, *, scripted: bool = False) -> Usage:
    """The usage of a call at a known price."""
    return call_usage(call, decoded, price=PRICE, scripted=scripted)


@pytest.mark.parametrize(
    "decoded",
    [Decoded("ok", text="I hold."), Decoded("failed", cause=Cause.UNUSABLE_ANSWER, error="?")],
)
def test_answer_without_usage_gets_an_estimated_cost(decoded: Decoded) -> None:
    """Whether the answer could be used or not."""
    usage = usage_of(decoded, ended_call())

    assert usage.estimated
    assert usage.prompt_tokens > 0 < usage.completion_tokens
    tokens = Tokens(prompt=usage.prompt_tokens, completion=usage.completion_tokens)
    assert PRICE.cost_usd(tokens) == usage.cost_usd


def test_server_counts_are_used_unchanged() -> None:
    """The counts and their cost are not marked as estimated."""
    tokens = Tokens(prompt=1_000, completion=10, reported=True)
    usage = usage_of(Decoded("ok", text="I hold.", tokens=tokens), ended_call())

    assert (1_000, 10, False) == (usage.prompt_tokens, usage.completion_tokens, usage.estimated)
    assert Decimal("0.0011") == usage.cost_usd


@pytest.mark.parametrize(
    ("decoded", "call", "scripted", "cost"),
    [
        (Decoded("failed", cause=Cause.UNREACHABLE), ended_call(body=b""), False, None),
        (Decoded("failed", cause=Cause.AUTH), ended_call(), False, None),
        (Decoded("refused", cause=Cause.BUDGET), ended_call(attempts=0), False, Decimal(0)),
        (Decoded("ok", text="rules"), ended_call(), True, Decimal(0)),
    ],
)
def test_no_estimate_without_an_answer(
    decoded: Decoded, call: CallInProgress, scripted: bool, cost: Decimal | None
) -> None:
    """A failed attempt has an unknown cost; rules and calls that were not made cost nothing."""
    usage = usage_of(decoded, call, scripted=scripted)

    assert (0, False, cost) == (usage.prompt_tokens, usage.estimated, usage.cost_usd)


def test_failed_attempts_are_estimated() -> None:
    """Every unusable answer counts, and the prompt of one that timed out."""
    call = ended_call(attempts=1)
    assert call.sent is not None
    prompt_tokens = estimate_text_tokens(call.sent.content)
    add_attempt_usage(call, BODY, "answer")
    add_attempt_usage(call, BODY, "answer")
    add_attempt_usage(call, b"", "prompt")
    add_attempt_usage(call, b'{"error": "busy"}')
    failed = usage_of(Decoded("failed", cause=Cause.UNUSABLE_ANSWER), call)
    call.attempts += 1
    answered = usage_of(Decoded("ok", text="I hold."), call)

    assert (3 * prompt_tokens, 2 * estimate_text_tokens(BODY), True) == (
        failed.prompt_tokens,
        failed.completion_tokens,
        failed.estimated,
    )
    assert failed.cost_usd is not None
    assert 4 * prompt_tokens == answered.prompt_tokens
    assert answered.estimated


def test_failed_attempts_count_as_reported() -> None:
    """A server that reports tokens of an answer without choices bills them, each time."""
    wasted = b'{"choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 7}}'
    call = ended_call(attempts=3)
    add_attempt_usage(call, wasted)
    add_attempt_usage(call, wasted)
    add_attempt_usage(call, b'{"error": "busy"}')
    tokens = Tokens(prompt=100, completion=5, reported=True)
    answered = usage_of(Decoded("ok", text="I hold.", tokens=tokens), call)
    failed = usage_of(Decoded("failed", cause=Cause.SERVER_ERROR), call)

    assert (300, 19, False) == (
        answered.prompt_tokens,
        answered.completion_tokens,
        answered.estimated,
    )
    assert (200, 14, Decimal("0.00034")) == (
        failed.prompt_tokens,
        failed.completion_tokens,
        failed.cost_usd,
    )
