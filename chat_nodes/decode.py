"""Decodes a provider's bytes to the fields of a `ChatReply`, bounded, for any bytes. Pure.

The protocol is the Chat Completions response of https://platform.openai.com/docs/api-reference/chat
with the deviations of servers that imitate it. Each kind of deviation has a module: `lenient_json`
and `streams` parse the bytes, `implied_status` the errors, `token_counts` the usage, `tool_calls`
the tool calls, `thoughts` and `text_calls` what is in the text but belongs elsewhere. It never
raises.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from arena.messages import CallOutcome, Cause, JsonObject, RequestedCall
from chat_nodes.implied_status import OK, UNUSABLE, ReportedError, reported_error
from chat_nodes.json_values import Json
from chat_nodes.lenient_json import ParsedBody, read_body
from chat_nodes.message_content import (
    MessageContent,
    choices_of,
    finish_reason_of,
    first_choice,
    has_content,
    message_of,
    read_content,
)
from chat_nodes.texts import (
    CUT_FACTOR,
    ERROR_CHARS_MAX,
    NAME_CHARS_MAX,
    TEXT_BYTES_MAX,
    bounded_text,
    clean_text,
    cut_bytes,
)
from chat_nodes.thoughts import SplitText, may_hold_calls, split_thoughts
from chat_nodes.token_counts import TOKENS_MAX, Tokens, tokens_of
from chat_nodes.tool_calls import (
    ARGUMENTS_BYTES_MAX,
    REMEDY,
    TOOL_CALLS_MAX,
    ReadCalls,
    json_bytes,
    mark_cut_calls,
    structured_calls,
    text_call,
)

__all__ = [
    "ARGUMENTS_BYTES_MAX",
    "ERROR_CHARS_MAX",
    "NAME_CHARS_MAX",
    "TEXT_BYTES_MAX",
    "TOKENS_MAX",
    "TOOL_CALLS_MAX",
    "Decoded",
    "Tokens",
    "bounded_text",
    "clean_text",
    "cut_bytes",
    "decode_reply",
    "decode_value",
    "implied_status",
]

SEARCHED_CHARS_MAX = TEXT_BYTES_MAX * CUT_FACTOR
"""Characters of a text that are searched for thoughts and calls."""
PROVIDER_BYTES_MAX = 64 * 1024
"""Largest size of the provider's own fields of a message, as JSON."""

CUT_REASONS = frozenset(
    {
        "length",
        "max_tokens",
        "max_output_tokens",
        "max_completion_tokens",
        "model_length",
        "model_context_window_exceeded",
        "token_limit",
    }
)
FILTER_REASONS = frozenset(
    {"content_filter", "sensitive", "safety", "prohibited_content", "blocklist", "recitation"}
)
ERROR_REASONS = frozenset({"error", "insufficient_system_resource", "network_error", "cancelled"})
STOP_REASONS = frozenset({"stop", "eos", "end_turn", "stop_sequence", "completed"})

