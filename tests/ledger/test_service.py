"""The books equal the fold, whatever happens to the process that keeps them."""

import asyncio
from collections.abc import Callable

import pytest

from arena.bus.memory import MemoryBus
from arena.settings import Settings
from ledger import service
from ledger.database import Database
from ledger.location import BooksLocation
from ledger.service import Ledger
from tests.ledger.helpers import (
    book_balances,
    fold_balances,
    new_node,
    next_offset,
    publish,
    running_ledger,
    wait_until_booked,
    written_log,
)


async def test_books_equal_the_fold(memory_bus: MemoryBus, location: BooksLocation) -> None:
    """Openings, fills, rejections, changes of owner and a zombie give the same balances."""
    log = written_log(200)
    await publish(memory_bus, log.records)

    async with running_ledger(memory_bus, Settings(), location):
        await wait_until_booked(location, len(log.records))

    assert fold_balances(log.shard) == book_balances(location)


async def test_stop_posts_the_rest_of_the_log_first(
    memory_bus: MemoryBus, location: BooksLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The books of an ended run have its last events, even if several batches are left."""
    monkeypatch.setattr(service, "BATCH_MAX", 60)
    log = written_log(200)
    await publish(memory_bus, log.records[:20])
    async with running_ledger(memory_bus, Settings(), location):
        await wait_until_booked(location, 20)
        await publish(memory_bus, log.records[20:])

    assert len(log.records) == next_offset(location)
    assert fold_balances(log.shard) == book_balances(location)


@pytest.mark.parametrize("signalled_twice", [True, False])
async def test_stop_does_not_wait_forever(
    memory_bus: MemoryBus,
    location: BooksLocation,
    monkeypatch: pytest.MonkeyPatch,
    signalled_twice: bool,
) -> None:
    """If the database hangs, a time-out or a second signal ends the ledger; the books stay."""
    monkeypatch.setattr(service, "FINISH_S", 60.0 if signalled_twice else 0.2)
    log = written_log(60)
    await publish(memory_bus, log.records[:20])
    ledger = Ledger(new_node(memory_bus, Settings()), Database(location))
    running = asyncio.create_task(ledger.run())
    await wait_until_booked(location, 20)
    writing = asyncio.Event()

    async def hang(work: Callable[[], object], *, name: str) -> object:
        writing.set()
        return await asyncio.Event().wait()

    monkeypatch.setattr(ledger.node.threads, "run_daemon", hang)
    await publish(memory_bus, log.records[20:])
    async with asyncio.timeout(20):
        await writing.wait()
        running.cancel()
        if signalled_twice:
            await asyncio.sleep(0)
            running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    assert running.cancelled()
    assert 20 == next_offset(location)
