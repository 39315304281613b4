"""Tokens, cost and errors of model calls, from the newest records of `llm.calls`. Pure."""

from dataclasses import dataclass
from decimal import Decimal

from arena.messages import LlmCall
from dashboard.offset_window import OffsetWindow

CALLS_WINDOW = 20_000
"""Newest calls that are summed; a record has one to four KB."""


@dataclass(slots=True)
class Spending:
    """Sums over model calls.

    Attributes:
        cost_usd: Of the calls whose price is known; `unpriced` counts the others.
        estimated: Calls whose tokens the server did not count.
        errors: Calls that ended without a usable answer. model, scripted: of the newest call.
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
        """The cost, or None where no call has a known price."""
        return None if self.unpriced and self.unpriced == self.calls else self.cost_usd

    def add(self, call: "Call", sign: int = 1) -> None:
        """Count a call, or take it out again with sign -1."""
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
    """What of a model call is summed."""

    agent: str
    tokens: int
    cost_usd: Decimal | None
    failed: int
    estimated: int = 0


class Calls:
    """Spending of every agent and of all together."""

    def __init__(self) -> None:
        """Start empty."""
        self.window: OffsetWindow[Call] = OffsetWindow(CALLS_WINDOW)
        self.agents: dict[str, Spending] = {}
        self.total = Spending()

    def advance(self, partition: int, offset: int) -> None:
        """Note a record, and forget what falls out of the window."""
        for call in self.window.advance(partition, offset):
            self.total.add(call, -1)
            spending = self.agents[call.agent]
            spending.add(call, -1)
            if not spending.calls:
                del self.agents[call.agent]

    def called(self, partition: int, offset: int, call: LlmCall) -> None:
        """Take a call; a recorded reply and a scripted model cost nothing."""
        free = call.scripted or call.replayed
        usage = call.usage
        slim = Call(
            agent=call.agent,
            tokens=usage.prompt_tokens + usage.completion_tokens,
            cost_usd=Decimal(0) if free else usage.cost_usd,
            failed=int(call.outcome != "ok"),
            estimated=int(usage.estimated),
        )
        spending = self.agents.setdefault(call.agent, Spending())
        spending.model, spending.scripted = call.model, call.scripted
        spending.add(slim)
        self.total.add(slim)
        self.window.add(partition, offset, slim)
