"""The log record of a model call, and the reply that is derived from it. Pure.

A reply is always made from its logged call, so a call that is read back after a crash gives the
same reply.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from arena.messages import ChatReply, ChatRequest, LlmCall, Usage
from chat_nodes.decode import Decoded, Tokens, decode_reply
from chat_nodes.model import SentRequest
from chat_nodes.redaction import WITHHELD

RAW_BYTES_MAX = 32 * 1024
"""Longest raw answer in `llm.calls`; of a longer one the record has the start and the hash."""
ERRORS_KEPT_MAX = 10
"""Number of newest failed attempts that a logged call lists."""
NO_TOKENS = Tokens()


@dataclass(slots=True)
class CallInProgress:
    """The state of a call while it runs.

    Attributes:
        started_s: Monotonic time at which it began, in seconds.
        attempts: Number of attempts so far.
        sent: The request of the last attempt; None before the first.
        body: The provider's answer to the last attempt.
        errors: One line per failed attempt.
        failed_tokens: Tokens of attempts whose answer could not be used.
        attempts_counted: Number of attempts that `failed_tokens` covers.
        failed_tokens_estimated: True if a part of them was not counted by a server.
        withheld: True if `body` reveals a secret once it is decoded; it is then not kept.
    """

    request: ChatRequest
    started_at: datetime
    started_s: float
    attempts: int = 0
    sent: SentRequest | None = None
    body: bytes = b""
    errors: tuple[str, ...] = ()
    failed_tokens: Tokens = NO_TOKENS
    attempts_counted: int = 0
    failed_tokens_estimated: bool = False
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
    request, body, sent = call.request, call.body, call.sent
    raw = b"" if call.withheld else body[:RAW_BYTES_MAX]
    error = "; ".join(filter(None, (decoded.error, WITHHELD if call.withheld else "")))
    return LlmCall(
        call_id=request.call_id,
        agent=request.agent,
        asker=request.asker,
        turn_id=request.turn_id,
        round=request.round,
        node=node,
        model=model,
        scripted=scripted,
        outcome=decoded.outcome,
        error=error,
        cause=decoded.cause,
        request_sha256="" if sent is None else sent.sha256,
        options=None if sent is None else dict(sent.options),
        wire=None if sent is None else sent.wire,
        adaptations=() if sent is None else sent.adaptations,
        raw_response=raw.decode("utf-8", "replace"),
        raw_response_sha256=hashlib.sha256(body).hexdigest() if body else "",
        raw_truncated=len(body) > len(raw),
        finish_reason=decoded.finish_reason,
        usage=usage,
        attempts=call.attempts,
        latency_ms=latency_ms,
        started_at=call.started_at,
        ended_at=ended_at,
        errors=call.errors[-ERRORS_KEPT_MAX:],
        cutoff=cutoff,
        stage=request.stage,
        role=request.role,
    )


def reply_of(call: LlmCall, decoded: Decoded) -> ChatReply:
    """The reply that a logged call gives."""
    return ChatReply(
        call_id=call.call_id,
        agent=call.agent,
        asker=call.asker,
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
        stage=call.stage,
        role=call.role,
    )


def reply_from_log(call: LlmCall, request: ChatRequest) -> ChatReply | None:
    """The reply of a call that was read back; None if the log does not have the whole answer.

    The call of such an answer, longer than `RAW_BYTES_MAX` or withheld, is made again.
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
