"""An answer without the secrets that its server repeats: what the model's boundary cannot see.

The bytes of a body are blanked before they are read (`arena.redaction`). A key that a stream sends
in two pieces, or that an encoding hides, is a key again only when the answer was read. Pure.
"""

from dataclasses import replace
from typing import cast

from arena.messages import JsonObject, RequestedCall
from arena.redaction import Secrets
from chat_nodes.decode import Decoded, decode_reply
from chat_nodes.lenient_json import ParsedBody, read_body

WITHHELD = "the raw answer is not kept: read as a whole it shows a secret"
"""Said of a call whose bytes would give a secret away although they do not hold it in one piece."""


def decode_redacted(body: bytes, secrets: Secrets, tools: tuple[str, ...]) -> tuple[Decoded, bool]:
    """The answer in a body without secrets, and whether reading the body had shown one.

    Args:
        body: Without those that are in one piece.
        secrets: To hide.
        tools: Names of the tools that were offered.
    """
    if not secrets:
        return decode_reply(body, tools), False
    read, held = _read_hidden(body, secrets)
    decoded = decode_reply(read, tools)
    hidden = redact_decoded(decoded, secrets)
    return hidden, held or hidden != decoded


def reveals_secret(body: bytes, secrets: Secrets) -> bool:
    """True if a body whose bytes hold no secret shows one when it is read."""
    return bool(body and secrets) and _read_hidden(body, secrets)[1]


def redact_decoded(decoded: Decoded, secrets: Secrets) -> Decoded:
    """Every text of an answer without secrets."""
    hide = secrets.hide
    return replace(
        decoded,
        text=hide(decoded.text),
        reasoning=hide(decoded.reasoning),
        tool_calls=tuple(_hide_call(call, secrets) for call in decoded.tool_calls),
        finish_reason=hide(decoded.finish_reason),
        error=hide(decoded.error),
        unreadable=hide(decoded.unreadable),
        provider=_hide_object(decoded.provider, secrets),
    )


def _read_hidden(body: bytes, secrets: Secrets) -> tuple[ParsedBody, bool]:
    read = read_body(body)
    value, held = secrets.hide_json(read.value)
    problem = secrets.hide(read.problem)
    return ParsedBody(value, problem), held or problem != read.problem


def _hide_call(call: RequestedCall, secrets: Secrets) -> RequestedCall:
    return call.model_copy(
        update={
            "model_call_id": secrets.hide(call.model_call_id),
            "name": secrets.hide(call.name),
            "arguments": secrets.hide(call.arguments),
            "problem": secrets.hide(call.problem),
            "provider": _hide_object(call.provider, secrets),
        }
    )


def _hide_object(value: JsonObject, secrets: Secrets) -> JsonObject:
    return cast(JsonObject, secrets.hide_json(value)[0]) if value else value
