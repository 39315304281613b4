"""The bounds of a turn's conversation: whatever a model or a tool writes, the record stays small.

A `Turn` holds every message and must fit in one record of `arena.topics.RECORD_BYTES_MAX` bytes.
Texts are cut by UTF-8 bytes and stripped of control characters, so JSON at most doubles them;
`ROUNDS_MAX` rounds of the bounds below then stay under the limit. Pure: reads and writes nothing.
"""

import re
from collections.abc import Sequence

from arena.messages import RequestedCall

ROUNDS_MAX = 6
"""Most tool rounds a turn may be allowed."""
CALLS_RUN_MAX = 8
"""Tool calls of one reply that are carried out."""
CALLS_KEPT_MAX = 16
"""Tool calls of one reply that stay in the conversation, each with an answer."""
REPLY_BYTES_MAX = 8_000
ARGUMENTS_BYTES_MAX = 2_000
RESULT_BYTES_MAX = 4_000
REFUSED_ARGUMENTS_BYTES_MAX = 200
ERROR_BYTES_MAX = 600
FINAL_TEXT_BYTES_MAX = 2_000
NAME_CHARS_MAX = 64
MODEL_CALL_ID_CHARS_MAX = 64

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


def kept_calls(asked: Sequence[RequestedCall], round_: int) -> tuple[RequestedCall, ...]:
    """The calls of a reply as the conversation keeps them.

    At most `CALLS_KEPT_MAX`; names and arguments cut; each with an id of its own, because a
    provider refuses a conversation in which two calls share one.
    """
    seen: set[str] = set()
    kept = []
    for index, call in enumerate(asked[:CALLS_KEPT_MAX]):
        model_call_id = clip(call.model_call_id, MODEL_CALL_ID_CHARS_MAX)
        if not model_call_id or model_call_id in seen:
            model_call_id = f"call_{round_}_{index}"
        seen.add(model_call_id)
        limit = ARGUMENTS_BYTES_MAX if index < CALLS_RUN_MAX else REFUSED_ARGUMENTS_BYTES_MAX
        kept.append(
            RequestedCall(
                model_call_id=model_call_id,
                name=clip(call.name, NAME_CHARS_MAX),
                arguments=clip(call.arguments, limit),
            )
        )
    return tuple(kept)


def refusal_of(
    index: int, call: RequestedCall, known: Sequence[str], arguments_bytes: int
) -> str | None:
    """Why a call is not carried out, as the model is told; None where it is.

    Args:
        index: Of the call in its reply.
        call: As it is kept.
        known: Names of the tools the agent has.
        arguments_bytes: Size of the arguments as they were received.
    """
    if index >= CALLS_RUN_MAX:
        return (
            f"not carried out: call {index + 1} of one answer; at most {CALLS_RUN_MAX} are. "
            "Send it again in your next answer if you still want it."
        )
    if call.name not in known:
        names = ", ".join(known) or "none: answer in words"
        return f"there is no tool {call.name!r}; the tools are: {names}"
    if arguments_bytes > ARGUMENTS_BYTES_MAX:
        return (
            f"not carried out: arguments of {arguments_bytes:,} bytes; "
            f"at most {ARGUMENTS_BYTES_MAX:,}"
        )
    return None
