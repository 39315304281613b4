"""What an agent asks a model, what the model answers, and the log of every call."""

from enum import StrEnum
from typing import Literal

from pydantic import Field, JsonValue

from arena.messages.base import Message, Part, Utc, is_empty
from arena.money import WireDecimal

Role = Literal["system", "user", "assistant", "tool"]
CallOutcome = Literal["ok", "expired", "refused", "failed"]
PromptSize = Literal["full", "compact", "tiny"]
"""How much of the market a prompt shows; `routers.prompt` has the bounds in tokens."""

JsonObject = dict[str, JsonValue]


class Cause(StrEnum):
    """Why a model call or a turn gave no usable answer, for programs; the error is for people.

    On the wire it is a plain string, so that a reader may meet one it does not know.
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
"""Causes that do not pass by themselves: an agent that meets one is dead at once."""


class RequestedCall(Part):
    """A tool call as the model wrote it.

    Attributes:
        model_call_id: The id the model gave it; only the conversation uses it.
        name: The tool's name, as received: it may not exist.
        arguments: The JSON text of the arguments, as received: it may be malformed.
        recovered: True if the model wrote the call as text and the chat node recovered it.
        problem: Why the call must not be carried out, as the model is told; "" if it may be.
        provider: Fields the provider sent with the call and wants back unchanged.
    """

    model_call_id: str
    name: str
    arguments: str
    recovered: bool = Field(default=False, exclude_if=is_empty)
    problem: str = Field(default="", exclude_if=is_empty)
    provider: JsonObject = Field(default_factory=dict, exclude_if=is_empty)


class ChatMessage(Part):
    """One message of a conversation, with the roles of the Chat Completions protocol.

    Attributes:
        tool_calls: Only on an assistant message.
        tool_call_id: Only on a tool message: the `model_call_id` it answers.
        reasoning: What the model thought, for people; it is not sent back as text.
        provider: Fields the provider sent with the message and wants back unchanged, such as
            `reasoning_content`; `arena.chat_body` sends them where the provider takes them.
    """

    role: Role
    content: str = ""
    tool_calls: tuple[RequestedCall, ...] = ()
    tool_call_id: str | None = None
    reasoning: str = Field(default="", exclude_if=is_empty)
    provider: JsonObject = Field(default_factory=dict, exclude_if=is_empty)


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
        prompt_size: Of the prompt in `messages`; an error about its length names a smaller one.
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


class WireForm(Part):
    """How a conversation is put into a request body; `arena.chat_body` says what each field does.

    Attributes:
        dropped_fields: Names of `provider` fields that are not sent back; "*" is all of them.
        empty_reasoning: Send `reasoning_content: ""` with calls that came without it.
        tool_ids: "short" replaces tool call ids by nine letters and digits.
        content: What an assistant message with calls and no text holds: null, or "".
        system_as_user: Send the system message under the role "user", before the user's words.
        schema_keywords: "bare" leaves only type, properties, required, items and enum.
    """

    dropped_fields: tuple[str, ...] = ()
    empty_reasoning: bool = False
    tool_ids: Literal["as_received", "short"] = "as_received"
    content: Literal["null", "empty"] = "null"
    system_as_user: bool = False
    schema_keywords: Literal["portable", "bare"] = "portable"


class Usage(Part):
    """Tokens and cost of a call.

    Attributes:
        cost_usd: None where the model's price is unknown.
        estimated: True if the server did not count the tokens and the chat node estimated them.
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
        outcome: "ok"; "expired" past the deadline; "refused" by a token cap or budget;
            "failed" where the provider gave nothing usable after all retries.
        text: What the model said. reasoning: its thinking, where the provider returns it.
        error: For every outcome but "ok": one sentence, the value and the remedy.
        cause: A `Cause` for every outcome but "ok".
        unreadable: Why words that seem to ask for a tool could not be read as a call; "" if none.
        provider: Fields of the message that the provider wants back unchanged.
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
    cause: str = ""
    unreadable: str = ""
    provider: JsonObject = Field(default_factory=dict)
    usage: Usage = Usage()
    attempts: int = 1
    latency_ms: float = 0.0


class LlmCall(Message):
    """The record of one model call in `llm.calls`: what it cost and what came back.

    Attributes:
        request_sha256: Of the body that was sent: `arena.chat_body` makes it again from the
            request, `model` and `options`. "" where nobody was asked.
        options: What the body held besides model, messages and tools; a field that is None was
            taken out of the body. None if no model was asked.
        wire: How the conversation was put into the body; None if no model was asked.
        adaptations: What the chat node changed because this provider refused it otherwise.
        cause: A `Cause` for every outcome but "ok".
        raw_response: The provider's bytes as text, cut at a bound; `raw_response_sha256` is
            the hash of all of them.
        cutoff: Last month of the model's training data, such as "2025-08", where the operator of
            the chat node says so; "" leaves it to `arena.model_cutoffs`.
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
