"""The records that turns of every kind write: start, request, rounds' usage, end. Pure."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from arena import ids, topics
from arena.messages import (
    ChatMessage,
    ChatReply,
    ChatRequest,
    Round,
    ToolSchema,
    Turn,
    TurnOutcome,
    TurnStarted,
    Usage,
)
from routers.conversation_limits import ERROR_BYTES_MAX, FINAL_TEXT_BYTES_MAX, clip
from routers.portfolio import KnownPortfolio
from routers.prompt import prompt_sha256
from routers.turn_types import Now, ResolvedAgent, TurnInput

IS_IT_RUNNING = "is it running?"
"""How the error about a silent chat node ends, before the note of the router."""
ENDED_BEFORE = "the turn ended before the reply came"
"""The error of a round whose reply the turn did not wait for; a replay gives it none."""


class Asking(NamedTuple):
    """Who asks a model in a turn: the number of the request, its stage and its role."""

    round: int
    stage: str = ""
    role: str = ""


class TurnUsage:
    """The sum of the usage of a turn's replies; its cost is None if a price is unknown."""

    def __init__(self) -> None:
        """Start without replies."""
        self.total = Usage(cost_usd=None)
        self._costs_known = True
        self.replayed = False
        self.last_reply: ChatReply | None = None

    def add(self, reply: ChatReply) -> None:
        """Add a reply."""
        self.last_reply = reply
        self.replayed |= reply.replayed
        usage, total = reply.usage, self.total
        self._costs_known = self._costs_known and usage.cost_usd is not None
        cost = usage.cost_usd if total.cost_usd is None else total.cost_usd + (usage.cost_usd or 0)
        self.total = Usage(
            prompt_tokens=total.prompt_tokens + usage.prompt_tokens,
            completion_tokens=total.completion_tokens + usage.completion_tokens,
            reasoning_tokens=total.reasoning_tokens + usage.reasoning_tokens,
            cached_tokens=total.cached_tokens + usage.cached_tokens,
            cost_usd=cost if self._costs_known else None,
            estimated=total.estimated or usage.estimated,
        )


def turn_started(
    turn_id: str, agent: ResolvedAgent, turn_input: TurnInput, now: Now
) -> TurnStarted:
    """The record of the start of a turn."""
    snapshot, asked = turn_input.snapshot, turn_input.asked
    return TurnStarted(
        turn_id=turn_id,
        agent=agent.name,
        snapshot_id=snapshot.snapshot_id,
        snapshot_offset=turn_input.snapshot_offset,
        as_of=snapshot.as_of,
        started_at=now.wall,
        asked=asked.asked,
        asked_by=asked.asked_by,
        mids=dict(asked.mids),
        calls_max=asked.calls_max,
        read_to=dict(asked.read_to),
        version=turn_input.version,
        owner=turn_input.owner,
    )


def chat_request(
    turn_id: str,
    agent: ResolvedAgent,
    turn_input: TurnInput,
    asking: Asking,
    messages: Iterable[ChatMessage],
    *,
    tools: tuple[ToolSchema, ...],
    now: Now,
    deadline_at: datetime,
) -> ChatRequest:
    """A request to the agent's model; its id follows from turn, round, stage and role.

    Args:
        turn_id: The turn.
        agent: The agent.
        turn_input: The input of the turn.
        asking: Who asks.
        messages: The conversation.
        tools: The tools that are offered.
        now: The time.
        deadline_at: Wall time after which an answer is useless.
    """
    return ChatRequest(
        call_id=ids.model_call_id(turn_id, *asking),
        agent=agent.name,
        turn_id=turn_id,
        round=asking.round,
        stage=asking.stage,
        role=asking.role,
        strategy=agent.strategy.name,
        snapshot_id=turn_input.snapshot.snapshot_id,
        messages=tuple(messages),
        tools=tools,
        sampling=agent.strategy.sampling,
        issued_at=now.wall,
        deadline_at=deadline_at,
        reply_to=topics.inbox(agent.name),
        prompt_size=agent.form.size,
    )


class TurnEnd(NamedTuple):
    """How a turn ended.

    Attributes:
        memory: One line for the prompts of later turns.
        known: The newest portfolio in a result of this turn, or None.
        left_out: What the prompt or the record leaves out.
    """

    outcome: TurnOutcome
    error: str = ""
    cause: str = ""
    final_text: str = ""
    memory: str = ""
    known: KnownPortfolio | None = None
    left_out: str = ""


def ended_turn(
    turn_id: str,
    agent: ResolvedAgent,
    turn_input: TurnInput,
    end: TurnEnd,
    *,
    messages: tuple[ChatMessage, ...],
    rounds: Iterable[Round],
    usage: TurnUsage,
    started: Now,
    now: Now,
) -> Turn:
    """The record of a turn that has ended.

    Args:
        turn_id: The turn.
        agent: The agent.
        turn_input: The input of the turn.
        end: How it ended.
        messages: The conversation, from the prompt on.
        rounds: The model calls in the order in which they were asked.
        usage: The replies.
        started: When it started.
        now: When it ended.
    """
    snapshot, last = turn_input.snapshot, usage.last_reply
    known = end.known or turn_input.known
    age_s = (started.wall - snapshot.published_at).total_seconds()
    return Turn(
        turn_id=turn_id,
        turn_kind=agent.strategy.turn_kind,
        agent=agent.name,
        strategy=agent.strategy.name,
        node=agent.node,
        model=last.model if last else "",
        scripted=last.scripted if last else False,
        replayed=usage.replayed,
        snapshot_id=snapshot.snapshot_id,
        snapshot_offset=turn_input.snapshot_offset,
        as_of=snapshot.as_of,
        prompt_sha256=prompt_sha256(turn_input.system, turn_input.user),
        prompt_version=agent.strategy.prompt_version,
        messages=messages,
        rounds=tuple(rounds),
        skipped_snapshots=turn_input.skipped,
        outcome=end.outcome,
        error=clip(end.error, ERROR_BYTES_MAX),
        cause=end.cause,
        prompt_size=agent.form.size,
        left_out=end.left_out,
        context=turn_input.context,
        final_text=clip(end.final_text, FINAL_TEXT_BYTES_MAX),
        memory=end.memory,
        portfolio=known and known.portfolio,
        portfolio_as_of=known and known.as_of,
        usage=usage.total,
        started_at=started.wall,
        ended_at=now.wall,
        snapshot_age_ms=ms(max(0.0, age_s)),
        total_ms=ms(now.monotonic_s - started.monotonic_s),
        asked=turn_input.asked.asked,
        asked_by=turn_input.asked.asked_by,
        checked=turn_input.checked,
        heard_seq=turn_input.heard_seq,
        version=turn_input.version,
        owner=turn_input.owner,
    )


def silent_node_error(agent: ResolvedAgent, note: str) -> str:
    """The error of a call that the agent's chat node did not answer."""
    limits = agent.limits
    error = (
        f"chat node {agent.node!r} did not answer in "
        f"{limits.decision_s + limits.grace_s:g} s; {IS_IT_RUNNING}{note}"
    )
    return clip(error, ERROR_BYTES_MAX)


def ms(seconds: float) -> float:
    """Seconds as milliseconds with three decimals."""
    return round(seconds * 1000, 3)
