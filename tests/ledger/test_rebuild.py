"""Books made anew are the same, or say that they are not."""

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
from tests.ledger.test_reconcile import inject


async def test_the_same_books_come_out(memory_bus: MemoryBus, location: BooksLocation) -> None:
    """Also where the log went on since; the ledger goes on with the new ones."""
    log = written_log(80)
    await publish(memory_bus, log.records[:50])
    async with running_ledger(memory_bus, Settings(), location):
        await wait_until_booked(location, 50)
    await publish(memory_bus, log.records[50:-1])
    steps: list[Step] = []

    made = await rebuild(memory_bus, Settings(), location, steps.append)

    assert made.same
    assert made.old_digest
    assert {"events", "rows hashed"} == {step.name for step in steps if step.finished}
    await publish(memory_bus, log.records[-1:])
    async with running_ledger(memory_bus, Settings(), location):
        await wait_until_booked(location, len(log.records))
    assert fold_balances(log.shard) == book_balances(location)


async def test_books_that_were_tampered_with_are_told(
    memory_bus: MemoryBus, location: BooksLocation
) -> None:
    """The new ones are right, the old ones are kept aside."""
    log = written_log(60)
    await publish(memory_bus, log.records)
    async with running_ledger(memory_bus, Settings(), location):
        await wait_until_booked(location, len(log.records))
    inject(location)

    made = await rebuild(memory_bus, Settings(), location)

    assert not made.same
    assert fold_balances(log.shard) == book_balances(location)
    assert fold_balances(log.shard) != book_balances(location.with_suffix("before"))


async def test_books_are_made_where_there_are_none(
    memory_bus: MemoryBus, location: BooksLocation
) -> None:
    """Nothing to compare with, nothing kept."""
    log = written_log(10)
    await publish(memory_bus, log.records)

    made = await rebuild(memory_bus, Settings(), location)

    assert (True, "", "") == (made.same, made.old_digest, made.old_kept_at)
    assert fold_balances(log.shard) == book_balances(location)


async def test_books_in_use_are_left_alone(memory_bus: MemoryBus, location: BooksLocation) -> None:
    """A ledger that runs has the right to write."""
    database = Database(location)
    database.upgrade()
    lock = WriterLock(database)
    assert lock.try_acquire()
    with pytest.raises(BooksInUse):
        await rebuild(memory_bus, Settings(), location)
    lock.release()
    database.close()


def test_beside_is_another_place(location: BooksLocation, tmp_path: Path) -> None:
    """A file or a schema of its own, in the same database."""
    other = location.with_suffix("rebuild")

    assert str(location) != str(other)
    assert (location.path is None) == (other.path is None)
