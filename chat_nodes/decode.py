"""A provider's bytes to the fields of a `ChatReply`, bounded, whatever the bytes are.

The protocol is the Chat Completions response of https://platform.openai.com/docs/api-reference/chat
with the habits of servers that imitate it: content as a list of parts, arguments as an object,
`reasoning` or `reasoning_content`, an `error` object under status 200, cached tokens under several
names. Pure: never raises, reads and writes nothing.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from arena.messages import CallOutcome, JsonObject, RequestedCall

TEXT_BYTES_MAX = 16 * 1024
"""Of a reply's text, and of its reasoning."""
TOOL_CALLS_MAX = 16
ARGUMENTS_BYTES_MAX = 8 * 1024
"""Of one tool call."""
NAME_CHARS_MAX = 128
"""Of a tool's name, a call id, a finish reason."""
ERROR_CHARS_MAX = 400
TOKENS_MAX = 1_000_000_000
"""More tokens than this in one call are a mistake of the provider and count as none."""
CONTENT_PARTS_MAX = 64

_CUT_FACTOR = 4
# ANSI escape sequences (ECMA-48 CSI, OSC and two-character forms), other control characters but
# newline and tab, line separators, bidirectional overrides and lone surrogates.
_UNSAFE = re.compile(
    "\x1b\\[[0-?]*[ -/]*[@-~]"
    "|\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?"
    "|\x1b[@-Z\\\\-_]?"
    "|[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_SURROGATES = re.compile("[\ud800-\udfff]")

Json = object
"""Anything a JSON parser returns."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a provider says it counted.

    Attributes:
        reported: False where the provider did not say: the cost is then unknown.
    """

    prompt: int = 0
    completion: int = 0
    reasoning: int = 0
    cached: int = 0
    reported: bool = False

    @property
    def total(self) -> int:
        """Prompt and completion tokens."""
        return self.prompt + self.completion


@dataclass(frozen=True, slots=True)
class Decoded:
    """A provider's answer as the arena keeps it; the fields are those of `ChatReply`.

    Attributes:
        cause: A `Cause`; "" where the outcome is "ok".
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
    tokens: Tokens = Tokens()


def decode_reply(body: bytes, tools: Sequence[str] = ()) -> Decoded:
    """The answer in a response body.

    Args:
        body: As the provider sent it.
        tools: Names of the tools that were offered: only their calls are recovered from text.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        start = clean_text(body[:80].decode("utf-8", "replace"), 80)
        return Decoded(
            outcome="failed",
            error=f"the provider's answer is no JSON; its {len(body):,} bytes start {start!r}",
        )
    return decode_value(value)


def decode_value(value: Json) -> Decoded:
    """The answer in a parsed response body."""
    if not isinstance(value, dict):
        kind = type(value).__name__
        return Decoded("failed", error=f"the provider's answer is a {kind}, not an object")
    tokens = _tokens(value.get("usage"))
    choices = value.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return Decoded("failed", error=_no_choices(value), tokens=tokens)
    choice = choices[0]
    finish = clean_text(_text(choice.get("finish_reason")), NAME_CHARS_MAX)
    message = choice.get("message")
    if not isinstance(message, dict):
        error = "the provider's answer has a choice without a message"
        return Decoded("failed", finish_reason=finish, error=error, tokens=tokens)
    return _message(message, finish, tokens)


def _message(message: Mapping[str, Json], finish: str, tokens: Tokens) -> Decoded:
    text, text_cut = bounded_text(_content(message.get("content")))
    thought = message.get("reasoning_content") or message.get("reasoning")
    reasoning, reasoning_cut = bounded_text(_content(thought))
    calls, notes = _tool_calls(message.get("tool_calls"))
    if text_cut:
        notes.append(f"the text was cut to {TEXT_BYTES_MAX:,} bytes")
    if finish == "length":
        notes.append("the model stopped at its token limit")
    refusal = clean_text(_text(message.get("refusal")), ERROR_CHARS_MAX)
    failure = _failure(refusal, finish, bool(text or calls), notes)
    return Decoded(
        outcome="failed" if failure else "ok",
        text=text,
        reasoning=reasoning,
        tool_calls=() if failure else calls,
        finish_reason=finish,
        truncated=bool(notes) or reasoning_cut,
        error=(failure or "; ".join(notes))[:ERROR_CHARS_MAX],
        tokens=tokens,
    )


def _failure(refusal: str, finish: str, says_something: bool, notes: list[str]) -> str:
    if refusal:
        return f"the model refused: {refusal}"
    if finish == "content_filter":
        return "the provider's content filter withheld the answer"
    if says_something or finish == "stop":
        return ""
    if finish == "length":
        return "the model spent its tokens before it answered; raise --max-completion-tokens"
    if notes:
        return "; ".join(notes)
    return f"the model's answer is empty (finish reason {finish or 'missing'!r})"


def _no_choices(value: Mapping[str, Json]) -> str:
    error = value.get("error")
    if isinstance(error, dict):
        error = error.get("message") or error.get("code")
    if said := clean_text(_text(error), ERROR_CHARS_MAX):
        return f"the provider answered with an error: {said}"[:ERROR_CHARS_MAX]
    return "the provider's answer has no choices"


def _tool_calls(value: Json) -> tuple[tuple[RequestedCall, ...], list[str]]:
    if not isinstance(value, list):
        return (), ([] if value is None else ["the tool calls are no list"])
    calls: list[RequestedCall] = []
    used: set[str] = set()
    unreadable = cut = 0
    for item in value[:TOOL_CALLS_MAX]:
        function = item.get("function") if isinstance(item, dict) else None
        if not isinstance(function, dict):
            unreadable += 1
            continue
        arguments = _arguments(function.get("arguments"))
        kept = cut_bytes(arguments, ARGUMENTS_BYTES_MAX)
        cut += kept != arguments
        name = clean_text(_text(function.get("name")), NAME_CHARS_MAX)
        call_id = _unique_id(_text(item.get("id")), len(calls), used)
        calls.append(RequestedCall(model_call_id=call_id, name=name, arguments=kept))
    notes = []
    if len(value) > TOOL_CALLS_MAX:
        notes.append(f"{len(value):,} tool calls were asked for, {TOOL_CALLS_MAX} are carried out")
    if unreadable:
        notes.append(f"{unreadable} tool calls have no function")
    if cut:
        notes.append(f"the arguments of {cut} calls were cut to {ARGUMENTS_BYTES_MAX:,} bytes")
    return tuple(calls), notes


def _unique_id(asked: str, index: int, used: set[str]) -> str:
    wanted = clean_text(asked, NAME_CHARS_MAX) or f"call_{index}"
    name, copy = wanted, 1
    while name in used:
        copy += 1
        name = f"{wanted}-{copy}"
    used.add(name)
    return name


def _arguments(value: Json) -> str:
    if isinstance(value, str):
        return _SURROGATES.sub("?", value[: ARGUMENTS_BYTES_MAX + 1])
    if value is None:
        return "{}"
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        return ""


def _content(value: Json) -> str:
    if isinstance(value, list):
        parts = (p.get("text") if isinstance(p, dict) else p for p in value[:CONTENT_PARTS_MAX])
        return "\n".join(p for p in parts if isinstance(p, str))
    return _text(value)


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _tokens(usage: Json) -> Tokens:
    if not isinstance(usage, dict):
        return Tokens()
    prompt = _count(usage.get("prompt_tokens"))
    completion = _count(usage.get("completion_tokens"))
    cached = _count(_inside(usage, "prompt_tokens_details", "cached_tokens"))
    if cached is None:
        cached = _count(usage.get("prompt_cache_hit_tokens"))
    reasoning = _count(_inside(usage, "completion_tokens_details", "reasoning_tokens"))
    return Tokens(
        prompt=prompt or 0,
        completion=completion or 0,
        reasoning=reasoning or 0,
        cached=min(cached or 0, prompt or 0),
        reported=prompt is not None and completion is not None,
    )


def _inside(usage: Mapping[str, Json], outer: str, inner: str) -> Json:
    details = usage.get(outer)
    return details.get(inner) if isinstance(details, dict) else None


def _count(value: Json) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= TOKENS_MAX else None


def bounded_text(text: str) -> tuple[str, bool]:
    """Text without control characters in at most `TEXT_BYTES_MAX` bytes, and whether it was cut."""
    near = text[: TEXT_BYTES_MAX * _CUT_FACTOR]
    clean = _UNSAFE.sub("", near).strip()
    kept = cut_bytes(clean, TEXT_BYTES_MAX)
    return kept, len(near) < len(text) or len(kept) < len(clean)


def clean_text(text: str, chars_max: int) -> str:
    """One line of text without control characters in at most `chars_max` characters."""
    near = _UNSAFE.sub("", text[: chars_max * _CUT_FACTOR])
    return " ".join(near.split())[:chars_max]


def cut_bytes(text: str, bytes_max: int) -> str:
    """The longest start of a text whose UTF-8 form has at most `bytes_max` bytes."""
    if len(text) * 4 <= bytes_max:
        return text
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= bytes_max:
        return text
    return encoded[:bytes_max].decode("utf-8", "ignore")
