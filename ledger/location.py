"""Where the books lie: a file of SQLite, or a schema of PostgreSQL. Pure.

`DATABASE_URL`, where it is set, names a PostgreSQL or SQLite database. Without it the books are
`<home>/ledger.db`, or `<home>/ledger-<prefix>.db` for an arena with a topic prefix: every arena has
books of its own. On PostgreSQL each has a schema of its own, `arena` or `arena_<prefix>`.
"""

import re
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from arena.errors import UsageError
from arena.prefix import local_name

VARIABLE = "DATABASE_URL"
REMEDY = (
    "write postgresql://user@host/database, or sqlite:///ledger.db; leave it out for SQLite below"
    " ARENA_HOME"
)
POSTGRES_NAMES = ("postgres", "postgresql", "postgresql+psycopg")
SCHEMA_CHARS_MAX = 38
DIGEST_CHARS = 12
"""With both, and the word of `BooksLocation.beside`, a name has the 63 characters that PostgreSQL keeps."""


@dataclass(frozen=True, slots=True)
class BooksLocation:
    """Where one arena's books lie.

    Attributes:
        url: Of the database, with its driver.
        schema: On PostgreSQL; "" on SQLite.
    """

    url: URL
    schema: str = ""

    @property
    def path(self) -> Path | None:
        """The file of SQLite; None on PostgreSQL."""
        return None if self.schema else Path(self.url.database or "")

    def with_suffix(self, word: str) -> "BooksLocation":
        """Another place of the same kind, for books in the making."""
        if self.path is None:
            return replace(self, schema=f"{self.schema}_{word}")
        return replace(self, url=self.url.set(database=f"{self.path}.{word}"))

    def __str__(self) -> str:
        """What a person calls it; never a password."""
        if self.path is not None:
            return str(self.path)
        url = self.url.set(drivername="postgresql").render_as_string(hide_password=True)
        return f"{url} schema {self.schema}"


def books_location(home: Path, prefix: str, database_url: str | None) -> BooksLocation:
    """Where the books of an arena lie.

    Args:
        home: Where local state lies.
        prefix: Of the arena's topics.
        database_url: `DATABASE_URL`, or what a flag says instead of it.

    Raises:
        UsageError: The address names no database that can hold books.
    """
    if not database_url:
        name = f"ledger-{local_name(prefix)}.db" if prefix else "ledger.db"
        return BooksLocation(URL.create("sqlite+pysqlite", database=str(home / name)))
    try:
        url = make_url(database_url)
    except ArgumentError:
        raise UsageError(f"{VARIABLE} is no database address", remedy=REMEDY) from None
    if url.drivername in ("sqlite", "sqlite+pysqlite"):
        if url.database in (None, "", ":memory:"):
            raise UsageError("books in memory would be lost", remedy=REMEDY)
        return BooksLocation(url.set(drivername="sqlite+pysqlite"))
    if url.drivername in POSTGRES_NAMES:
        return BooksLocation(url.set(drivername="postgresql+psycopg"), schema_name(prefix))
    raise UsageError(f"{VARIABLE} asks for {url.drivername!r}", remedy=REMEDY)


def schema_name(prefix: str) -> str:
    """The PostgreSQL schema of an arena: "arena", or "arena_" and its prefix in plain letters.

    Where other prefixes have the same plain letters, a digest of the prefix follows.
    """
    plain = re.sub(r"[^a-z0-9]+", "_", prefix.lower()).strip("_")[:SCHEMA_CHARS_MAX]
    if prefix in ("", f"{plain}."):
        return f"arena_{plain}" if plain else "arena"
    digest = sha256(prefix.encode()).hexdigest()[:DIGEST_CHARS]
    return f"arena_{plain}__{digest}" if plain else f"arena_{digest}"
