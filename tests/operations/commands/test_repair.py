"""`arena repair` finds every record the fold stops at, and never one that had counted."""

import asyncio

import pytest

from arena import topics
from arena.bus.base import LogReader, Record
from arena.bus.memory import MemoryBus
from arena.errors import BrokerUnavailable, CountedRecord
from arena.messages import Halt, ToolResult
from arena.pass_overs import EVENTS, read_passed_over
from operations.commands import repair
from operations.commands.repair import describe, find_blocking_records, pass_over
from tests.arena.test_accounts import NOW, Log

FUTURE = b'{"epoch":99,"owner":"x","seq":0,"prev":""}'
DEEP = b'{"epoch":1,"owner":"x","seq":0,"prev":"","more":' + b"[" * 90_000


async def write(bus: MemoryBus, records: list[tuple[str, bytes]]) -> None:
    """Append records to the first shard."""
    await bus.ensure_topics([topics.EVENTS, topics.CONTROL])
    for kind, value in records:
        headers = (("type", kind.encode()),)
        await (await bus.send_bytes(EVENTS, value, key=None, partition=0, headers=headers))


def sound_log() -> Log:
    """An owner, an account and two orders."""
    log = Log()
    log.claim("one")
    log.open()
    log.append(log.fill("1", "buy", "0.5"))
    log.append(log.fill("2", "sell", "0.5"))
    return log


async def test_a_sound_log_needs_nothing(memory_bus: MemoryBus) -> None:
    """Records that the fold ignores do not stop it."""
    log = sound_log()
    await write(memory_bus, [*log.records, log.records[2]])

    assert [] == await find_blocking_records(memory_bus)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("", b"\xff\x00"),
        ("OrderDecided", b"{}"),
        ("Epoch", FUTURE),
        ("Epoch", DEEP),
        ("Ticker", b"[" * 90_000),
    ],
)
async def test_foreign_records_are_passed_over(
    memory_bus: MemoryBus, kind: str, value: bytes
) -> None:
    """What counts around them counts on, and a second repair finds nothing."""
    log = sound_log()
    await write(memory_bus, [*log.records[:3], (kind, value), (kind, value), log.records[3]])

    stops = await find_blocking_records(memory_bus)
    assert [3, 4] == [stop.offset for stop in stops]
    assert f"{EVENTS}[0]@3" in describe(stops)[0]
    await pass_over(memory_bus, stops)

    assert {3, 4} == set((await read_passed_over(memory_bus))[0])
    assert [] == await find_blocking_records(memory_bus)


def forged_fill(log: Log) -> bytes:
    """The first fill of a log with postings that do not add up: it stops the fold half-way."""
    sound = log.records[2][1]
    forged = sound.replace(b'"account":"house/fees"', b'"account":"house/feez"')
    forged = forged.replace(b'"amount":"100000000"', b'"amount":"200000000"')
    assert forged != sound
    return forged


async def test_records_folded_in_part_leave_nothing_behind(
    memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are, each record of the log is folded once."""
    log = sound_log()
    folded: list[int] = []
    forged = [("OrderDecided", forged_fill(log))] * 30
    await write(memory_bus, [*log.records[:2], *forged, *log.records[2:]])
    apply = repair.ShardFold.apply

    def counting(self: repair.ShardFold, record: Record) -> None:
        folded.append(record.offset)
        apply(self, record)

    monkeypatch.setattr(repair.ShardFold, "apply", counting)

    stops = await find_blocking_records(memory_bus)

    assert [*range(2, 32)] == [stop.offset for stop in stops]
    assert "sum to zero" in stops[0].error
    assert [*range(len(log.records) + 30)] == folded


async def test_a_damaged_event_cannot_be_passed_over(memory_bus: MemoryBus) -> None:
    """The events behind it carry a sequence number that would be missing."""
    log = sound_log()
    await write(memory_bus, [*log.records[:2], ("OrderDecided", b"rot"), log.records[3]])

    with pytest.raises(CountedRecord, match="restore the log from an export"):
        await find_blocking_records(memory_bus)


@pytest.mark.parametrize(("told", "counted"), [(2, False), (3, True), (4, True), (900, False)])
async def test_a_last_event_that_an_agent_was_told_of_cannot_be_passed_over(
    memory_bus: MemoryBus, told: int, counted: bool
) -> None:
    """Nothing follows it in the log, but its agent's inbox names its sequence number."""
    log = sound_log()
    rot = ("OrderDecided", b"rot")
    await write(memory_bus, [*log.records[:3], rot, rot])
    await memory_bus.ensure_topics([topics.INBOX.member("a")])
    result = ToolResult(
        call_id="2",
        agent="a",
        turn_id="t",
        round=0,
        index=0,
        tool="execute_trade",
        ok=True,
        text="sold",
        account_seq=told,
    )
    await memory_bus.append(topics.inbox("a"), result)

    if counted:
        with pytest.raises(CountedRecord, match=rf"agent\.inbox\.a\[0\]@0 .* event {told}"):
            await find_blocking_records(memory_bus)
    else:
        assert [3, 4] == [stop.offset for stop in await find_blocking_records(memory_bus)]


async def test_a_record_that_events_follow_asks_no_inbox(memory_bus: MemoryBus) -> None:
    """The chain shows that it never counted, whatever a stranger writes into an inbox."""
    log = sound_log()
    await write(memory_bus, [*log.records[:3], ("", b"rot"), log.records[3]])
    await memory_bus.ensure_topics([topics.INBOX.member("a")])
    await memory_bus.send_bytes(
        topics.inbox("a"),
        b'{"account_seq":4}',
        key=None,
        partition=0,
        headers=(("type", b"ToolResult"),),
    )

    assert [3] == [stop.offset for stop in await find_blocking_records(memory_bus)]


async def test_only_what_is_passed_over_is_kept_of_the_control_topic(
    memory_bus: MemoryBus,
) -> None:
    """Halts are read past."""
    log = sound_log()
    await write(memory_bus, [*log.records, ("", b"rot")])
    for number in range(50):
        halt = Halt(agent=f"a{number}", by="test", at=NOW)
        await memory_bus.append(topics.CONTROL.name, halt, key=f"agent/a{number}")
    await pass_over(memory_bus, await find_blocking_records(memory_bus))

    assert [4] == [*(await read_passed_over(memory_bus))[0]]


class SilentReader(LogReader):
    """A topic that does not end here, and gives nothing."""

    async def read(self, *, timeout_s: float = 0.5, max_records: int = 1000) -> list[Record]:
        """Nothing."""
        return []

    def position(self, topic: str, partition: int) -> int:
        """Always the same."""
        return 7

    async def end_offsets(self) -> dict[tuple[str, int], int]:
        """Behind that."""
        return {(topics.CONTROL.name, 0): 9}

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Nothing."""

    async def close(self) -> None:
        """Nothing."""


async def test_a_topic_that_gives_nothing_is_not_waited_for_without_end(
    memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the place."""

    async def silent(*_: object) -> LogReader:
        return SilentReader()

    monkeypatch.setattr(memory_bus, "log_reader", silent)

    with pytest.raises(BrokerUnavailable, match=r"arena\.control\[0\] gives nothing .* 7"):
        async with asyncio.timeout(5):
            await read_passed_over(memory_bus)
