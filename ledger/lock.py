"""The right to write one arena's books: one process has it, any other stands by.

It saves work and is no safety: two writers would be told apart by `progress` in their first
transaction. SQLite: an advisory lock on `<books>.lock`, which ends with its process. PostgreSQL: an
advisory lock of a session.
"""

import fcntl
import os
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import DatabaseError

from ledger.database import Database, database_errors, lock_key


class WriterLock:
    """Held by at most one living process."""

    def __init__(self, database: Database) -> None:
        """Not held."""
        self._database = database
        self._file: int | None = None
        self._session: Connection | None = None

    def take(self) -> bool:
        """Try to hold it; True where this process holds it now.

        Raises:
            BooksGone: The database does not answer.
        """
        with database_errors(self._database.location):
            path = self._database.location.path
            return self._take_session() if path is None else self._take_file(path)

    def release(self) -> None:
        """Let it go."""
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
