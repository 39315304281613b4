"""The books hold what the fold holds, whatever happens to the process that keeps them."""

from arena.bus.memory import MemoryBus
from arena.settings import Settings
from ledger.place import Place
from tests.ledger.helpers import (
    book_balances,
    booked,
    fold_balances,
    keeping,
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
