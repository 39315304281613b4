"""Tokens of a call whose server counted none: an estimate that is high rather than low. Pure.

Most of a prompt is numbers. Tokenizers that split every digit (Mistral, Llama 2, Qwen, SmolLM) need
about one token per character of a number; those that join three digits (OpenAI, Llama 3) need about
0.6. The estimate counts like the first kind, so a budget in estimated tokens holds with either.
Measured on rendered prompts, rows of candles, prose and calls, it gave 1.0 to 1.4 times the tokens
of two of Mistral's tokenizers (`mistral-common` 1.5.4) and 1.0 to 2.0 times those of one that joins
digits.
"""

import re
from decimal import Decimal

from arena.messages import Cause, Usage
from arena.model_prices import Price
from chat_nodes.call_records import NO_TOKENS, CallInProgress
from chat_nodes.decode import Decoded, Tokens, decode_reply
from chat_nodes.model import Paid

LETTERS_PER_TOKEN = 3
"""English words have more letters per token; JSON keys, abbreviations, other languages fewer."""
OTHER_BYTES_PER_TOKEN = 2
"""Bytes of UTF-8 outside ASCII per token."""
ANSWER_TOKENS_MIN = 1
PAID_CAUSES = frozenset({"", Cause.UNUSABLE_ANSWER, Cause.CONTENT_FILTER})
"""Causes of calls that a model answered, and so are paid for; "" is a usable answer."""

_DIGITS = b"0123456789"
_LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SPACES = b" \t\r\n"
_BEYOND_ASCII = bytes(range(128, 256))
_SPACE_BEFORE_NUMBER = re.compile(rb"[ \t\r\n](?=\d)")
"""A space before a word is part of the word's token; one before a digit is a token."""


def estimate_text_tokens(text: bytes) -> int:
    """Estimate the number of tokens of a text.

    Args:
        text: UTF-8; it may be invalid.
    """
    digits = _count(text, _DIGITS)
    letters = _count(text, _LETTERS)
    spaces = _count(text, _SPACES)
    beyond = _count(text, _BEYOND_ASCII)
    signs = len(text) - digits - letters - spaces - beyond
    words = -(-letters // LETTERS_PER_TOKEN) + -(-beyond // OTHER_BYTES_PER_TOKEN)
    return digits + signs + words + len(_SPACE_BEFORE_NUMBER.findall(text))


def estimate_call_tokens(sent: bytes, decoded: Decoded, body: bytes) -> Tokens:
    """Estimate the tokens of a call.

    Args:
        sent: The request body.
        decoded: The decoded answer.
        body: The provider's bytes; they are counted if the answer was cut or could not be decoded.

    Returns:
        Tokens that are not `reported`.
    """
    thought = estimate_text_tokens(decoded.reasoning.encode())
    calls = sum(estimate_text_tokens(f"{c.name}{c.arguments}".encode()) for c in decoded.tool_calls)
    completion = estimate_text_tokens(decoded.text.encode()) + calls + thought
    if decoded.truncated or not completion:
        completion = max(completion, estimate_text_tokens(body))
    return Tokens(
        prompt=estimate_text_tokens(sent),
        completion=max(completion, ANSWER_TOKENS_MIN),
        reasoning=thought,
    )


def call_usage(
    call: CallInProgress, decoded: Decoded, *, price: Price | None, scripted: bool
) -> Usage:
    """Tokens and cost of a call, as the server counted them, else estimated.

    Args:
        call: The call after its last attempt.
        decoded: The decoded answer.
        price: Price of the model; None leaves the cost unknown.
        scripted: True if rules answered: there are no tokens and no cost.
    """
    tokens, sent_request = decoded.tokens, call.sent
    estimated = False
    if sent_request is not None and call.body and not (scripted or tokens.reported):
        # The last attempt of a failed call may be in `failed_tokens` already.
        is_counted = decoded.outcome != "ok" and call.attempts_counted == call.attempts
        estimated = decoded.cause in PAID_CAUSES and not is_counted
        if estimated:
            tokens = estimate_call_tokens(sent_request.content, decoded, call.body)
    tokens = _sum(tokens, call.failed_tokens)
    estimated = estimated or call.failed_tokens_estimated
    cost = None
    if scripted or not call.attempts:
        cost = Decimal(0)
    elif price is not None and (tokens.reported or estimated):
        cost = price.cost_usd(tokens)
    return Usage(
        prompt_tokens=tokens.prompt,
        completion_tokens=tokens.completion,
        reasoning_tokens=tokens.reasoning,
        cached_tokens=tokens.cached,
        cost_usd=cost,
        estimated=estimated,
    )


def add_attempt_usage(call: CallInProgress, body: bytes, paid: Paid = "nothing") -> None:
    """Add the tokens of a failed attempt to its call: an unusable answer is paid for, too.

    Args:
        call: The call that the attempt belongs to.
        body: The provider's answer to the attempt.
        paid: What to estimate if the server did not count it.
    """
    call.attempts_counted = call.attempts
    tokens = decode_reply(body).tokens if b'"usage"' in body else NO_TOKENS
    if not tokens.reported:
        if paid == "nothing" or call.sent is None:
            return
        sent = call.sent.content
        is_answer = paid == "answer"
        tokens = (
            estimate_call_tokens(sent, decode_reply(body), body)
            if is_answer
            else Tokens(prompt=estimate_text_tokens(sent))
        )
        call.failed_tokens_estimated = True
    call.failed_tokens = _sum(call.failed_tokens, tokens)


def _sum(one: Tokens, other: Tokens) -> Tokens:
    return Tokens(
        prompt=one.prompt + other.prompt,
        completion=one.completion + other.completion,
        reasoning=one.reasoning + other.reasoning,
        cached=one.cached + other.cached,
        reported=one.reported or other.reported,
    )


def _count(text: bytes, wanted: bytes) -> int:
    return len(text) - len(text.translate(None, wanted))
