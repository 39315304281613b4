"""Rebuilt books are the same as the old ones, or the result says that they differ."""

from pathlib import Path

import pytest

from arena.bus.memory import MemoryBus
from arena.progress import Step
from arena.settings import Settings
from ledger.database import Database
from ledger.errors import BooksInUse
from ledger.location import BooksLocation
from ledger.lock import WriterLock
from ledger.rebuild import rebuild
from tests.ledger.helpers import (
    book_balances,
    fold_balances,
    publish,
    running_ledger,
    wait_until_booked,
    written_log,
)
from tests.ledger.test_reconcile import inject_drift


async def test_rebuilt_books_are_the_same(memory_bus: MemoryBus, location: BooksLocation) -> None:
    """Also if the log has grown since; the ledger continues with the new ones."""
    log = written_log(80)
    await publish(memory_bus, log.records[:50])
    async with running_ledger(memory_bus, Settings(), location):
        await wait_until_booked(location, 50)
    await publish(memory_bus, log.records[50:-1])
    steps: list[Step] = []

    result = await rebuild(memory_bus, Settings(), location, steps.append)

    assert result.same
    assert result.old_digest
    assert {"events", "rows hashed"} == {step.name for step in steps if step.finished}
    await publish(memory_bus, log.records[-1:])
    async with running_ledger(memory_bus, Settings(), location):
        await wait_until_booked(location, len(log.records))
    assert fold_balances(log.shard) == book_balances(location)


async def test_tampered_books_are_reported(memory_bus: MemoryBus, location: BooksLocation) -> None:
    """The new books are right; the old ones are kept under another name."""
    log = written_log(60)
    await publish(memory_bus, log.records)
    async with running_ledger(memory_bus, Settings(), location):
        await wait_until_booked(location, len(log.records))
    inject_drift(location)

    result = await rebuild(memory_bus, Settings(), location)

    assert not result.same
    assert fold_balances(log.shard) == book_balances(location)
    assert fold_balances(log.shard) != book_balances(location.with_suffix("before"))


async def test_missing_books_are_built(memory_bus: MemoryBus, location: BooksLocation) -> None:
    """There is nothing to compare with and nothing to keep."""
    log = written_log(10)
    await publish(memory_bus, log.records)

    result = await rebuild(memory_bus, Settings(), location)

    assert (True, "", "") == (result.same, result.old_digest, result.old_kept_at)
    assert fold_balances(log.shard) == book_balances(location)


async def test_books_in_use_are_left_alone(memory_bus: MemoryBus, location: BooksLocation) -> None:
    """A running ledger holds the lock."""
    database = Database(location)
    database.upgrade()
    lock = WriterLock(database)
    assert lock.try_acquire()
    with pytest.raises(BooksInUse):
        await rebuild(memory_bus, Settings(), location)
    lock.release()
    database.close()


def test_suffix_gives_another_location(location: BooksLocation, tmp_path: Path) -> None:
    """Another file, or another schema in the same database."""
    other = location.with_suffix("rebuild")

    assert str(location) != str(other)
    assert (location.path is None) == (other.path is None)
