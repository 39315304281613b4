"""The location of the books: a SQLite file, or a PostgreSQL schema. Pure.

`DATABASE_URL`, if set, names a PostgreSQL or SQLite database. Without it the books are in
`<home>/ledger.db`, or `<home>/ledger-<prefix>.db` for an arena with a topic prefix: every arena has
its own books. On PostgreSQL each has its own schema, `arena` or `arena_<prefix>`.
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
    "write postgresql://user@host/database, or sqlite:///ledger.db; leave it out for a SQLite"
    " file in ARENA_HOME"
)
POSTGRES_NAMES = ("postgres", "postgresql", "postgresql+psycopg")
SCHEMA_CHARS_MAX = 38
DIGEST_CHARS = 12
"""With these bounds and the suffix of `BooksLocation.with_suffix`, a name is at most 63 characters,
which is what PostgreSQL keeps."""


@dataclass(frozen=True, slots=True)
class BooksLocation:
    """The location of one arena's books.

    Attributes:
        url: The address of the database, with its driver.
        schema: The PostgreSQL schema; "" on SQLite.
    """

    url: URL
    schema: str = ""

    @property
    def path(self) -> Path | None:
        """The SQLite file; None on PostgreSQL."""
        return None if self.schema else Path(self.url.database or "")

    def with_suffix(self, suffix: str) -> "BooksLocation":
        """Return another location in the same database or folder, for books being built."""
        if self.path is None:
            return replace(self, schema=f"{self.schema}_{suffix}")
        return replace(self, url=self.url.set(database=f"{self.path}.{suffix}"))

    def __str__(self) -> str:
        """The file, or the address without its password."""
        if self.path is not None:
            return str(self.path)
        url = self.url.set(drivername="postgresql").render_as_string(hide_password=True)
        return f"{url} schema {self.schema}"


def books_location(home: Path, prefix: str, database_url: str | None) -> BooksLocation:
    """Return the location of the books of an arena.

    Args:
        home: The folder of local state.
        prefix: The prefix of the arena's topics.
        database_url: `DATABASE_URL`, or the flag that overrides it.

    Raises:
        UsageError: The address does not name a database that can hold books.
    """
    if not database_url:
        name = f"ledger-{local_name(prefix)}.db" if prefix else "ledger.db"
        return BooksLocation(URL.create("sqlite+pysqlite", database=str(home / name)))
    try:
        url = make_url(database_url)
    except ArgumentError:
        raise UsageError(f"{VARIABLE} is not a database address", remedy=REMEDY) from None
    if url.drivername in ("sqlite", "sqlite+pysqlite"):
        if url.database in (None, "", ":memory:"):
            raise UsageError(
                "books in memory would be lost at the end of the process", remedy=REMEDY
            )
        return BooksLocation(url.set(drivername="sqlite+pysqlite"))
    if url.drivername in POSTGRES_NAMES:
        return BooksLocation(url.set(drivername="postgresql+psycopg"), schema_name(prefix))
    raise UsageError(f"{VARIABLE} names the driver {url.drivername!r}", remedy=REMEDY)


def schema_name(prefix: str) -> str:
    """Return the PostgreSQL schema of an arena: "arena", or "arena_" and its prefix.

    Characters of the prefix other than letters and digits become underscores.

    A digest of the prefix follows if another prefix would give the same name.
    """
    plain = re.sub(r"[^a-z0-9]+", "_", prefix.lower()).strip("_")[:SCHEMA_CHARS_MAX]
    if prefix in ("", f"{plain}."):
        return f"arena_{plain}" if plain else "arena"
    digest = sha256(prefix.encode()).hexdigest()[:DIGEST_CHARS]
    return f"arena_{plain}__{digest}" if plain else f"arena_{digest}"
