"""Which books a command means, and opening them to read.

Reads the environment and `<home>/runs`. The books of a run with a broker of its own are in its
directory; those of other arenas are where `ledger.location` says.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from arena.commands.where import PREFIX_VARIABLE
from arena.errors import DependencyMissing
from arena.export_files import read_manifest
from arena.localbroker.resolve import BOOTSTRAP_VARIABLE
from arena.settings import Settings
from arena.supervisor.runs import (
    BOOKS,
    RECORDS,
    Need,
    RunRecord,
    find_run,
    has_export,
    newest_run,
)
from ledger.location import VARIABLE, BooksLocation, books_location

if TYPE_CHECKING:
    from ledger.database import Database


def find_books(settings: Settings, database: str | None) -> BooksLocation:
    """Where the books of the arena of these settings are."""
    from ledger.database import require_file

    location = books_location(settings.home, settings.prefix, database or os.environ.get(VARIABLE))
    require_file(location)
    return location


def books_of(
    database: str | None, prefix: str | None, run_name: str | None = None
) -> BooksLocation:
    """Where the books are that a command means: those of a run, or of the arena of a prefix.

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
    """The run whose books a command means: the newest here that has some, if no other is named.

    Returns:
        None if a flag or variable names a prefix, or no run here has books.

    Raises:
        UsageError: The named run has no books or does not exist.
    """
    home = Settings().home
    remedy = "`[ledger] enabled = true` in its specification keeps books; `arena demo` has some"
    need = Need("books", remedy, lambda directory, run: has_books(home, directory, run, database))
    if run_name is not None:
        return find_run(home, run_name, need=need)
    if prefix is not None or PREFIX_VARIABLE in os.environ:
        return None
    return newest_run(home, need)


def exported_ends(
    database: str | None, prefix: str | None, run_name: str | None
) -> dict[str, dict[int, int]]:
    """Topic -> partition -> where the exported records of the run that a command means end.

    Empty if it has no export, or if the books are named by a flag and the run is not.
    """
    if database is not None and run_name is None:
        return {}
    found = run_with_books(database, prefix, run_name)
    if found is None or not has_export(*found):
        return {}
    return read_manifest(found[0] / RECORDS).ends()


def named_with_books(
    database: str | None, servers: str | None, prefix: str | None, run_name: str | None
) -> str | None:
    """The same as a path, for `find_arena`; a broker that is named has the run itself."""
    if run_name is None and (servers or os.environ.get(BOOTSTRAP_VARIABLE)):
        return None
    found = run_with_books(database, prefix, run_name)
    return run_name if found is None else str(found[0])


def has_books(home: Path, directory: Path, run: RunRecord, database: str | None) -> bool:
    """True if there are books of a run: in its directory, or else where its arena keeps them."""
    given = database or os.environ.get(VARIABLE)
    if given or (directory / BOOKS).is_file():
        return True
    location = books_location(home, run.prefix, None)
    own_broker = run.broker_home == str(directory.resolve())
    return not own_broker and location.path is not None and location.path.is_file()


def books_in(settings: Settings, directory: Path | None, database: str | None) -> BooksLocation:
    """Where the books of a run are: in its directory, or else where its arena keeps them."""
    own = None if directory is None else directory / BOOKS
    if database is None and VARIABLE not in os.environ and own is not None and own.exists():
        database = f"sqlite:///{own.resolve()}"
    return find_books(settings, database)


def require_books(location: BooksLocation) -> None:
    """See that there are books at a place; a database on a server tells when it is asked.

    Raises:
        DependencyMissing: There are none.
    """
    if location.path is not None and not location.path.is_file():
        raise DependencyMissing(
            f"this arena has no books: {location} does not exist",
            remedy="`arena demo`, and `[ledger] enabled = true` in a specification, keep books; "
            "`arena ledger run` keeps those of an arena that runs",
        )


@contextmanager
def opened(location: BooksLocation) -> "Iterator[Database]":
    """Books that are only read.

    Raises:
        DependencyMissing: There are none.
    """
    from ledger.database import Database

    require_books(location)
    database = Database(location, read_only=True)
    try:
        yield database
    finally:
        database.close()
