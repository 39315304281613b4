"""A gated agent's router: what it records in real time and in lock-step, and after a restart."""

import asyncio
from decimal import Decimal

import pytest

from arena import ids, topics
from arena.bus.memory import MemoryBus
from arena.clock import SystemClock
from arena.messages import (
    ChatReply,
    ChatRequest,
    Gates,
    Halt,
    OrderDecided,
    Resume,
    SkippedSnapshots,
    Source,
    Turn,
    TurnStarted,
)
from arena.node import Node
from arena.settings import Settings
from routers import snapshot_gate
from routers.memory import AgentHistory
from routers.snapshot_gate import SnapshotGate
from routers.turn_types import Limits
from routers.wake_causes import CAUSES_MAX
from tests.routers.builders import PRICES, WALL, reply, snapshot, trade
from tests.routers.fake_peers import (
    FakePeers,
    OtherConnection,
    agent_config,
    playing,
    publish_rules,
    until,
)

EVERY = Gates(every_s=180)
ON_MOVE = Gates(on_move_pct=Decimal("0.5"), quiet_max_s=1800)
MOVED = {product: str(Decimal(price) * Decimal("1.01")) for product, price in PRICES.items()}


def brief_model(request: ChatRequest) -> ChatReply | None:
    """Decide without a tool."""
    return reply(request, text="Reasoning: wait.")


def greedy_model(request: ChatRequest) -> ChatReply | None:
    """Ask for a tool as often as it may."""
    return reply(request, trade(key=str(request.round)))


async def handled(peers: FakePeers, count: int) -> None:
    """Wait until so many snapshots have a turn or a record that they were skipped."""
    async with asyncio.timeout(20):
        while True:
            records = await peers.turn_records()
            ended = sum(isinstance(r, Turn) for r in records)
            skipped = sum(sum(r.counts.values()) for r in skips_of(records))
            if ended + skipped >= count:
                return
            await asyncio.sleep(0.01)


async def gated(node: Node, count: int) -> None:
    """Wait until a router has skipped so many snapshots."""
    await until(lambda: node.counters["gated"] == count)


async def play(
    peers: FakePeers, numbers: range, prices: dict[int, dict[str, str]] | None = None
) -> None:
    """Publish snapshots one by one, as a market that waits for the agent."""
    for number in numbers:
        await peers.publish(number, prices=(prices or {}).get(number))
        await handled(peers, number + 1)


def asked(turns: list[Turn]) -> list[tuple[int, str]]:
    """Offset and reason of each turn."""
    return [(turn.snapshot_offset, turn.asked) for turn in turns]


async def test_lock_step_records_every_skipped_snapshot(memory_bus: MemoryBus) -> None:
    """One record per snapshot that no product moved on, and the reason in the turns."""
    async with FakePeers(memory_bus, brief_model).working() as peers:
        await publish_rules(memory_bus)
        config = agent_config(pacing="lock-step", gates=ON_MOVE)
        async with playing(memory_bus, config):
            await play(peers, range(4), {3: MOVED})
        turns, skipped = await peers.ended(), await peers.skipped()

    assert [(0, "first"), (3, "move")] == asked(turns)
    assert [(1, 1), (2, 2)] == [(s.first_offset, s.snapshot_offset) for s in skipped]
    assert [{"no_move": 1}] * 2 == [s.counts for s in skipped]
    assert [snapshot(n).snapshot_id for n in (1, 2)] == [s.snapshot_id for s in skipped]
    assert [snapshot(n).as_of for n in (1, 2)] == [s.as_of for s in skipped]
    assert [0, 0] == [turn.skipped_snapshots for turn in turns]


async def test_real_time_records_before_the_next_turn(memory_bus: MemoryBus) -> None:
    """One record for all; what came during a turn is busy, and is missed."""
    held: list[ChatRequest] = []

    def model(request: ChatRequest) -> ChatReply | None:
        if len(held) == 1:
            held.append(request)
            return None
        held.append(request)
        return brief_model(request)

    async with FakePeers(memory_bus, model).working() as peers:
        async with playing(memory_bus, agent_config(gates=EVERY)) as node:
            await peers.publish(0)
            await peers.wait_for_turns(1)
            for number in (1, 2):
                await peers.publish(number)
                await gated(node, number)
            await peers.publish(3)
            await until(lambda: len(held) == 2)
            await peers.publish(4, 5, 6)
            late = reply(held[1], text="Reasoning: wait.")
            await memory_bus.append(held[1].reply_to, late)
            turns = await peers.wait_for_turns(3)
        records = await peers.turn_records()

    assert [(0, "first"), (3, "due"), (6, "due")] == asked(turns)
    assert [0, 0, 2] == [turn.skipped_snapshots for turn in turns]
    assert [(1, 2, {"every": 2}), (4, 5, {"busy": 2})] == [
        (s.first_offset, s.snapshot_offset, s.counts) for s in skips_of(records)
    ]
    kinds = [type(record) for record in records]
    assert kinds.index(SkippedSnapshots) < kinds.index(TurnStarted, 2)


