"""Recorded decisions and models for tests of searches."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from arena.messages import (
    ChatReply,
    ChatRequest,
    PromptSize,
    RequestedCall,
    Sampling,
    ToolSchema,
    Turn,
)
from judge.prompts.search.recorded import Offered, RecordedPrompt, recorded_prompts
from judge.prompts.templates import DECISIONS
from tests.judge.agent_evaluations.made_turns import Call, made_turn

TEXT = "You trade calmly.\n\nBuy what rises, sell what falls.\n"
CAREFUL = DECISIONS["figures"]
TRADE = ToolSchema(name="execute_trade", description="Trade.", parameters={"type": "object"})
LOOK = ToolSchema(name="get_portfolio", description="Look.", parameters={"type": "object"})
OFFERED = Offered((TRADE, LOOK), Sampling(seed=7))
INVENTED = "Reasoning: buying SOL-USD, its RSI is 98.76."
PLAIN = "Reasoning: buying SOL-USD, it rises."
ORDER = {"product_id": "SOL-USD", "quantity": "1", "action": "buy"}


def turn(number: int, words: str = PLAIN, calls: Sequence[Call] = (), text: str = TEXT) -> Turn:
    """A recorded turn with a call id of its own."""
    made = made_turn(words, calls, number=number, strategy=text, node="opinions", model="stub")
    first = made.rounds[0].model_copy(update={"call_id": f"call-{number}"})
    return made.model_copy(update={"rounds": (first, *made.rounds[1:])})


def prompts(count: int) -> tuple[RecordedPrompt, ...]:
    """The prompts of so many turns, a minute apart."""
    return recorded_prompts(
        [turn(n) for n in range(count)], {f"call-{n}": OFFERED for n in range(count)}
    )


def reply(
    words: str = PLAIN,
    *orders: dict[str, str],
    call_id: str = "c",
    tool: str = TRADE.name,
    **changes: object,
) -> ChatReply:
    """A reply with these words and calls."""
    calls = tuple(
        RequestedCall(model_call_id=f"m{n}", name=tool, arguments=json.dumps(order))
        for n, order in enumerate(orders)
    )
    given: dict[str, object] = {
        "asker": "judge",
        "call_id": call_id,
        "node": "opinions",
        "model": "stub",
        "outcome": "ok",
        "text": words,
        "tool_calls": calls,
    }
    return ChatReply.model_validate(given | changes)


def uncut(text: str, size: PromptSize) -> str:
    """A strategy's text in a full prompt."""
    return text.rstrip()


@dataclass
class StubModel:
    """Invents a figure unless its text forbids it.

    Attributes:
        asked: Call ids and system messages, in order.
        lazy: Texts that name this word lead to no order.
    """

    lazy: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, requests: Sequence[ChatRequest]) -> list[ChatReply]:
        """Answer requests."""
        return [self.answer(one) for one in requests]

    def answer(self, request: ChatRequest) -> ChatReply:
        """Answer a request; one answer in three is right by chance."""
        system = request.messages[0].content
        self.asked.append((request.call_id, system))
        orders = () if self.lazy and self.lazy in system else (ORDER,)
        lucky = int(request.call_id[:8], 16) % 3 == 0
        words = PLAIN if CAREFUL in system or lucky else INVENTED
        return reply(words, *orders, call_id=request.call_id)
