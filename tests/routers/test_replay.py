"""Replayed turns have the same prompts, requests, calls and records, or a difference is named."""

from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from arena import topics
from arena.bus.memory import MemoryBus
from arena.exports import export_topics
from arena.messages import ChatReply, ChatRequest, PromptSize, ToolCall, ToolResult
from routers.replay import TurnReplay
from routers.strategy import Strategy
from routers.turn_types import Limits
from tests.routers.builders import TRADER, reply, trade
from tests.routers.fake_peers import (
    FakePeers,
    agent_config,
    filling_tool,
    playing,
    trading_model,
    until,
)

TURNS = topics.TURNS.name
TOPICS = (
    topics.SNAPSHOTS.name,
    TURNS,
    topics.ROSTER.name,
    topics.COMMANDS.name,
    topics.TOOL_CALLS.name,
    topics.prompted("model"),
    topics.inbox("alpha"),
)


async def record(
    bus: MemoryBus,
    peers: FakePeers,
    folder: Path,
    turns: int = 4,
    limits: Limits | None = None,
    size: PromptSize = "full",
    strategy: Strategy = TRADER,
) -> Path:
    """Run this many turns, and export the records."""
    config = agent_config(limits=limits, prompt_size=size, strategy=strategy)
    async with peers.working(), playing(bus, config):
        for number in range(turns):
            await peers.publish(number)
            await peers.wait_for_turns(number + 1)
    await export_topics(bus, folder, TOPICS)
    return folder


