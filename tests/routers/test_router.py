"""The router over the in-memory bus, with a chat node and tools that answer."""

import asyncio
from datetime import timedelta

import pytest

from arena import topics
from arena.bus.memory import MemoryBus
from arena.errors import DependencyMissing
from arena.messages import (
    AgentSpec,
    ChatReply,
    ChatRequest,
    OpenAccount,
    ToolCall,
    ToolResult,
    Turn,
    TurnStarted,
)
from arena.wire import Encoded
from routers.turn_types import Limits
from tests.routers.builders import AS_OF, WALL, reply, trade
from tests.routers.fake_peers import (
    FakePeers,
    OtherConnection,
    agent_config,
    filling_tool,
    playing,
    trading_model,
    until,
)


def silent_model(_: ChatRequest) -> ChatReply | None:
    """Do not answer."""
    return None


async def test_complete_turn(memory_bus: MemoryBus) -> None:
    """Snapshot, request, order, result, closing text: one start, one end, one order."""
    async with FakePeers(memory_bus).working() as peers, playing(memory_bus, agent_config()):
        await peers.publish(0)
        (turn,) = await peers.wait_for_turns(1)
        started, ended = await peers.turns()

    assert isinstance(started, TurnStarted)
    assert started.turn_id == turn.turn_id == ended.turn_id
    assert ("completed", 2, 0) == (turn.outcome, len(turn.rounds), turn.snapshot_offset)
    assert ["execute_trade"] == [c.tool for c in peers.calls]
    assert peers.requests[0].messages[1].content == turn.messages[1].content
    assert "# Market as of 2026-11-21T09:30:00Z" in turn.messages[1].content
    assert ["execute_trade", "get_portfolio", "calculator"] == [
        t.name for t in peers.requests[0].tools
    ]


async def test_account_and_memory_are_in_the_next_prompt(memory_bus: MemoryBus) -> None:
    """The second prompt shows the results of the first turn."""
    async with FakePeers(memory_bus).working() as peers, playing(memory_bus, agent_config()):
        await peers.publish(0)
        await peers.wait_for_turns(1)
        await peers.publish(1)
        _, second = await peers.wait_for_turns(2)
    prompt = second.messages[1].content

    assert "## Your account\ncash_usd: 93279.64\n" in prompt
    assert '- 09:30 bought 0.1 BTC-USD at 67203.60: "done."' in prompt


async def test_agent_announces_itself(memory_bus: MemoryBus) -> None:
    """Its spec is on the roster and its account is requested."""
    async with (
        FakePeers(memory_bus).working() as peers,
        playing(memory_bus, agent_config(cadence=2)),
    ):
        await until(lambda: peers.others)
    specs = [r.message() for r in memory_bus.cluster.logs[(topics.ROSTER.name, 0)][4:]]

    assert isinstance(peers.others[0], OpenAccount)
    assert isinstance(specs[0], AgentSpec)
    assert ("alpha", "trader", "model", 2) == (
        specs[0].agent,
        specs[0].strategy,
        specs[0].node,
        specs[0].cadence,
    )


async def test_only_the_newest_snapshot_is_answered(memory_bus: MemoryBus) -> None:
    """Those that came during a turn are counted as skipped, never queued."""
    gate: list[ChatRequest] = []

    def slow_first(request: ChatRequest) -> ChatReply | None:
        gate.append(request)
        return None if len(gate) == 1 else reply(request, text="ok")

    async with (
        FakePeers(memory_bus, slow_first).working() as peers,
        playing(memory_bus, agent_config()) as node,
    ):
        await peers.publish(0)
        await until(lambda: gate)
        await peers.publish(1, 2, 3)
        await memory_bus.append(gate[0].reply_to, reply(gate[0], text="late"))
        first, second = await peers.wait_for_turns(2)
        await asyncio.sleep(0)

    assert [(0, 0), (3, 2)] == [(t.snapshot_offset, t.skipped_snapshots) for t in (first, second)]
    assert 2 == node.counters["skipped"]
    assert 2 == len(await peers.ended())


