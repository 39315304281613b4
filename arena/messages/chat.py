"""What an agent asks a model, what the model answers, and the log of every call."""

from typing import Literal

from pydantic import Field, JsonValue

from arena.messages.base import Message, Part, Utc
from arena.money import WireDecimal

Role = Literal["system", "user", "assistant", "tool"]
CallOutcome = Literal["ok", "expired", "refused", "failed"]


class RequestedCall(Part):
    """A tool call as the model wrote it.

    Attributes:
        model_call_id: The id the model gave it; only the conversation uses it.
        name: The tool's name, as received: it may not exist.
        arguments: The JSON text of the arguments, as received: it may be malformed.
    """

    model_call_id: str
    name: str
    arguments: str


class ChatMessage(Part):
    """One message of a conversation, with the roles of the Chat Completions protocol.

    Attributes:
        tool_calls: Only on an assistant message.
        tool_call_id: Only on a tool message: the `model_call_id` it answers.
    """

    role: Role
    content: str = ""
    tool_calls: tuple[RequestedCall, ...] = ()
    tool_call_id: str | None = None


class ToolSchema(Part):
    """A tool as the model sees it.

    Attributes:
        parameters: JSON schema of the arguments object.
    """

    name: str
    description: str
    parameters: dict[str, JsonValue]


class Sampling(Part):
    """Sampling settings; None leaves the provider's default."""

    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    max_completion_tokens: int | None = None


class ChatRequest(Message):
    """One model call of a turn, to `ai_prompted.<node>`, keyed by agent.

    Attributes:
        call_id: `arena.ids.model_call_id(turn_id, round)`.
        round: 0 for the first call of a turn.
        messages: The whole conversation of the turn; the chat node keeps none.
        deadline_at: Past this wall time the reply is `expired`.
        reply_to: The topic of the reply: `agent.inbox.<agent>`.
    """

    call_id: str
    agent: str
    turn_id: str
    round: int
    strategy: str
    snapshot_id: str
    messages: tuple[ChatMessage, ...]
    tools: tuple[ToolSchema, ...] = ()
    sampling: Sampling = Sampling()
    issued_at: Utc
    deadline_at: Utc
    reply_to: str


class Usage(Part):
    """Tokens and cost of a call.

    Attributes:
        cost_usd: None where the model's price is unknown.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    cached_tokens: int = 0
    cost_usd: WireDecimal | None = None


class ChatReply(Message):
    """The answer to a `ChatRequest`; exactly one counts per `call_id`.

    Attributes:
        outcome: "ok"; "expired" past the deadline; "refused" by a token cap or budget;
            "failed" where the provider gave nothing usable after all retries.
        text: What the model said. reasoning: its thinking, where the provider returns it.
        error: For every outcome but "ok": one sentence, the value and the remedy.
        truncated: True where text or calls were cut to their bounds.
        scripted: True where the built-in rules answered, not an LLM.
        replayed: True where a recorded reply was served.
    """

    call_id: str
    agent: str
    turn_id: str
    round: int
    node: str
    model: str
    scripted: bool = False
    replayed: bool = False
    outcome: CallOutcome
    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[RequestedCall, ...] = ()
    finish_reason: str = ""
    truncated: bool = False
    error: str = ""
    usage: Usage = Usage()
    attempts: int = 1
    latency_ms: float = 0.0


class LlmCall(Message):
    """The record of one model call in `llm.calls`: what it cost and what came back.

    Attributes:
        request_sha256: Of the body that was sent: `arena.chat_body` makes it again from the
            request, `model` and `options`. "" where nobody was asked.
        options: What the body held besides model, messages and tools; None where nobody was asked.
        raw_response: The provider's bytes as text, cut at a bound; `raw_response_sha256` is
            the hash of all of them.
    """

    call_id: str
    agent: str
    turn_id: str
    round: int
    node: str
    model: str
    scripted: bool = False
    replayed: bool = False
    outcome: CallOutcome
    error: str = ""
    request_sha256: str
    options: dict[str, int | float | str] | None = None
    raw_response: str = ""
    raw_response_sha256: str = ""
    raw_truncated: bool = False
    finish_reason: str = ""
    usage: Usage = Usage()
    attempts: int = 1
    latency_ms: float = 0.0
    started_at: Utc
    ended_at: Utc
    errors: tuple[str, ...] = Field(default=(), description="One line per failed attempt.")
