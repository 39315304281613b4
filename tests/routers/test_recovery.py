"""Reading an agent's history backwards among the records of others."""

import pytest

from arena import topics
from arena.bus.memory import MemoryBus
from arena.clock import SystemClock
from arena.errors import UsageError
from arena.liveness import RECORDS_LOST
from arena.messages import Message
from arena.node import Node
from arena.settings import Settings
from routers.memory import TURNS_REMEMBERED, fold_history
from routers.recovery import CHUNKS, lost_turns_text, read_history
from tests.routers.fake_peers import FakePeers, agent_config, playing, until
from tests.routers.test_memory import ended, started


def neighbour_of(agent: str) -> str:
    """Another agent in the same partition."""
    partition = topics.partition_of(agent, topics.TURNS.partitions)
    names = (f"other{i}" for i in range(100))
    return next(n for n in names if topics.partition_of(n, topics.TURNS.partitions) == partition)


async def append(bus: MemoryBus, agent: str, *records: Message) -> None:
    """Append records of one agent."""
    for record in records:
        await bus.append(topics.TURNS.name, record, key=agent)


def node_on(bus: MemoryBus) -> Node:
    """A process over a bus."""
    return Node("router", "alpha", Settings(), bus, SystemClock())


async def test_agent_without_records_has_no_history(memory_bus: MemoryBus) -> None:
    """It starts from nothing."""
    history = await read_history(node_on(memory_bus), "alpha")

    assert (0, -1, None) == (history.turns, history.last_offset, history.open_turn)


async def test_turns_far_back_are_found(memory_bus: MemoryBus) -> None:
    """Before hundreds of records of others, in a later chunk; so is the open turn."""
    other = neighbour_of("alpha")
    for number in range(TURNS_REMEMBERED + 2):
        await append(memory_bus, "alpha", started(number), ended(number))
    await append(memory_bus, "alpha", started(50))
    for number in range(CHUNKS[0]):
        await append(memory_bus, other, started(number, other), ended(number, other))
    history = await read_history(node_on(memory_bus), "alpha")

    assert [f"line {n}" for n in range(2, TURNS_REMEMBERED + 2)] == list(history.lines)
    assert started(50) == history.open_turn
    assert 50 == history.last_offset


async def test_search_is_bounded(memory_bus: MemoryBus) -> None:
    """An agent whose records are older than the last chunk counts as new."""
    other = neighbour_of("alpha")
    await append(memory_bus, "alpha", started(1), ended(1))
    filler = [started(n, other) for n in range(CHUNKS[-1])]
    await append(memory_bus, other, *filler)
    history = await read_history(node_on(memory_bus), "alpha")

    assert 0 == history.turns


async def test_unreadable_record_is_dead_lettered(memory_bus: MemoryBus) -> None:
    """The rest of the history is read."""
    await append(memory_bus, "alpha", started(1))
    partition = topics.partition_of("alpha", topics.TURNS.partitions)
    await memory_bus.send_bytes(
        topics.TURNS.name, b"{", key=b"alpha", partition=partition, headers=(("type", b"Turn"),)
    )
    await append(memory_bus, "alpha", ended(1))
    node = node_on(memory_bus)
    history = await read_history(node, "alpha")

    assert ["line 1"] == list(history.lines)
    assert 1 == node.counters["dead_letters"]


async def test_complete_history_is_read_from_the_first_record(memory_bus: MemoryBus) -> None:
    """In lock-step an agent remembers its turns, however many records of others follow."""
    other = neighbour_of("alpha")
    await append(memory_bus, "alpha", started(1), ended(1))
    filler = [started(n, other) for n in range(CHUNKS[-1])]
    await append(memory_bus, other, *filler)
    history = await read_history(node_on(memory_bus), "alpha", complete=True)

    assert ["line 1"] == list(history.lines)


async def test_turns_without_a_memory_line_do_not_end_the_search(memory_bus: MemoryBus) -> None:
    """A restarted agent has the same lines as before, though a model failed in between."""
    await append(memory_bus, "alpha", started(0), ended(0))
    for number in range(1, CHUNKS[0]):
        failed = ended(number).model_copy(update={"memory": "", "outcome": "failed"})
        await append(memory_bus, "alpha", started(number), failed)
    history = await read_history(node_on(memory_bus), "alpha")

    assert ["line 0"] == list(history.lines)


def moved_agent(before: int, after: int) -> str:
    """An agent whose partition changes when the topic gets more partitions."""
    names = (f"agent{i}" for i in range(100))
    return next(n for n in names if topics.partition_of(n, before) != topics.partition_of(n, after))


