"""Dated context over a bus in memory: published once, refused with a place, shown in snapshots."""

import asyncio
import json
from base64 import b64decode
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from arena import topics
from arena.bus.memory import MemoryBus
from arena.errors import ArenaError, UsageError
from arena.messages import ContextItem, DeadLetter, MarketSnapshot
from arena.node import Node
from arena.settings import Settings
from connectors.market.context.publisher import KNOWN, PUBLISHED, REFUSED, Market
from connectors.market.context.service import (
    ContextOptions,
    ContextService,
    newest_market,
    serve_context,
)
from connectors.market.context.snapshot_context import SnapshotContext
from connectors.market.lockstep.lockstep_publisher import LockstepPublisher, LockstepTimeouts
from connectors.market.lockstep.run import START
from tests.connectors.builders import FastClock
from tests.connectors.lockstep_agents import ScriptedAgent, logged, running_agents
from tests.connectors.test_lockstep_publisher import CrashingBus, Killed, finish, snapshots_in
from tests.connectors.test_snapshot_replay import WALL, replay_of
from tests.connectors.venue import (
    RunningConnector,
    eventually,
    running_connector,
    running_exchange,
)

MINUTE = timedelta(minutes=1)


def row(item_id: str, at: str | datetime = START, **fields: object) -> str:
    """A line of news about BTC-USD; `at` is a time, or a duration after the first snapshot."""
    base: dict[str, object] = {
        "id": item_id,
        "kind": "news",
        "title": item_id,
        "product": "BTC-USD",
    }
    when = {"published_at": at.isoformat()} if isinstance(at, datetime) else {"after": at}
    return json.dumps(base | when | fields)


def write(path: Path, *rows: str) -> Path:
    """Write the lines of a file."""
    path.write_text("".join(f"{one}\n" for one in rows), encoding="utf-8")
    return path


def node_on(bus: MemoryBus, factor: float = 20.0) -> Node:
    """A process."""
    return Node("connector", "context", Settings(), bus, FastClock(factor))


def counts(node: Node) -> tuple[int, int, int]:
    """Items that were published, items that were known, and lines that were refused."""
    return node.counters[PUBLISHED], node.counters[KNOWN], node.counters[REFUSED]


async def items_in(bus: MemoryBus) -> list[ContextItem]:
    """Every item in the topic."""
    return [m for m in await logged(bus, topics.CONTEXT.name) if isinstance(m, ContextItem)]


async def publish_snapshot(bus: MemoryBus, *, simulated: bool, as_of: datetime = START) -> None:
    """Publish a snapshot without products."""
    snapshot = MarketSnapshot(
        snapshot_id=str(as_of),
        venue="coinbase",
        as_of=as_of,
        interval_s=60,
        simulated=simulated,
        published_at=WALL,
    )
    await bus.append(topics.SNAPSHOTS.name, snapshot, key="coinbase")


