"""The books hold what the fold holds, whatever happens to the process that keeps them."""

import asyncio
from collections.abc import Callable

import pytest

from arena.bus.memory import MemoryBus
from arena.settings import Settings
from ledger import service
from ledger.database import Database
from ledger.place import Place
from ledger.service import Ledger
from tests.ledger.helpers import (
    book_balances,
    booked,
    fold_balances,
    keeping,
    new_node,
    next_offset,
    publish,
    written_log,
)


async def test_the_books_are_the_fold(memory_bus: MemoryBus, place: Place) -> None:
    """Opening, fills, refusals, a change of owner and a zombie come to the same balances."""
    log = written_log(200)
    await publish(memory_bus, log.records)

    async with keeping(memory_bus, Settings(), place):
        await booked(place, len(log.records))

    assert fold_balances(log.shard) == book_balances(place)


async def test_told_to_stop_it_first_posts_the_rest_of_the_log(
    memory_bus: MemoryBus, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Books of a run that has ended hold its last events; several batches are left."""
    monkeypatch.setattr(service, "BATCH_MAX", 60)
    log = written_log(200)
    await publish(memory_bus, log.records[:20])
    async with keeping(memory_bus, Settings(), place):
        await booked(place, 20)
        await publish(memory_bus, log.records[20:])

    assert len(log.records) == next_offset(place)
    assert fold_balances(log.shard) == book_balances(place)


@pytest.mark.parametrize("again", [True, False])
async def test_the_rest_is_not_waited_for_without_end(
    memory_bus: MemoryBus, place: Place, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    """A database that answers no more, and a second signal: the books keep what they have."""
    monkeypatch.setattr(service, "FINISH_S", 60.0 if again else 0.2)
    log = written_log(60)
    await publish(memory_bus, log.records[:20])
    ledger = Ledger(new_node(memory_bus, Settings()), Database(place))
    running = asyncio.create_task(ledger.run())
    await booked(place, 20)
    writing = asyncio.Event()

    async def hang(work: Callable[[], object]) -> object:
        writing.set()
        return await asyncio.Event().wait()

    monkeypatch.setattr(service, "aside", hang)
    await publish(memory_bus, log.records[20:])
    async with asyncio.timeout(20):
        await writing.wait()
        running.cancel()
        if again:
            await asyncio.sleep(0)
            running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    assert running.cancelled()
    assert 20 == next_offset(place)
