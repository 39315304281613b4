"""Makes the books anew from the log's first record, compares, and only then takes them into use.

The new books are made beside the old ones. They must hold exactly what the fold holds, or nothing
is changed. The old ones, as far as they go, must have the same digest; where they do not, they are
kept aside under another name and the answer says so.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select, text

from arena.bus.base import Bus
from arena.clock import SystemClock
from arena.localbroker.progress import Progress, Step, no_progress
from arena.node import Node
from arena.passed_over import read_passed_over
from arena.settings import Settings
from ledger.compare import fold_figures
from ledger.database import Database
from ledger.digest import books_digest
from ledger.errors import BooksInUse, BrokenBooks
from ledger.location import BooksLocation
from ledger.lock import WriterLock
from ledger.posting import EVENTS, Poster
from ledger.projector import Projector
from ledger.reconcile import book_figures
from ledger.schema import entries, fills, journal, positions
from ledger.service import EVENTS_PER_FOLD, TOPICS, Ledger
from ledger.writer import booked_offsets_of

NEW, OLD = "rebuild", "before"
POST, HASH = "events", "rows hashed"
SIDE_FILES = ("-wal", "-shm", "-journal", ".lock")


@dataclass(frozen=True, slots=True)
class RebuildResult:
    """What came of it.

    Attributes:
        events, postings: In the new books.
        digest: Of the new books as far as the old ones went; all of them where there were none.
        old_digest: Of the old ones; "" where there were none.
        kept: Where the old ones are now; "" where there were none.
    """

    events: int
    postings: int
    digest: str
    old_digest: str
    kept: str

    @property
    def same(self) -> bool:
        """True where the old books held the same, or there were none."""
        return not self.old_digest or self.old_digest == self.digest


async def rebuild(
    bus: Bus, settings: Settings, location: BooksLocation, progress: Progress = no_progress
) -> RebuildResult:
    """Make the books anew and take them into use.

    Args:
        bus: Started.
        settings: Of the arena.
        place: Where the books are.
        progress: Told of events posted and rows hashed.

    Raises:
        BooksInUse: A ledger keeps them, or somebody reads them.
        BrokenBooks: The new ones are not what the fold says; the old ones are as they were.
    """
    old = Database(location)
    lock = WriterLock(old)
    fresh = Database(location.with_suffix(NEW))
    try:
        if not lock.take():
            raise BooksInUse(
                f"a ledger keeps the books at {location}", remedy="stop it, rebuild, start it again"
            )
        remove(fresh)
        fresh.upgrade()
        poster = await _post(bus, settings, fresh, progress)
        _hold_against_fold(fresh, poster)
        digest, old_digest = _digests(fresh, old, progress)
        old.engine.dispose()
        kept = swap(old, fresh)
    finally:
        lock.release()
        old.close()
        fresh.close()
    return RebuildResult(poster.events, poster.postings, digest, old_digest, kept)


def remove(database: Database) -> None:
    """Remove books that are in the making, or were kept aside."""
    path = database.location.path
    if path is not None:
        for name in ("", *SIDE_FILES):
            Path(f"{path}{name}").unlink(missing_ok=True)
        return
    with database.engine.begin() as connection:
        connection.execute(text(f'DROP SCHEMA IF EXISTS "{database.location.schema}" CASCADE'))


def swap(old: Database, fresh: Database) -> str:
    """Take the new books into use at once; where the old ones are then, "" if there were none."""
    return _swap_files(old, fresh) if old.is_sqlite else _swap_schemas(old, fresh)


async def _post(bus: Bus, settings: Settings, fresh: Database, progress: Progress) -> Poster:
    """Post everything that is in the topics now."""
    await bus.ensure_topics(TOPICS)
    ledger = Ledger(Node("ledger", NEW, settings, bus, SystemClock()), fresh)
    projector = Projector(Poster(passed_over=await read_passed_over(bus)), {})
    projector.poster.events_per_fold = EVENTS_PER_FOLD
    try:
        async with ledger.stream(projector) as stream:
            ends = await stream.ends()
            total = sum(end for (topic, _), end in ends.items() if topic == EVENTS)
            while not stream.is_past(ends):
                await ledger.step(projector, stream)
                done = sum(shard.next_offset for shard in projector.poster.shards.values())
                progress(Step(POST, f"{done:,} of {total:,}", done, total))
    finally:
        ledger.release()
    done = sum(shard.next_offset for shard in projector.poster.shards.values())
    progress(Step(POST, f"{done:,} of {total:,}", total, total, finished=True))
    return projector.poster


def _hold_against_fold(fresh: Database, poster: Poster) -> None:
    with fresh.reading() as connection:
        books = book_figures(connection)
    fold = fold_figures(poster.shards)
    keys = {*books, *fold}
    wrong = [key for key in sorted(keys) if books.get(key, 0) != fold.get(key, 0)]
    if wrong:
        raise BrokenBooks(f"the new books differ from the fold in {wrong[:5]}")


def _digests(fresh: Database, old: Database, progress: Progress) -> tuple[str, str]:
    """Of the new books as far as the old go, and of the old."""
    upto: dict[int, int] | None = None
    old_digest = ""
    told = _Hashed(progress, _rows(fresh))
    if _exist(old):
        old.upgrade()
        with old.reading() as connection:
            positions = booked_offsets_of(connection)
            upto = {
                number: p.next_offset for (topic, number), p in positions.items() if topic == EVENTS
            }
            told.total += _rows(old)
            old_digest = books_digest(connection, upto, told.add)
    with fresh.reading() as connection:
        digest = books_digest(connection, upto, told.add)
    told.finish()
    return digest, old_digest


class _Hashed:
    """Tells how many rows were hashed."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.total = total
        self._progress = progress
        self._done = 0

    def add(self, rows: int) -> None:
        self._done += rows
        self._progress(Step(HASH, f"{self._done:,} of {self.total:,}", self._done, self.total))

    def finish(self) -> None:
        text = f"{self._done:,}"
        self._progress(Step(HASH, text, self._done, self._done, finished=True))


