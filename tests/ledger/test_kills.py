"""After kill -9 at any instant the books equal the fold, on both engines."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from arena.bus.kafka import KafkaBus
from arena.fault_points import LEDGER_POINTS
from arena.settings import Settings
from ledger.database import Database
from ledger.digest import books_digest
from ledger.location import BooksLocation, books_location
from ledger.posting import Poster
from ledger.projector import Projector
from ledger.statements import trial_balance
from ledger.writer import Writer
from tests.arena.test_accounts import Log
from tests.ledger.helpers import (
    append_random_order,
    book_balances,
    fold_balances,
    next_offset,
    publish,
    records_of,
    written_log,
)

ROUNDS = int(os.environ.get("ARENA_LEDGER_KILLS", "2"))
ORDERS_PER_KILL = 40
DEADLINE_S = 60.0


class LedgerProcess:
    """A ledger in its own process, restarted after each kill."""

    def __init__(self, settings: Settings, location: BooksLocation, log: Path) -> None:
        """Prepare a ledger; call `start` to run it.

        Args:
            settings: The settings of the arena.
            location: The location of the books.
            log: The file for its output.
        """
        self.settings = settings
        self.location = location
        self.log = log
        self.kills = 0
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, fault: str = "") -> None:
        """Start it."""
        environment = os.environ | {
            "KAFKA_BOOTSTRAP_SERVERS": self.settings.bootstrap_servers,
            "ARENA_PREFIX": self.settings.prefix,
            "ARENA_HOME": str(self.settings.home),
            "ARENA_FAULT": fault,
            "DATABASE_URL": self.location.url.render_as_string(hide_password=False),
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "arena", "ledger", "run"],
                env=environment,
                stdout=log,
                stderr=log,
            )

    def has_ended(self) -> bool:
        """True if it has ended; a kill is counted."""
        assert self.process is not None
        code = self.process.poll()
        if code is None:
            return False
        assert -signal.SIGKILL == code, self.log.read_text()[-2_000:]
        self.kills += 1
        return True

    def kill(self) -> None:
        """Kill it, like a power cut."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def books(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> BooksLocation:
    """The location of the books of the test's arena."""
    if request.param == "sqlite":
        return books_location(tmp_path, settings.prefix, f"sqlite:///{tmp_path}/books.db")
    return books_location(tmp_path, settings.prefix, request.getfixturevalue("postgres_url"))


async def wait_for_end(process: LedgerProcess, offset: int) -> None:
    """Wait until the process was killed or has booked everything."""
    async with asyncio.timeout(DEADLINE_S):
        while not process.has_ended() and next_offset(process.location) < offset:
            await asyncio.sleep(0.05)


def expected_digest(log: Log, folder: Path) -> str:
    """The digest of books made from the log in one batch."""
    database = Database(books_location(folder, "expected", None))
    database.upgrade()
    Writer(database).write(Projector(Poster(), {}).batch(records_of(log)))
    with database.reading() as connection:
        digest = books_digest(connection)
    database.close()
    return digest


@pytest.mark.parametrize("books", ["sqlite", "postgresql"], indirect=True)
async def test_books_survive_kills(
    bus: KafkaBus, settings: Settings, books: BooksLocation, tmp_path: Path
) -> None:
    """Killed at every point around a commit and at random, while orders arrive."""
    rng = random.Random(7)
    log = written_log(ORDERS_PER_KILL)
    await publish(bus, log.records)
    process = LedgerProcess(settings, books, tmp_path / "ledger.log")
    try:
        for point in LEDGER_POINTS * ROUNDS:
            process.start(f"{point}:0.7")
            sent = len(log.records)
            for number in range(ORDERS_PER_KILL):
                append_random_order(log, f"{sent}-{number}", rng)
            await publish(bus, log.records[sent:])
            await wait_for_end(process, len(log.records))
            process.kill()
        process.start()
        await wait_for_end(process, len(log.records))
    finally:
        process.kill()

    assert process.kills > 0
    assert fold_balances(log.shard) == book_balances(books)
    database = Database(books, read_only=True)
    with database.reading() as connection:
        assert expected_digest(log, tmp_path) == books_digest(connection)
        assert trial_balance(connection)[1]
    database.close()
