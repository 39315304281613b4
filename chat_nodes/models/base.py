"""What a model is to a chat node: a request goes in, the provider's bytes or a failure come out.

A model never retries, never counts money and never decodes: that is the node's work, the same for
every provider. Reads and writes nothing itself.
"""

from dataclasses import dataclass, field
from typing import Protocol

from arena.chat_body import Options
from arena.messages import ChatRequest


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
    """

    model_id: str
    base_url: str = ""
    api_key: str = field(default="", repr=False)
    reasoning_effort: str = ""
    max_completion_tokens: int = 0
    max_connections: int = 10


@dataclass(frozen=True, slots=True)
class RawReply:
    """A provider's answer, not yet decoded.

    Attributes:
        body: A Chat Completions response object as JSON bytes, of any quality.
        request_sha256: `arena.chat_body.chat_body_sha256` of what was asked.
    """

    body: bytes
    request_sha256: str


@dataclass(frozen=True, slots=True)
class CallFailed:
    """An attempt that gave no answer.

    Attributes:
        reason: One sentence: what happened and, where there is one, the remedy.
        retryable: True where the same request may succeed later.
        retry_after_s: How long the provider asks to wait, in seconds, or None.
        body: What the provider sent with its refusal.
    """

    reason: str
    retryable: bool
    retry_after_s: float | None = None
    request_sha256: str = ""
    body: bytes = b""


class Model(Protocol):
    """A model behind some API.

    Attributes:
        model_id: What is logged and priced.
        scripted: True where rules answer, not an LLM.
        host: Host name of the server, for people; "" where there is none.
    """

    model_id: str
    scripted: bool
    host: str

    def options(self, request: ChatRequest) -> Options:
        """What the request body holds besides model, messages and tools; logged with the call."""
        ...

    async def complete(self, request: ChatRequest, *, timeout_s: float) -> RawReply | CallFailed:
        """One attempt, which takes no longer than `timeout_s` seconds."""
        ...

    async def close(self) -> None:
        """Give up connections."""
        ...
