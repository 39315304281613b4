"""The lock of the process that writes an arena's books; any other process is a standby.

It saves work, and safety does not depend on it: of two writers, one would fail at `progress` in its
first transaction. SQLite: an advisory lock on `<books>.lock`, which ends with its process.
PostgreSQL: a session-level advisory lock.
"""

import fcntl
import os
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import DatabaseError

from ledger.database import Database, database_errors, lock_key


class WriterLock:
    """An advisory lock that at most one running process holds."""

    def __init__(self, database: Database) -> None:
        """Create the lock of a database's books, not acquired.

        Args:
            database: The books.
        """
        self._database = database
        self._file: int | None = None
        self._session: Connection | None = None

    def try_acquire(self) -> bool:
        """Try to acquire the lock; True if this process holds it now.

        Raises:
            BooksUnavailable: The database does not answer.
        """
        with database_errors(self._database.location):
            path = self._database.location.path
            return self._take_session() if path is None else self._take_file(path)

    def release(self) -> None:
        """Release the lock."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if self._session is not None:
            self._session.invalidate()
            self._session.close()
            self._session = None

    def _take_file(self, books: Path) -> bool:
        if self._file is not None:
            return True
        books.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(f"{books}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        self._file = file
        return True

    def _take_session(self) -> bool:
        if self._session is not None:
            try:
                self._session.exec_driver_sql("SELECT 1")
            except DatabaseError:
                self.release()
            else:
                return True
        session = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        key = lock_key("write", self._database.location.schema)
        if session.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar():
            self._session = session
            return True
        session.close()
        return False
