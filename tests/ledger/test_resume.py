"""A restart continues at the booked offset, and only on the log that the books belong to."""

import asyncio
from collections.abc import Callable
from hashlib import sha256

import pytest
from sqlalchemy import update

from arena.accounts import Shard
from arena.bus.memory import MemoryBus
from arena.checkpoint import FORMAT, pack_shard, unpack_shard
from arena.errors import BrokenLog, Fenced
from arena.settings import Settings
from ledger import resume, schema, service
from ledger.batch import BookedOffset, RowBatch
from ledger.database import Database
from ledger.location import BooksLocation
from ledger.posting import EVENTS, Poster
from ledger.projector import Projector
from ledger.writer import Writer
from tests.arena.test_accounts import Log
from tests.ledger.helpers import (
    WAIT_S,
    book_balances,
    fold_balances,
    next_offset,
    publish,
    records_of,
    running_ledger,
    wait_until_booked,
    written_log,
)

Offsets = list[int]


@pytest.fixture
def folded_again(monkeypatch: pytest.MonkeyPatch) -> Offsets:
    """The offsets that were folded again after a restart."""
    offsets: Offsets = []
    apply = resume.fold

    def fold(shard: Shard, record: object) -> None:
        offsets.append(record.offset)  # type: ignore[attr-defined]
        apply(shard, record)  # type: ignore[arg-type]

    monkeypatch.setattr(resume, "fold", fold)
    monkeypatch.setattr(service, "EVENTS_PER_FOLD", 20)
    monkeypatch.setattr(service, "BATCH_MAX", 10)
    return offsets


def attest(log: Log) -> None:
    """Append the digest of the state, as the owner of the shard does."""
    log.attest(format=FORMAT, sha256=sha256(pack_shard(log.shard)).hexdigest())


def forged(packed: bytes) -> bytes:
    """Return the same state with another balance."""
    shard = unpack_shard(packed)
    shard.accounts["a"].cash += 100
    return pack_shard(shard)


@pytest.mark.parametrize(
    "change",
    [forged, lambda packed: packed.replace(bytes([FORMAT]), b"\x01", 1), lambda packed: b""],
    ids=["another balance", "format 1", "nothing"],
)
async def test_forged_fold_is_discarded(
    memory_bus: MemoryBus,
    location: BooksLocation,
    folded_again: Offsets,
    change: Callable[[bytes], bytes],
) -> None:
    """If the log does not prove the stored fold, everything is folded again, correctly."""
    log = written_log(60)
    attest(log)
    log.append(log.reject("after"))
    await publish(memory_bus, log.records)
    async with running_ledger(memory_bus, Settings(), location):
        await wait_until_booked(location, len(log.records))
    database = Database(location)
    packed = Writer(database).fold(0)
    assert packed is not None
    with database.engine.begin() as connection:
        connection.execute(update(schema.folds).values(packed=change(packed)))
    database.close()
    log.append(log.reject("later"))
    await publish(memory_bus, log.records[-1:])
    async with running_ledger(memory_bus, Settings(), location) as ledger:
        await wait_until_booked(location, len(log.records))
        await wait_until(lambda: ledger.node.status == "running")

    assert 0 == folded_again[0]
    assert fold_balances(log.shard) == book_balances(location)


async def test_restart_folds_only_later_events(
    memory_bus: MemoryBus, location: BooksLocation, folded_again: Offsets
) -> None:
    """It uses the stored fold, and folds the events after it."""
    log = written_log(90)
    attest(log)
    for number in range(90, 100):
        log.append(log.reject(f"later {number}"))
    await publish(memory_bus, log.records[:-1])
    async with running_ledger(memory_bus, Settings(), location):
        await wait_until_booked(location, len(log.records) - 1)
    await publish(memory_bus, log.records[-1:])
    async with running_ledger(memory_bus, Settings(), location):
        await wait_until_booked(location, len(log.records))

    assert len(folded_again) < 20
    assert fold_balances(log.shard) == book_balances(location)


async def test_unreadable_fold_is_ignored(
    memory_bus: MemoryBus, location: BooksLocation, folded_again: Offsets
) -> None:
    """The log is folded from its first record instead."""
    log = written_log(60)
    attest(log)
    await publish(memory_bus, log.records)
    async with running_ledger(memory_bus, Settings(), location):
        await wait_until_booked(location, len(log.records))
    database = Database(location)
    with database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE folds SET packed = substr(packed, 2)")
    database.close()
    log.append(log.reject("later"))
    await publish(memory_bus, log.records[-1:])
    async with running_ledger(memory_bus, Settings(), location):
        await wait_until_booked(location, len(log.records))

    assert 0 == folded_again[0]
    assert fold_balances(log.shard) == book_balances(location)


@pytest.mark.parametrize(("size", "extra"), [("0.002", 5), ("0.001", -3)])
async def test_log_that_does_not_match_stops_the_ledger(
    location: BooksLocation, size: str, extra: int
) -> None:
    """Another log with the same offsets, or one that lost its tail."""
    first = written_log(20)
    bus = MemoryBus()
    await bus.start()
    await bus.ensure_topics(service.TOPICS)
    await publish(bus, first.records)
    async with running_ledger(bus, Settings(), location):
        await wait_until_booked(location, len(first.records))
    other = written_log(20 + extra, seed=1 if extra < 0 else 2)
    second = MemoryBus()
    await second.start()
    await second.ensure_topics(service.TOPICS)
    await publish(second, other.records)

    with pytest.raises(BrokenLog, match="books"):
        async with running_ledger(second, Settings(), location):
            await asyncio.sleep(WAIT_S)

    assert len(first.records) == next_offset(location)


async def test_second_ledger_is_a_standby_and_takes_over(
    memory_bus: MemoryBus, location: BooksLocation
) -> None:
    """One writes; when it ends, the other continues at its offset."""
    log = written_log(40)
    async with running_ledger(memory_bus, Settings(), location) as first:
        await wait_until(lambda: first.node.status == "running")
        async with running_ledger(memory_bus, Settings(), location) as second:
            await wait_until(lambda: second.node.status == "standby")
            await publish(memory_bus, log.records[:20])
            await wait_until_booked(location, 20)
            first.release()
            await wait_until(lambda: second.node.status == "running")
    async with running_ledger(memory_bus, Settings(), location):
        await publish(memory_bus, log.records[20:])
        await wait_until_booked(location, len(log.records))

    assert fold_balances(log.shard) == book_balances(location)


async def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.02)


def test_batch_is_written_once(database: Database) -> None:
    """A batch that was written is skipped; one that begins at another offset is refused."""
    records = records_of(written_log(10))
    projector = Projector(Poster(), {})
    batches = [projector.batch(records[:5]), projector.batch(records[5:])]
    writer = Writer(database)
    for batch in (batches[0], batches[0], batches[1], batches[1]):
        writer.write(batch)

    stray = RowBatch()
    stray.advance((EVENTS, 0), BookedOffset(3), BookedOffset(4))
    with pytest.raises(Fenced):
        writer.write(stray)
    assert len(records) == writer.booked_offsets()[EVENTS, 0].next_offset
