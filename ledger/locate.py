"""Finds the books that a command means, and opens them for reading.

Reads the environment and `<home>/runs`. The books of a run with its own broker are in the directory
of the run; those of other arenas are at the location that `ledger.location` gives.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from arena.errors import DependencyMissing
from arena.export_files import read_manifest
from arena.run_lookup import PREFIX_VARIABLE
from arena.runs import BOOKS, RECORDS, RunRecord, RunRequirement, find_run, has_export, newest_run
from arena.settings import BOOTSTRAP_VARIABLE, Settings
from ledger.location import VARIABLE, BooksLocation, books_location

if TYPE_CHECKING:
    from ledger.database import Database


def find_books(settings: Settings, database: str | None) -> BooksLocation:
    """Return the location of the books of the arena that the settings name."""
    from ledger.database import require_regular_file

    location = books_location(settings.home, settings.prefix, database or os.environ.get(VARIABLE))
    require_regular_file(location)
    return location


def books_of(
    database: str | None, prefix: str | None, run_name: str | None = None
) -> BooksLocation:
    """Return the location of the books that a command means: of a run, or of the arena of a prefix.

    Raises:
        UsageError: The run has no books or does not exist.
    """
    settings = Settings()
    found = run_with_books(database, prefix, run_name)
    if found is not None:
        return books_in(settings.override(prefix=found[1].prefix), found[0], database)
    return find_books(settings.override(prefix=prefix), database)


def run_with_books(
    database: str | None, prefix: str | None, run_name: str | None
) -> tuple[Path, RunRecord] | None:
    """Return the run whose books a command means: the named one, or the newest that has books.

    Returns:
        None if a flag or variable names a prefix, or if no run has books.

    Raises:
        UsageError: The named run has no books or does not exist.
    """
    home = Settings().home
    remedy = "`[ledger] enabled = true` in its specification keeps books; `arena demo` has some"
    need = RunRequirement(
        "books", remedy, lambda directory, run: has_books(home, directory, run, database)
    )
    if run_name is not None:
        return find_run(home, run_name, need=need)
    if prefix is not None or PREFIX_VARIABLE in os.environ:
        return None
    return newest_run(home, need)


def exported_ends(
    database: str | None, prefix: str | None, run_name: str | None
) -> dict[str, dict[int, int]]:
    """Return the end offsets of the exported records of a run: topic -> partition -> offset.

    Empty if the run has no export, or if a flag names the books but not the run.
    """
    if database is not None and run_name is None:
        return {}
    found = run_with_books(database, prefix, run_name)
    if found is None or not has_export(*found):
        return {}
    return read_manifest(found[0] / RECORDS).ends()


def run_path_with_books(
    database: str | None, servers: str | None, prefix: str | None, run_name: str | None
) -> str | None:
    """Return the run that a command means as a path, for `find_arena`.

    A command that names a broker and no run reads that broker: None.
    """
    if run_name is None and (servers or os.environ.get(BOOTSTRAP_VARIABLE)):
        return None
    found = run_with_books(database, prefix, run_name)
    return run_name if found is None else str(found[0])


def has_books(home: Path, directory: Path, run: RunRecord, database: str | None) -> bool:
    """True if a run has books: in its directory, or at the location of its arena."""
    given = database or os.environ.get(VARIABLE)
    if given or (directory / BOOKS).is_file():
        return True
    location = books_location(home, run.prefix, None)
    own_broker = run.broker_home == str(directory.resolve())
    return not own_broker and location.path is not None and location.path.is_file()


def books_in(settings: Settings, directory: Path | None, database: str | None) -> BooksLocation:
    """Return the location of the books of a run: its directory, or that of its arena."""
    own = None if directory is None else directory / BOOKS
    if database is None and VARIABLE not in os.environ and own is not None and own.exists():
        database = f"sqlite:///{own.resolve()}"
    return find_books(settings, database)


def require_books(location: BooksLocation) -> None:
    """Check that the SQLite file exists; a database server is checked only when it is queried.

    Raises:
        DependencyMissing: The file does not exist.
    """
    if location.path is not None and not location.path.is_file():
        raise DependencyMissing(
            f"this arena has no books: {location} does not exist",
            remedy="`arena demo`, and `[ledger] enabled = true` in a specification, keep books; "
            "`arena ledger run` keeps those of a running arena",
        )


@contextmanager
def open_read_only(location: BooksLocation) -> "Iterator[Database]":
    """Open books for reading only.

    Raises:
        DependencyMissing: There are no books.
    """
    from ledger.database import Database

    require_books(location)
    database = Database(location, read_only=True)
    try:
        yield database
    finally:
        database.close()
