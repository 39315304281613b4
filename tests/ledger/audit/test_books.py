"""Invariant 2, the books' part: what the ledger keeps is what the fold gives, or a name."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from arena.bus.memory import MemoryBus
from arena.exports import read_manifest, read_records
from arena.settings import Settings
from ledger.audit.books import BOOKS_FILE, check_books
from ledger.audit.findings import Status, Verdict
from ledger.audit.sources import Source
from ledger.database import Database
from ledger.place import find_place
from ledger.statements import balances, trial_balance
from tests.ledger.audit.conftest import MEME_COIN
from tests.ledger.audit.world import EVENTS
from tests.ledger.helpers import booked, keeping, publish

DRIFT = """
UPDATE entries SET amount_e8 = amount_e8 + 1 WHERE (log_offset, leg) IN (
  SELECT log_offset, leg FROM entries ORDER BY log_offset LIMIT 1)
"""


def verdict() -> Verdict:
    """Of invariant 2, before anybody asked the books."""
    return Verdict(2, "cash and positions", Status.PASS)


@pytest.fixture
async def kept(memory_bus: MemoryBus, sound_records: Path, tmp_path: Path) -> Source:
    """A run's directory with books, which a ledger kept of the contest's own log."""
    place = find_place(tmp_path, "", None)
    assert tmp_path / BOOKS_FILE == place.path
    records = read_records(sound_records, [EVENTS])
    await publish(memory_bus, [(r.headers["type"].decode(), r.value or b"") for r in records])
    end = read_manifest(sound_records).topics[EVENTS].partitions[0].end
    async with keeping(memory_bus, Settings(home=tmp_path), place):
        await booked(place, end)
    return Source("a contest", sound_records, run=tmp_path)


async def test_books_that_were_kept_of_the_log_are_its_fold(kept: Source) -> None:
    """Every figure is compared, and none differs."""
    found = verdict()

    check_books(kept, found)

    assert (Status.PASS, []) == (found.status, found.findings)
    assert found.looked_at["figures of the books"] > 20


async def test_the_books_hold_a_coin_by_the_trillion(kept: Source, tmp_path: Path) -> None:
    """More units of 10^-8 than 64 bits hold, and every unit sums to zero."""
    database = Database(find_place(tmp_path, "", None), read_only=True)
    with database.reading() as connection:
        held = balances(connection)
        balanced = trial_balance(connection)[1]
    database.close()
    base = MEME_COIN.split("-")[0]

    assert max(units for (_, unit), units in held.items() if unit == base) > 2**63
    assert balanced


async def test_the_smallest_drift_in_the_books_is_named(kept: Source, tmp_path: Path) -> None:
    """One unit of 10^-8, on one side of one entry, by who may take the guards away."""
    engine = create_engine(f"sqlite:///{tmp_path / BOOKS_FILE}")
    with engine.begin() as connection:
        names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'"))
        for (name,) in names.all():
            connection.execute(text(f'DROP TRIGGER "{name}"'))
        connection.execute(text(DRIFT))
    engine.dispose()
    found = verdict()

    check_books(kept, found)

    assert Status.FAIL == found.status
    assert 1 == found.failures
    assert str(tmp_path / BOOKS_FILE) in found.findings[0].place


def test_no_books_are_said_and_not_passed_over(sound_records: Path) -> None:
    """Where there are none, a note says that they could not be checked."""
    found = verdict()

    check_books(Source("a contest", sound_records), found)

    assert ["books: not checkable here: no ledger.db in a run, and no --books"] == found.notes
