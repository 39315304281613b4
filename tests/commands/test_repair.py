"""`arena repair` finds every record the fold stops at, and never one that had counted."""

import pytest

from arena import topics
from arena.bus.memory import MemoryBus
from arena.commands.repair import describe, find_stops, pass_over
from arena.errors import CountedRecord
from arena.passed_over import EVENTS, read_passed_over
from tests.arena.test_accounts import Log

FUTURE = b'{"epoch":99,"owner":"x","seq":0,"prev":""}'


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

    assert [] == await find_stops(memory_bus)


@pytest.mark.parametrize(
    ("kind", "value"),
    [("", b"\xff\x00"), ("OrderDecided", b"{}"), ("Epoch", FUTURE), ("Ticker", b"[" * 90_000)],
)
async def test_foreign_records_are_passed_over(
    memory_bus: MemoryBus, kind: str, value: bytes
) -> None:
    """What counts around them counts on, and a second repair finds nothing."""
    log = sound_log()
    await write(memory_bus, [*log.records[:3], (kind, value), (kind, value), log.records[3]])

    stops = await find_stops(memory_bus)
    assert [3, 4] == [stop.offset for stop in stops]
    assert f"{EVENTS}[0]@3" in describe(stops)[0]
    await pass_over(memory_bus, stops)

    assert {3, 4} == set((await read_passed_over(memory_bus))[0])
    assert [] == await find_stops(memory_bus)


async def test_a_record_folded_in_part_leaves_nothing_behind(memory_bus: MemoryBus) -> None:
    """An order whose postings do not add up stops the fold half-way; the fold begins again."""
    log = sound_log()
    forged = log.records[2][1].replace(b'"account":"house/fees"', b'"account":"house/feez"')
    forged = forged.replace(b'"amount":"100000000"', b'"amount":"200000000"')
    assert forged != log.records[2][1]
    await write(memory_bus, [*log.records[:2], ("OrderDecided", forged), *log.records[2:]])

    stops = await find_stops(memory_bus)

    assert [2] == [stop.offset for stop in stops]
    assert "sum to zero" in stops[0].error


async def test_a_damaged_event_cannot_be_passed_over(memory_bus: MemoryBus) -> None:
    """The events behind it carry a sequence number that would be missing."""
    log = sound_log()
    await write(memory_bus, [*log.records[:2], ("OrderDecided", b"rot"), log.records[3]])

    with pytest.raises(CountedRecord, match="restore the log from an export"):
        await find_stops(memory_bus)
