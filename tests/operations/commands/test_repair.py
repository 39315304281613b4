"""`arena repair` finds every record that stops the fold, and never one that counted."""

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
from tests.ledger.wallet_log import WalletArena

FUTURE = b'{"epoch":99,"owner":"x","seq":0,"prev":""}'
DEEP = b'{"epoch":1,"owner":"x","seq":0,"prev":"","more":' + b"[" * 90_000


async def write(bus: MemoryBus, records: list[tuple[str, bytes]]) -> None:
    """Append records to the first shard."""
    await bus.ensure_topics([topics.EVENTS, topics.CONTROL])
    for kind, value in records:
        headers = (("type", kind.encode()),)
        await (await bus.send_bytes(EVENTS, value, key=None, partition=0, headers=headers))


def sound_log() -> Log:
    """A log with an owner, an account and two orders."""
    log = Log()
    log.claim("one")
    log.open()
    log.append(log.fill("1", "buy", "0.5"))
    log.append(log.fill("2", "sell", "0.5"))
    return log


async def test_sound_log_needs_no_repair(memory_bus: MemoryBus) -> None:
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
    """The events around them count, and a second repair finds nothing."""
    log = sound_log()
    await write(memory_bus, [*log.records[:3], (kind, value), (kind, value), log.records[3]])

    stops = await find_blocking_records(memory_bus)
    assert [3, 4] == [stop.offset for stop in stops]
    assert f"{EVENTS}[0]@3" in describe(stops)[0]
    await pass_over(memory_bus, stops)

    assert {3, 4} == set((await read_passed_over(memory_bus))[0])
    assert [] == await find_blocking_records(memory_bus)


def forged_fill(log: Log) -> bytes:
    """The first fill of a log with unbalanced postings: it stops the fold in the middle."""
    sound = log.records[2][1]
    forged = sound.replace(b'"account":"house/fees"', b'"account":"house/feez"')
    forged = forged.replace(b'"amount":"100000000"', b'"amount":"200000000"')
    assert forged != sound
    return forged


async def test_partly_folded_records_are_undone(
    memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each record of the log is folded once, whatever the number of forged records."""
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


async def test_partly_folded_record_of_a_wallet_is_undone(memory_bus: MemoryBus) -> None:
    """The later events of that wallet are folded as if the record did not exist."""
    records = [(r.kind, r.value or b"") for r in WalletArena().records[EVENTS]]
    place = next(n for n, (_, value) in enumerate(records) if b"binance:BTCUSDT" in value)
    kind, sound = records[place]
    forged = sound.replace(b'"position_after":"0.25"', b'"position_after":"0.5"')
    assert forged != sound
    await write(memory_bus, [*records[:place], (kind, forged), *records[place:]])

    (stop,) = await find_blocking_records(memory_bus)

    assert place == stop.offset
    assert "position_after is 0.5, the fold has 0.25" in stop.error


async def test_damaged_event_cannot_be_passed_over(memory_bus: MemoryBus) -> None:
    """Its sequence number would be missing before the later events."""
    log = sound_log()
    await write(memory_bus, [*log.records[:2], ("OrderDecided", b"rot"), log.records[3]])

    with pytest.raises(CountedRecord, match="restore the log from an export"):
        await find_blocking_records(memory_bus)


@pytest.mark.parametrize(("seq", "counted"), [(2, False), (3, True), (4, True), (900, False)])
async def test_last_event_named_in_an_inbox_cannot_be_passed_over(
    memory_bus: MemoryBus, seq: int, counted: bool
) -> None:
    """No event follows it in the log, but its agent's inbox has its sequence number."""
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
        account_seq=seq,
    )
    await memory_bus.append(topics.inbox("a"), result)

    if counted:
        with pytest.raises(CountedRecord, match=rf"agent\.inbox\.a\[0\]@0 .* event {seq}"):
            await find_blocking_records(memory_bus)
    else:
        assert [3, 4] == [stop.offset for stop in await find_blocking_records(memory_bus)]


async def test_record_followed_by_events_needs_no_inbox(memory_bus: MemoryBus) -> None:
    """The sequence numbers show that it never counted, whatever an inbox says."""
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


async def test_reading_passed_over_records_skips_halts(
    memory_bus: MemoryBus,
) -> None:
    """Only `PassOver` messages of `arena.control` are returned."""
    log = sound_log()
    await write(memory_bus, [*log.records, ("", b"rot")])
    for number in range(50):
        halt = Halt(agent=f"a{number}", by="test", at=NOW)
        await memory_bus.append(topics.CONTROL.name, halt, key=f"agent/a{number}")
    await pass_over(memory_bus, await find_blocking_records(memory_bus))

    assert [4] == [*(await read_passed_over(memory_bus))[0]]


class SilentReader(LogReader):
    """A reader that returns nothing, although its topic has records."""

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


async def test_wait_for_a_silent_topic_is_bounded(
    memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the position."""

    async def silent(*_: object) -> LogReader:
        return SilentReader()

    monkeypatch.setattr(memory_bus, "log_reader", silent)
    monkeypatch.setattr("arena.read_topic.STALL_S", 0.1)

    with pytest.raises(BrokerUnavailable, match=r"arena\.control\[0\] returned no record .* 7"):
        async with asyncio.timeout(5):
            await read_passed_over(memory_bus)