async def test_items_are_published_once(
    memory_bus: MemoryBus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second process finds them in the topic; a correction is a new record."""
    path = write(tmp_path / "a.jsonl", row("a"), row("b"), row("a"))
    first, second, third = (node_on(memory_bus) for _ in range(3))
    await serve_context(first, ContextOptions((path,)))
    await serve_context(second, ContextOptions((path, path)))
    write(path, row("a", title="corrected"), row("b"))
    await serve_context(third, ContextOptions((path,)))

    printed = capsys.readouterr().out
    assert "2 items published, 1 known already, no line refused\n" in printed
    assert [(2, 1, 0), (0, 6, 0), (1, 1, 0)] == [counts(node) for node in (first, second, third)]
    found = await items_in(memory_bus)
    assert ["a", "b", "a"] == [one.item_id for one in found]
    assert "corrected" == found[-1].title
    assert all(one.received_at is not None for one in found)


async def test_bad_line_is_a_dead_letter_with_its_place(
    memory_bus: MemoryBus, tmp_path: Path
) -> None:
    """It has file, line, error, remedy and bytes; the other lines are published."""
    path = tmp_path / "bad.jsonl"
    path.write_bytes(
        "\n".join([row("a"), "{", row("b", kind="rumour"), row("c")]).encode() + b"\n\xff\n"
    )
    node = node_on(memory_bus)
    with pytest.raises(ArenaError, match="2 items published, 0 known already, 3 lines refused"):
        await serve_context(node, ContextOptions((path,)))

    assert ["a", "c"] == [one.item_id for one in await items_in(memory_bus)]
    letters = await logged(memory_bus, topics.DEAD_LETTERS.name)
    found = [one for one in letters if isinstance(one, DeadLetter)]
    assert ["2", "3", "5"] == [one.headers["line"] for one in found]
    assert {str(path)} == {one.headers["file"] for one in found}
    assert "bad.jsonl:3: kind: 'rumour' is unknown; write news, sentiment or token_facts" == (
        found[1].error
    )
    assert b"\xff" == b64decode(found[2].value_base64 or "")
    assert 3 == node.counters["dead_letters"]


async def test_dates_in_the_future(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """In real time they are refused, also before the first snapshot; in a simulated market not."""
    later = datetime.now(UTC) + timedelta(days=400)
    path = write(tmp_path / "a.jsonl", row("later", later), row("relative", "PT5M"), row("a"))
    await memory_bus.ensure_topics(topics.fixed_topics())
    for _ in range(2):
        node = node_on(memory_bus, 1.0)
        with pytest.raises(ArenaError, match="2 lines refused"):
            await serve_context(node, ContextOptions((path,)))
        await publish_snapshot(memory_bus, simulated=False)
    (letter, *_) = await logged(memory_bus, topics.DEAD_LETTERS.name)
    assert isinstance(letter, DeadLetter)
    assert "is in the future" in letter.error

    await publish_snapshot(memory_bus, simulated=True, as_of=START + MINUTE)
    assert Market(True, START) == await newest_market(node)
    node = node_on(memory_bus)
    await serve_context(node, ContextOptions((path,)))
    assert (2, 1, 0) == counts(node)
    assert START + 5 * MINUTE == (await items_in(memory_bus))[-1].published_at


async def test_watched_folder(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """New files and appended lines are published, a half line waits, a replaced file is read."""
    node = node_on(memory_bus)
    service = ContextService(node)
    await service.open()
    task = asyncio.create_task(service.follow(tmp_path))
    try:
        path = write(tmp_path / "a.jsonl", row("a"))
        await eventually(lambda: counts(node) == (1, 0, 0), "the first file")
        with path.open("a") as file:
            file.write(row("b") + "\n" + row("c")[:20])
            file.flush()
            await eventually(lambda: counts(node) == (2, 0, 0), "the appended line")
            file.write(row("c")[20:] + "\n")
        await eventually(lambda: counts(node) == (3, 0, 0), "the half-written line")
        write(tmp_path / "b.ndjson", row("d"), "{")
        await eventually(lambda: counts(node) == (4, 0, 1), "the second file")
        write(path, row("e"), row("a"))
        await eventually(lambda: counts(node) == (5, 1, 1), "the replaced file")
        assert 2 == node.gauges["files"]
        path.unlink()
        (tmp_path / "link.jsonl").symlink_to(Path(__file__))
        await eventually(lambda: node.gauges["files"] == 2, "the removed file")
        assert not task.done()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await service.close()

    again = node_on(memory_bus)
    restarted = ContextService(again)
    await restarted.open()
    task = asyncio.create_task(restarted.follow(tmp_path))
    await eventually(lambda: counts(again) == (0, 1, 1), "the restart")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await restarted.close()
    assert 5 == len(await items_in(memory_bus))


async def without_wall_time(bus: MemoryBus) -> list[MarketSnapshot]:
    """Every snapshot in the log, with the same time of publication."""
    return [s.model_copy(update={"published_at": WALL}) for s in await snapshots_in(bus)]


def lockstep(bus: MemoryBus, *files: Path, snapshots: int = 6) -> LockstepPublisher:
    """A lock-step publisher of a short synthetic market with context."""
    node = Node("connector", "replay", Settings(), bus, FastClock(1.0))
    replay = replay_of(snapshots=snapshots)
    return LockstepPublisher(node, replay, ("a",), LockstepTimeouts(60.0, 60.0), files)


def context_file(folder: Path) -> Path:
    """Items at, just after and between the snapshots of the first minutes."""
    return write(
        folder / "context.jsonl",
        row("at", START + MINUTE),
        row("just-after", START + MINUTE + timedelta(microseconds=1)),
        row("relative", "PT2M30S"),
        row("before", "-PT1H", product="AERO-USD", kind="token_facts", facts={"max_supply": 5}),
        row("never", START + timedelta(days=1)),
        row("other", START, product="XRP-USD"),
        "{",
    )


async def test_lock_step_shows_items_from_their_publication_on(
    memory_bus: MemoryBus, tmp_path: Path
) -> None:
    """The snapshot at that time has the item, the one before has not; two runs are the same."""
    other = MemoryBus()
    await other.start()
    await other.ensure_topics(topics.fixed_topics())
    path = context_file(tmp_path)
    for bus in (memory_bus, other):
        async with running_agents(bus, ScriptedAgent("a")):
            await finish(lockstep(bus, path))

    first, second = [await without_wall_time(bus) for bus in (memory_bus, other)]
    assert [s.model_dump_json() for s in first] == [s.model_dump_json() for s in second]
    assert [[one.item_id for one in s.context] for s in first] == [
        ["before"],
        ["before", "at"],
        ["before", "just-after", "at"],
        ["before", "relative", "just-after", "at"],
        ["before", "relative", "just-after", "at"],
        ["before", "relative", "just-after", "at"],
    ]
    assert {6} == {s.context_offsets[0] for s in first}
    assert 1 == len(await logged(memory_bus, topics.DEAD_LETTERS.name))


async def test_kills_change_no_snapshot(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """Killed at any append, also of an item, the log becomes what it would have been."""
    other = MemoryBus()
    await other.start()
    await other.ensure_topics(topics.fixed_topics())
    path = write(tmp_path / "a.jsonl", row("a"), row("b", "PT1M"), row("c", "PT3M"))
    deaths = 0
    async with running_agents(memory_bus, ScriptedAgent("a")):
        while True:
            dying = CrashingBus(memory_bus.cluster, appends=deaths % 6, lost=deaths % 2 == 0)
            await dying.start()
            try:
                await finish(lockstep(dying, path, snapshots=4))
            except Killed:
                deaths += 1
                assert deaths < 100
                continue
            break
    async with running_agents(other, ScriptedAgent("a")):
        await finish(lockstep(other, path, snapshots=4))

    first, second = [await without_wall_time(bus) for bus in (memory_bus, other)]
    assert first == second
    assert 3 == len(await items_in(memory_bus))
    assert deaths > 6


async def test_a_correction_in_the_log_leaves_older_snapshots_alone(
    memory_bus: MemoryBus, tmp_path: Path
) -> None:
    """A resumed replay accepts the snapshots that show the older content."""
    path = write(tmp_path / "a.jsonl", row("a", title="wrong"))
    run = lockstep(memory_bus, path)
    task = asyncio.create_task(finish(run))
    async with running_agents(memory_bus, ScriptedAgent("a", silent=frozenset({2}))):
        await eventually(lambda: run.node.counters["snapshots"] == 3, "the third snapshot")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    write(path, row("a", title="right"))
    async with running_agents(memory_bus, ScriptedAgent("a")):
        await finish(lockstep(memory_bus, path))

    titles = [s.context[0].title for s in await snapshots_in(memory_bus)]
    assert ["wrong"] * 3 + ["right"] * 3 == titles


async def test_relative_items_of_a_live_simulation(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """They count from the oldest snapshot in the log, or from the first one that is made."""
    path = write(tmp_path / "a.jsonl", row("a", "PT1M"))
    await memory_bus.ensure_topics(topics.fixed_topics())
    fresh = SnapshotContext(node_on(memory_bus), (path,))
    assert () == (await fresh.at(START, ["BTC-USD"], simulated=True)).items
    found = await fresh.at(START + MINUTE, ["BTC-USD"], simulated=True)
    assert ["a"] == [one.item_id for one in found.items]
    assert {0: 1} == dict(found.offsets)

    await publish_snapshot(memory_bus, simulated=True, as_of=START)
    resumed = SnapshotContext(node_on(memory_bus), (path,))
    again = await resumed.at(START + 2 * MINUTE, ["BTC-USD"], simulated=True)
    assert found.items == again.items
    late = SnapshotContext(node_on(memory_bus), (path,))
    await late.publish_files(Market(True, START + timedelta(seconds=1)))
    assert 1 == len(await items_in(memory_bus))


def _has_snapshots(watched: RunningConnector, count: int) -> bool:
    return len(watched.snapshots) >= count


async def test_live_connector_publishes_its_files_once(
    memory_bus: MemoryBus, tmp_path: Path
) -> None:
    """Each item is in the snapshots from its time on, also after a restart of the connector."""
    path = write(tmp_path / "a.jsonl", row("old", "-PT1H"), row("new", "PT150S"))
    async with running_exchange() as server:
        for seen in (5, 1):
            async with running_connector(server, memory_bus, context=(path,)) as watched:
                await eventually(partial(_has_snapshots, watched, seen), "snapshots")
    snapshots = await snapshots_in(memory_bus)
    new = next(one for one in await items_in(memory_bus) if one.item_id == "new")

    assert 2 == len(await items_in(memory_bus))
    for snapshot in snapshots:
        expected = {"old"} | ({"new"} if new.published_at <= snapshot.as_of else set())
        assert expected == {one.item_id for one in snapshot.context}
    assert {1, 2} == {len(snapshot.context) for snapshot in snapshots}


async def test_unreadable_records_in_the_topic_are_dead_letters(memory_bus: MemoryBus) -> None:
    """They are counted as read, and the items after them are shown."""
    context = SnapshotContext(node_on(memory_bus))
    await context.at(START, [], simulated=True)
    name = topics.CONTEXT.name
    await (await memory_bus.send_bytes(name, b"{", key=b"", partition=0, headers=()))
    await publish_snapshot(memory_bus, simulated=True)
    snapshot = (await logged(memory_bus, topics.SNAPSHOTS.name))[0]
    await memory_bus.append(name, snapshot, key="")
    await memory_bus.append(name, ContextItem(item_id="a", kind="news", published_at=START), key="")

    found = await context.at(START, [], simulated=True)

    assert ["a"] == [one.item_id for one in found.items]
    assert {0: 3} == dict(found.offsets)
    assert 2 == len(await logged(memory_bus, topics.DEAD_LETTERS.name))


async def test_missing_file_is_an_error(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """With its name."""
    with pytest.raises(UsageError, match="cannot read .*none.jsonl"):
        await serve_context(node_on(memory_bus), ContextOptions((tmp_path / "none.jsonl",)))
