"""Fixtures for books on both engines; one PostgreSQL server per session, one schema per test."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.database import Database
from ledger.location import BooksLocation, books_location
from tests.ledger.postgres import any_postgres, why_not


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The address of a real PostgreSQL; skips if none can be started."""
    if reason := why_not():
        pytest.skip(reason)
    with any_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> BooksLocation:
    """A location for books on either engine; there are none yet."""
    prefix = f"t{uuid.uuid4().hex[:10]}."
    if request.param == "sqlite":
        return books_location(tmp_path, prefix, None)
    return books_location(tmp_path, prefix, request.getfixturevalue("postgres_url"))


@pytest.fixture
def database(location: BooksLocation) -> Iterator[Database]:
    """Empty books."""
    made = Database(location)
    made.upgrade()
    yield made
    made.close()
