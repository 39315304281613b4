"""An agent in lock-step starts at the first snapshot, and runs an interrupted turn again."""

import asyncio

import pytest

from arena import ids, topics
from arena.bus.memory import MemoryBus
from arena.errors import DependencyMissing
from arena.messages import (
    ChatReply,
    ChatRequest,
    ToolCall,
    ToolResult,
    Turn,
    TurnStarted,
)
from tests.routers.builders import AS_OF, WALL, call, portfolio_value, reply, result, trade
from tests.routers.fake_peers import (
    FakePeers,
    OtherConnection,
    agent_config,
    filling_tool,
    playing,
    publish_rules,
    trading_model,
    until,
)


def looking_model(request: ChatRequest) -> ChatReply | None:
    """Read the account and order at once, then read again, then answer with a closing line."""
    if request.round == 0:
        return reply(request, call("get_portfolio", key("look", 0)), trade(key="t0"))
    if request.round == 1:
        return reply(request, call("get_portfolio", key("look", 1)))
    return reply(request, text="Reasoning: done.")


def key(name: str, round_: int) -> str:
    """Arguments that no tool reads."""
    return f'{{"{name}": {round_}}}'


class Account:
    """Tools whose results count the orders carried out, like an executor's."""

    def __init__(self) -> None:
        """Start without orders."""
        self.orders: dict[str, ToolResult] = {}

    def __call__(self, asked: ToolCall) -> ToolResult | None:
        """Show the account, or trade once per order."""
        if asked.tool == "get_portfolio":
            count = len(self.orders)
            value = portfolio_value(f"{90_000 - count}.00")
            return result(asked, f"{count} orders", value, seq=count)
        if asked.call_id not in self.orders:
            count = len(self.orders) + 1
            value = {"price": "67203.60", "portfolio": portfolio_value(f"{90_000 - count}.00")}
            self.orders[asked.call_id] = result(asked, "bought", value, seq=count)
        return self.orders[asked.call_id]


def content_of(turn: Turn) -> tuple[object, ...]:
    """The part of a turn that must not depend on time or processes."""
    texts = tuple((m.role, m.content, m.tool_calls) for m in turn.messages)
    return turn.turn_id, turn.prompt_sha256, texts, turn.memory, turn.portfolio, turn.outcome


async def undisturbed(snapshots: int) -> list[Turn]:
    """The turns of an agent whose process never stops."""
    bus = MemoryBus()
    await bus.start()
    async with FakePeers(bus, looking_model, Account()).working() as peers:
        await publish_rules(bus)
        async with playing(bus, agent_config(pacing="lock-step")):
            for number in range(snapshots):
                await peers.publish(number)
                await peers.wait_for_turns(number + 1)
        return await peers.ended()


async def test_snapshot_from_before_the_start_is_answered(memory_bus: MemoryBus) -> None:
    """A group without commits starts at the first snapshot."""
    async with FakePeers(memory_bus).working() as peers:
        await publish_rules(memory_bus)
        await peers.publish(0)
        async with playing(memory_bus, agent_config(pacing="lock-step")):
            (turn,) = await peers.wait_for_turns(1)

    assert (0, "completed") == (turn.snapshot_offset, turn.outcome)


async def test_rules_with_another_pacing_are_refused(memory_bus: MemoryBus) -> None:
    """The error names what is missing, and what to start."""
    async with FakePeers(memory_bus).working():
        await publish_rules(memory_bus, "real-time")
        with pytest.raises(DependencyMissing, match=r"rules with.*arena tools --pacing lock-step"):
            async with playing(memory_bus, agent_config(pacing="lock-step")):
                pass


@pytest.mark.parametrize("dies_after", ["request 0", "calls 0", "request 1", "calls 1"])
async def test_killed_turn_is_run_again(memory_bus: MemoryBus, dies_after: str) -> None:
    """At any point: the same conversation as without a kill, one order, one end."""
    expected = await undisturbed(3)
    what, round_ = dies_after.split()
    silent: list[int] = []
    account = Account()

    def model(request: ChatRequest) -> ChatReply | None:
        if what == "request" and request.round == int(round_) and second(request) and not silent:
            silent.append(request.round)
            return None
        return looking_model(request)

    def tool(asked: ToolCall) -> ToolResult | None:
        answer = account(asked)
        dying = what == "calls" and asked.round == int(round_) and second(asked) and not silent
        if dying and asked.index == 1 - int(round_):
            silent.append(asked.round)
            return None
        return answer

    def second(asked: ChatRequest | ToolCall) -> bool:
        return asked.snapshot_id == expected[1].snapshot_id

    doomed = await OtherConnection.to(memory_bus)
    async with FakePeers(memory_bus, model, tool).working() as peers:
        await publish_rules(memory_bus)
        async with playing(doomed, agent_config(pacing="lock-step")):
            await peers.publish(0)
            await peers.wait_for_turns(1)
            await peers.publish(1)
            await until(lambda: silent)
            doomed.die()
        async with playing(memory_bus, agent_config(pacing="lock-step")) as node:
            await peers.wait_for_turns(2)
            await peers.publish(2)
            turns = await peers.wait_for_turns(3)
            records = await peers.turns()

    assert [content_of(t) for t in expected] == [content_of(t) for t in turns]
    assert 3 == len({t.turn_id for t in records if isinstance(t, TurnStarted)})
    assert 3 == len(account.orders)
    assert 1 == node.counters["run_again"]