async def test_turns_from_before_added_partitions_are_found(memory_bus: MemoryBus) -> None:
    """The agent remembers across the change, in the order of its turns."""
    agent = moved_agent(topics.TURNS.partitions, 7)
    for number in range(3):
        await append(memory_bus, agent, started(number, agent), ended(number, agent))
    memory_bus.cluster.grow(topics.TURNS.name, 7)
    assert ["line 0", "line 1", "line 2"] == list(
        (await read_history(node_on(memory_bus), agent)).lines
    )
    for number in range(3, 6):
        await append(memory_bus, agent, started(number, agent), ended(number, agent))
    await append(memory_bus, agent, started(6, agent))
    history = await read_history(node_on(memory_bus), agent)

    assert [f"line {n}" for n in range(1, 6)] == list(history.lines)
    assert (started(6, agent), 6) == (history.open_turn, history.last_offset)


async def test_turn_across_added_partitions_is_not_open(memory_bus: MemoryBus) -> None:
    """Its start and its end are in different partitions."""
    agent = moved_agent(topics.TURNS.partitions, 7)
    await append(memory_bus, agent, started(0, agent))
    memory_bus.cluster.grow(topics.TURNS.name, 7)
    await append(memory_bus, agent, ended(0, agent))
    history = await read_history(node_on(memory_bus), agent)

    assert (None, 1) == (history.open_turn, history.turns)


async def ended_turns(bus: MemoryBus, count: int) -> None:
    """Let an agent answer this many snapshots, and stop its router."""
    async with FakePeers(bus).working() as peers, playing(bus, agent_config()):
        for number in range(count):
            await peers.publish(number)
            await peers.wait_for_turns(number + 1)
        group = bus.cluster.groups["alpha"]
        await until(lambda: group.committed.get((topics.SNAPSHOTS.name, 0)) == count)


@pytest.mark.parametrize("records", [0, 2, 3])
async def test_lost_turns_are_reported(memory_bus: MemoryBus, records: int) -> None:
    """Two snapshots were answered; a log with fewer turns was cut, or created again."""
    await ended_turns(memory_bus, 2)
    partition = topics.partition_of("alpha", topics.TURNS.partitions)
    del memory_bus.cluster.logs[topics.TURNS.name, partition][records:]
    async with (
        FakePeers(memory_bus).working() as peers,
        playing(memory_bus, agent_config()) as node,
    ):
        await until(lambda: memory_bus.lost)
        await peers.publish(2)
        turns = await peers.wait_for_turns(1 + records // 2)

    text = memory_bus.lost[topics.TURNS.name, f"{partition}, alpha"]
    if records == 3:  # the start of the second turn is left, without an end
        assert "was answered" in text
        assert "aborted" in [turn.outcome for turn in turns]
    assert "offset 1 of market.snapshots" in text
    assert RECORDS_LOST in node.heartbeat(node.clock.now()).details


@pytest.mark.parametrize(
    ("records", "answered", "is_lost"),
    [
        ([started(9), ended(9), started(5)], 9, False),  # late, by a router that was frozen
        ([started(5), started(9), ended(9)], 9, False),
        ([ended(5), started(9)], 9, True),
        ([ended(5), started(9)], 5, False),
        ([ended(5)], 9, True),
        ([started(5)], 9, True),
        ([], 9, True),
        ([], -1, False),
    ],
)
def test_only_the_answered_turn_can_have_lost_its_end(
    records: list[Message], answered: int, is_lost: bool
) -> None:
    """An older turn without an end proves nothing: its router died, or was frozen."""
    history = fold_history("alpha", records)
    history.complete = True

    assert is_lost == bool(lost_turns_text(history, answered))


async def test_lost_turns_are_reported_if_their_snapshots_are_lost_too(
    memory_bus: MemoryBus,
) -> None:
    """The group's commit counts, though the snapshots' log is not the one it read."""
    await ended_turns(memory_bus, 3)
    partition = topics.partition_of("alpha", topics.TURNS.partitions)
    del memory_bus.cluster.logs[topics.TURNS.name, partition][2:]
    del memory_bus.cluster.logs[topics.SNAPSHOTS.name, 0][1:]
    async with FakePeers(memory_bus).working(), playing(memory_bus, agent_config()):
        await until(lambda: (topics.TURNS.name, f"{partition}, alpha") in memory_bus.lost)

    assert (
        "offset 2 of market.snapshots" in memory_bus.lost[topics.TURNS.name, f"{partition}, alpha"]
    )


async def test_nothing_is_reported_if_no_turn_is_lost(memory_bus: MemoryBus) -> None:
    """A router that restarts on an intact log reports nothing."""
    await ended_turns(memory_bus, 2)
    async with FakePeers(memory_bus).working() as peers, playing(memory_bus, agent_config()):
        await peers.publish(2)
        await peers.wait_for_turns(3)

    assert {} == memory_bus.lost


async def test_several_snapshot_partitions_are_refused(memory_bus: MemoryBus) -> None:
    """Snapshots need one order: a router that starts says so, with a remedy."""
    memory_bus.cluster.grow(topics.SNAPSHOTS.name, 3)
    with pytest.raises(UsageError, match=r"market\.snapshots has 3 partitions.*ARENA_PREFIX"):
        async with playing(memory_bus, agent_config()):
            pass