async def test_turns_replay_identically(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """Prompts with memory and account, requests, orders and the record of every turn."""
    records = await record(memory_bus, FakePeers(memory_bus), tmp_path / "records")

    found = TurnReplay(records).run()

    assert [] == found.differences
    assert (4, 4, 8, 4) == tuple(
        found.counts[name] for name in ("turns", "prompts", "requests", "tool calls")
    )


async def test_failed_turns_replay_identically(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """A model that fails or stays silent, a tool that does not answer, one call too many."""
    numbers = iter(range(1_000))

    def model(request: ChatRequest) -> ChatReply | None:
        number = next(numbers)
        if number == 0:
            return None
        if number == 1:
            return reply(request).model_copy(update={"outcome": "failed", "error": "no use"})
        if request.round < 3:
            return reply(request, trade(), trade(), text="again")
        return trading_model(request)

    def tool(call: ToolCall) -> ToolResult | None:
        return None if call.index == 1 and call.round == 1 else filling_tool(call)

    peers = FakePeers(memory_bus, model, tool)
    limits = Limits(rounds=4, decision_s=0.6, tool_s=0.3)
    records = await record(memory_bus, peers, tmp_path / "records", 4, limits)

    found = TurnReplay(records).run()

    turns = await peers.ended()
    assert {"expired", "failed", "completed"} >= {turn.outcome for turn in turns}
    assert 4 == found.counts["turns"]
    assert [] == found.differences


async def test_stopped_turn_replays_identically(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """The results came after the router had stopped; they are not part of the turn."""
    peers = FakePeers(memory_bus, tool=lambda call: None)
    async with peers.working():
        async with playing(memory_bus, agent_config()):
            await peers.publish(0)
            await until(lambda: peers.calls)
        for call in peers.calls:
            answer = filling_tool(call)
            assert answer is not None
            await memory_bus.append(call.reply_to, answer)
    await export_topics(memory_bus, tmp_path / "records", TOPICS)

    found = TurnReplay(tmp_path / "records").run()

    (turn,) = await peers.ended()
    assert ("aborted", []) == (turn.outcome, found.differences)
    assert 1 == found.counts["turns"]


async def test_replaced_agent_replays_identically(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """The roster has only the newest contestant; earlier turns belong to the one before."""
    peers = FakePeers(memory_bus)
    other = replace(TRADER, name="other", prompt="Do sums.", tools=("calculator", "execute_trade"))
    first, second = (
        agent_config(prompt_size="compact"),
        replace(agent_config(strategy=other), replace=True),
    )
    async with peers.working():
        for number, config in enumerate((first, second)):
            async with playing(memory_bus, config):
                for turn in range(2):
                    await peers.publish(2 * number + turn)
                    await peers.wait_for_turns(2 * number + turn + 1)
    log = memory_bus.cluster.logs[topics.ROSTER.name, 0]
    newest = {record.key: record for record in log}
    log[:] = [record._replace(offset=n) for n, record in enumerate(newest.values())]
    await export_topics(memory_bus, tmp_path / "records", TOPICS)

    found = TurnReplay(tmp_path / "records").run()

    assert [] == found.differences
    assert 4 == found.counts["turns"]


@pytest.mark.parametrize("size", ["compact", "tiny"])
async def test_small_prompts_replay_identically(
    memory_bus: MemoryBus, tmp_path: Path, size: PromptSize
) -> None:
    """The size is on the roster; a cut strategy that is not shipped is restored."""
    strategy = replace(TRADER, prompt="Trade very well.\n" * 500)
    peers = FakePeers(memory_bus)
    records = await record(memory_bus, peers, tmp_path / "records", size=size, strategy=strategy)

    found = TurnReplay(records).run()

    assert [] == found.differences
    assert (4, 4) == (found.counts["turns"], found.counts["prompts"])
    turns = await peers.ended()
    assert {size} == {turn.prompt_size for turn in turns}
    assert all("the strategy's prompt beyond" in turn.left_out for turn in turns)


@pytest.mark.parametrize("rounds", [1, 2, 3])
async def test_unusable_answers_replay_identically(
    memory_bus: MemoryBus, tmp_path: Path, rounds: int
) -> None:
    """Empty, reasoning only, unreadable, with a problem, over the limit: the same turn again."""
    numbers = iter(range(1_000))
    turns: dict[str, int] = {}

    def model(request: ChatRequest) -> ChatReply | None:
        kind = turns.setdefault(request.turn_id, len(turns))
        number = next(numbers)
        if kind == 0 or (kind == 1 and request.round):
            return reply(request)
        if kind == 1:
            return reply(request).model_copy(update={"reasoning": "hm"})
        if kind == 2 or (kind == 3 and not request.round):
            found = reply(request, text="<tool_call>")
            return found.model_copy(update={"unreadable": "it could not be read"})
        if kind == 4 and not request.round:
            broken = trade(key="k").model_copy(
                update={"problem": "not carried out", "provider": {"sig": number}}
            )
            return reply(request, broken, trade(key="k"), text="two")
        return reply(request) if kind == 5 and request.round else trading_model(request)

    peers = FakePeers(memory_bus, model)
    limits = Limits(rounds=rounds)
    records = await record(memory_bus, peers, tmp_path / "records", 6, limits)

    found = TurnReplay(records).run()

    assert [] == found.differences
    assert 6 == found.counts["turns"]
    ended = await peers.ended()
    assert ["failed"] * 3 == [turn.outcome for turn in ended[:3]]
    assert {"unusable_answer"} == {turn.cause for turn in ended[:3]}


async def test_changed_reply_is_noticed(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """A reply in the inbox differs from the one in the turn."""
    peers = FakePeers(memory_bus)
    await record(memory_bus, peers, tmp_path / "first")
    log = memory_bus.cluster.logs[topics.inbox("alpha"), 0]
    index = next(i for i, r in enumerate(log) if b"Reasoning: done." in (r.value or b""))
    value = (log[index].value or b"").replace(b"Reasoning: done.", b"Reasoning: done!")
    log[index] = log[index]._replace(value=value)
    await export_topics(memory_bus, tmp_path / "records", TOPICS)

    found = TurnReplay(tmp_path / "records").run()

    turn_id = orjson.loads(value)["turn_id"]
    assert [True] == [turn_id in difference["subject"] for difference in found.differences]


async def test_changed_snapshot_changes_the_prompt(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """After a price in a snapshot was changed, the prompt of its turn differs."""
    await record(memory_bus, FakePeers(memory_bus), tmp_path / "first")
    log = memory_bus.cluster.logs[topics.SNAPSHOTS.name, 0]
    body = orjson.loads(log[2].value or b"")
    body["products"][0]["ticker"]["price"] = "1.23"
    log[2] = log[2]._replace(value=orjson.dumps(body))
    await export_topics(memory_bus, tmp_path / "records", TOPICS)

    found = TurnReplay(tmp_path / "records").run()

    assert ["prompt"] == [d["expected"].split()[0] for d in found.differences]
    assert 3 == found.counts["turns"]


async def test_prompts_are_replayed_without_inboxes(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """A note says what cannot be replayed; the prompts are still compared."""
    await record(memory_bus, FakePeers(memory_bus), tmp_path / "first")
    await export_topics(memory_bus, tmp_path / "records", TOPICS[:3])

    found = TurnReplay(tmp_path / "records").run()

    assert [] == found.differences
    assert (4, 0) == (found.counts["prompts"], found.counts["turns"])
    assert 1 == sum("not checkable" in note for note in found.notes)
