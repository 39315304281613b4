"""The interface of a model: a request goes in, the provider's bytes or a failure come out.

A model does not retry, compute costs or decode: the chat node does, in the same way for every
provider. This module reads and writes nothing itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal, Protocol

from pydantic import JsonValue

from arena.chat_body import PLAIN, Options, chat_body
from arena.messages import Cause, ChatRequest, WireForm
from arena.redaction import Secrets

Paid = Literal["nothing", "prompt", "answer"]


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Settings of a model.

    Attributes:
        model_id: Id as the provider spells it.
        base_url: URL of an OpenAI-compatible server; "" for the provider's own.
        api_key: Key; never printed, logged or sent anywhere but to the provider.
        reasoning_effort: Effort to send; "" to send none.
        max_completion_tokens: Cap per call; 0 for the provider's default.
        max_connections: Number of calls at once.
        options: Further fields of every request body; None removes a field.
        headers: Further headers of every request; their values are never logged.
        key_variable: Environment variable of the key, for messages; "" if there is none.
    """

    model_id: str
    base_url: str = ""
    api_key: str = field(default="", repr=False)
    reasoning_effort: str = ""
    max_completion_tokens: int = 0
    max_connections: int = 10
    options: Mapping[str, JsonValue] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    key_variable: str = ""


@dataclass(frozen=True, slots=True)
class SentRequest:
    """The request of one attempt.

    Attributes:
        content: The request body.
        options: Its fields besides model, messages and tools.
        wire: The form in which the conversation is written.
        adaptations: Differences from the first form, which this provider refused, one phrase each.
    """

    content: bytes
    options: Options
    wire: WireForm = PLAIN
    adaptations: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """SHA-256 of the body; `arena.chat_body.chat_body_sha256` computes the same."""
        return sha256(self.content).hexdigest()


def build_request(
    model_id: str,
    request: ChatRequest,
    options: Options,
    wire: WireForm = PLAIN,
    adaptations: tuple[str, ...] = (),
) -> SentRequest:
    """Build the request that is sent for a chat request."""
    return SentRequest(chat_body(model_id, request, options, wire), options, wire, adaptations)


@dataclass(frozen=True, slots=True)
class RawReply:
    """A provider's answer, not yet decoded.

    Attributes:
        body: A Chat Completions response object as JSON bytes; it may be malformed.
        sent: The request.
    """

    body: bytes
    sent: SentRequest


@dataclass(frozen=True, slots=True)
class CallFailed:
    """An attempt without an answer.

    Attributes:
        reason: One sentence: what happened and, if there is one, the remedy.
        retryable: True if the same request may succeed later.
        retry_after_s: The wait that the provider requests, in seconds, or None.
        cause: The cause, for programs.
        adapted: True if the next request will have another form, because the provider refused this
            one: the next attempt is made at once and does not count as a retry.
        sent: The request; None if nothing was sent.
        body: The body of the provider's refusal.
        remedy: The end of `reason` that says what to do; "" if there is none.
        paid: What the provider may bill nevertheless: the prompt of an attempt that timed out, or
            an answer under status 200 that cannot be used.
    """

    reason: str
    retryable: bool
    retry_after_s: float | None = None
    cause: Cause = Cause.SERVER_ERROR
    adapted: bool = False
    sent: SentRequest | None = None
    body: bytes = b""
    remedy: str = ""
    paid: Paid = "nothing"


class Model(Protocol):
    """A model, behind any API.

    Attributes:
        model_id: Id that is logged and priced.
        scripted: True if rules answer, not an LLM.
        host: Host name of the server, for messages; "" if there is none.
        secrets: Secrets that its answers must not show. A model removes them from the bytes and
            reasons that it returns; the node removes them again from the decoded answer.
    """

    model_id: str
    scripted: bool
    host: str
    secrets: Secrets

    async def complete(self, request: ChatRequest, *, timeout_s: float) -> RawReply | CallFailed:
        """Make one attempt of at most `timeout_s` seconds."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...
