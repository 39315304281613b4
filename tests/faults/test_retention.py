"""Readers start correctly after retention has deleted records they had not read."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from arena import ids, topics
from arena.bus.kafka import KafkaBus
from arena.bus.memory import MemoryBus
from arena.clock import SystemClock
from arena.exports import export_topics
from arena.messages import TurnStarted
from arena.node import Node
from arena.settings import Settings
from connectors.market.lockstep.batch_tail import batch_tail
from connectors.market.recent_snapshots import newest_snapshots
from ledger.batch import BookedOffset
from ledger.non_account_offsets import find_deleted_unbooked, offset_after, seek_to_booked
from routers.replay import TurnReplay
from routers.resume import read_interrupted_turn
from tests.routers.builders import WALL, snapshot
from tests.routers.fake_peers import FakePeers, agent_config, playing
from tests.trading_tools.helpers import ticker

SNAPSHOTS, TICKERS, TURNS = topics.SNAPSHOTS.name, topics.TICKERS.name, topics.TURNS.name
COUNT = 5
TURNS_PLAYED, FIRST_KEPT_TURN = 4, 2


async def delete(settings: Settings, before: Mapping[str, int], partition: int = 0) -> None:
    """Delete the records of topics before an offset, as retention does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)
    await admin.start()
    try:
        parts = {TopicPartition(settings.prefix + t, partition): at for t, at in before.items()}
        wanted = {part: RecordsToDelete(before_offset=at) for part, at in parts.items()}
        await admin.delete_records(wanted)
    finally:
        await admin.close()


@pytest.fixture
async def node(bus: KafkaBus, settings: Settings) -> Node:
    """A node whose topics hold five snapshots and five tickers."""
    for number in range(COUNT):
        await bus.append(SNAPSHOTS, snapshot(number), key="test", partition=0)
        await bus.append(TICKERS, ticker(f"{number + 1}", "9"), key="BTC-USD", partition=0)
    return Node("connector", "test", settings, bus, SystemClock())


@pytest.mark.parametrize("deleted", [0, 3, COUNT])
async def test_market_continues(node: Node, settings: Settings, deleted: int) -> None:
    """The connector finds the remaining records, or none, and does not wait for deleted ones."""
    await delete(settings, {SNAPSHOTS: deleted, TICKERS: deleted})

    snapshots, end = await newest_snapshots(node, snapshot(0).venue, COUNT)
    recent, _ = await batch_tail(node, topics.TICKERS.name, {0: 1})

    assert [snapshot(n).snapshot_id for n in range(deleted, COUNT)] == [
        one.snapshot_id for one in snapshots
    ]
    assert (COUNT, COUNT - max(1, deleted)) == (end, len(recent[0]))


@pytest.mark.parametrize("deleted", [COUNT - 1, COUNT])
async def test_turn_without_its_snapshot_is_not_resumed(
    node: Node, settings: Settings, deleted: int
) -> None:
    """The router starts without the interrupted turn."""
    last = snapshot(COUNT - 1)
    started = TurnStarted(
        turn_id="t",
        agent="mo",
        snapshot_id=last.snapshot_id,
        snapshot_offset=COUNT - 1,
        as_of=last.as_of,
        started_at=WALL,
    )
    await node.bus.ensure_topics([topics.INBOX.member("mo")])
    await delete(settings, {SNAPSHOTS: deleted})

    found = await read_interrupted_turn(node, "mo", started)

    assert (found is None) == (deleted == COUNT)


async def test_unbooked_records_are_reported(node: Node, settings: Settings) -> None:
    """Records that were deleted before they were booked are counted; this is not a truncation."""
    reader = await node.bus.log_reader(SNAPSHOTS)
    (first, *_) = await reader.read(timeout_s=10)
    await reader.close()
    part = (SNAPSHOTS, 0)
    booked: dict[tuple[str, int], BookedOffset] = {part: offset_after(first)}
    await delete(settings, {SNAPSHOTS: 4})

    reader = await node.bus.log_reader(SNAPSHOTS)
    cuts = await seek_to_booked(reader, booked)
    deleted = await find_deleted_unbooked(reader, booked)
    await reader.close()

    assert {} == cuts
    assert [part] == list(deleted)
    assert "3 records at offsets 1 to 3 were deleted" in deleted[part]


def offset_of_turn(bus: MemoryBus, topic: str, number: int) -> tuple[int, int]:
    """Return partition and offset of the first record in a topic of the agent's nth turn."""
    turn_id = ids.turn_id("alpha", snapshot(number).snapshot_id)
    for (name, partition), log in bus.cluster.logs.items():
        for record in log:
            message = record.message() if name == topic else None
            if turn_id == getattr(message, "turn_id", None) or message == snapshot(number):
                return partition, record.offset
    raise AssertionError(f"no record of turn {number} in {topic}")


@pytest.mark.parametrize(
    ("topic", "replayed"),
    [(topics.prompted("model"), 2), (topics.inbox("alpha"), 0), (SNAPSHOTS, 2)],
)
async def test_remaining_turns_are_replayed(
    memory_bus: MemoryBus,
    bus: KafkaBus,
    settings: Settings,
    tmp_path: Path,
    topic: str,
    replayed: int,
) -> None:
    """Requests and answers are kept for 7 days, snapshots for 30, turns forever.

    Turns that cannot be replayed are still in the memory of later prompts, so these are the same; a
    turn without its request is not taken for a forged one. If answers were deleted, no turn here
    has all of its answers.
    """
    peers = FakePeers(memory_bus)
    async with peers.working(), playing(memory_bus, agent_config()):
        for number in range(TURNS_PLAYED):
            await peers.publish(number)
            await peers.wait_for_turns(number + 1)
    await bus.ensure_topics([topics.PROMPTED.member("model"), topics.INBOX.member("alpha")])
    names = (SNAPSHOTS, TURNS, topics.ROSTER.name, topics.COMMANDS.name, topics.TOOL_CALLS.name)
    for log in memory_bus.cluster.logs.values():
        for record in log:
            headers = tuple(record.headers.items())
            sent = bus.send_bytes(
                record.topic,
                record.value or b"",
                key=record.key,
                partition=record.partition,
                headers=headers,
            )
            await (await sent)
    partition, offset = offset_of_turn(memory_bus, topic, FIRST_KEPT_TURN)
    await delete(settings, {topic: offset}, partition)
    held = [*names, topics.prompted("model"), topics.inbox("alpha")]
    await export_topics(bus, tmp_path / "left", held)

    found = TurnReplay(tmp_path / "left").run()

    prompts = TURNS_PLAYED - FIRST_KEPT_TURN if topic == SNAPSHOTS else TURNS_PLAYED
    assert [] == found.differences
    assert (replayed, prompts) == (found.counts["turns"], found.counts["prompts"])
