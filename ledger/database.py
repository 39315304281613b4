"""Opens the books: durable connections, and migrations to the newest schema.

SQLite: WAL, `synchronous=FULL`, foreign keys on, one writer at a time. PostgreSQL:
`synchronous_commit=on`, one schema per arena, writes under a role that may only add rows.
Migrations run in one transaction under a lock, so two processes may start at once.
"""

import hashlib
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from psycopg import Error as PsycopgError
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DatabaseError, DBAPIError, IntegrityError
from sqlalchemy.pool import NullPool

from arena.error_causes import FORBIDDEN_REMEDY, error_message, explain_error
from arena.errors import ArenaError
from arena.optional_imports import import_without
from ledger.error_text import describe_database_error
from ledger.errors import BooksMisconfigured, BooksUnavailable, BrokenBooks
from ledger.location import BooksLocation

# mako, which alembic imports, loads pygments if it is installed, for pages with errors.
with import_without("pygments"):
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

MIGRATIONS = Path(__file__).parent / "migrations"
WRITER_ROLE = "arena_ledger_writer"
READ_ONLY_OPTION = "arena_reads"
"""The execution option of a read-only transaction."""
BUSY_TIMEOUT_S = 10
BUSY_RETRY_S = 0.01
CONNECT_TIMEOUT_S = 5
STATEMENT_TIMEOUT_MS = 600_000
SQLITE_TRANSIENT = frozenset(
    (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
    )
)
"""Errors that pass when there is space, or the file is back; damage does not pass."""
NO_TABLE = "no such table"
TRANSIENT_SQLSTATES = ("08", "53", "57", "58", "25006", "40", "55P03", "42P01")
"""SQLSTATEs of errors that pass: connection, resources, operator, system, read-only, rollback,
lock, and missing tables, which a ledger creates when it starts."""


class Database:
    """Connections to one arena's books.

    Attributes:
        location: The location of the books.
        is_sqlite: True on SQLite, False on PostgreSQL.
    """

    def __init__(self, location: BooksLocation, *, read_only: bool = False) -> None:
        """Prepare the engine; the first statement connects.

        Args:
            location: The location of the books.
            read_only: The connections cannot change anything.

        Raises:
            BooksMisconfigured: The location is a file, and something other than a file is there.
        """
        require_regular_file(location)
        self.location = location
        self.is_sqlite = location.path is not None
        self._read_only = read_only
        self.engine = (
            _sqlite(location, read_only) if self.is_sqlite else _postgres(location, read_only)
        )
        self._role: str | None = None
        self._read_engine: Engine | None = None
        self._folder: TemporaryDirectory[str] | None = None

    def upgrade(self, revision: str = "head") -> None:
        """Migrate the schema to the newest revision, or to a given one; create it if it is missing.

        Raises:
            BooksUnavailable: The database does not answer or is full.
            BrokenBooks: It holds something else, or a newer schema.
        """
        with database_errors(self.location), self._with_folder().engine.begin() as connection:
            if not self.is_sqlite:
                connection.execute(
                    text("SELECT pg_advisory_xact_lock(:key)"),
                    {"key": lock_key("migrate", self.location.schema)},
                )
                connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{self.location.schema}"'))
            if self._is_older(connection):
                config = _alembic()
                config.attributes["connection"] = connection
                command.upgrade(config, revision)

    def _is_older(self, connection: Connection) -> bool:
        """True if the schema is older than the newest revision."""
        newest = str(ScriptDirectory.from_config(_alembic()).get_current_head())
        current = MigrationContext.configure(connection).get_current_revision()
        if current is not None and current > newest:
            raise BrokenBooks(
                f"the books at {self.location} have schema {current}, this arena {newest}",
                remedy="use the version of the arena that wrote them",
            )
        return current != newest

    def _with_folder(self) -> "Database":
        if self.location.path is not None:
            self.location.path.parent.mkdir(parents=True, exist_ok=True)
        return self

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open one transaction that may add rows.

        Raises:
            BooksUnavailable: The database does not answer, is full or locked: nothing was written,
                or everything was, if the connection broke during the commit.
            BrokenBooks: It refused a row.
        """
        with database_errors(self.location), self.engine.begin() as connection:
            if not self.is_sqlite:
                if self._role is None:
                    self._role = _writer_role(connection)
                if self._role:
                    connection.exec_driver_sql(f"SET LOCAL ROLE {self._role}")
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open one consistent view of the books.

        Raises:
            BooksUnavailable: The database does not answer, or there are no books.
        """
        with database_errors(self.location), self._engine_to_read().connect() as connection:
            isolation = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
            with connection.execution_options(**{READ_ONLY_OPTION: True}, **isolation).begin():
                yield connection

    def _engine_to_read(self) -> Engine:
        """Return the engine to read from: an upgraded copy if a read-only file has an older schema.

        Raises:
            BooksMisconfigured: The PostgreSQL schema is older, and this process may not change it.
        """
        if not self._read_only or self._read_engine is not None:
            return self._read_engine or self.engine
        with self.engine.connect() as connection:
            made = MigrationContext.configure(connection).get_current_revision() is not None
            is_older = made and self._is_older(connection)
        self._read_engine = self._upgraded_copy() if is_older else self.engine
        return self._read_engine

    def _upgraded_copy(self) -> Engine:
        if self.location.path is None:
            raise BooksMisconfigured(
                f"the books at {self.location} have the schema of an older arena",
                remedy="`arena ledger run` upgrades them",
            )
        self._folder = TemporaryDirectory(prefix="arena-books-")
        path = Path(self._folder.name) / "ledger.db"
        with (
            closing(
                sqlite3.connect(f"{self.location.path.resolve().as_uri()}?mode=ro", uri=True)
            ) as old,
            closing(sqlite3.connect(path)) as new,
        ):
            old.backup(new)
        copy = Database(replace(self.location, url=self.location.url.set(database=str(path))))
        copy.upgrade()
        return copy.engine

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()
        if self._read_engine is not None:
            self._read_engine.dispose()
        if self._folder is not None:
            self._folder.cleanup()


