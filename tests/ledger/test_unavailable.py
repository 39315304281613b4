"""With a full disk or a database that is down, the ledger waits, reports it and loses nothing."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import event

from arena.bus.memory import MemoryBus
from arena.settings import Settings
from ledger import service
from ledger.database import Database
from ledger.location import books_location
from ledger.service import Ledger
from tests.ledger.helpers import (
    WAIT_S,
    book_balances,
    fold_balances,
    publish,
    running_ledger,
    wait_until_booked,
    written_log,
)
from tests.ledger.postgres import find_programs, local_cluster, why_not

PAGES_MAX = 70


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make retries fast."""
    monkeypatch.setattr(service, "BACKOFF_MAX_S", 0.4)
    monkeypatch.setattr(service, "BATCH_MAX", 50)


async def wait_until_reported(ledger: Ledger) -> None:
    """Wait until the heartbeat reports that the ledger waits."""
    async with asyncio.timeout(WAIT_S):
        while "waiting" not in ledger.node.heartbeat(ledger.node.clock.now()).details:
            await asyncio.sleep(0.02)


async def test_full_disk_is_retried(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """SQLite returns "database or disk is full" until there is space."""
    location = books_location(tmp_path, "", None)
    log = written_log(1_000)
    await publish(memory_bus, log.records)
    pages_max = [PAGES_MAX]
    async with running_ledger(memory_bus, Settings(), location) as ledger:

        @event.listens_for(ledger.database.engine, "checkout")
        def limit(connection: object, *_: object) -> None:
            statement = f"PRAGMA max_page_count = {pages_max[0]}"
            connection.execute(statement)  # type: ignore[attr-defined]

        await wait_until_reported(ledger)
        assert "full" in str(ledger.node.details["waiting"])
        pages_max[0] = 1_000_000
        await wait_until_booked(location, len(log.records))
        assert ledger.node.counters["database_failures"] > 0
        assert "waiting" not in ledger.node.details

    assert fold_balances(log.shard) == book_balances(location)


async def test_database_that_is_down_is_retried(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """PostgreSQL crashes while the ledger runs, and is restarted later."""
    if reason := why_not():
        pytest.skip(reason)
    if find_programs() is None:
        pytest.skip("this test needs the PostgreSQL programs of this machine")
    log = written_log(400)
    half = len(log.records) // 2
    with local_cluster() as cluster:
        location = books_location(tmp_path, "", cluster.url)
        async with running_ledger(memory_bus, Settings(), location) as ledger:
            await publish(memory_bus, log.records[:half])
            await wait_until_booked(location, half)
            await asyncio.to_thread(cluster.stop)
            await publish(memory_bus, log.records[half:])
            await wait_until_reported(ledger)
            await asyncio.to_thread(cluster.start)
            await wait_until_booked(location, len(log.records))

        assert fold_balances(log.shard) == book_balances(location)


async def test_missing_database_is_retried(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """The ledger is started before the folder of its books can be created."""
    folder = tmp_path / "later"
    folder.write_text("a file in place of the folder")
    location = books_location(folder, "", None)
    log = written_log(5)
    await publish(memory_bus, log.records)
    async with running_ledger(memory_bus, Settings(), location) as ledger:
        await wait_until_reported(ledger)
        folder.unlink()
        await wait_until_booked(location, len(log.records))

    database = Database(location, read_only=True)
    database.close()
    assert fold_balances(log.shard) == book_balances(location)
