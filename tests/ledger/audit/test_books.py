"""Invariant 2 for the books: they equal the fold, or the difference is reported."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from arena.bus.memory import MemoryBus
from arena.exports import read_manifest, read_records
from arena.settings import Settings
from ledger.audit.books import BOOKS_FILE, check_books
from ledger.audit.checker import InvariantResult, InvariantStatus
from ledger.audit.sources import RecordSource
from ledger.database import Database
from ledger.location import books_location
from ledger.statements import balances, trial_balance
from tests.ledger.audit.conftest import MEME_COIN
from tests.ledger.audit.contest_log import EVENTS
from tests.ledger.helpers import publish, running_ledger, wait_until_booked

DRIFT = """
UPDATE entries SET amount_e8 = amount_e8 + 1 WHERE (log_offset, leg) IN (
  SELECT log_offset, leg FROM entries ORDER BY log_offset LIMIT 1)
"""


def result() -> InvariantResult:
    """The result of invariant 2, before the books were checked."""
    return InvariantResult(2, "cash and positions", InvariantStatus.PASS)


@pytest.fixture
async def run_with_books(
    memory_bus: MemoryBus, sound_records: Path, tmp_path: Path
) -> RecordSource:
    """A run directory with books that a ledger posted from the log of the contest."""
    location = books_location(tmp_path, "", None)
    assert tmp_path / BOOKS_FILE == location.path
    records = read_records(sound_records, [EVENTS])
    await publish(memory_bus, [(r.headers["type"].decode(), r.value or b"") for r in records])
    end = read_manifest(sound_records).topics[EVENTS].partitions[0].end
    async with running_ledger(memory_bus, Settings(home=tmp_path), location):
        await wait_until_booked(location, end)
    return RecordSource("a contest", sound_records, run=tmp_path)


async def test_posted_books_equal_the_fold(run_with_books: RecordSource) -> None:
    """Every figure is compared, and none differs."""
    found = result()

    check_books(run_with_books, found)

    assert (InvariantStatus.PASS, []) == (found.status, found.violations)
    assert found.counts["figures of the books"] > 20


async def test_books_hold_trillions_of_a_coin(run_with_books: RecordSource, tmp_path: Path) -> None:
    """More units of 10^-8 than 64 bits can hold, and every unit sums to zero."""
    database = Database(books_location(tmp_path, "", None), read_only=True)
    with database.reading() as connection:
        held = balances(connection)
        balanced = trial_balance(connection)[1]
    database.close()
    base = MEME_COIN.split("-")[0]

    assert max(units for (_, unit), units in held.items() if unit == base) > 2**63
    assert balanced


async def test_smallest_drift_in_the_books_is_reported(
    run_with_books: RecordSource, tmp_path: Path
) -> None:
    """One unit of 10^-8 was added to one entry, after the triggers were dropped."""
    engine = create_engine(f"sqlite:///{tmp_path / BOOKS_FILE}")
    with engine.begin() as connection:
        names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'"))
        for (name,) in names.all():
            connection.execute(text(f'DROP TRIGGER "{name}"'))
        connection.execute(text(DRIFT))
    engine.dispose()
    found = result()

    check_books(run_with_books, found)

    assert InvariantStatus.FAIL == found.status
    assert 1 == found.failures
    assert str(tmp_path / BOOKS_FILE) in found.violations[0].location


def test_missing_books_are_reported(sound_records: Path) -> None:
    """A note says that the books could not be checked."""
    found = result()

    check_books(RecordSource("a contest", sound_records), found)

    assert ["books: not checkable here: no ledger.db in a run, and no --books"] == found.notes
