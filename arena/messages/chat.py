"""Requests to models, the models' replies, and the log of every call."""

from enum import StrEnum
from typing import ClassVar, Literal, Self

from pydantic import Field, JsonValue, model_validator

from arena.messages.base import Message, MessagePart, Utc, is_empty
from arena.money import WireDecimal

Role = Literal["system", "user", "assistant", "tool"]
CallOutcome = Literal["ok", "expired", "refused", "failed"]
PromptSize = Literal["full", "compact", "tiny"]
"""How much of the market a prompt shows; `routers.prompt_sizes` has the limits in tokens."""

Asker = Literal["agent", "judge", "chat"]
"""Who asks a model: an agent in its turn, the judge, or a person's chat."""
AGENT: Asker = "agent"

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


def _is_agent(value: object) -> bool:
    return value == AGENT


class ModelCallMessage(Message):
    """What a request to a model, its reply and its log record share: who asks.

    Attributes:
        call_id: `arena.ids.model_call_id(turn_id, round, stage, role)` for a call of a turn; other
            askers derive ids of their own.
        agent: The agent that asks; "" for another asker.
        turn_id: The agent's turn; "" for another asker.
        round: 0 for the first call of a turn.
        asker: Kind of the asker: an agent in its turn, the judge, or a chat.
        stage: Stage of the turn that asks; "" if its kind has none.
        role: Role that asks; "" if there are none.
    """

    of_a_turn: ClassVar = frozenset({"agent", "turn_id", "round"})
    """Fields that a call of an agent must have."""

    call_id: str
    agent: str = ""
    turn_id: str = ""
    round: int = 0
    asker: Asker = Field(default=AGENT, exclude_if=_is_agent)
    stage: str = Field(default="", exclude_if=is_empty)
    role: str = Field(default="", exclude_if=is_empty)

    @model_validator(mode="after")
    def _has_its_asker(self) -> Self:
        """An agent names itself and its turn; a call of another asker belongs to no agent."""
        if self.asker != AGENT:
            if self.agent or self.turn_id:
                raise ValueError(f"a call of the {self.asker} names an agent or a turn")
        elif missing := self.of_a_turn - self.model_fields_set:
            raise ValueError(f"a call of an agent lacks {', '.join(sorted(missing))}")
        return self

    @property
    def asked_by(self) -> str:
        """The agent's name, or "judge" or "chat"."""
        return self.agent if self.asker == AGENT else self.asker

    def correlation_id(self) -> str | None:
        """The turn this message belongs to; None if it has no agent."""
        return self.turn_id if self.asker == AGENT else None


class ChatRequest(ModelCallMessage):
    """One request to a model, to `ai_prompted.<node>`, keyed by `asked_by`.

    Attributes:
        strategy: The agent's strategy; "" for another asker.
        snapshot_id: Snapshot of the turn; "" for another asker.
        messages: The whole conversation; the chat node stores none.
        deadline_at: Wall time after which the reply is `expired`.
        reply_to: Topic of the reply: `arena.topics.inbox_of_asker`.
        prompt_size: Size of the prompt in `messages`, for errors about its length.
    """

    of_a_turn = ModelCallMessage.of_a_turn | {"strategy", "snapshot_id"}

    strategy: str = ""
    snapshot_id: str = ""
    messages: tuple[ChatMessage, ...]
    tools: tuple[ToolSchema, ...] = ()
    sampling: Sampling = Sampling()
    issued_at: Utc
    deadline_at: Utc
    reply_to: str
    prompt_size: PromptSize = "full"


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


class ChatReply(ModelCallMessage):
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
    """

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


class LlmCall(ModelCallMessage):
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
        cutoff: Last month of the model's training data, such as "2025-08", as set by the operator
            of the chat node; "" for the value of `arena.model_cutoffs`.
    """

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
