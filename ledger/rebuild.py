"""Rebuilds the books from the first record of the log, compares them, and then swaps them in.

The new books are built next to the old ones. They must hold exactly what the fold holds, or nothing
is changed. The old books are kept under another name; the result says whether they had the same
digest, as far as they go.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue
from sqlalchemy import func, select, text

from arena.bus.base import Bus
from arena.node import Node
from arena.pass_overs import read_passed_over
from arena.progress import Progress, Step, no_progress
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
    """The result of a rebuild.

    Attributes:
        events, postings: Their numbers in the new books.
        digest: The digest of the new books, up to the offsets of the old ones if there were any.
        old_digest: The digest of the old books; "" if there were none.
        old_kept_at: The file or schema of the old books now; "" if there were none.
    """

    events: int
    postings: int
    digest: str
    old_digest: str
    old_kept_at: str

    @property
    def same(self) -> bool:
        """True if the old books held the same, or there were none."""
        return not self.old_digest or self.old_digest == self.digest

    def document(self) -> dict[str, JsonValue]:
        """Return the result for programs."""
        return {
            "events": self.events,
            "postings": self.postings,
            "digest": self.digest,
            "old_digest": self.old_digest,
            "kept": self.old_kept_at,
            "same": self.same,
        }


async def rebuild(
    bus: Bus, settings: Settings, location: BooksLocation, progress: Progress = no_progress
) -> RebuildResult:
    """Rebuild the books and swap them in.

    Args:
        bus: A started bus.
        settings: The settings of the arena.
        location: The location of the books.
        progress: Receives the events posted and the rows hashed.

    Raises:
        BooksInUse: A ledger writes them, or a process reads them.
        BrokenBooks: The new books differ from the fold; the old ones are unchanged.
    """
    old = Database(location)
    lock = WriterLock(old)
    fresh = Database(location.with_suffix(NEW))
    try:
        if not lock.try_acquire():
            raise BooksInUse(
                f"a ledger is writing the books at {location}",
                remedy="stop it, rebuild, start it again",
            )
        remove(fresh)
        fresh.upgrade()
        poster = await _post(bus, settings, fresh, progress)
        _compare_with_fold(fresh, poster)
        digest, old_digest = _digests(fresh, old, progress)
        old.engine.dispose()
        old_kept_at = swap(old, fresh)
    finally:
        lock.release()
        old.close()
        fresh.close()
    return RebuildResult(poster.events, poster.postings, digest, old_digest, old_kept_at)


def remove(database: Database) -> None:
    """Remove books that are being built, or old ones."""
    path = database.location.path
    if path is not None:
        for name in ("", *SIDE_FILES):
            Path(f"{path}{name}").unlink(missing_ok=True)
        return
    with database.engine.begin() as connection:
        connection.execute(text(f'DROP SCHEMA IF EXISTS "{database.location.schema}" CASCADE'))


def swap(old: Database, fresh: Database) -> str:
    """Swap the new books in atomically; return where the old ones are now, or ""."""
    return _swap_files(old, fresh) if old.is_sqlite else _swap_schemas(old, fresh)


async def _post(bus: Bus, settings: Settings, fresh: Database, progress: Progress) -> Poster:
    """Post everything that the topics hold now."""
    await bus.ensure_topics(TOPICS)
    node = Node("ledger", NEW, settings, bus, bus.clock, threads=bus.threads)
    ledger = Ledger(node, fresh)
    projector = Projector(Poster(passed_over=await read_passed_over(bus)), {})
    projector.poster.events_per_fold = EVENTS_PER_FOLD
    try:
        async with ledger.stream(projector) as stream:
            ends = await stream.ends()
            total = sum(end for (topic, _), end in ends.items() if topic == EVENTS)
            while not stream.has_reached(ends):
                await ledger.post_next(projector, stream)
                done = sum(shard.next_offset for shard in projector.poster.shards.values())
                progress(Step(POST, f"{done:,} of {total:,}", done, total))
    finally:
        ledger.release()
    done = sum(shard.next_offset for shard in projector.poster.shards.values())
    progress(Step(POST, f"{done:,} of {total:,}", total, total, finished=True))
    return projector.poster


def _compare_with_fold(fresh: Database, poster: Poster) -> None:
    with fresh.reading() as connection:
        books = book_figures(connection)
    fold = fold_figures(poster.shards)
    keys = {*books, *fold}
    wrong = [key for key in sorted(keys) if books.get(key, 0) != fold.get(key, 0)]
    if wrong:
        raise BrokenBooks(f"the new books differ from the fold in {wrong[:5]}")


def _digests(fresh: Database, old: Database, progress: Progress) -> tuple[str, str]:
    """Return the digests of the new books, up to the old offsets, and of the old books."""
    upto: dict[int, int] | None = None
    old_digest = ""
    hashed = _HashProgress(progress, _rows(fresh))
    if _exists(old):
        old.upgrade()
        with old.reading() as connection:
            positions = booked_offsets_of(connection)
            upto = {
                number: p.next_offset for (topic, number), p in positions.items() if topic == EVENTS
            }
            hashed.total += _rows(old)
            old_digest = books_digest(connection, upto, hashed.add)
    with fresh.reading() as connection:
        digest = books_digest(connection, upto, hashed.add)
    hashed.finish()
    return digest, old_digest


class _HashProgress:
    """Reports how many rows were hashed."""

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
    """Count the rows that the digest of the whole books reads."""
    with database.reading() as connection:
        counts = (
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (journal, entries, fills, positions)
        )
        return sum(counts)


def _exists(database: Database) -> bool:
    path = database.location.path
    if path is not None:
        return path.is_file()
    with database.engine.connect() as connection:
        found = text("SELECT 1 FROM pg_namespace WHERE nspname = :name")
        return bool(connection.execute(found, {"name": database.location.schema}).scalar())


def _swap_files(old: Database, fresh: Database) -> str:
    books, built = old.location.path, fresh.location.path
    assert books is not None
    assert built is not None
    _checkpoint_wal(fresh)
    old_path = Path(f"{books}.{OLD}")
    existed = books.is_file()
    if existed:
        _checkpoint_wal(old)
        old_path.unlink(missing_ok=True)
        os.link(books, old_path)
    built.replace(books)
    folder = os.open(books.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return str(old_path) if existed else ""


def _checkpoint_wal(database: Database) -> None:
    """Move SQLite's write-ahead log into the file, so that the file alone holds the books."""
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
            f"another process reads the books at {path}", remedy="try again when it has ended"
        )


def _swap_schemas(old: Database, fresh: Database) -> str:
    schema, built = old.location.schema, fresh.location.schema
    old_schema = old.location.with_suffix(OLD).schema
    existed = _exists(old)
    with old.engine.begin() as connection:
        if existed:
            connection.execute(text(f'DROP SCHEMA IF EXISTS "{old_schema}" CASCADE'))
            connection.execute(text(f'ALTER SCHEMA "{schema}" RENAME TO "{old_schema}"'))
        connection.execute(text(f'ALTER SCHEMA "{built}" RENAME TO "{schema}"'))
        for name in (old_schema, schema) if existed else (schema,):
            for function in ("journal_balances", "never_changed", "only_forward"):
                connection.execute(
                    text(f'ALTER FUNCTION "{name}".{function}() SET search_path = "{name}"')
                )
    return old_schema if existed else ""