_PROTOCOL = frozenset(
    {"role", "content", "tool_calls", "function_call", "refusal", "audio", "annotations", "name"}
)
_FINAL_REASONS = CUT_REASONS | FILTER_REASONS | STOP_REASONS
_CALL_REASONS = frozenset({"tool_calls", "tool_call", "function_call", "tool_use"})
_TYPE_NAMES: dict[type, str] = {list: "list", str: "text", bool: "boolean", int: "number"}
_TYPE_NAMES |= {float: "number"}
_NOT_COUNTED = Tokens()
_CAUSES = {
    401: Cause.AUTH,
    402: Cause.QUOTA,
    403: Cause.FORBIDDEN,
    404: Cause.MODEL_NOT_FOUND,
    408: Cause.TIMEOUT,
    413: Cause.CONTEXT_LENGTH,
    429: Cause.RATE_LIMIT,
    504: Cause.TIMEOUT,
}


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded answer; its fields are those of `ChatReply`.

    Attributes:
        cause: A `Cause`; "" if the outcome is "ok".
    """

    outcome: CallOutcome
    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[RequestedCall, ...] = ()
    finish_reason: str = ""
    truncated: bool = False
    error: str = ""
    cause: str = ""
    unreadable: str = ""
    provider: JsonObject = field(default_factory=dict)
    tokens: Tokens = _NOT_COUNTED


def implied_status(body: bytes | ParsedBody) -> int:
    """The HTTP status implied by an answer under status 200: 200 if it can be used.

    Args:
        body: The bytes that the provider sent, or the result of `read_body`.
    """
    read = read_body(body) if isinstance(body, bytes) else body
    if read.problem or not isinstance(read.value, dict):
        error = reported_error(read.value)
        return error.status if error else UNUSABLE
    value = read.value
    choice, message = first_choice(value)
    error = reported_error(value) if choice is None or value.get("error") else None
    if choice is None or message is None:
        return error.status if error else UNUSABLE
    finish = finish_reason_of(choice).lower()
    inner = choice.get("error")
    if inner or finish in ERROR_REASONS:
        error = reported_error({"error": inner}) if inner else error
        return error.status if error else UNUSABLE
    if finish in _FINAL_REASONS or has_content(value, message):
        # If an empty answer has an error beside it, the error counts.
        return error.status if error and not has_content(value, message) else OK
    return error.status if error else UNUSABLE


def decode_reply(body: bytes | ParsedBody, tools: Sequence[str] = ()) -> Decoded:
    """Decode the answer in a response body.

    Args:
        body: The bytes that the provider sent, or the result of `read_body`.
        tools: Names of the offered tools: only their calls are recovered from text.
    """
    read = read_body(body) if isinstance(body, bytes) else body
    if read.problem:
        return Decoded("failed", error=read.problem, cause=Cause.UNUSABLE_ANSWER)
    return decode_value(read.value, tools)


def decode_value(value: Json, tools: Sequence[str] = ()) -> Decoded:
    """Decode the answer in a parsed response body."""
    if not isinstance(value, dict):
        if error := reported_error(value):
            return _failed_with(error)
        kind = _TYPE_NAMES.get(type(value), "null")
        problem = f"the provider's answer is a {kind}, not an object"
        return Decoded("failed", error=problem, cause=Cause.UNUSABLE_ANSWER)
    tokens = tokens_of(value)
    choice, message = first_choice(value)
    if choice is None or message is None:
        if error := reported_error(value):
            return _failed_with(error, tokens=tokens)
        missing = "no choices" if choice is None else "a choice without a message"
        problem = f"the provider's answer has {missing}"
        finish = finish_reason_of(choice or {})
        cause = Cause.UNUSABLE_ANSWER
        return Decoded("failed", finish_reason=finish, error=problem, cause=cause, tokens=tokens)
    finish = finish_reason_of(choice)
    error = reported_error({"error": choice["error"]}) if choice.get("error") else None
    if error is not None or finish.lower() in ERROR_REASONS:
        if error := error or reported_error(value):
            return _failed_with(error, finish=finish, tokens=tokens)
        problem = f"the provider ended the answer with {finish!r}"
        cause = Cause.UNUSABLE_ANSWER
        return Decoded("failed", finish_reason=finish, error=problem, cause=cause, tokens=tokens)
    if value.get("error") and not has_content(value, message):
        return _failed_with(reported_error(value) or ReportedError(UNUSABLE, ""), tokens=tokens)
    return _answer(value, choice, tokens, tools)


def _answer(
    value: Mapping[str, Json], choice: Mapping[str, Json], tokens: Tokens, tools: Sequence[str]
) -> Decoded:
    message = message_of(choice) or {}
    content = read_content(message)
    found = structured_calls(message, content.call_parts, tools)
    choices = choices_of(value)
    if not found.calls and len(choices) > 1:
        found, content, choice = _from_later_choices(choices, found, content, choice, tools)
        message = message_of(choice) or {}
    finish = finish_reason_of(choice)
    split = _split_text(content.text)
    thoughts = [*content.thoughts, split.thought] if split.thought else content.thoughts
    unreadable = ""
    if not found.calls and tools:
        if may_hold_calls(split, tools):
            split, unreadable = _recover_calls(split, tools, found)
        was_cut = finish.lower() in CUT_REASONS
        if thoughts and not (found.calls or unreadable or split.text or was_cut):
            unreadable = _call_in_thoughts(thoughts, tools)
        unreadable = unreadable or _lost_calls_text(found, finish, split.text)
    elif split.text and may_hold_calls(split, tools):
        unreadable = _unsent_text_call(split, tools, found.calls)
    if len(content.text) > SEARCHED_CHARS_MAX and len(split.text) <= SEARCHED_CHARS_MAX:
        found.notes.append(f"the text was cut to {SEARCHED_CHARS_MAX:,} characters")
    calls = mark_cut_calls(found.calls) if finish.lower() in CUT_REASONS else found.calls
    return _decoded(message, split.text, thoughts, calls, found.notes, unreadable, finish, tokens)


# `text_calls` is imported by the first answer that may hold a call as text: its patterns take 10 ms
# of CPU, and the answers of most rules hold none.
def _recover_calls(
    split: SplitText, tools: Sequence[str], found: ReadCalls
) -> tuple[SplitText, str]:
    """Add the calls in a text; return the rest of the text, and a sentence if one is unreadable."""
    from chat_nodes.text_calls import recover

    recovered = recover(split, tools)
    written = recovered.calls[:TOOL_CALLS_MAX]
    found.calls = [text_call(i, c.name, c.arguments) for i, c in enumerate(written)]
    return SplitText(recovered.text), recovered.unreadable


def _unsent_text_call(
    split: SplitText, tools: Sequence[str], calls: Sequence[RequestedCall]
) -> str:
    from chat_nodes.text_calls import unsent_text_call

    return unsent_text_call(split, tools, calls)


def _call_in_thoughts(thoughts: Sequence[str], tools: Sequence[str]) -> str:
    from chat_nodes.text_calls import call_in_thoughts

    return call_in_thoughts("\n".join(thoughts), tools)


def _decoded(
    message: Mapping[str, Json],
    answer_text: str,
    thoughts: Sequence[str],
    calls: Sequence[RequestedCall],
    notes: list[str],
    unreadable: str,
    finish: str,
    tokens: Tokens,
) -> Decoded:
    text, text_cut = bounded_text(answer_text)
    reasoning, reasoning_cut = bounded_text("\n\n".join(thoughts)) if thoughts else ("", False)
    if text_cut:
        notes.append(f"the text was cut to {TEXT_BYTES_MAX:,} bytes")
    if finish.lower() in CUT_REASONS:
        notes.append("the model stopped at its token limit")
    refusal = message.get("refusal")
    refused = clean_text(refusal, ERROR_CHARS_MAX) if isinstance(refusal, str) else ""
    is_usable = bool(text or calls or unreadable)
    failure, cause = _failure(refused, finish, is_usable, bool(reasoning), notes)
    provider = {} if message.keys() <= _PROTOCOL else _provider(message, notes)
    return Decoded(
        outcome="failed" if failure else "ok",
        text=text,
        reasoning=reasoning,
        tool_calls=() if failure else tuple(calls),
        finish_reason=finish,
        truncated=bool(notes) or reasoning_cut,
        error=(failure or "; ".join(notes))[:ERROR_CHARS_MAX],
        cause=cause,
        unreadable="" if failure else unreadable,
        provider=provider,
        tokens=tokens,
    )


def _failure(
    refused: str, finish: str, is_usable: bool, has_reasoning: bool, notes: Sequence[str]
) -> tuple[str, str]:
    reason = finish.lower()
    if refused:
        return f"the model refused: {refused}", Cause.CONTENT_FILTER
    if reason in FILTER_REASONS:
        return "the provider's content filter withheld the answer", Cause.CONTENT_FILTER
    if is_usable or reason in STOP_REASONS:
        return "", ""
    cause = Cause.UNUSABLE_ANSWER
    if reason in CUT_REASONS:
        remedy = "raise --max-completion-tokens"
        return f"the model spent its tokens before it answered; {remedy}", cause
    if notes:
        return "; ".join(notes), cause
    if has_reasoning:
        return "", ""
    return f"the model's answer is empty (finish reason {finish or 'missing'!r})", cause


def _failed_with(
    error: ReportedError, *, finish: str = "", tokens: Tokens = _NOT_COUNTED
) -> Decoded:
    problem = f"the provider answered with an error: {error.message or error.status}"
    other = Cause.REFUSED_REQUEST if error.status < 500 else Cause.SERVER_ERROR
    return Decoded(
        "failed",
        finish_reason=finish,
        error=problem[:ERROR_CHARS_MAX],
        cause=_CAUSES.get(error.status, other),
        tokens=tokens,
    )


def _from_later_choices(
    choices: Sequence[Json],
    found: ReadCalls,
    content: MessageContent,
    first: Mapping[str, Json],
    tools: Sequence[str],
) -> tuple[ReadCalls, MessageContent, Mapping[str, Json]]:
    """The calls of a later choice, if the first has none; the texts are joined."""
    texts = [content.text]
    for choice in choices:
        message = message_of(choice) if isinstance(choice, dict) else None
        if message is None or choice is first:
            continue
        more = read_content(message)
        texts.append(more.text)
        calls = structured_calls(message, more.call_parts, tools)
        if calls.calls:
            more.text = "\n".join(text for text in texts if text)
            more.thoughts = content.thoughts + more.thoughts
            return calls, more, cast(Mapping[str, Json], choice)
    if not content.text:
        content.text = next((text for text in texts if text), "")
    return found, content, first


def _lost_calls_text(found: ReadCalls, finish: str, text: str) -> str:
    """The sentence for a model whose calls could not be read; "" if it made none."""
    if found.calls:
        return ""
    if found.notes:
        why = "; ".join(found.notes)[: ERROR_CHARS_MAX // 2]
        return f"your tool calls cannot be read ({why}); {REMEDY}"
    if text and finish.lower() in _CALL_REASONS:
        return f"your answer ended with {finish!r} but holds no tool call; {REMEDY}"
    return ""


def _split_text(text: str) -> SplitText:
    searched = text[:SEARCHED_CHARS_MAX]
    if not ("<" in searched or "[" in searched or "◁" in searched or "assistant" in searched):
        return SplitText(text)
    split = split_thoughts(searched)
    # Text beyond that bound is dropped later, and a note says so.
    return split if len(searched) == len(text) or split.text != searched else SplitText(text)


def _provider(message: Mapping[str, Json], notes: list[str]) -> JsonObject:
    """Fields of a message that are not in the protocol: providers may require them back."""
    found: dict[str, Json] = {}
    total = 0
    for name, value in message.items():
        if name in _PROTOCOL or value is None:
            continue
        size = json_bytes(value)
        if size is None or total + size + len(name) > PROVIDER_BYTES_MAX:
            shown = clean_text(name, 64)
            notes.append(f"the provider's field {shown!r} was left out: it is too long or too deep")
            continue
        total += size + len(name.encode("utf-8", "replace"))
        found[name] = value
    return cast(JsonObject, found)