def skips_of(records: list[Turn | TurnStarted | SkippedSnapshots]) -> list[SkippedSnapshots]:
    """The records of skipped snapshots."""
    return [record for record in records if isinstance(record, SkippedSnapshots)]


async def test_clean_stop_and_long_quiet_are_recorded(
    memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After so many snapshots, and when the router stops, so that little is lost."""
    monkeypatch.setattr(snapshot_gate, "RECORD_EVERY", 3)
    async with FakePeers(memory_bus, brief_model).working() as peers:
        async with playing(memory_bus, agent_config(gates=Gates(every_s=6_000))) as node:
            await peers.publish(0)
            await peers.wait_for_turns(1)
            for number in range(1, 6):
                await peers.publish(number)
                await gated(node, number)
            assert [(1, 3)] == [(s.first_offset, s.snapshot_offset) for s in await peers.skipped()]
        skipped = await peers.skipped()

    assert [(1, 3, {"every": 3}), (4, 5, {"every": 2})] == [
        (s.first_offset, s.snapshot_offset, s.counts) for s in skipped
    ]


async def test_killed_router_in_a_quiet_phase_decides_the_same(memory_bus: MemoryBus) -> None:
    """In lock-step its successor knows the last turn, and asks at the same snapshot."""
    config = agent_config(pacing="lock-step", gates=ON_MOVE)
    peers = FakePeers(memory_bus, brief_model)
    async with peers.working():
        await publish_rules(memory_bus)
        dead = await OtherConnection.to(memory_bus)
        async with playing(dead, config):
            await play(peers, range(3))
            dead.die()
        async with playing(memory_bus, config):
            await play(peers, range(3, 6), {4: MOVED, 5: MOVED})
        turns, skipped = await peers.ended(), await peers.skipped()

    assert [(0, "first"), (4, "move")] == asked(turns)
    assert [1, 2, 3, 5] == [s.snapshot_offset for s in skipped]
    assert {"no_move"} == {reason for s in skipped for reason in s.counts}


@pytest.mark.parametrize(("recorded", "counts"), [(False, {"every": 2}), (True, {"unrecorded": 1})])
async def test_group_that_changes_costs_no_reason(
    memory_bus: MemoryBus, recorded: bool, counts: dict[str, int]
) -> None:
    """The owner still knows why it skipped snapshots, unless another process recorded them."""
    await memory_bus.ensure_topics(topics.fixed_topics())
    node = Node("router", "alpha", Settings(), memory_bus, SystemClock())
    gate = SnapshotGate(node, agent_config(gates=EVERY), lambda *_: None)
    history = AgentHistory()
    gate.restart(history)
    assert await gate.decide(history, 0, snapshot(0)) is not None
    history.begin(started_on(0))
    for number in (1, 2):
        assert await gate.decide(history, number, snapshot(number)) is None
    if recorded:
        other = SkippedSnapshots(
            agent="alpha",
            first_offset=1,
            snapshot_offset=1,
            as_of=snapshot(1).as_of,
            counts={"every": 1},
        )
        assert history.skip(other)
    gate.restart(history)
    assert await gate.decide(history, 3, snapshot(3)) is not None
    (skipped,) = await FakePeers(memory_bus).skipped()

    assert (2 if recorded else 1, 2) == (skipped.first_offset, skipped.snapshot_offset)
    assert counts == skipped.counts


def started_on(number: int) -> TurnStarted:
    """The start of a turn on the n-th snapshot."""
    seen = snapshot(number)
    return TurnStarted(
        turn_id=ids.turn_id("alpha", seen.snapshot_id),
        agent="alpha",
        snapshot_id=seen.snapshot_id,
        snapshot_offset=number,
        as_of=seen.as_of,
        started_at=WALL,
    )


async def test_kill_in_real_time_says_what_is_unrecorded(memory_bus: MemoryBus) -> None:
    """The successor knows how many snapshots there were, and not why they were skipped."""
    peers = FakePeers(memory_bus, brief_model)
    async with peers.working():
        dead = await OtherConnection.to(memory_bus)
        async with playing(dead, agent_config(gates=EVERY)) as node:
            await peers.publish(0)
            await peers.wait_for_turns(1)
            await peers.publish(1)
            await gated(node, 1)
            dead.die()
        await peers.publish(2)
        async with playing(memory_bus, agent_config(gates=EVERY)) as node:
            await peers.publish(4)
            (_, turn) = await peers.wait_for_turns(2)
        (skipped,) = await peers.skipped()

    assert (1, 2) == (skipped.first_offset, skipped.snapshot_offset)
    assert {"unrecorded": 2} == skipped.counts
    assert ("due", 2) == (turn.asked, turn.skipped_snapshots)


async def test_caps_bound_the_rounds_of_a_turn(memory_bus: MemoryBus) -> None:
    """Of five calls an hour the first turn takes three, the second the two that are left."""
    config = agent_config(
        limits=Limits(rounds=3), pacing="lock-step", gates=Gates(calls_per_hour_max=5)
    )
    async with FakePeers(memory_bus, greedy_model).working() as peers:
        await publish_rules(memory_bus)
        async with playing(memory_bus, config):
            await play(peers, range(4))
        turns, skipped = await peers.ended(), await peers.skipped()

    assert [3, 2] == [len(turn.rounds) for turn in turns]
    assert 5 == len(peers.requests)
    assert [{"calls_per_hour_max": 1}] * 2 == [s.counts for s in skipped]


async def test_aborted_turn_counts_with_all_calls_it_may_have_made(memory_bus: MemoryBus) -> None:
    """The successor does not know how many it made, and never exceeds a cap."""
    config = agent_config(limits=Limits(rounds=3), gates=Gates(calls_per_hour_max=4))
    peers = FakePeers(memory_bus, lambda _: None)
    async with peers.working():
        dead = await OtherConnection.to(memory_bus)
        async with playing(dead, config):
            await peers.publish(0)
            await until(lambda: peers.requests)
            dead.die()
        peers.model = greedy_model
        async with playing(memory_bus, config):
            await peers.wait_for_turns(1)
            await peers.publish(1)
            turns = await peers.wait_for_turns(2)

    assert [0, 1] == [len(turn.rounds) for turn in turns]


async def test_call_in_flight_at_a_clean_stop_counts(memory_bus: MemoryBus) -> None:
    """The turn that the stop ended has no round for it; the cap holds all the same."""
    config = agent_config(limits=Limits(rounds=2), gates=Gates(calls_per_hour_max=2))
    async with FakePeers(memory_bus, lambda _: None).working() as peers:
        async with playing(memory_bus, config):
            await peers.publish(0)
            await until(lambda: peers.requests)
        peers.model = greedy_model
        async with playing(memory_bus, config) as node:
            await peers.publish(1)
            await gated(node, 1)
        turns, (skipped,) = await peers.ended(), await peers.skipped()

    assert [("aborted", 0)] == [(turn.outcome, len(turn.rounds)) for turn in turns]
    assert {"calls_per_hour_max": 1} == skipped.counts
    assert 1 == len(peers.requests)


async def test_wake_on_names_the_record(memory_bus: MemoryBus) -> None:
    """A fill that is not of its own turns, and a halt, ask at the next snapshot, once each."""
    gates = Gates(every_s=6_000, wake_on=("halt", "fill"))
    config = agent_config(pacing="lock-step", gates=gates)
    async with FakePeers(memory_bus, brief_model).working() as peers:
        await publish_rules(memory_bus)
        await memory_bus.append(topics.CONTROL.name, halt("beta"), key="agent/beta")
        async with playing(memory_bus, config):
            await play(peers, range(2))
            await memory_bus.append(topics.EVENTS.name, fill(own=True), key="alpha")
            await play(peers, range(2, 3))
            placed = await memory_bus.append(topics.EVENTS.name, fill(own=False), key="alpha")
            await play(peers, range(3, 5))
            await memory_bus.append(topics.CONTROL.name, halt("beta"), key="agent/beta")
            await play(peers, range(5, 6))
            resume = Resume(agent="alpha", by="cli/test", at=WALL)
            for _ in range(CAUSES_MAX):  # What `wake_on` does not name takes no place.
                await memory_bus.append(topics.CONTROL.name, resume, key="agent/alpha")
            await memory_bus.append(topics.CONTROL.name, halt(None), key="all")
        async with playing(memory_bus, config):
            await play(peers, range(6, 8))
        turns = await peers.ended()

    assert [(0, "first"), (3, "fill"), (6, "halt")] == asked(turns)
    assert f"account.events[{placed.partition}]@{placed.offset}" == turns[1].asked_by
    assert f"arena.control[0]@{2 + CAUSES_MAX}" == turns[2].asked_by


def halt(agent: str | None) -> Halt:
    """A halt of an agent, or of all."""
    return Halt(agent=agent, by="cli/test", at=WALL)


def fill(*, own: bool) -> OrderDecided:
    """A filled order of the agent alpha, of its own turn or of an operator's."""
    snapshot_id = snapshot(1).snapshot_id
    turn_id = ids.turn_id("alpha", snapshot_id if own else "by-hand/1")
    return OrderDecided(
        epoch=1,
        owner="tools",
        seq=1,
        prev="",
        source=Source(topic="account.commands", partition=0, offset=0),
        order_id="o",
        agent="alpha",
        turn_id=turn_id,
        round=0,
        index=0,
        snapshot_id=snapshot_id,
        outcome="filled",
        issued_at=WALL,
        at=WALL,
    )
