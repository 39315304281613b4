"""What an agent was shown when it decided, with the text of its strategy left open. Pure.

A prompt is the conversation of a recorded turn up to the answer in which the agent decided: with
its own look-ups and their results, if it looked something up before. Another text takes the place
of the strategy's; rules, tools, market, account and past decisions stay as they were.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from arena import ids, topics
from arena.messages import (
    SINGLE,
    ChatMessage,
    ChatRequest,
    Portfolio,
    PromptSize,
    Sampling,
    ToolSchema,
    Turn,
)
from arena.messages.tools import DECIDED_TOOLS
from arena.prompt_versions import version_of
from judge.evaluations.checks import AgentMemory, check_turn
from judge.strategy_text import RULES_BEGIN, split_system

ANSWER_S = 120.0
"""Seconds that a model has for an answer."""

CutText = Callable[[str, PromptSize], str]
"""Cuts a strategy's text as the prompts of a size do."""


@dataclass(frozen=True, slots=True)
class Offered:
    """What a recorded request offered besides its conversation."""

    tools: tuple[ToolSchema, ...] = ()
    sampling: Sampling = field(default_factory=Sampling)


@dataclass(frozen=True, slots=True)
class RecordedPrompt:
    """One recorded snapshot as an agent was shown it.

    Attributes:
        turn: The recorded turn.
        rules: The rules in its system message.
        shown: The messages after the system message, up to the answer that decided.
        offered: The tools and settings of its request.
        memory: What the checks know of the agent's earlier turns.
        account: The account that the prompt shows; None if it is unknown.
    """

    turn: Turn
    rules: str
    shown: tuple[ChatMessage, ...]
    offered: Offered
    memory: AgentMemory
    account: Portfolio | None = None

    def messages(self, text: str, cut: CutText) -> tuple[ChatMessage, ...]:
        """The conversation with another text of the strategy."""
        own = cut(text, self.turn.prompt_size)
        system = ChatMessage(role="system", content=own + RULES_BEGIN + self.rules)
        return (system, *self.shown)

    def request(self, text: str, cut: CutText) -> ChatRequest:
        """The agent's own request with another text; its id follows from text and snapshot."""
        turn = self.turn
        return ChatRequest(
            call_id=ids.derive("prompt-search", turn.turn_id, version_of(text)),
            agent=turn.agent,
            turn_id=turn.turn_id,
            round=0,
            strategy=turn.strategy,
            snapshot_id=turn.snapshot_id,
            messages=self.messages(text, cut),
            tools=self.offered.tools,
            sampling=self.offered.sampling,
            issued_at=turn.started_at,
            deadline_at=turn.started_at + timedelta(seconds=ANSWER_S),
            reply_to=topics.inbox(turn.agent),
            prompt_size=turn.prompt_size,
        )


def recorded_prompts(
    turns: Iterable[Turn], offered: Mapping[str, Offered]
) -> tuple[RecordedPrompt, ...]:
    """The prompts of an agent's turns that can be shown again, in their order.

    Args:
        turns: The turns of one agent, oldest first; of two records of a turn the first counts.
        offered: Call id -> what the request offered.
    """
    memory, seen = AgentMemory(), set[str]()
    account: Portfolio | None = None
    found: list[RecordedPrompt] = []
    for turn in turns:
        if turn.turn_id in seen:
            continue
        seen.add(turn.turn_id)
        if turn.outcome == "aborted":  # What it ordered may have been filled.
            account = None
            continue
        if turn.checked is not None:
            account = turn.checked.portfolio
        prompt = _prompt_of(turn, offered, memory, account)
        if prompt is not None:
            found.append(prompt)
        check_turn(turn, memory)
        account = turn.portfolio
    return tuple(found)


def _prompt_of(
    turn: Turn, offered: Mapping[str, Offered], memory: AgentMemory, account: Portfolio | None
) -> RecordedPrompt | None:
    if turn.turn_kind != SINGLE or not turn.rounds or not turn.messages:
        return None
    own = offered.get(turn.rounds[0].call_id)
    first = turn.messages[0]
    if own is None or first.role != "system" or RULES_BEGIN not in first.content:
        return None
    copy = replace(memory, buys=list(memory.buys), refused=list(memory.refused))
    shown = tuple(turn.messages[1 : _decided_at(turn.messages)])
    return RecordedPrompt(turn, split_system(first.content)[1], shown, own, copy, account)


def _decided_at(messages: Sequence[ChatMessage]) -> int:
    """Index of the answer that decided: the first one without calls, or with an order or exit."""
    for index, message in enumerate(messages):
        if message.role != "assistant":
            continue
        names = {call.name for call in message.tool_calls}
        if not names or names & set(DECIDED_TOOLS):
            return index
    return len(messages)


def recorded_text(prompts: Sequence[RecordedPrompt]) -> str:
    """The strategy's text in the newest prompt; "" without any."""
    if not prompts:
        return ""
    return split_system(prompts[-1].turn.messages[0].content)[0]
