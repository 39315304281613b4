"""Tokens of a call whose server counted none: an estimate that is high rather than low. Pure.

Most of a prompt here is numbers. Tokenizers that split every digit (Mistral, Llama 2, Qwen, SmolLM)
make about one token of every character of them; those that join three digits (OpenAI, Llama 3) need
about 0.6. The estimate counts as the first kind does, so a budget that is kept by it holds with
either. Measured on rendered prompts, rows of candles, prose and calls, it gave 1.0 to 1.4 times the
tokens of two of Mistral's tokenizers (`mistral-common` 1.5.4) and 1.0 to 2.0 times those of one
that joins digits.
"""

import re
from decimal import Decimal

from arena.messages import Cause, Usage
from arena.prices import Price
from chat_nodes.call_records import NO_TOKENS, CallInProgress
from chat_nodes.decode import Decoded, Tokens, decode_reply
from chat_nodes.model import Paid

LETTERS_PER_TOKEN = 3
"""English words have more; keys of JSON, abbreviations and other languages have fewer."""
OTHER_BYTES_PER_TOKEN = 2
"""Of UTF-8 beyond ASCII."""
ANSWER_TOKENS_MIN = 1
PAID_CAUSES = frozenset({"", Cause.UNUSABLE_ANSWER, Cause.CONTENT_FILTER})
"""Causes of calls that a model has answered, "" for an answer that could be used."""

_DIGITS = b"0123456789"
_LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SPACES = b" \t\r\n"
_BEYOND_ASCII = bytes(range(128, 256))
_SPACE_BEFORE_NUMBER = re.compile(rb"[ \t\r\n](?=\d)")
"""A space before a word is part of the word's token; one before a digit is a token."""


def estimated_tokens(text: bytes) -> int:
    """An estimate of the tokens that a text has.

    Args:
        text: UTF-8, of any quality.
    """
    digits = _count(text, _DIGITS)
    letters = _count(text, _LETTERS)
    spaces = _count(text, _SPACES)
    beyond = _count(text, _BEYOND_ASCII)
    signs = len(text) - digits - letters - spaces - beyond
    words = -(-letters // LETTERS_PER_TOKEN) + -(-beyond // OTHER_BYTES_PER_TOKEN)
    return digits + signs + words + len(_SPACE_BEFORE_NUMBER.findall(text))


def estimate_tokens(sent: bytes, decoded: Decoded, body: bytes) -> Tokens:
    """The tokens of a call, estimated.

    Args:
        sent: The request body.
        decoded: The answer as it was read.
        body: The provider's bytes: counted if the answer was cut, or could not be read.

    Returns:
        Tokens that are not `reported`.
    """
    thought = estimated_tokens(decoded.reasoning.encode())
    calls = sum(estimated_tokens(f"{c.name}{c.arguments}".encode()) for c in decoded.tool_calls)
    completion = estimated_tokens(decoded.text.encode()) + calls + thought
    if decoded.truncated or not completion:
        completion = max(completion, estimated_tokens(body))
    return Tokens(
        prompt=estimated_tokens(sent),
        completion=max(completion, ANSWER_TOKENS_MIN),
        reasoning=thought,
    )


def call_usage(
    call: CallInProgress, decoded: Decoded, *, price: Price | None, scripted: bool
) -> Usage:
    """What a call used: as the server counted, else estimated.

    Args:
        call: As it ended.
        decoded: The answer as it was read.
        price: Of the model; None leaves the cost unknown.
        scripted: Rules answered: nothing is counted and nothing is paid.
    """
    tokens, asked = decoded.tokens, call.asked
    estimated = False
    if asked is not None and call.body and not (scripted or tokens.reported):
        # The last answer of a call that failed may be among what was spent.
        is_counted = decoded.outcome != "ok" and call.noted == call.attempts
        estimated = decoded.cause in PAID_CAUSES and not is_counted
        if estimated:
            tokens = estimate_tokens(asked.content, decoded, call.body)
    tokens = _sum(tokens, call.spent)
    estimated = estimated or call.spent_estimated
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
    """Add what an attempt that failed has used: an unusable answer is paid for.

    Args:
        call: Whose last attempt it was.
        body: That came.
        paid: What is estimated if the server did not count it.
    """
    call.noted = call.attempts
    tokens = decode_reply(body).tokens if b'"usage"' in body else NO_TOKENS
    if not tokens.reported:
        if paid == "nothing" or call.asked is None:
            return
        sent = call.asked.content
        is_answer = paid == "answer"
        tokens = (
            estimate_tokens(sent, decode_reply(body), body)
            if is_answer
            else Tokens(prompt=estimated_tokens(sent))
        )
        call.spent_estimated = True
    call.spent = _sum(call.spent, tokens)


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
