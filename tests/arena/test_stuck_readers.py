"""A reader that hangs ends its process; one that is slow, or paused, does not."""

import asyncio
import sys
from collections.abc import Awaitable, Callable

import pytest
from aiokafka.admin import NewPartitions

from arena import topics
from arena.bus.base import EARLIEST, Bus, GroupReader, LogReader, Reader, ReaderPosition
from arena.bus.kafka import KafkaBus
from arena.bus.kafka_admin import admin_client
from arena.bus.memory import MemoryBus
from arena.bus.stuck_readers import CHECKS, ReadProgress, watch_readers
from arena.clock import SystemClock
from arena.errors import Stuck
from arena.messages import Halt
from arena.settings import Settings
from tests.dashboard.publishing import ROOT, environment

STUCK_S = 1.2
DEADLINE_S = 60.0
PAIR = ("market.snapshots", 0)


def note(
    progress: ReadProgress, times: int, position: int, end: int, *, asked: bool = True
) -> bool:
    """True if the last of a number of checks finds it stuck."""
    found = None
    for _ in range(times):
        found = progress.note(0, int(asked), {PAIR: ReaderPosition(position, end)})
    return found == PAIR


def test_position_that_does_not_move_is_stuck() -> None:
    """After so many whole intervals, not before."""
    assert not note(ReadProgress(), CHECKS, 5, 9)
    assert note(ReadProgress(), CHECKS + 1, 5, 9)


def test_reader_at_the_end_is_not_stuck() -> None:
    """A quiet topic gives nothing for any time."""
    assert not note(ReadProgress(), 10 * CHECKS, 9, 9)


def test_reader_without_reads_is_not_stuck() -> None:
    """A process that computes for long does not read, and lags on purpose."""
    assert not note(ReadProgress(), 10 * CHECKS, 5, 9, asked=False)


def test_progress_or_pause_restarts_the_count() -> None:
    """One record read, one check without a question, one pause: each is a fresh start."""
    progress = ReadProgress()
    assert not note(progress, CHECKS, 5, 9)
    assert not note(progress, 1, 6, 9)
    assert not note(progress, CHECKS - 1, 6, 9)
    assert not note(progress, 1, 6, 9, asked=False)
    assert not note(progress, CHECKS, 6, 9)
    progress.note(0, 1, {})
    assert not note(progress, CHECKS, 6, 9)
    assert note(progress, 1, 6, 9)


def test_reads_that_return_empty_count_as_asking() -> None:
    """None may be under way at the moment of the check."""
    progress = ReadProgress()
    found = [progress.note(n, 0, {PAIR: ReaderPosition(5, 9)}) for n in range(1, CHECKS + 2)]

    assert [None] * CHECKS + [PAIR] == found


PROGRAM = """
import asyncio, sys
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.fetch import FetchRequest
from arena import topics
from arena.node import run_node
from arena.settings import Settings

found = []
send = AIOKafkaClient.send

async def swallow(self, node, request, **more):
    answer = await send(self, node, request, **more)
    if found and isinstance(request, FetchRequest):
        await asyncio.sleep(3600)
    return answer

AIOKafkaClient.send = swallow

async def serve(node, _):
    reader = await OPEN
    while True:
        for record in await reader.read():
            found.append(record)
            print("read", record.offset, flush=True)

run_node("reader", "one", Settings(), serve, None)
"""
HOW = {
    "log": 'node.bus.log_reader("market.snapshots")',
    "group": 'node.bus.group_reader("readers", "market.snapshots")',
}


