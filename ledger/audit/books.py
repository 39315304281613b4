"""Checks invariant 2 for the books: every figure equals that of the fold of the records.

Reads the books of a run, read-only, and `account.events` of the source up to the booked offsets.
"""

from pathlib import Path

from arena import topics
from arena.accounts import Shard
from arena.errors import BrokenLog
from ledger.audit.checker import InvariantResult, Violation
from ledger.audit.decoding import location_of
from ledger.audit.sources import RecordSource
from ledger.compare import amount, behind_text, compare, fold_figures
from ledger.database import Database
from ledger.location import books_location
from ledger.reconcile import book_figures
from ledger.writer import booked_offsets_of

EVENTS = topics.EVENTS.name
BOOKS_FILE = "ledger.db"
"""The file of the books in the directory of a run."""


def check_books(source: RecordSource, result: InvariantResult, url: str | None = None) -> None:
    """Compare the books with the fold, and add the differences to the result of invariant 2.

    Args:
        source: The records.
        result: The result of invariant 2.
        url: The address of the books; by default those in the directory of the run.

    Raises:
        BooksUnavailable: The named books cannot be read.
    """
    books_path = source.run / BOOKS_FILE if source.run is not None else None
    if url is None and (books_path is None or not books_path.is_file()):
        result.notes.append("books: not checkable here: no ledger.db in a run, and no --books")
        return
    home = books_path.parent if books_path is not None else Path()
    database = Database(books_location(home, "", url), read_only=True)
    try:
        with database.reading() as connection:
            booked_figures = book_figures(connection)
            positions = booked_offsets_of(connection)
    finally:
        database.close()
    ends = {number: booked.next_offset for (t, number), booked in positions.items() if t == EVENTS}
    heads = {number: booked.head for (t, number), booked in positions.items() if t == EVENTS}
    try:
        shards, behind = _fold(source, ends)
    except BrokenLog as error:
        result.notes.append(f"books: not checkable here: the fold stops: {error}")
        return
    if words := behind_text(behind):
        result.notes.append(f"books: {words}")
    for number, end in ends.items():
        shard = shards.get(number, Shard())
        if shard.next_offset != end or shard.head != heads[number]:
            found = f"{shard.next_offset} of digest {shard.head[:16]} in the log"
            expected = f"offset {end} of digest {str(heads[number])[:16]}"
            result.fail(Violation(location_of(EVENTS, number, end), "books", expected, found))
    for line in compare(fold_figures(shards), booked_figures, {}, {}):
        result.counts["figures of the books"] = result.counts.get("figures of the books", 0) + 1
        if line.drifts:
            key = line.key
            subject = f"{key.owner} {key.what} {key.unit}"
            expected, found = amount(line.fold, key.unit), amount(line.books, key.unit)
            result.fail(Violation(f"books {database.location}", subject, expected, found))


def _fold(source: RecordSource, ends: dict[int, int]) -> tuple[dict[int, Shard], int]:
    """Fold every shard up to the booked offset; also return how many events follow."""
    behind = 0
    shards: dict[int, Shard] = {}
    passed_over = source.passed_over()
    for record in source.read([EVENTS]):
        shard = shards.get(record.partition)
        if shard is None:
            shard = shards[record.partition] = Shard(
                passed_over=passed_over.get(record.partition, {})
            )
        if record.offset < ends.get(record.partition, 0):
            kind = record.kind
            shard.apply(kind, record.value, record.offset)
        else:
            behind += 1
    return shards, behind
