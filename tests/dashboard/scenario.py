"""A small simulated arena: agents that answer and trade, with all their records.

It writes the records of connector, chat nodes, executor and routers, with account events that form
a valid chain, as input for views, screens and a real dashboard.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Self

from arena import ids, topics
from arena.messages import (
    ChatMessage,
    LlmCall,
    OrderDecided,
    RequestedCall,
    Round,
    Turn,
    TurnStarted,
    Usage,
)
from arena.money import from_units
from tests.dashboard.executor_simulation import ExecutorSimulation

AGENTS = (
    ("brainrot", "brainrot", "agent"),
    ("momentum", "momentum", "agent"),
    ("scalper", "scalper", "agent"),
    ("buy-and-hold", "buy_and_hold", "baseline"),
    ("cash", "cash", "baseline"),
    ("random", "random", "baseline"),
)
WORDS = (
    "15m trend up three closes in a row, adding a third",
    "RSI is stretched and the spread widened: waiting for a pullback before I touch it again",
    "Fees eat this edge, staying flat",
    "to the moon \x1b[31mred\x1b[0m \u202egnilaes",
)


@dataclass
class Scenario(ExecutorSimulation):
    """An arena in which every agent answers every snapshot.

    Attributes:
        agents: Name, strategy and kind of each agent.
        scripted: True if scripted rules answer instead of an LLM.
    """

    agents: tuple[tuple[str, str, str], ...] = AGENTS
    scripted: bool = True

    def __post_init__(self) -> None:
        """Put the agents on the roster and open their accounts."""
        super().__post_init__()
        for name, strategy, kind in self.agents:
            self.join(name, strategy, kind)

    def begin_turn(self, agent: str) -> TurnStarted:
        """Write the record that an agent started a turn on the newest snapshot."""
        assert self.newest is not None
        started = TurnStarted(
            turn_id=ids.turn_id(agent, self.newest.snapshot_id),
            agent=agent,
            snapshot_id=self.newest.snapshot_id,
            snapshot_offset=self.snapshots - 1,
            as_of=self.newest.as_of,
            started_at=self.wall,
        )
        self.write(topics.TURNS.name, started, agent)
        return started

    def end_turn(
        self, started: TurnStarted, order: OrderDecided | None, words: str, **changes: object
    ) -> Turn:
        """Write the model calls and the whole turn."""
        strategy = next((s for n, s, _ in self.agents if n == started.agent), "momentum")
        usage = Usage(prompt_tokens=1_800, completion_tokens=240, cost_usd=None)
        self.llm_call(started, usage=usage)
        turn = Turn.model_validate(
            {
                **started.model_dump(exclude={"type"}),
                "strategy": strategy,
                "node": "rules",
                "model": "scripted" if self.scripted else "gpt-5-mini",
                "scripted": self.scripted,
                "prompt_sha256": ids.derive("prompt", started.turn_id).replace("-", "") * 2,
                "messages": _conversation(started, order, words),
                "rounds": _rounds(started, order, usage),
                "outcome": "completed",
                "final_text": words,
                "usage": usage,
                "ended_at": self.wall,
                "total_ms": 31.4,
                **changes,
            }
        )
        self.write(topics.TURNS.name, turn, started.agent)
        return turn

    def llm_call(self, started: TurnStarted, *, usage: Usage, **changes: object) -> LlmCall:
        """Write the record of a model call."""
        call = LlmCall.model_validate(
            {
                "call_id": ids.model_call_id(started.turn_id, 0),
                "agent": started.agent,
                "turn_id": started.turn_id,
                "round": 0,
                "node": "rules",
                "model": "scripted" if self.scripted else "gpt-5-mini",
                "scripted": self.scripted,
                "outcome": "ok",
                "request_sha256": "ab" * 32,
                "usage": usage,
                "started_at": self.wall,
                "ended_at": self.wall,
                **changes,
            }
        )
        self.write(topics.LLM_CALLS.name, call, "rules")
        return call

    def step(self) -> None:
        """Write one snapshot and every agent's turn on it."""
        self.advance(45)
        for product_id in self.prices:
            self.ticker(product_id)
        self.advance(15)
        self.snapshot()
        for kind, name in (("connector", "coinbase"), ("tools", "tools"), ("chat-node", "rules")):
            self.beat(kind, name, gauges={"lag": 0})
        for name, strategy, _ in self.agents:
            started = self.begin_turn(name)
            self.advance(2)
            order = self._decide(name, strategy)
            self.end_turn(started, order, self.random.choice(WORDS))

    def _decide(self, agent: str, strategy: str) -> OrderDecided | None:
        chance = {"cash": 0.0, "buy_and_hold": 1.0 if self.snapshots == 1 else 0.0}
        if self.random.random() >= chance.get(strategy, 0.35):
            return None
        product_id = self.random.choice(sorted(self.prices))
        held = self.account(agent, product_id).positions.get(product_id)
        if held and self.random.random() < 0.6:
            return self.order(agent, "sell", product_id, from_units(held.quantity))
        usd = Decimal(self.random.choice((9_000, 18_000, 31_000, 90_000)))
        size = (usd / self.prices[product_id]).quantize(Decimal("0.0001"))
        latency_ms = self.random.randint(3, 30)
        return self.order(agent, "buy", product_id, size, latency_ms=latency_ms)

    def run(self, steps: int) -> Self:
        """Run a number of steps."""
        for _ in range(steps):
            self.step()
        return self


def _conversation(
    started: TurnStarted, order: OrderDecided | None, words: str
) -> tuple[ChatMessage, ...]:
    prompt = "\n".join(f"BTC-USD 1m close {67_000 + n}.10 volume 0.{n:02d}" for n in range(60))
    opening = (
        ChatMessage(role="system", content="You trade on momentum. Be brief."),
        ChatMessage(role="user", content=f"Market as of {started.as_of}\n{prompt}"),
    )
    closing = ChatMessage(role="assistant", content=words)
    if order is None:
        return (*opening, closing)
    call = RequestedCall(
        model_call_id="call_1",
        name="execute_trade",
        arguments=f'{{"product_id": "{order.product_id}", "quantity": "{order.quantity}", '
        f'"action": "{order.action}"}}',
    )
    result = order.detail or f"filled {order.quantity} {order.product_id} at {order.price}"
    return (
        *opening,
        ChatMessage(role="assistant", content="", tool_calls=(call,)),
        ChatMessage(role="tool", content=result, tool_call_id="call_1"),
        closing,
    )


def _rounds(started: TurnStarted, order: OrderDecided | None, usage: Usage) -> tuple[Round, ...]:
    first = Round(
        call_id=ids.model_call_id(started.turn_id, 0),
        outcome="ok",
        finish_reason="tool_calls" if order else "stop",
        usage=usage,
        model_ms=11.2,
        tools_ms=8.1 if order else 0,
        tool_call_ids=(order.order_id,) if order else (),
        tools_ok=(order.outcome == "filled",) if order else (),
    )
    if order is None:
        return (first,)
    last = Round(
        call_id=ids.model_call_id(started.turn_id, 1),
        outcome="ok",
        finish_reason="stop",
        model_ms=9.8,
    )
    return (first, last)
