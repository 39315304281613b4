"""Secrets that a server repeats in its answer, removed after the answer was decoded. Pure.

`arena.redaction` blanks the bytes of a body before they are decoded. A key that a stream sends in
two pieces, or in an encoding, is only visible in the decoded answer.
"""

from dataclasses import replace
from typing import cast

from arena.messages import JsonObject, RequestedCall
from arena.redaction import Secrets
from chat_nodes.decode import Decoded, decode_reply
from chat_nodes.lenient_json import ParsedBody, read_body

WITHHELD = "the raw answer is not kept: read as a whole it shows a secret"
"""Error of a call whose bytes reveal a secret, although they do not hold it in one piece."""


def decode_redacted(body: bytes, secrets: Secrets, tools: tuple[str, ...]) -> tuple[Decoded, bool]:
    """The answer in a body without secrets, and whether the decoded body held one.

    Args:
        body: The body, without secrets that are in one piece.
        secrets: Secrets to hide.
        tools: Names of the offered tools.
    """
    if not secrets:
        return decode_reply(body, tools), False
    parsed, found_secret = _read_hidden(body, secrets)
    decoded = decode_reply(parsed, tools)
    hidden = redact_decoded(decoded, secrets)
    return hidden, found_secret or hidden != decoded


def reveals_secret(body: bytes, secrets: Secrets) -> bool:
    """True if a body whose bytes hold no secret has one after it is decoded."""
    return bool(body and secrets) and _read_hidden(body, secrets)[1]


def redact_decoded(decoded: Decoded, secrets: Secrets) -> Decoded:
    """The answer with secrets removed from every text."""
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
    parsed = read_body(body)
    value, found_secret = secrets.hide_json(parsed.value)
    problem = secrets.hide(parsed.problem)
    return ParsedBody(value, problem), found_secret or problem != parsed.problem


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
