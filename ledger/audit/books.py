"""The books' part of invariant 2: every figure they hold is what the fold of the records gives.

Reads the books of a run, read-only, and `account.events` of the source up to where they stand.
"""

from pathlib import Path

from arena import topics
from arena.accounts import Shard
from arena.errors import BrokenLog
from ledger.audit.findings import FINDINGS_KEPT, Finding, Status, Verdict
from ledger.audit.reading import place_of
from ledger.audit.sources import Source
from ledger.compare import amount, behind_words, compare, fold_figures
from ledger.database import Database
from ledger.place import find_place
from ledger.reconcile import book_figures
from ledger.writer import progress_of

EVENTS = topics.EVENTS.name
BOOKS_FILE = "ledger.db"
"""Where `arena up` and `arena demo` keep the books of a run."""


def check_books(source: Source, verdict: Verdict, url: str | None = None) -> None:
    """Hold the books against the fold, and add what is found to the verdict of invariant 2.

    Args:
        source: The records.
        verdict: Of invariant 2.
        url: Of the books; those in the run's directory where none is given.

    Raises:
        BooksGone: The named books cannot be read.
    """
    kept = source.run / BOOKS_FILE if source.run is not None else None
    if url is None and (kept is None or not kept.is_file()):
        verdict.notes.append("books: not checkable here: no ledger.db in a run, and no --books")
        return
    home = kept.parent if kept is not None else Path()
    database = Database(find_place(home, "", url), read_only=True)
    try:
        with database.reading() as connection:
            booked = book_figures(connection)
            places = progress_of(connection)
    finally:
        database.close()
    ends = {number: place.next_offset for (t, number), place in places.items() if t == EVENTS}
    heads = {number: place.head for (t, number), place in places.items() if t == EVENTS}
    try:
        shards, behind = _fold(source, ends)
    except BrokenLog as error:
        verdict.notes.append(f"books: not checkable here: the fold stops: {error}")
        return
    if words := behind_words(behind):
        verdict.notes.append(f"books: {words}")
    for number, end in ends.items():
        shard = shards.get(number, Shard())
        if shard.next_offset != end or shard.head != heads[number]:
            found = f"{shard.next_offset} of digest {shard.head[:16]} in the log"
            expected = f"offset {end} of digest {str(heads[number])[:16]}"
            _fail(verdict, Finding(place_of(EVENTS, number, end), "books", expected, found))
    for line in compare(fold_figures(shards), booked, {}, {}):
        verdict.looked_at["figures of the books"] = (
            verdict.looked_at.get("figures of the books", 0) + 1
        )
        if line.drifts:
            key = line.key
            subject = f"{key.owner} {key.what} {key.unit}"
            expected, found = amount(line.fold, key.unit), amount(line.books, key.unit)
            _fail(verdict, Finding(f"books {database.place}", subject, expected, found))


def _fold(source: Source, ends: dict[int, int]) -> tuple[dict[int, Shard], int]:
    """The fold of every shard, up to where the books stand, and how many events follow."""
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


def _fail(verdict: Verdict, finding: Finding) -> None:
    verdict.status = Status.FAIL
    verdict.failures += 1
    if len(verdict.findings) < FINDINGS_KEPT:
        verdict.findings.append(finding)
