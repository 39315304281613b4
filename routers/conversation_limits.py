"""The bounds of a turn's conversation: whatever a model or a tool writes, the record stays small.

A `Turn` contains all messages and must fit in one record of `arena.topics.RECORD_BYTES_MAX` bytes.
Texts are cut to a number of UTF-8 bytes and stripped of control characters, so JSON at most doubles
them; `ROUNDS_MAX` rounds within the bounds below then stay under the limit. Fields that a provider
wants back are never cut: the oldest are left out if they exceed their bounds. Pure: reads and
writes nothing.
"""

import re
from collections.abc import Container, Iterator, Sequence

from pydantic_core import to_json

from arena.messages import ChatMessage, JsonObject, RequestedCall

ROUNDS_MAX = 6
"""Most tool rounds a turn may be allowed."""
CALLS_RUN_MAX = 8
"""Tool calls of one reply that are carried out."""
CALLS_RECORDED_MAX = 16
"""Tool calls of one reply that stay in the conversation, each with a result."""
REPLY_BYTES_MAX = 8_000
ARGUMENTS_BYTES_MAX = 2_000
RESULT_BYTES_MAX = 4_000
REFUSED_ARGUMENTS_BYTES_MAX = 200
ERROR_BYTES_MAX = 600
FINAL_TEXT_BYTES_MAX = 2_000
PROBLEM_BYTES_MAX = 300
"""The chat node's text about what is wrong with one call."""
REASONING_BYTES_MAX = 4_000
NAME_CHARS_MAX = 64
MODEL_CALL_ID_CHARS_MAX = 64
PROVIDER_BYTES_MAX = 200 * 1024
"""JSON of all `provider` fields of a turn's conversation."""
CONVERSATION_BYTES_MAX = 920_000
"""JSON of a turn's messages; `provider` fields are left out beyond it."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def clip(text: str, bytes_max: int) -> str:
    """The text without control characters, cut to a number of UTF-8 bytes."""
    if _CONTROL.search(text):
        text = _CONTROL.sub(" ", text)
    if len(text) * 4 <= bytes_max:
        return text
    raw = text.encode("utf-8", "replace")
    if len(raw) <= bytes_max:
        return text
    return raw[: bytes_max - 3].decode("utf-8", "ignore") + "..."


def bound_calls(
    asked: Sequence[RequestedCall], round_: int, used: Container[str] = ()
) -> tuple[RequestedCall, ...]:
    """The calls of a reply as the conversation records them.

    At most `CALLS_RECORDED_MAX`, with names and arguments cut to their bounds. Each gets a unique
    id, because providers refuse a conversation in which two calls share one.

    Args:
        asked: The calls of the reply.
        round_: The number of the round.
        used: Ids of the calls of earlier rounds.
    """
    new_ids: set[str] = set()
    bounded = []
    for index, call in enumerate(asked[:CALLS_RECORDED_MAX]):
        own_id = clip(call.model_call_id, MODEL_CALL_ID_CHARS_MAX)
        model_call_id, copy = own_id, 0
        while not model_call_id or model_call_id in new_ids or model_call_id in used:
            copy += 1
            model_call_id = f"call_{round_}_{index}" + (f"_{copy}" if copy > 1 else "")
        new_ids.add(model_call_id)
        limit = ARGUMENTS_BYTES_MAX if index < CALLS_RUN_MAX else REFUSED_ARGUMENTS_BYTES_MAX
        bounded.append(
            RequestedCall(
                model_call_id=model_call_id,
                name=clip(call.name, NAME_CHARS_MAX),
                arguments=clip(call.arguments, limit),
                recovered=call.recovered,
                problem=clip(call.problem, PROBLEM_BYTES_MAX),
                provider=call.provider,
            )
        )
    return tuple(bounded)


def drop_provider_fields(messages: Sequence[ChatMessage]) -> tuple[list[ChatMessage], int]:
    """Leave out the oldest `provider` fields of a conversation if they exceed their bounds.

    A `provider` object is left out completely or not at all, a message's own before those of its
    calls. Most conversations have none, or few, and are returned unchanged.

    Returns:
        The messages, and how many of their `provider` objects were left out.
    """
    found = list(messages)
    if not any(True for _ in _provider_objects(found)):
        return found, 0
    total = sum(len(to_json(m)) for m in found)
    sizes = [len(to_json(fields)) for _, _, fields in _provider_objects(found)]
    excess = max(sum(sizes) - PROVIDER_BYTES_MAX, total - CONVERSATION_BYTES_MAX)
    left_out = 0
    for (place, call, _), size in zip(list(_provider_objects(found)), sizes, strict=True):
        if excess <= 0:
            break
        message = found[place]
        if call is None:
            found[place] = message.model_copy(update={"provider": {}})
        else:
            calls = list(message.tool_calls)
            calls[call] = calls[call].model_copy(update={"provider": {}})
            found[place] = message.model_copy(update={"tool_calls": tuple(calls)})
        excess -= size
        left_out += 1
    return found, left_out


def _provider_objects(
    messages: Sequence[ChatMessage],
) -> Iterator[tuple[int, int | None, JsonObject]]:
    """Message index, call index or None, and the fields; oldest first."""
    for place, message in enumerate(messages):
        if message.provider:
            yield place, None, message.provider
        for index, call in enumerate(message.tool_calls):
            if call.provider:
                yield place, index, call.provider


def refusal_text(
    index: int, call: RequestedCall, known: Sequence[str], arguments_bytes: int
) -> str | None:
    """The text for the model about why a call is not carried out; None if it is.

    The arguments of a call that is sent are checked by the tool.

    Args:
        index: The index of the call in its reply.
        call: The call as recorded.
        known: Names of the agent's tools.
        arguments_bytes: Size of the arguments as received.
    """
    if index >= CALLS_RUN_MAX:
        return (
            f"not carried out: call {index + 1} of one answer; at most {CALLS_RUN_MAX} are. "
            "Send it again in your next answer if you still want it."
        )
    if call.problem:
        return call.problem
    if call.name not in known:
        names = ", ".join(known) or "none: answer in words"
        return f"there is no tool {call.name!r}; the tools are: {names}"
    if arguments_bytes > ARGUMENTS_BYTES_MAX:
        return (
            f"not carried out: arguments of {arguments_bytes:,} bytes; "
            f"at most {ARGUMENTS_BYTES_MAX:,}"
        )
    return None
