"""The text of database errors, and files that cannot hold books."""

import errno
import os
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from arena.errors import UsageError
from ledger.database import Database, database_errors
from ledger.error_text import describe_database_error
from ledger.errors import BooksMisconfigured, BooksUnavailable
from ledger.location import books_location

SERVER = 'connection failed: connection to server at "127.0.0.1", port 1 failed: '


@pytest.mark.parametrize(
    ("message", "cause", "remedy", "is_usage"),
    [
        (f"{SERVER}Connection refused\n\tIs it running?", "no server listens", "start it", False),
        (f'{SERVER}FATAL:  database "x" does not exist', 'database "x"', "createdb", True),
        (f'{SERVER}FATAL:  role "x" is not permitted to log in', "refuses this user", "user", True),
        (
            f'{SERVER}FATAL:  password authentication failed for user "x"',
            "refuses this login",
            "PGPASSWORD",
            True,
        ),
        (f"{SERVER}fe_sendauth: no password supplied", "refuses this login", "PGPASSWORD", True),
        (f"{SERVER}timeout expired", "does not answer", "frozen", False),
        ('invalid connection option "nonsense"', "address", "DATABASE_URL", True),
        ("received invalid response to SSL negotiation: 0", "is not PostgreSQL", "port", False),
        ("database is locked", "locked", "end that process", False),
        ("canceling statement due to lock timeout", "locked", "end that process", False),
        ("file is not a database", "damaged", "rebuild", False),
        ("database or disk is full", "full", "make room", False),
        ("no such table: accounts", "holds no books yet", "arena ledger run", False),
        ("words of another kind \u202e", r"words of another kind \u202e", "log", False),
    ],
)
def test_error_has_cause_and_remedy(
    message: str, cause: str, remedy: str, *, is_usage: bool
) -> None:
    """Each kind of error has a cause and a remedy, without the prefix of the driver."""
    found = describe_database_error(message)

    assert cause in found.cause
    assert remedy in found.remedy
    assert is_usage == found.is_usage
    assert "FATAL" not in found.cause


def test_wrong_login_is_a_usage_error() -> None:
    """An error that waiting cannot fix is a usage error; it shows neither password nor driver."""
    location = books_location(Path(), "", "postgresql://u:planted@h/x")

    def fail(message: str) -> None:
        with database_errors(location):
            raise OperationalError("x", None, Exception(message))

    with pytest.raises(BooksMisconfigured, match="postgresql://u:\\*\\*\\*@h/x") as caught:
        fail(f'{SERVER}FATAL:  database "x" does not exist')
    with pytest.raises(BooksUnavailable, match="no server listens there; start it"):
        fail(f"{SERVER}Connection refused")

    assert isinstance(caught.value, UsageError)
    assert "planted" not in str(caught.value)
    assert "psycopg" not in str(caught.value)


@pytest.mark.parametrize(
    ("number", "remedy"), [(errno.EACCES, "--database"), (errno.ENOSPC, "free space")]
)
def test_system_error_has_a_remedy(number: int, remedy: str, tmp_path: Path) -> None:
    """Books in a folder that is not writable, or on a full disk, are not just "refused"."""
    location = books_location(tmp_path, "", None)

    with pytest.raises(BooksUnavailable) as caught, database_errors(location):
        raise OSError(number, os.strerror(number), str(location.path))

    assert remedy in caught.value.remedy


@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "loop"])
def test_only_a_regular_file_can_hold_books(tmp_path: Path, kind: str) -> None:
    """Anything else is refused, so that new books never replace it."""
    path = tmp_path / "books"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path = Path(os.devnull)
    else:
        path.symlink_to(path)

    for read_only in (True, False):
        with pytest.raises(UsageError, match="cannot hold books"):
            Database(books_location(tmp_path, "", f"sqlite:///{path}"), read_only=read_only)


def test_link_to_the_books_is_followed(tmp_path: Path) -> None:
    """A link to a regular file, or to one that does not exist yet, is allowed."""
    (tmp_path / "link").symlink_to(tmp_path / "real.db")
    database = Database(books_location(tmp_path, "", f"sqlite:///{tmp_path / 'link'}"))
    with database.engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    database.close()

    assert (tmp_path / "real.db").is_file()