@contextmanager
def database_errors(location: BooksLocation) -> Iterator[None]:
    """Translate errors of the database into errors of the books.

    Raises:
        BooksUnavailable: An error that passes when the database is back, or has space.
        BooksMisconfigured: The address or the login is wrong.
        BrokenBooks: Any other error.
    """
    try:
        yield
    except IntegrityError as error:
        raise BrokenBooks(
            f"the books at {location} refused a row: {_driver_message(error)}",
            remedy="`arena reconcile run` shows the differences, `arena ledger rebuild` rebuilds",
        ) from error
    except (DatabaseError, PsycopgError) as error:
        found = describe_database_error(_driver_message(error))
        kind: type[ArenaError] = BooksUnavailable if _is_transient(error) else BrokenBooks
        if found.is_usage and _state(error) is None:
            kind = BooksMisconfigured
        raise kind(f"the books at {location}: {found.cause}", remedy=found.remedy) from error
    except OSError as error:
        explained = explain_error(error)
        remedy = "" if explained is None else explained.remedy
        if remedy == FORBIDDEN_REMEDY:
            remedy = "make their folder writable for this user, or name others with --database"
        text = f"the books at {location}: {error_message(error)}"
        raise BooksUnavailable(text, remedy=remedy) from error


def require_regular_file(location: BooksLocation) -> None:
    """Check that the location is a regular file, or free: a rebuild would replace even a device.

    Raises:
        BooksMisconfigured: Something other than a regular file is there.
    """
    if location.path is None:
        return
    why = ""
    try:
        mode = location.path.resolve(strict=True).stat().st_mode
        why = "" if stat.S_ISREG(mode) else "it is a folder, a device or a pipe, not a file"
    except OSError:
        pass  # the folder may appear later, such as that of a disk that is not mounted yet
    except RuntimeError:
        why = "it is a link to itself"
    if why:
        raise BooksMisconfigured(
            f"{location} cannot hold books: {why}",
            remedy="name a file with DATABASE_URL or --database",
        )


def lock_key(purpose: str, schema: str) -> int:
    """Return the key of a PostgreSQL advisory lock, a signed 64-bit number."""
    digest = hashlib.sha256(f"arena ledger {purpose} {schema}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _is_transient(error: DBAPIError | PsycopgError) -> bool:
    orig = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(orig, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in SQLITE_TRANSIENT or NO_TABLE in str(orig)
    state = _state(error)
    return state is None or state.startswith(TRANSIENT_SQLSTATES)


def _state(error: DBAPIError | PsycopgError) -> str | None:
    """Return the SQLSTATE; None for SQLite, and if no connection was made."""
    orig = error.orig if isinstance(error, DBAPIError) else error
    found = getattr(orig, "sqlstate", None)
    return None if found is None else str(found)


def _driver_message(error: DBAPIError | PsycopgError) -> str:
    orig = error.orig if isinstance(error, DBAPIError) else error
    return str(orig).strip().split("\n", 1)[0]


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def _sqlite(location: BooksLocation, read_only: bool) -> Engine:
    def connect() -> sqlite3.Connection:
        mode = "ro" if read_only else "rwc"
        path = Path(location.url.database or "").resolve()
        connection = sqlite3.connect(
            f"{path.as_uri()}?mode={mode}",
            uri=True,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
        )
        if not read_only:
            _use_wal(connection)
        for setting in ("synchronous = FULL", "foreign_keys = ON", "recursive_triggers = ON"):
            connection.execute(f"PRAGMA {setting}")
        return connection

    engine = create_engine(location.url, creator=connect, poolclass=NullPool if read_only else None)
    event.listen(engine, "begin", _begin)
    return engine


def _use_wal(connection: sqlite3.Connection) -> None:
    """Set the journal mode; wait for another process that is setting it on a new file.

    SQLite does not wait here: it returns SQLITE_BUSY at once if two connections change the mode.
    """
    deadline_s = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not is_busy or time.monotonic() >= deadline_s:
                raise
        time.sleep(BUSY_RETRY_S)


def _begin(connection: Connection) -> None:
    """Begin; a transaction that writes takes the lock at once, or it could fail half-way."""
    reads = connection.get_execution_options().get(READ_ONLY_OPTION)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _postgres(location: BooksLocation, read_only: bool) -> Engine:
    options = {
        "search_path": location.schema,
        "synchronous_commit": "on",
        "statement_timeout": STATEMENT_TIMEOUT_MS,
        "lock_timeout": BUSY_TIMEOUT_S * 1_000,
        "default_transaction_read_only": "on" if read_only else "off",
    }
    arguments: dict[str, Any] = {  # Any: the options of psycopg
        "options": " ".join(f"-c{name}={value}" for name, value in options.items()),
        "connect_timeout": CONNECT_TIMEOUT_S,
        "application_name": "arena-ledger",
    }
    return create_engine(location.url, connect_args=arguments, pool_pre_ping=True)


def _writer_role(connection: Connection) -> str:
    """Return the role that may only add rows, if it exists and this user is a member; else ""."""
    found = connection.execute(
        text(
            "SELECT 1 FROM pg_roles WHERE rolname = :role AND pg_has_role(rolname, 'MEMBER')"
            " AND rolname <> current_user"
        ),
        {"role": WRITER_ROLE},
    ).scalar()
    return WRITER_ROLE if found else ""
