"""Ownership that moves during a turn: no turn ends twice, and none is lost needlessly."""

from dataclasses import astuple

import pytest

from arena import topics
from arena.bus.base import LogReader
from arena.bus.memory import MemoryBus
from arena.messages import ChatReply, ChatRequest, Message, Pacing, ToolCall, ToolResult
from arena.wire import encode
from tests.routers.builders import reply, snapshot
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


def silent_model(_: ChatRequest) -> ChatReply | None:
    """Do not answer."""
    return None


def rebalance(bus: MemoryBus) -> None:
    """Assign the agent's partition to the member that joined last."""
    bus.cluster.groups["alpha"].members.reverse()
    bus.cluster.rebalance("alpha")


async def test_turn_continues_if_its_owner_stays(memory_bus: MemoryBus) -> None:
    """After a rebalance that gives the partition back, the turn ends once as usual."""
    async with FakePeers(memory_bus, silent_model).working() as peers:
        async with playing(memory_bus, agent_config()) as node:
            await peers.publish(0)
            await until(lambda: peers.requests)
            (member,) = memory_bus.cluster.groups["alpha"].members
            owned = member.assignment()
            member.assign(frozenset())
            member.assign(owned)
            asked = peers.requests[0]
            await memory_bus.append(asked.reply_to, reply(asked, text="ok"))
            (turn,) = await peers.wait_for_turns(1)
        records = await peers.turns()

    assert ("completed", 2) == (turn.outcome, len(records))
    assert 0 == node.counters["handed_over"]


def silent_tool(_: ToolCall) -> ToolResult | None:
    """Do not answer."""
    return None


async def read_while_away(bus: MemoryBus, *messages: Message | None) -> None:
    """Have messages, or other bytes, read from the inbox while no process owns the agent."""
    (member,) = bus.cluster.groups["alpha"].members
    owned = member.assignment()
    member.assign(frozenset())
    inbox = topics.inbox("alpha")
    for message in messages:
        value, headers = (b"none", ()) if message is None else astuple(encode(message))
        await (await bus.send_bytes(inbox, value, key=None, partition=0, headers=headers))
    readers = [r for r in bus.readers if isinstance(r, LogReader)]
    (reader,) = [r for r in readers if (inbox, 0) in await r.end_offsets()]
    end = (await reader.end_offsets())[inbox, 0]
    await until(lambda: reader.position(inbox, 0) == end)
    member.assign(owned)


async def test_reply_during_a_rebalance_counts(memory_bus: MemoryBus) -> None:
    """A reply and a result that are read while no process owns the agent are used."""
    peers = FakePeers(memory_bus, silent_model, silent_tool)
    async with peers.working(), playing(memory_bus, agent_config()) as node:
        await peers.publish(0)
        await until(lambda: peers.requests)
        first = trading_model(peers.requests[0])
        foreign = reply(peers.requests[0], text="late").model_copy(update={"turn_id": "other"})
        assert first is not None
        await read_while_away(memory_bus, foreign, None, first)
        await until(lambda: peers.calls)
        peers.model = trading_model
        result = filling_tool(peers.calls[0])
        assert result is not None
        await read_while_away(memory_bus, result)
        (turn,) = await peers.wait_for_turns(1)

    assert ("completed", 2) == (turn.outcome, len(turn.rounds))
    assert (0, 1) == (node.counters["late_replies"], node.counters["dead_letters"])


async def test_turn_that_was_taken_over_ends_once(memory_bus: MemoryBus) -> None:
    """The new owner aborts it; the old one drops it, and continues when it owns the agent again."""
    spare = await OtherConnection.to(memory_bus)
    async with (
        FakePeers(memory_bus, silent_model).working() as peers,
        playing(memory_bus, agent_config()) as first,
        playing(spare, agent_config(), name="spare") as second,
    ):
        await peers.publish(0)
        await until(lambda: peers.requests)
        rebalance(memory_bus)
        await peers.wait_for_turns(1)
        asked = peers.requests[0]
        await memory_bus.append(asked.reply_to, reply(asked, text="too late"))
        peers.model = trading_model
        await peers.publish(1)
        await peers.wait_for_turns(2)
        rebalance(memory_bus)
        await until(lambda: first.counters["handed_over"] == 1)
        await peers.publish(2)
        turns = await peers.wait_for_turns(3)

    assert [(0, "aborted"), (1, "completed"), (2, "completed")] == [
        (t.snapshot_offset, t.outcome) for t in turns
    ]
    assert (1, 2) == (first.counters["turns"], second.counters["turns"])


async def test_account_is_handed_over_with_the_agent(
    memory_bus: MemoryBus,
) -> None:
    """Memory and account come from the log: each prompt shows the state after the last turn."""
    spare = await OtherConnection.to(memory_bus)
    async with (
        FakePeers(memory_bus).working() as peers,
        playing(memory_bus, agent_config()),
        playing(spare, agent_config(), name="spare"),
    ):
        for number in range(3):
            await peers.publish(number)
            await peers.wait_for_turns(number + 1)
            rebalance(memory_bus)
        await peers.publish(3)
        turns = await peers.wait_for_turns(4)
    prompts = [t.messages[1].content for t in turns]

    assert [False, True, True, True] == ["## Your account" in p for p in prompts]
    assert 3 == prompts[3].count("bought 0.1 BTC-USD")


@pytest.mark.parametrize("pacing", ["real-time", "lock-step"])
async def test_restart_between_turns_does_not_change_prompts(
    memory_bus: MemoryBus, pacing: Pacing
) -> None:
    """Account and memory are the same as in the process before."""
    undisturbed = MemoryBus()
    await undisturbed.start()
    prompts = []
    for bus, lives in ((undisturbed, 1), (memory_bus, 3)):
        async with FakePeers(bus).working() as peers:
            await publish_rules(bus, "lock-step")
            for life in range(lives):
                async with playing(bus, agent_config(pacing=pacing)):
                    for number in range(life * 3 // lives, (life + 1) * 3 // lives):
                        await peers.publish(number)
                        await peers.wait_for_turns(number + 1)
            prompts.append([t.messages[1].content for t in await peers.ended()])

    assert prompts[0] == prompts[1]
    assert "## Your account" in prompts[0][1]


async def test_account_is_unknown_after_an_aborted_turn(
    memory_bus: MemoryBus,
) -> None:
    """One of its orders may have been carried out: the agent has to read its account."""
    gate: list[ChatRequest] = []

    def silent_second(request: ChatRequest) -> ChatReply | None:
        if request.snapshot_id == snapshot(1).snapshot_id:
            gate.append(request)
            return None
        return trading_model(request)

    doomed = await OtherConnection.to(memory_bus)
    async with FakePeers(memory_bus, silent_second).working() as peers:
        async with playing(doomed, agent_config()):
            await peers.publish(0)
            await peers.wait_for_turns(1)
            await peers.publish(1)
            await until(lambda: gate)
            doomed.die()
        async with playing(memory_bus, agent_config()):
            await peers.wait_for_turns(2)
            await peers.publish(2)
            turns = await peers.wait_for_turns(3)

    assert ["completed", "aborted", "completed"] == [t.outcome for t in turns]
    assert "## Your account" not in turns[2].messages[1].content
