"""The log record of a model call, and the reply that follows from it: pure.

A reply is always made from its logged call, so one that is read back after a crash is the same.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from arena.messages import ChatReply, ChatRequest, LlmCall, Usage
from chat_nodes.decode import Decoded, Tokens, decode_reply
from chat_nodes.model import SentRequest
from chat_nodes.redaction import WITHHELD

RAW_BYTES_MAX = 32 * 1024
"""Of a provider's answer, kept in `llm.calls`; a longer one is named by its hash."""
ERRORS_KEPT_MAX = 10
"""Failed attempts named in a logged call: the newest ones."""
NO_TOKENS = Tokens()


@dataclass(slots=True)
class CallInProgress:
    """What is known of a call while it runs.

    Attributes:
        started_s: Monotonic time at which it began.
        asked: What was sent last; None while nothing was. body: what the provider sent last.
        errors: One line per failed attempt.
        spent: What attempts used whose answer could not be used. noted: how many attempts of this
            call were looked at for that. spent_estimated: a part of it was not counted by a server.
        withheld: True if `body`, read as a whole, shows a secret; it is not kept then.
    """

    request: ChatRequest
    started_at: datetime
    started_s: float
    attempts: int = 0
    asked: SentRequest | None = None
    body: bytes = b""
    errors: tuple[str, ...] = ()
    spent: Tokens = NO_TOKENS
    noted: int = 0
    spent_estimated: bool = False
    withheld: bool = False


def logged_call(
    call: CallInProgress,
    decoded: Decoded,
    *,
    node: str,
    model: str,
    scripted: bool,
    usage: Usage,
    ended_at: datetime,
    latency_ms: float,
    cutoff: str = "",
) -> LlmCall:
    """The record of a call that has ended."""
    request, body, asked = call.request, call.body, call.asked
    kept = b"" if call.withheld else body[:RAW_BYTES_MAX]
    error = "; ".join(filter(None, (decoded.error, WITHHELD if call.withheld else "")))
    return LlmCall(
        call_id=request.call_id,
        agent=request.agent,
        turn_id=request.turn_id,
        round=request.round,
        node=node,
        model=model,
        scripted=scripted,
        outcome=decoded.outcome,
        error=error,
        cause=decoded.cause,
        request_sha256="" if asked is None else asked.sha256,
        options=None if asked is None else dict(asked.options),
        wire=None if asked is None else asked.wire,
        adaptations=() if asked is None else asked.adaptations,
        raw_response=kept.decode("utf-8", "replace"),
        raw_response_sha256=hashlib.sha256(body).hexdigest() if body else "",
        raw_truncated=len(body) > len(kept),
        finish_reason=decoded.finish_reason,
        usage=usage,
        attempts=call.attempts,
        latency_ms=latency_ms,
        started_at=call.started_at,
        ended_at=ended_at,
        errors=call.errors[-ERRORS_KEPT_MAX:],
        cutoff=cutoff,
    )


def reply_of(call: LlmCall, decoded: Decoded) -> ChatReply:
    """The reply that a logged call gives."""
    return ChatReply(
        call_id=call.call_id,
        agent=call.agent,
        turn_id=call.turn_id,
        round=call.round,
        node=call.node,
        model=call.model,
        scripted=call.scripted,
        replayed=call.replayed,
        outcome=call.outcome,
        text=decoded.text,
        reasoning=decoded.reasoning,
        tool_calls=decoded.tool_calls,
        finish_reason=call.finish_reason,
        truncated=decoded.truncated,
        error=call.error,
        cause=call.cause,
        unreadable=decoded.unreadable,
        provider=decoded.provider,
        usage=call.usage,
        attempts=call.attempts,
        latency_ms=call.latency_ms,
    )


def reply_from_log(call: LlmCall, request: ChatRequest) -> ChatReply | None:
    """The reply of a call that was read back; None where the log had to cut the answer's bytes.

    Such an answer, longer than `RAW_BYTES_MAX` or withheld, is asked for again.
    """
    if call.raw_truncated and call.outcome == "ok":
        return None
    decoded = Decoded(call.outcome)
    if call.raw_response:
        decoded = decode_reply(call.raw_response.encode(), tool_names(request))
    return reply_of(call, decoded)


def tool_names(request: ChatRequest) -> tuple[str, ...]:
    """Names of the tools that a request offers."""
    return tuple(tool.name for tool in request.tools)