@pytest.mark.parametrize("how", sorted(HOW))
async def test_process_whose_fetches_are_swallowed_ends(
    bus: KafkaBus, settings: Settings, how: str
) -> None:
    """It reads one record, then its fetches hang: exit code 1, and an error with the position."""
    program = PROGRAM.replace("OPEN", HOW[how])
    await _append(bus)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        cwd=ROOT,
        env=environment(settings, ARENA_STUCK_S=str(STUCK_S)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(DEADLINE_S):
            assert b"read 0\n" == await process.stdout.readline()
            await _append(bus)
            _, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()

    assert 1 == process.returncode
    assert "market.snapshots[0] gave nothing after offset 1 for 1.2 s" in errors.decode()
    assert b"Traceback" not in errors


async def _append(bus: Bus) -> None:
    # What stands in the topic does not matter to a reader of records.
    message = Halt(by="test", at=SystemClock().now())
    await bus.append(topics.SNAPSHOTS.name, message, partition=0)


async def _paused(bus: Bus) -> None:
    reader = await bus.group_reader("slow", topics.SNAPSHOTS.name)
    while not await reader.read():
        pass
    reader.pause(reader.assignment())
    await _append(bus)
    while True:
        assert [] == await reader.read(timeout_s=0.1)


async def _unread(bus: Bus) -> None:
    reader = await bus.log_reader(topics.SNAPSHOTS.name)
    await asyncio.sleep(DEADLINE_S)
    await reader.close()


async def _standby(bus: Bus) -> None:
    first = await bus.group_reader("seats", topics.SNAPSHOTS.name)
    while not first.assignment():
        await first.read(timeout_s=0.1)
    second = await bus.group_reader("seats", topics.SNAPSHOTS.name)
    while True:
        await asyncio.gather(first.read(timeout_s=0.1), second.read(timeout_s=0.1))


async def _one_by_one(bus: Bus) -> None:
    reader = await bus.log_reader(topics.SNAPSHOTS.name, start=EARLIEST)
    while True:
        await reader.read(timeout_s=0.1, max_records=1)
        await asyncio.sleep(STUCK_S / CHECKS)


@pytest.mark.parametrize("work", [_paused, _unread, _standby, _one_by_one])
async def test_paused_and_slow_readers_are_not_stuck(
    bus: KafkaBus, work: Callable[[Bus], Awaitable[None]]
) -> None:
    """Paused partitions, a reader without reads, a standby, and small reads are not stuck."""
    for _ in range(40):
        await _append(bus)
    working = asyncio.ensure_future(work(bus))
    try:
        async with asyncio.timeout(3 * STUCK_S):
            watching = asyncio.create_task(watch_readers(bus, STUCK_S))
            await asyncio.wait([watching, working], return_when=asyncio.FIRST_COMPLETED)
            assert (False, False) == (watching.done(), working.done())
    except TimeoutError:
        assert not working.done()
    finally:
        watching.cancel()
        working.cancel()
        await asyncio.gather(watching, working, return_exceptions=True)


async def test_watch_names_the_reader(bus: KafkaBus) -> None:
    """A closed reader is forgotten; one that hangs is found."""
    await _append(bus)
    gone = await bus.log_reader(topics.SNAPSHOTS.name)
    await gone.close()
    reader = await bus.log_reader(topics.SNAPSHOTS.name)
    hanging = asyncio.create_task(_hang(reader))
    try:
        with pytest.raises(Stuck, match=r"market.snapshots\[0\] gave nothing after offset 0"):
            async with asyncio.timeout(DEADLINE_S):
                await watch_readers(bus, STUCK_S)
    finally:
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)


async def _hang(reader: Reader) -> None:
    with reader.reading():  # A read that never returns.
        await asyncio.sleep(DEADLINE_S)


@pytest.mark.parametrize("kind", ["log", "group"])
@pytest.mark.parametrize("on", ["memory", "kafka"])
async def test_added_partitions_end_the_process(
    request: pytest.FixtureRequest, on: str, kind: str
) -> None:
    """What a writer puts there would never be read; a process that starts again reads them all."""
    name = topics.TICKERS.name
    settings = request.getfixturevalue("settings") if on == "kafka" else Settings()
    bus: Bus = KafkaBus(settings) if on == "kafka" else MemoryBus()
    await bus.start()
    await bus.ensure_topics([topics.TICKERS])
    reader: LogReader | GroupReader = await (
        bus.group_reader("g", name) if kind == "group" else bus.log_reader(name)
    )
    one = await bus.partition_reader(name, 0, EARLIEST)
    watching = asyncio.create_task(watch_readers(bus, CHECKS * 0.05))
    if isinstance(bus, MemoryBus):
        bus.cluster.grow(name, 3)
    else:
        async with admin_client(settings) as admin:
            await admin.create_partitions({settings.prefix + name: NewPartitions(3)})
    async with asyncio.timeout(DEADLINE_S):
        with pytest.raises(Stuck, match=r"market\.tickers has 3 partitions now, and had 1"):
            await watching
    await reader.close()
    again = await bus.log_reader(name)

    assert {(name, 0), (name, 1), (name, 2)} == set(await again.end_offsets())
    assert {} == one.partition_counts
    await one.close()
    await again.close()
    await bus.close()