async def test_reply_before_its_call_is_kept(memory_bus: MemoryBus) -> None:
    """The first reply counts, though the process that asked is dead and a later reply differs."""
    account = Account()
    held: list[ToolCall] = []

    def tool(asked: ToolCall) -> ToolResult | None:
        if asked.tool == "get_portfolio" and asked.round == 0 and not held:
            held.append(asked)
            return None
        return account(asked)

    doomed = await OtherConnection.to(memory_bus)
    async with FakePeers(memory_bus, looking_model, tool).working() as peers:
        await publish_rules(memory_bus)
        async with playing(doomed, agent_config(pacing="lock-step")):
            await peers.publish(0)
            await until(lambda: held and account.orders)
            doomed.die()
        first = result(held[0], "0 orders", portfolio_value("90000.00"), seq=0)
        await memory_bus.append(held[0].reply_to, first)
        async with playing(memory_bus, agent_config(pacing="lock-step")):
            (turn,) = await peers.wait_for_turns(1)

    assert "0 orders" == turn.messages[3].content
    assert 1 == len(account.orders)


async def test_clean_stop_leaves_the_turn_open(memory_bus: MemoryBus) -> None:
    """No turn is recorded as aborted, and the next process runs it again."""
    asked: list[ChatRequest] = []

    def silent_once(request: ChatRequest) -> ChatReply | None:
        asked.append(request)
        return None if len(asked) == 1 else trading_model(request)

    async with FakePeers(memory_bus, silent_once).working() as peers:
        await publish_rules(memory_bus)
        await peers.publish(0)
        async with playing(memory_bus, agent_config(pacing="lock-step")):
            await until(lambda: asked)
        assert [] == await peers.ended()
        async with playing(memory_bus, agent_config(pacing="lock-step")):
            (turn,) = await peers.wait_for_turns(1)

    assert "completed" == turn.outcome
    assert (asked[0].call_id, asked[0].messages) == (asked[1].call_id, asked[1].messages)
    assert (asked[0].tools, asked[0].sampling) == (asked[1].tools, asked[1].sampling)


async def test_open_turn_is_aborted_if_the_market_moved_on(memory_bus: MemoryBus) -> None:
    """Its deadline has passed: it must not trade at the prices of a later snapshot."""
    turn_id = ids.turn_id("alpha", "old")
    started = TurnStarted(
        turn_id=turn_id,
        agent="alpha",
        snapshot_id="old",
        snapshot_offset=0,
        as_of=AS_OF,
        started_at=WALL,
    )
    async with FakePeers(memory_bus, tool=filling_tool).working() as peers:
        await publish_rules(memory_bus)
        await peers.publish(0, 1)
        await memory_bus.append(topics.TURNS.name, started, key="alpha")
        async with playing(memory_bus, agent_config(pacing="lock-step")):
            first, second = await peers.wait_for_turns(2)

    assert ("aborted", turn_id) == (first.outcome, first.turn_id)
    assert ("completed", 1) == (second.outcome, second.snapshot_offset)


async def test_copy_of_a_snapshot_is_not_answered_again(memory_bus: MemoryBus) -> None:
    """A connector that died after sending may send the same snapshot again."""
    async with FakePeers(memory_bus).working() as peers:
        await publish_rules(memory_bus)
        async with playing(memory_bus, agent_config(pacing="lock-step")):
            for number in (0, 0, 1):
                await peers.publish(number)
                await asyncio.sleep(0)
            await until(lambda: len(peers.requests) >= 4)
            turns = await peers.wait_for_turns(2)

    assert 2 == len(turns)
    assert 2 == len({t.turn_id for t in turns})


async def test_turn_is_not_run_again_on_another_snapshot(memory_bus: MemoryBus) -> None:
    """Its snapshot is lost, and another one has its offset: the turn is aborted."""
    asked: list[str] = []

    def model(request: ChatRequest) -> ChatReply | None:
        asked.append(request.snapshot_id)
        return None

    doomed = await OtherConnection.to(memory_bus)
    async with FakePeers(memory_bus, model).working() as peers:
        await publish_rules(memory_bus)
        async with playing(doomed, agent_config(pacing="lock-step")):
            await peers.publish(0)
            await until(lambda: asked)
            doomed.die()
        memory_bus.cluster.logs[topics.SNAPSHOTS.name, 0].clear()
        await peers.publish(1)
        peers.model = trading_model
        async with playing(memory_bus, agent_config(pacing="lock-step")) as node:
            aborted, completed = await peers.wait_for_turns(2)

    assert ["aborted", "completed"] == [aborted.outcome, completed.outcome]
    assert asked[0] == aborted.snapshot_id != completed.snapshot_id
    assert 0 == node.counters["run_again"]