async def test_cadence_answers_every_nth_snapshot(memory_bus: MemoryBus) -> None:
    """With cadence 2 every second one is answered and none counts as skipped."""
    async with (
        FakePeers(memory_bus).working() as peers,
        playing(memory_bus, agent_config(cadence=2)) as node,
    ):
        for number in range(5):
            await peers.publish(number)
            await peers.wait_for_turns(number // 2 + 1)
    turns = await peers.ended()

    assert [0, 2, 4] == [t.snapshot_offset for t in turns]
    assert 0 == node.counters["skipped"]


async def test_turn_of_a_dead_process_is_aborted_once(
    memory_bus: MemoryBus,
) -> None:
    """The successor records the end, does not answer the snapshot again, and continues."""
    peers = FakePeers(memory_bus, silent_model)
    async with peers.working():
        dead = await OtherConnection.to(memory_bus)
        async with playing(dead, agent_config()):
            await peers.publish(0)
            await until(lambda: peers.requests)
            dead.die()
        peers.model = trading_model
        async with playing(memory_bus, agent_config()):
            await peers.wait_for_turns(1)
            await peers.publish(1)
            aborted, after = await peers.wait_for_turns(2)
    records = await peers.turns()

    assert ("aborted", "completed") == (aborted.outcome, after.outcome)
    assert records[0].turn_id == aborted.turn_id
    assert "cut off by a restart" in after.messages[1].content
    assert 4 == len(records)


async def test_clean_stop_leaves_no_open_turn(memory_bus: MemoryBus) -> None:
    """A router that is stopped records its turn as aborted itself."""
    async with FakePeers(memory_bus, silent_model).working() as peers:
        async with playing(memory_bus, agent_config()):
            await peers.publish(0)
            await until(lambda: peers.requests)
        (turn,) = await peers.ended()

    assert ("aborted", "the router was stopped during this turn") == (turn.outcome, turn.error)


async def test_second_process_is_a_standby_that_takes_over(memory_bus: MemoryBus) -> None:
    """One answers, the other waits; when the first stops, the second continues from there."""
    spare = await OtherConnection.to(memory_bus)
    async with FakePeers(memory_bus).working() as peers:
        async with playing(memory_bus, agent_config()) as first:
            await peers.publish(0)
            await peers.wait_for_turns(1)
            standby = playing(spare, agent_config(), name="spare")
            second = await standby.__aenter__()
            await until(lambda: {first.status, second.status} == {"running", "standby"})
            await peers.publish(1)
            await peers.wait_for_turns(2)
        await until(lambda: second.status == "running")
        await peers.publish(2)
        turns = await peers.wait_for_turns(3)
        await standby.__aexit__(None, None, None)

    assert [0, 1, 2] == [t.snapshot_offset for t in turns]
    assert {"completed"} == {t.outcome for t in turns}
    assert 1 == second.counters["turns"]
    assert 3 == turns[2].messages[1].content.count("bought 0.1 BTC-USD") + 1


async def test_answered_snapshot_is_not_answered_again(memory_bus: MemoryBus) -> None:
    """The history says what was answered, even if the group committed nothing."""
    async with FakePeers(memory_bus).working() as peers:
        async with playing(memory_bus, agent_config()):
            await peers.publish(0, 1)
            await until(lambda: len(peers.calls) > 0)
            before = len(await peers.wait_for_turns(1))
        memory_bus.cluster.groups["alpha"].committed = {(topics.SNAPSHOTS.name, 0): 0}
        async with playing(memory_bus, agent_config()) as node:
            await peers.publish(2)
            turns = await peers.wait_for_turns(before + 1)

    offsets = [t.snapshot_offset for t in turns]
    assert sorted(set(offsets)) == offsets
    assert 2 == offsets[-1]
    assert 1 == node.counters["turns"]


async def test_snapshots_of_a_recreated_topic_are_answered(memory_bus: MemoryBus) -> None:
    """After the topic was created again, older offsets with newer times count."""
    async with FakePeers(memory_bus).working() as peers:
        old = Turn(
            turn_id="old",
            agent="alpha",
            strategy="trader",
            node="model",
            snapshot_id="old",
            snapshot_offset=900,
            as_of=AS_OF - timedelta(days=1),
            outcome="completed",
            started_at=WALL,
            ended_at=WALL,
        )
        await memory_bus.append(topics.TURNS.name, old, key="alpha")
        async with playing(memory_bus, agent_config()):
            await peers.publish(0)
            turns = await peers.wait_for_turns(2)

    assert {900, 0} == {t.snapshot_offset for t in turns}


async def test_answered_offset_is_committed(memory_bus: MemoryBus) -> None:
    """The group's commit follows the recorded turn."""
    async with FakePeers(memory_bus).working() as peers, playing(memory_bus, agent_config()):
        await peers.publish(0)
        await peers.wait_for_turns(1)
        committed = memory_bus.cluster.groups["alpha"].committed
        await until(lambda: committed.get((topics.SNAPSHOTS.name, 0)) == 1)


async def test_several_agents_share_a_process(memory_bus: MemoryBus) -> None:
    """Each sees the same snapshot, decides for itself and has its own turn."""
    configs = [agent_config(f"agent{i}") for i in range(5)]
    async with (
        FakePeers(memory_bus).working() as peers,
        playing(memory_bus, *configs, name="several") as node,
    ):
        await peers.publish(0)
        turns = await peers.wait_for_turns(5)

    assert {s.agent for s in configs} == {t.agent for t in turns}
    assert 1 == len({t.prompt_sha256 for t in turns})
    assert 5 == len({t.turn_id for t in turns}) == len(peers.calls)
    assert 5 == node.counters["completed"]


async def test_missing_tools_are_named(memory_bus: MemoryBus) -> None:
    """Without a tools process the router ends and says what to start."""
    with pytest.raises(DependencyMissing, match=r"calculator, execute_trade.*arena tools"):
        async with playing(memory_bus, agent_config()):
            pass


async def test_silent_tool_costs_only_its_timeout(memory_bus: MemoryBus) -> None:
    """The model gets a note and ends the turn; the late result is counted."""
    late: list[ToolCall] = []

    def no_tool(call: ToolCall) -> ToolResult | None:
        late.append(call)
        return None

    async with (
        FakePeers(memory_bus, tool=no_tool).working() as peers,
        playing(memory_bus, agent_config(limits=Limits(tool_s=0.1))) as node,
    ):
        await peers.publish(0)
        (turn,) = await peers.wait_for_turns(1)
        answer = filling_tool(late[0])
        assert answer is not None
        await memory_bus.append(late[0].reply_to, answer)
        await until(lambda: node.counters["late_replies"] == 1)

    assert "completed" == turn.outcome
    assert "no answer in 0.1 s" in turn.messages[3].content


async def test_missing_chat_node_expires_the_turn(memory_bus: MemoryBus) -> None:
    """The next snapshot is answered."""
    limits = Limits(decision_s=0.1, grace_s=0.05)
    async with (
        FakePeers(memory_bus, silent_model).working() as peers,
        playing(memory_bus, agent_config(limits=limits)),
    ):
        await peers.publish(0)
        (first,) = await peers.wait_for_turns(1)
        peers.model = trading_model
        await peers.publish(1)
        _, second = await peers.wait_for_turns(2)

    assert ("expired", "completed") == (first.outcome, second.outcome)


async def test_unreadable_records_are_dead_lettered(memory_bus: MemoryBus) -> None:
    """In the inbox and among the snapshots: one dead letter each, and the turn continues."""
    bad = Encoded(b'{"nonsense": true}', (("type", b"ChatReply"),))

    async def send(topic: str) -> None:
        await memory_bus.send_bytes(topic, bad.value, key=None, partition=0, headers=bad.headers)

    def careful(request: ChatRequest) -> ChatReply | None:
        return reply(request, trade()) if request.round == 0 else reply(request, text="ok")

    async with (
        FakePeers(memory_bus, careful).working() as peers,
        playing(memory_bus, agent_config()) as node,
    ):
        await send(topics.SNAPSHOTS.name)
        await until(lambda: node.counters["dead_letters"] == 1)
        await send(topics.inbox("alpha"))
        await peers.publish(0)
        (turn,) = await peers.wait_for_turns(1)

    assert "completed" == turn.outcome
    assert 2 == len(memory_bus.cluster.logs[(topics.DEAD_LETTERS.name, 0)])


async def test_start_is_in_the_log_before_the_first_order(memory_bus: MemoryBus) -> None:
    """After a crash there is always evidence of the turn of an order."""
    seen: list[bool] = []

    def checking(call: ToolCall) -> ToolResult | None:
        logs = [memory_bus.cluster.logs[(topics.TURNS.name, p)] for p in range(4)]
        seen.append(
            any(r.headers["correlation_id"] == call.turn_id.encode() for log in logs for r in log)
        )
        return filling_tool(call)

    async with (
        FakePeers(memory_bus, tool=checking).working() as peers,
        playing(memory_bus, agent_config()),
    ):
        await peers.publish(0)
        await peers.wait_for_turns(1)

    assert [True] == seen
