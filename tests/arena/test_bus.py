"""The contract of the bus: every test runs over real Kafka and over memory."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from arena import topics
from arena.bus import Bus, Record, Start, memory_logs
from arena.bus.base import LATEST, GroupReader, LogReader
from arena.bus.kafka import KafkaBus
from arena.bus.memory import MemoryBus, MemoryCluster, milliseconds_of
from arena.clock import SystemClock
from arena.errors import BrokenLog, BrokerUnavailable, MessageTooLarge, UsageError
from arena.messages import LlmCall, OpenAccount
from arena.settings import Settings
from operations.simulation.bus import SimulatedBus
from operations.simulation.cluster import SimulatedCluster
from operations.simulation.network import QUIET, Network

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
DEADLINE_S = 20.0
COMMANDS = topics.COMMANDS.name
FOUR = topics.TOOL_CALLS.name

SLOW = Network(0.005, 0.2, 0.05, 0.1, 0.2, 0.5, 0.5, heartbeat_s=0.2)
"""A network with delays, lost acks, reads of a part, and late members of groups."""

Connect = Callable[[], Awaitable[Bus]]


def command(n: int) -> OpenAccount:
    """The n-th command."""
    return OpenAccount(call_id=str(n), agent="a", issued_at=NOW)


@pytest.fixture(params=["memory", "spilled", "simulated", "slow", "kafka"])
async def connect(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[[], Awaitable[Bus]]]:
    """Opens further connections to the same arena."""
    opened: list[Bus] = []
    cluster = MemoryCluster(folder=tmp_path if request.param == "spilled" else None)
    monkeypatch.setattr(memory_logs, "KEPT_RECORDS_MAX", 2)
    network = SLOW if request.param == "slow" else QUIET
    brokers = SimulatedCluster(milliseconds_of(SystemClock()), network)
    kafka: Settings | None = (
        request.getfixturevalue("settings") if request.param == "kafka" else None
    )

    async def open_bus() -> Bus:
        bus: Bus = KafkaBus(kafka) if kafka else MemoryBus(cluster)
        if request.param in ("simulated", "slow"):
            bus = SimulatedBus(brokers, SystemClock())
        await bus.start()
        await bus.ensure_topics(topics.fixed_topics())
        opened.append(bus)
        return bus

    yield open_bus
    for bus in opened:
        await bus.close()
    cluster.close()


async def read_count(reader: LogReader | GroupReader, count: int) -> list[Record]:
    """Read until `count` records are there, or fail at the deadline."""
    records: list[Record] = []
    async with asyncio.timeout(DEADLINE_S):
        while len(records) < count:
            records += await reader.read(timeout_s=0.2)
    return records


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, or fail at the deadline."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.02)


async def test_log_is_read_in_order(connect: Connect) -> None:
    """What was appended comes back in order, with contiguous offsets and decoded."""
    bus = await connect()
    for n in range(5):
        ack = await bus.append(COMMANDS, command(n), partition=0)
        assert (0, n) == (ack.partition, ack.offset)
    reader = await bus.log_reader(COMMANDS)
    records = await read_count(reader, 5)

    assert [command(n) for n in range(5)] == [r.message() for r in records]
    assert list(range(5)) == [r.offset for r in records]
    assert 5 == reader.position(COMMANDS, 0)
    assert 0 == await reader.lag()
    await reader.close()


async def test_reader_starts_at_given_position(connect: Connect) -> None:
    """Latest sees only what comes later; an offset starts there; seek goes back."""
    bus = await connect()
    for n in range(3):
        await bus.append(COMMANDS, command(n), partition=0)
    latest = await bus.log_reader(COMMANDS, start=LATEST)
    at_two = await bus.log_reader(COMMANDS, start=Start(offsets={(COMMANDS, 0): 2}))
    await bus.append(COMMANDS, command(3), partition=0)

    assert [3] == [r.offset for r in await read_count(latest, 1)]
    assert [2, 3] == [r.offset for r in await read_count(at_two, 2)]
    at_two.seek(COMMANDS, 0, 1)
    assert [1, 2, 3] == [r.offset for r in await read_count(at_two, 3)]
    await latest.close()
    await at_two.close()


async def test_reader_starts_at_a_time(connect: Connect) -> None:
    """The first record not older than the time is the first one read; none yet means the end."""
    bus = await connect()
    await bus.append(COMMANDS, command(0), partition=0)
    reader = await bus.log_reader(COMMANDS)
    (first,) = await read_count(reader, 1)
    await reader.close()
    since = await bus.log_reader(COMMANDS, start=Start.since(first.timestamp_ms))
    later = await bus.log_reader(COMMANDS, start=Start.since(first.timestamp_ms + 60_000))

    assert [0] == [r.offset for r in await read_count(since, 1)]
    assert 1 == later.position(COMMANDS, 0)
    await since.close()
    await later.close()


async def test_key_stays_in_its_partition(connect: Connect) -> None:
    """The partition of a key is the one the arena computes, on every bus."""
    bus = await connect()
    partitions = await bus.partitions(FOUR)
    acks = {key: await bus.append(FOUR, command(0), key=key) for key in ("a", "b", "momentum")}

    assert 4 == partitions
    assert {k: topics.partition_of(k, 4) for k in acks} == {k: a.partition for k, a in acks.items()}


async def test_group_shares_partitions(connect: Connect) -> None:
    """Two members of a group read each record once between them."""
    first_bus, second_bus = await connect(), await connect()
    first = await first_bus.group_reader("g", FOUR)
    second = await second_bus.group_reader("g", FOUR)
    found: list[Record] = []

    async def read(reader: GroupReader) -> None:
        while True:
            found.extend(await reader.read(timeout_s=0.1))

    tasks = [asyncio.create_task(read(r)) for r in (first, second)]
    await until(lambda: len(first.assignment()) == len(second.assignment()) == 2)
    for n in range(40):
        await first_bus.append(FOUR, command(n), partition=n % 4)
    await until(lambda: len(found) >= 40)
    for task in tasks:
        task.cancel()

    assert frozenset() == first.assignment() & second.assignment()
    assert sorted(str(n) for n in range(40)) == sorted(_call_id(r) for r in found)
    await first.close()
    await second.close()


def _call_id(record: Record) -> str:
    message = record.message()
    assert isinstance(message, OpenAccount)
    return message.call_id


async def test_group_continues_at_committed_offset(connect: Connect) -> None:
    """A member that comes later starts at the committed offset."""
    bus = await connect()
    for n in range(4):
        await bus.append(COMMANDS, command(n), partition=0)
    first = await bus.group_reader("g", COMMANDS)
    await read_count(first, 4)
    await first.commit({(COMMANDS, 0): 3})
    await first.close()
    second = await bus.group_reader("g", COMMANDS)

    assert [3] == [r.offset for r in await read_count(second, 1)]
    await second.close()


async def test_standby_takes_over(connect: Connect) -> None:
    """The second member of a group on one partition owns nothing until the first leaves."""
    first_bus, second_bus = await connect(), await connect()
    changes: list[int] = []
    first = await first_bus.group_reader("g", COMMANDS)
    second = await second_bus.group_reader(
        "g", COMMANDS, on_change=lambda owned: changes.append(len(owned))
    )
    polls = [asyncio.create_task(_poll(r)) for r in (first, second)]
    await until(lambda: len(first.assignment()) + len(second.assignment()) == 1)
    owner, standby = (first, second) if first.assignment() else (second, first)
    for poll in polls:
        poll.cancel()
    await asyncio.gather(*polls, return_exceptions=True)
    await owner.close()
    poll = asyncio.create_task(_poll(standby))
    await until(lambda: len(standby.assignment()) == 1)
    poll.cancel()

    assert frozenset({(COMMANDS, 0)}) == standby.assignment()
    await standby.close()


async def _poll(reader: GroupReader) -> None:
    while True:
        await reader.read(timeout_s=0.1)


async def test_paused_partitions_deliver_nothing(connect: Connect) -> None:
    """A paused partition is silent, another one is not, and resume brings the rest."""
    bus = await connect()
    reader = await bus.group_reader("g", FOUR)
    await reader.read(timeout_s=0.1)
    reader.pause([(FOUR, 0)])
    await bus.append(FOUR, command(0), partition=0)
    await bus.append(FOUR, command(1), partition=1)

    assert [1] == [r.partition for r in await read_count(reader, 1)]
    assert [] == await reader.read(timeout_s=0.3)
    reader.resume([(FOUR, 0)])
    assert [0] == [r.partition for r in await read_count(reader, 1)]
    await reader.close()


async def test_message_too_large_is_refused_before_it_is_sent(connect: Connect) -> None:
    """The error has the size, nothing is in the log, and the bus still works."""
    bus = await connect()
    call = LlmCall(
        call_id="c",
        agent="a",
        turn_id="t",
        round=0,
        node="n",
        model="m",
        outcome="ok",
        request_sha256="",
        raw_response="x" * topics.RECORD_BYTES_MAX,
        started_at=NOW,
        ended_at=NOW,
    )
    with pytest.raises(MessageTooLarge, match="LlmCall for llm.calls has 1,000,"):
        await bus.append(topics.LLM_CALLS.name, call, key="n")
    after = await bus.append(
        topics.LLM_CALLS.name, call.model_copy(update={"raw_response": "x" * 900_000}), key="n"
    )

    assert 0 == after.offset


async def test_writer_sees_that_a_log_lost_its_end(memory_bus: MemoryBus) -> None:
    """An append at or before an acked offset is reported; nothing else is."""
    for n in range(3):
        await memory_bus.append(COMMANDS, command(n), partition=0)
    assert {} == memory_bus.lost
    del memory_bus.cluster.logs[COMMANDS, 0][1:]
    await memory_bus.append(COMMANDS, command(3), partition=0)
    await memory_bus.append(COMMANDS, command(4), partition=0)

    words = memory_bus.lost[COMMANDS, "0, its writer"]
    assert "at offset 1, and one at offset 2 had been acked" in words


async def test_prefixes_keep_arenas_apart(settings: Settings, bus: KafkaBus) -> None:
    """Another arena on the same broker sees none of the records."""
    other = KafkaBus(settings.override(prefix=settings.prefix + "other."))
    await other.start()
    await other.ensure_topics([topics.COMMANDS])
    await bus.append(COMMANDS, command(0), partition=0)
    reader = await other.log_reader(COMMANDS)

    assert [] == await reader.read(timeout_s=0.3)
    await reader.close()
    await other.close()


async def test_topics_are_created_as_the_table_says(bus: KafkaBus) -> None:
    """Creating again is harmless, and the partitions are those of the table."""
    await bus.ensure_topics(topics.fixed_topics())

    found = {spec.name: await bus.partitions(spec.name) for spec in topics.fixed_topics()}
    assert {spec.name: spec.partitions for spec in topics.fixed_topics()} == found


async def test_wrong_address_is_an_error_with_remedy() -> None:
    """A wrong address gives an error that names it and the remedy."""
    bus = KafkaBus(Settings(bootstrap_servers="127.0.0.1:1"))

    with pytest.raises(BrokerUnavailable, match=r"127\.0\.0\.1:1 .* KAFKA_BOOTSTRAP_SERVERS"):
        await bus.start()


async def test_missing_offset_is_found(bus: KafkaBus) -> None:
    """A log reader that meets another offset than the expected one stops."""
    for n in range(3):
        await bus.append(COMMANDS, command(n), partition=0)
    reader = await bus.log_reader(COMMANDS)
    reader._next[COMMANDS, 0] = 1  # type: ignore[attr-defined]  # as if a record had vanished

    with pytest.raises(BrokenLog, match="expected offset 1, read 0"):
        await read_count(reader, 3)
    await reader.close()


def test_unknown_topic_lists_the_known_ones() -> None:
    """The error of a mistyped topic helps to correct it."""
    with pytest.raises(UsageError, match=r"'account\.event'.*account\.events"):
        topics.spec_of("account.event")
