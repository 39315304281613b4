"""Turns of agents. Pure."""

from arena.messages import ChatMessage, PromptSize
from arena.messages.base import Utc
from arena.messages.turns import TURN_KIND_FIELD
from arena.money import WireDecimal
from dashboard.model.results.base import Result


class ToolCallResult(Result):
    """A tool call of a turn.

    Attributes:
        call_id: Id of the call, which is the id of an order; "" if it was not carried out.
        arguments: As the model wrote them.
        result: The answer that the model got; "" if there was none.
        ok: True if the tool carried it out.
    """

    call_id: str
    name: str
    arguments: str
    result: str
    ok: bool | None


class RoundResult(Result):
    """One model call of a turn, and its tool calls."""

    call_id: str
    outcome: str
    error: str
    role: str
    stage: str
    text: str
    reasoning: str
    prompt_tokens: int
    completion_tokens: int
    tokens_estimated: bool
    cost_usd: WireDecimal | None
    model_ms: float
    tools_ms: float
    calls: tuple[ToolCallResult, ...]


class TurnSummary(Result):
    """A turn in a list.

    Attributes:
        words: The model's final text, or the error.
        orders: Ids of its orders.
        cost_usd: Cost of its model calls; None if a price is unknown.
        asked: Why the agent was asked; "" if it has neither gates nor a cadence.
        asked_by: The record that was the cause, such as "arena.control[0]@7"; "" without one.
        place: Partition and offset of its record in `agent.turns`.
    """

    turn_id: str
    agent: str
    strategy: str
    model: str
    scripted: bool
    replayed: bool
    outcome: str
    cause: str
    words: str
    snapshot_id: str
    as_of: Utc
    started_at: Utc
    ended_at: Utc
    rounds: int
    orders: tuple[str, ...]
    tokens: int
    tokens_estimated: bool
    cost_usd: WireDecimal | None
    total_ms: float
    turn_kind: str = TURN_KIND_FIELD
    asked: str
    asked_by: str
    place: tuple[int, int]


class TurnPage(Result):
    """Turns, the newest first.

    Attributes:
        cursor: What asks for the next page; None at the end.
    """

    agent: str
    turns: tuple[TurnSummary, ...]
    cursor: str | None


class TurnDetail(Result):
    """A whole turn.

    Attributes:
        prompt: System and user text exactly as the model got them.
        prompt_sha256: The recorded hash of that text.
        conversation: All messages after the prompt.
        left_out: What the prompt omits for its size.
        memory: The line about this turn for later prompts.
        context: Ids of the items of news and facts that the prompt showed.
    """

    summary: TurnSummary
    prompt: tuple[ChatMessage, ...]
    prompt_sha256: str
    prompt_size: PromptSize
    left_out: str
    conversation: tuple[ChatMessage, ...]
    rounds: tuple[RoundResult, ...]
    memory: str
    context: tuple[str, ...]


class RenderedPrompt(Result):
    """A prompt exactly as the model got it.

    Attributes:
        messages: System and user text.
        sha256: The recorded hash of that text.
        hidden: True if the texts are left out on purpose.
    """

    agent: str
    turn_id: str
    strategy: str
    snapshot_id: str
    as_of: Utc
    messages: tuple[ChatMessage, ...]
    sha256: str
    size: PromptSize
    left_out: str
    hidden: bool = False
