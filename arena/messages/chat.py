"""Requests of agents to models, the models' replies, and the log of every call."""

from enum import StrEnum
from typing import Literal

from pydantic import Field, JsonValue

from arena.messages.base import Message, MessagePart, Utc, is_empty
from arena.money import WireDecimal

Role = Literal["system", "user", "assistant", "tool"]
CallOutcome = Literal["ok", "expired", "refused", "failed"]
PromptSize = Literal["full", "compact", "tiny"]
"""How much of the market a prompt shows; `routers.prompt_sizes` has the limits in tokens."""

JsonObject = dict[str, JsonValue]


class Cause(StrEnum):
    """Why a model call or a turn gave no usable answer, for programs; the error is for people.

    On the wire it is a plain string, because a reader may not know every cause.
    """

    AUTH = "auth"
    FORBIDDEN = "forbidden"
    MODEL_NOT_FOUND = "model_not_found"
    UNKNOWN_TOOL = "unknown_tool"
    CONTEXT_LENGTH = "context_length"
    QUOTA = "quota"
    BUDGET = "budget"
    RATE_LIMIT = "rate_limit"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    SERVER_ERROR = "server_error"
    REFUSED_REQUEST = "refused_request"
    CONTENT_FILTER = "content_filter"
    UNUSABLE_ANSWER = "unusable_answer"


LASTING_CAUSES = frozenset({Cause.AUTH, Cause.FORBIDDEN, Cause.MODEL_NOT_FOUND, Cause.UNKNOWN_TOOL})
"""Causes that do not pass by themselves: an agent with one of them is dead at once."""


class RequestedCall(MessagePart):
    """A tool call as the model wrote it.

    Attributes:
        model_call_id: The model's id of the call, used in the conversation only.
        name: Name of the tool as received; the tool may not exist.
        arguments: JSON text of the arguments as received; it may be malformed.
        recovered: True if the model wrote the call as text and the chat node parsed it.
        problem: Why the call must not be carried out, as sent to the model; "" if it may be.
        provider: Fields that the provider sent with the call and expects back unchanged.
    """

    model_call_id: str
    name: str
    arguments: str
    recovered: bool = Field(default=False, exclude_if=is_empty)
    problem: str = Field(default="", exclude_if=is_empty)
    provider: JsonObject = Field(default_factory=dict, exclude_if=is_empty)


class ChatMessage(MessagePart):
    """One message of a conversation, with the roles of the Chat Completions protocol.

    Attributes:
        tool_calls: Calls of an assistant message.
        tool_call_id: The `model_call_id` that a tool message answers.
        reasoning: The model's reasoning, for people; it is not sent back as text.
        provider: Fields that the provider sent with the message and expects back unchanged, such
            as `reasoning_content`; `arena.chat_body` sends them if the provider accepts them.
    """

    role: Role
    content: str = ""
    tool_calls: tuple[RequestedCall, ...] = ()
    tool_call_id: str | None = None
    reasoning: str = Field(default="", exclude_if=is_empty)
    provider: JsonObject = Field(default_factory=dict, exclude_if=is_empty)


class ToolSchema(MessagePart):
    """A tool in the form for a model.

    Attributes:
        parameters: JSON schema of the arguments object.
    """

    name: str
    description: str
    parameters: dict[str, JsonValue]


class Sampling(MessagePart):
    """Sampling settings; None for the provider's default."""

    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    max_completion_tokens: int | None = None


class ChatRequest(Message):
    """One model call of a turn, to `ai_prompted.<node>`, keyed by agent.

    Attributes:
        call_id: `arena.ids.model_call_id(turn_id, round, stage, role)`.
        round: 0 for the first call of a turn.
        stage: Stage of the turn that asks; "" if its kind has none.
        role: Role that asks; "" if the kind has none.
        messages: The whole conversation of the turn; the chat node stores none.
        deadline_at: Wall time after which the reply is `expired`.
        reply_to: Topic of the reply: `agent.inbox.<agent>`.
        prompt_size: Size of the prompt in `messages`, for errors about its length.
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
    prompt_size: PromptSize = "full"
    stage: str = Field(default="", exclude_if=is_empty)
    role: str = Field(default="", exclude_if=is_empty)


class WireForm(MessagePart):
    """The form of a conversation in a request body; `arena.chat_body` applies it.

    Attributes:
        dropped_fields: Names of `provider` fields that are not sent back; "*" for all.
        empty_reasoning: Send `reasoning_content: ""` with calls that came without it.
        tool_ids: "short" replaces tool call ids by nine letters and digits.
        content: Content of an assistant message with calls and no text: null, or "".
        system_as_user: Send the system message with the role "user", before the user's text.
        schema_keywords: "bare" keeps only type, properties, required, items and enum.
    """

    dropped_fields: tuple[str, ...] = ()
    empty_reasoning: bool = False
    tool_ids: Literal["as_received", "short"] = "as_received"
    content: Literal["null", "empty"] = "null"
    system_as_user: bool = False
    schema_keywords: Literal["portable", "bare"] = "portable"


class Usage(MessagePart):
    """Tokens and cost of a call.

    Attributes:
        cost_usd: Cost in USD; None if the model's price is unknown.
        estimated: True if the chat node estimated the tokens because the server did not count them.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    cached_tokens: int = 0
    cost_usd: WireDecimal | None = None
    estimated: bool = False


class ChatReply(Message):
    """The answer to a `ChatRequest`; exactly one counts per `call_id`.

    Attributes:
        outcome: "ok"; "expired" after the deadline; "refused" by a token cap or budget; "failed"
            if the provider gave nothing usable after all retries.
        text: The model's text.
        reasoning: The model's reasoning, if the provider returns it.
        error: One sentence with value and remedy; "" for "ok".
        cause: A `Cause`; "" for "ok".
        unreadable: Why text that looks like a tool call could not be parsed; "" if there is none.
        provider: Fields of the message that the provider expects back unchanged.
        truncated: True if text or calls were cut to their limits.
        scripted: True if built-in rules answered, not an LLM.
        replayed: True if a recorded reply was used.
        stage: Stage of the turn that asked. role: The role; both as in the request.
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
    cause: str = ""
    unreadable: str = ""
    provider: JsonObject = Field(default_factory=dict)
    usage: Usage = Usage()
    attempts: int = 1
    latency_ms: float = 0.0
    stage: str = Field(default="", exclude_if=is_empty)
    role: str = Field(default="", exclude_if=is_empty)


class LlmCall(Message):
    """The record of one model call in `llm.calls`: its cost and its response.

    Attributes:
        request_sha256: SHA-256 of the body that was sent, which `arena.chat_body` builds again
            from the request, `model` and `options`; "" if no model was called.
        options: Fields of the body besides model, messages and tools; None as a value removed a
            field. None if no model was called.
        wire: Form of the conversation in the body; None if no model was called.
        adaptations: Changes that the chat node made because the provider refused the request.
        cause: A `Cause`; "" for "ok".
        raw_response: The provider's bytes as text, cut at a limit; `raw_response_sha256` is the
            hash of all of them.
        stage: Stage of the turn that asked. role: The role; both as in the request.
        cutoff: Last month of the model's training data, such as "2025-08", as set by the operator
            of the chat node; "" for the value of `arena.model_cutoffs`.
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
    cause: str = ""
    request_sha256: str
    options: JsonObject | None = None
    wire: WireForm | None = None
    adaptations: tuple[str, ...] = ()
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
    cutoff: str = Field(default="", max_length=7, exclude_if=is_empty)
    stage: str = Field(default="", exclude_if=is_empty)
    role: str = Field(default="", exclude_if=is_empty)