def _rows(database: Database) -> int:
    """Rows that a digest of everything reads."""
    with database.reading() as connection:
        counts = (
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (journal, entries, fills, positions)
        )
        return sum(counts)


def _exist(database: Database) -> bool:
    path = database.location.path
    if path is not None:
        return path.is_file()
    with database.engine.connect() as connection:
        found = text("SELECT 1 FROM pg_namespace WHERE nspname = :name")
        return bool(connection.execute(found, {"name": database.location.schema}).scalar())


def _swap_files(old: Database, fresh: Database) -> str:
    books, made = old.location.path, fresh.location.path
    assert books is not None
    assert made is not None
    _seal(fresh)
    kept = Path(f"{books}.{OLD}")
    existed = books.is_file()
    if existed:
        _seal(old)
        kept.unlink(missing_ok=True)
        os.link(books, kept)
    made.replace(books)
    folder = os.open(books.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return str(kept) if existed else ""


def _seal(database: Database) -> None:
    """Bring everything of SQLite's log into the file, so that the file alone is the books."""
    path = database.location.path
    assert path is not None
    with database.engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None, "the connection is closed"
        busy = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    database.engine.dispose()
    left = Path(f"{path}-wal")
    if busy or (left.exists() and left.stat().st_size):
        raise BooksInUse(
            f"somebody reads the books at {path}", remedy="try again when they are done"
        )


def _swap_schemas(old: Database, fresh: Database) -> str:
    schema, made = old.location.schema, fresh.location.schema
    kept = old.location.with_suffix(OLD).schema
    existed = _exist(old)
    with old.engine.begin() as connection:
        if existed:
            connection.execute(text(f'DROP SCHEMA IF EXISTS "{kept}" CASCADE'))
            connection.execute(text(f'ALTER SCHEMA "{schema}" RENAME TO "{kept}"'))
        connection.execute(text(f'ALTER SCHEMA "{made}" RENAME TO "{schema}"'))
        for name in (kept, schema) if existed else (schema,):
            for function in ("journal_balances", "never_changed", "only_forward"):
                connection.execute(
                    text(f'ALTER FUNCTION "{name}".{function}() SET search_path = "{name}"')
                )
    return kept if existed else ""
