"""Small fakes of the processes that a router works with, over any bus."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal

from arena import topics
from arena.bus.base import AppendAck, Bus, LogReader
from arena.bus.memory import MemoryBus
from arena.clock import SystemClock
from arena.errors import AppendFailed
from arena.messages import (
    ChatReply,
    ChatRequest,
    ContextItem,
    Gates,
    Message,
    Pacing,
    PromptSize,
    Rules,
    SkippedSnapshots,
    ToolCall,
    ToolResult,
    Turn,
    TurnStarted,
)
from arena.node import Node
from arena.settings import Settings
from arena.wire import Headers
from routers.agent_config import AgentConfig
from routers.service import serve_agents
from routers.strategy import Strategy
from routers.turn_types import Limits
from tests.routers.builders import (
    TRADER,
    WALL,
    offers,
    portfolio_value,
    reply,
    result,
    snapshot,
    trade,
)

DEADLINE_S = 20.0

Model = Callable[[ChatRequest], ChatReply | None]
Tool = Callable[[ToolCall], ToolResult | None]


def trading_model(request: ChatRequest) -> ChatReply | None:
    """Order once, then answer with a closing line."""
    if request.round == 0:
        return reply(request, trade())
    return reply(request, text="Reasoning: done.")


def filling_tool(call: ToolCall) -> ToolResult | None:
    """Fill every order."""
    return result(call, "bought", {"price": "67203.60", "portfolio": portfolio_value()})


class FakePeers:
    """A chat node called `model` and a tools process, both of which answer at once.

    Attributes:
        model: Answers requests; None leaves a request unanswered.
        tool: Answers tool calls in the same way.
        requests: Every request that came in.
        calls: Every tool call that came in.
        others: Every other command that came in.
    """

    def __init__(self, bus: Bus, model: Model = trading_model, tool: Tool = filling_tool) -> None:
        """Take the bus and the answers; `working` starts to read."""
        self.bus = bus
        self.model = model
        self.tool = tool
        self.requests: list[ChatRequest] = []
        self.calls: list[ToolCall] = []
        self.others: list[Message] = []

    @asynccontextmanager
    async def working(self) -> AsyncIterator["FakePeers"]:
        """Offer the tools, and answer requests and calls until the block ends."""
        await self.bus.ensure_topics([*topics.fixed_topics(), topics.PROMPTED.member("model")])
        for offer in offers():
            await self.bus.append(topics.ROSTER.name, offer, key=f"tool/{offer.name}")
        await publish_rules(self.bus, "real-time")
        reader = await self.bus.log_reader(
            topics.prompted("model"), topics.TOOL_CALLS.name, topics.COMMANDS.name
        )
        task = asyncio.create_task(self._work(reader))
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await reader.close()

    async def _work(self, reader: LogReader) -> None:
        while True:
            for record in await reader.read(timeout_s=1):
                message = record.message()
                answer: Message | None = None
                if isinstance(message, ChatRequest):
                    self.requests.append(message)
                    answer = self.model(message)
                elif isinstance(message, ToolCall):
                    self.calls.append(message)
                    answer = self.tool(message)
                else:
                    self.others.append(message)
                if answer is not None and isinstance(message, ChatRequest | ToolCall):
                    await self.bus.append(message.reply_to, answer)

    async def publish(
        self,
        *numbers: int,
        prices: dict[str, str] | None = None,
        context: tuple[ContextItem, ...] = (),
    ) -> None:
        """Append the snapshots with these numbers, with dated context."""
        for number in numbers:
            made = snapshot(number, prices).model_copy(update={"context": context})
            await self.bus.append(topics.SNAPSHOTS.name, made, key="test")

    async def turn_records(self) -> list[Turn | TurnStarted | SkippedSnapshots]:
        """Read all records of `agent.turns`."""
        reader = await self.bus.log_reader(topics.TURNS.name)
        found: list[Turn | TurnStarted | SkippedSnapshots] = []
        while await reader.lag():
            for record in await reader.read(timeout_s=1):
                message = record.message()
                assert isinstance(message, Turn | TurnStarted | SkippedSnapshots)
                found.append(message)
        await reader.close()
        return found

    async def turns(self) -> list[Turn | TurnStarted]:
        """Read all starts and ends of turns."""
        return [t for t in await self.turn_records() if isinstance(t, Turn | TurnStarted)]

    async def skipped(self) -> list[SkippedSnapshots]:
        """Read the records of skipped snapshots."""
        return [t for t in await self.turn_records() if isinstance(t, SkippedSnapshots)]

    async def ended(self) -> list[Turn]:
        """Read the turns that ended."""
        return [t for t in await self.turns() if isinstance(t, Turn)]

    async def wait_for_turns(self, count: int) -> list[Turn]:
        """Wait until this many turns ended."""
        deadline = time.monotonic() + DEADLINE_S
        while len(found := await self.ended()) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} turns in {DEADLINE_S} s"
            await asyncio.sleep(0.02)
        return found


async def publish_rules(bus: Bus, pacing: Pacing = "lock-step") -> None:
    """Publish the rules of an arena on the roster."""
    rules = Rules(
        starting_cash_usd=Decimal(100_000),
        fee_schedule="test",
        fee_bps=Decimal(60),
        slippage_bps=Decimal(2),
        price_age_s_max=30,
        collar_bps=Decimal(50),
        pacing=pacing,
        at=WALL,
    )
    await bus.append(topics.ROSTER.name, rules, key="rules")


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"the condition did not hold in {DEADLINE_S} s"
        await asyncio.sleep(0.01)


def agent_config(
    agent: str = "alpha",
    *,
    limits: Limits | None = None,
    cadence: int = 1,
    strategy: Strategy = TRADER,
    pacing: Pacing = "real-time",
    prompt_size: PromptSize = "full",
    gates: Gates | None = None,
) -> AgentConfig:
    """The configuration of an agent that uses the fake chat node."""
    limits = limits or Limits()
    config = AgentConfig(agent, "model", strategy, limits, cadence, pacing, gates=gates)
    return replace(config, prompt_size=prompt_size)


@asynccontextmanager
async def playing(
    bus: Bus, *configs: AgentConfig, name: str = "alpha", connect: bool = False
) -> AsyncIterator[Node]:
    """Run a router process over a bus until the block ends; `connect` opens and closes the bus."""
    node = Node("router", name, Settings(), bus, SystemClock())
    if connect:
        await bus.start()
    task = asyncio.create_task(serve_agents(node, configs, tools_deadline_s=1))
    try:
        await until(lambda: task.done() or node.status != "starting")
        if task.done():
            task.result()
        yield node
    finally:
        task.cancel()
        outcomes = await asyncio.gather(task, return_exceptions=True)
        if connect:
            await bus.close()
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome


class OtherConnection(MemoryBus):
    """Another process's connection to the same records; `die` ends it like a kill."""

    dead = False

    @classmethod
    async def to(cls, bus: MemoryBus) -> "OtherConnection":
        """Connect."""
        other = cls(bus.cluster)
        await other.start()
        return other

    def die(self) -> None:
        """Let every later send fail."""
        self.dead = True

    async def send_bytes(
        self, topic: str, value: bytes, *, key: bytes | None, partition: int, headers: Headers
    ) -> "asyncio.Future[AppendAck]":
        """Append while alive."""
        if self.dead:
            raise AppendFailed("this process is dead")
        return await super().send_bytes(topic, value, key=key, partition=partition, headers=headers)
