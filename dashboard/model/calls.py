"""Tokens, cost and errors of model calls, from the newest records of `llm.calls`. Pure."""

from dataclasses import dataclass
from decimal import Decimal

from arena.messages import LlmCall
from dashboard.model.offset_window import OffsetWindow
from dashboard.model.recent_calls import RecentCalls

CALLS_WINDOW = 20_000
"""Newest records of each partition that are summed; a record has one to four KB."""


@dataclass(slots=True)
class Spending:
    """Sums over model calls.

    Attributes:
        calls: Number of calls.
        tokens: Prompt and completion tokens.
        cost_usd: Cost of the calls whose price is known.
        unpriced: Calls whose price is unknown.
        errors: Calls that ended without a usable answer.
        model: Model of the newest call.
        scripted: True if scripted rules answered the newest call.
        estimated: Calls whose tokens the server did not count.
    """

    calls: int = 0
    tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    unpriced: int = 0
    errors: int = 0
    model: str = ""
    scripted: bool = False
    estimated: int = 0

    @property
    def known_cost(self) -> Decimal | None:
        """The cost, or None if no call has a known price."""
        return None if self.unpriced and self.unpriced == self.calls else self.cost_usd

    def add(self, call: "Call", sign: int = 1) -> None:
        """Add a call, or subtract it with sign -1."""
        self.calls += sign
        self.tokens += sign * call.tokens
        self.errors += sign * call.failed
        self.estimated += sign * call.estimated
        if call.cost_usd is None:
            self.unpriced += sign
        else:
            self.cost_usd += sign * call.cost_usd


@dataclass(frozen=True, slots=True)
class Call:
    """The fields of a model call that are summed; `agent` is "" for another asker."""

    agent: str
    tokens: int
    cost_usd: Decimal | None
    failed: int
    estimated: int = 0
    node: str = ""


class Calls:
    """Spending of every agent, of every chat node and in total, and the nodes' newest calls."""

    def __init__(self) -> None:
        """Start empty."""
        self.window: OffsetWindow[Call] = OffsetWindow(CALLS_WINDOW)
        self.agents: dict[str, Spending] = {}
        self.nodes: dict[str, Spending] = {}
        self.recent = RecentCalls()
        self.total = Spending()

    def advance(self, partition: int, offset: int) -> None:
        """Note a record, and subtract the calls that leave the window."""
        for call in self.window.advance(partition, offset):
            self.total.add(call, -1)
            for name, spent in ((call.agent, self.agents), (call.node, self.nodes)):
                if name:
                    spent[name].add(call, -1)
                    if not spent[name].calls:
                        del spent[name]

    def called(self, partition: int, offset: int, call: LlmCall) -> None:
        """Add a call; recorded replies and scripted models cost nothing.

        Calls of the judge and of chats are in the total only.
        """
        free = call.scripted or call.replayed
        usage = call.usage
        slim = Call(
            agent=call.agent,
            tokens=usage.prompt_tokens + usage.completion_tokens,
            cost_usd=Decimal(0) if free else usage.cost_usd,
            failed=int(call.outcome != "ok"),
            estimated=int(usage.estimated),
            node=call.node,
        )
        for name, spent in ((call.agent, self.agents), (call.node, self.nodes)):
            if name:
                spending = spent.setdefault(name, Spending())
                spending.model, spending.scripted = call.model, call.scripted
                spending.add(slim)
        self.recent.add(call)
        self.total.add(slim)
        self.window.add(partition, offset, slim)
