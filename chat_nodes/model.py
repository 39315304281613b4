"""What a model is to a chat node: a request goes in, the provider's bytes or a failure come out.

A model never retries, never counts money and never decodes: that is the node's work, the same for
every provider. Reads and writes nothing itself.
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
    """What a provider needs to know.

    Attributes:
        model_id: As the provider spells it.
        base_url: Of an OpenAI-compatible server; "" is the provider's own.
        api_key: Never printed, logged or sent anywhere but to the provider.
        reasoning_effort: Passed on where it is not "".
        max_completion_tokens: Cap per call; 0 is the provider's default.
        max_connections: How many calls run at once.
        options: Further fields of every request body; None takes a field out.
        headers: Further headers of every request; their values are never logged.
        key_variable: The environment variable of the key, for people; "" if there is none.
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
    """What one attempt sent.

    Attributes:
        content: The request body.
        options: What it held besides model, messages and tools. wire: how it was written.
        adaptations: What differs from the first form, one phrase each, because this provider
            refused that.
    """

    content: bytes
    options: Options
    wire: WireForm = PLAIN
    adaptations: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """SHA-256 of the body: `arena.chat_body.chat_body_sha256` makes it again."""
        return sha256(self.content).hexdigest()


def ask(
    model_id: str,
    request: ChatRequest,
    options: Options,
    wire: WireForm = PLAIN,
    adaptations: tuple[str, ...] = (),
) -> SentRequest:
    """A request as it is sent."""
    return SentRequest(chat_body(model_id, request, options, wire), options, wire, adaptations)


@dataclass(frozen=True, slots=True)
class RawReply:
    """A provider's answer, not yet decoded.

    Attributes:
        body: A Chat Completions response object as JSON bytes, of any quality.
        asked: What was sent.
    """

    body: bytes
    asked: SentRequest


@dataclass(frozen=True, slots=True)
class CallFailed:
    """An attempt that gave no answer.

    Attributes:
        reason: One sentence: what happened and, where there is one, the remedy.
        retryable: True where the same request may succeed later.
        retry_after_s: How long the provider asks to wait, in seconds, or None.
        cause: Why, for programs.
        adapted: True if the model has learned what the provider refused: the next attempt is
            made at once, in another form, and is not counted as a retry.
        asked: What was sent; None if nothing was.
        body: What the provider sent with its refusal.
        remedy: The end of `reason` that says what to do; "" if it says nothing of it.
        paid: What the provider may bill all the same: the prompt of an attempt that timed out, or
            an answer under status 200 that cannot be used.
    """

    reason: str
    retryable: bool
    retry_after_s: float | None = None
    cause: Cause = Cause.SERVER_ERROR
    adapted: bool = False
    asked: SentRequest | None = None
    body: bytes = b""
    remedy: str = ""
    paid: Paid = "nothing"


class Model(Protocol):
    """A model behind some API.

    Attributes:
        model_id: What is logged and priced.
        scripted: True where rules answer, not an LLM.
        host: Host name of the server, for people; "" where there is none.
        secrets: What must not be shown of its answers. A model blanks them in the bytes and the
            reasons that it gives; the node blanks them again in what it reads in those bytes.
    """

    model_id: str
    scripted: bool
    host: str
    secrets: Secrets

    async def complete(self, request: ChatRequest, *, timeout_s: float) -> RawReply | CallFailed:
        """One attempt, which takes no longer than `timeout_s` seconds."""
        ...

    async def close(self) -> None:
        """Give up connections."""
        ...
