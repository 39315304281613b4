"""Books made anew are the same, or say that they are not."""

from pathlib import Path

import pytest

from arena.bus.memory import MemoryBus
from arena.localbroker.progress import Step
from arena.settings import Settings
from ledger.database import Database
from ledger.errors import BooksInUse
from ledger.lock import WriterLock
from ledger.place import Place
from ledger.rebuild import rebuild
from tests.ledger.helpers import book_balances, booked, fold_balances, keeping, publish, written_log
from tests.ledger.test_reconcile import inject


async def test_the_same_books_come_out(memory_bus: MemoryBus, place: Place) -> None:
    """Also where the log went on since; the ledger goes on with the new ones."""
    log = written_log(80)
    await publish(memory_bus, log.records[:50])
    async with keeping(memory_bus, Settings(), place):
        await booked(place, 50)
    await publish(memory_bus, log.records[50:-1])
    steps: list[Step] = []

    made = await rebuild(memory_bus, Settings(), place, steps.append)

    assert made.same
    assert made.old_digest
    assert {"events", "rows hashed"} == {step.name for step in steps if step.finished}
    await publish(memory_bus, log.records[-1:])
    async with keeping(memory_bus, Settings(), place):
        await booked(place, len(log.records))
    assert fold_balances(log.shard) == book_balances(place)


async def test_books_that_were_tampered_with_are_told(memory_bus: MemoryBus, place: Place) -> None:
    """The new ones are right, the old ones are kept aside."""
    log = written_log(60)
    await publish(memory_bus, log.records)
    async with keeping(memory_bus, Settings(), place):
        await booked(place, len(log.records))
    inject(place)

    made = await rebuild(memory_bus, Settings(), place)

    assert not made.same
    assert fold_balances(log.shard) == book_balances(place)
    assert fold_balances(log.shard) != book_balances(place.beside("before"))


async def test_books_are_made_where_there_are_none(memory_bus: MemoryBus, place: Place) -> None:
    """Nothing to compare with, nothing kept."""
    log = written_log(10)
    await publish(memory_bus, log.records)

    made = await rebuild(memory_bus, Settings(), place)

    assert (True, "", "") == (made.same, made.old_digest, made.kept)
    assert fold_balances(log.shard) == book_balances(place)


async def test_books_in_use_are_left_alone(memory_bus: MemoryBus, place: Place) -> None:
    """A ledger that runs has the right to write."""
    database = Database(place)
    database.upgrade()
    lock = WriterLock(database)
    assert lock.take()
    with pytest.raises(BooksInUse):
        await rebuild(memory_bus, Settings(), place)
    lock.release()
    database.close()


def test_beside_is_another_place(place: Place, tmp_path: Path) -> None:
    """A file or a schema of its own, in the same database."""
    other = place.beside("rebuild")

    assert str(place) != str(other)
    assert (place.path is None) == (other.path is None)
