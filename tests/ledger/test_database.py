"""The schema, its migrations, and the location of the books."""

import asyncio
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from decimal import Decimal
from pathlib import Path
from unittest.mock import Mock

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Table, Text, insert, select, text
from sqlalchemy.exc import DBAPIError

from arena.errors import UsageError
from arena.money import to_units
from ledger import schema
from ledger.amounts import field_widths, join_amounts
from ledger.batch import Row
from ledger.database import Database, _alembic, _use_wal
from ledger.digest import books_digest
from ledger.errors import BooksMisconfigured, BooksUnavailable, BrokenBooks
from ledger.location import BooksLocation, books_location
from ledger.posting import Poster
from ledger.projector import Projector
from ledger.schema import metadata
from ledger.statements import balances, trial_balance
from ledger.writer import Writer
from tests.ledger.helpers import records_of, written_log


def test_migrations_give_the_schema_of_the_code(database: Database) -> None:
    """Both have the same tables, columns, keys and indexes."""
    with database.reading() as connection:
        differs = compare_metadata(MigrationContext.configure(connection), metadata)

    assert [] == differs


async def test_concurrent_upgrades_run_once(location: BooksLocation) -> None:
    """One process migrates; the others find the schema up to date."""
    databases = [Database(location) for _ in range(4)]
    await asyncio.gather(*(asyncio.to_thread(database.upgrade) for database in databases))
    with databases[0].reading() as connection:
        found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars()
        assert ["0006"] == list(found)
    for database in databases:
        database.close()


def test_rows_survive_the_migration_to_longer_keys(location: BooksLocation) -> None:
    """Books of revision 0002 keep their turns, and accept a second one at the same offset."""
    database = Database(location)
    columns = schema.agent_logs.columns
    row = {c.name: "old" if isinstance(c.type, Text) else 0 for c in columns}
    with database.engine.begin() as connection:
        if not database.is_sqlite:
            connection.execute(text(f'CREATE SCHEMA "{location.schema}"'))
        config = _alembic()
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        connection.execute(insert(schema.agent_logs).values(row))
    database.upgrade()
    with database.writing() as connection:
        connection.execute(insert(schema.agent_logs).values(row | {"turn_id": "new"}))
    with database.reading() as connection:
        found = connection.execute(select(schema.agent_logs.c.turn_id)).scalars().all()
    database.close()

    assert ["new", "old"] == sorted(found)


def test_migration_to_two_columns_per_amount_keeps_rows(location: BooksLocation) -> None:
    """Migrated books of revision 0003 have the digest, sums and triggers of new ones."""
    batch = Projector(Poster(), {}).batch(records_of(written_log(60)))
    old, new = Database(location), Database(location.with_suffix("new"))
    old.upgrade("0003")
    with old.engine.begin() as connection:
        for table, rows in batch.rows.items():
            for row in rows:
                add_old(connection, table, row)
    old.upgrade()
    new.upgrade()
    Writer(new).write(batch)
    with old.reading() as carried, new.reading() as fresh:
        assert books_digest(fresh) == books_digest(carried)
        assert balances(fresh) == balances(carried)
        assert trial_balance(carried)[1]
    for change in ("UPDATE fills SET quantity_whole = 1", "DELETE FROM entries"):
        with pytest.raises(DBAPIError, match="never changed"), old.engine.begin() as connection:
            connection.exec_driver_sql(change)
    old.close()
    new.close()


def test_reading_older_books_does_not_change_them(location: BooksLocation) -> None:
    """A file is read from an upgraded copy; a server's books give an error with the remedy."""
    batch = Projector(Poster(), {}).batch(records_of(written_log(5)))
    old = Database(location)
    old.upgrade("0003")
    with old.engine.begin() as connection:
        for table, rows in batch.rows.items():
            for row in rows:
                add_old(connection, table, row)
    reader = Database(location, read_only=True)
    if location.path is None:
        with pytest.raises(BooksMisconfigured, match="arena ledger run"), reader.reading():
            pass
        return
    with reader.reading() as connection:
        assert trial_balance(connection)[1]
    with old.reading() as connection:
        found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    reader.close()
    old.close()

    assert "0003" == found


LATER = {"currency", "step", "order_type", "cause"}
"""Columns since revisions 0005 and 0006."""


def add_old(connection: Connection, table: Table, row: Row) -> None:
    """Add a row as in revision 0003: one column per amount, prices in units of 10^-8."""
    widths = field_widths(table)
    names = [name for name, _ in widths]
    values = list(join_amounts([width for _, width in widths], row))
    known = [(name, value) for name, value in zip(names, values, strict=True) if name not in LATER]
    names, values = [name for name, _ in known], [value for _, value in known]
    if "price" in names:
        at = names.index("price")
        values[at] = to_units(Decimal(str(values[at])))
    marks = ", ".join(f":{name}" for name in names)
    words = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({marks})"
    connection.execute(text(words), dict(zip(names, values, strict=True)))


def test_new_file_can_be_opened_by_several_at_once(tmp_path: Path) -> None:
    """SQLite refuses a second change of the journal mode at once; the connection tries again."""
    for number in range(100):
        location = books_location(tmp_path / str(number), "", None)
        (tmp_path / str(number)).mkdir()
        databases = [Database(location) for _ in range(4)]
        barrier = threading.Barrier(len(databases))

        def connect(database: Database, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            with database.engine.connect():
                pass

        with ThreadPoolExecutor(len(databases)) as pool:
            list(pool.map(connect, databases))
        for database in databases:
            database.close()


@pytest.mark.parametrize(
    ("code", "waits"), [(sqlite3.SQLITE_BUSY, True), (sqlite3.SQLITE_READONLY, False)]
)
def test_only_a_busy_file_is_tried_again(code: int, waits: bool) -> None:
    """Another error does not pass by waiting."""
    error = sqlite3.OperationalError("refused")
    error.sqlite_errorcode = code
    connection = Mock()
    connection.execute.side_effect = [error, error, None]

    with nullcontext() if waits else pytest.raises(sqlite3.OperationalError):
        _use_wal(connection)

    assert (3 if waits else 1) == connection.execute.call_count


def test_sqlite_settings(tmp_path: Path) -> None:
    """Commits are synced, foreign keys enforced, and column types strict."""
    database = Database(books_location(tmp_path, "", None))
    database.upgrade()
    with database.reading() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
        tables = connection.exec_driver_sql(
            "SELECT name, strict FROM pragma_table_list WHERE schema = 'main'"
        )
        loose = {name for name, strict in tables if not strict}
    database.close()

    assert {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1} == found
    assert loose <= {"alembic_version", "sqlite_schema"}


@pytest.mark.parametrize(
    ("prefix", "url", "expected"),
    [
        ("", None, "home/ledger.db"),
        ("t1.", None, "home/ledger-t1.db"),
        ("", "sqlite:///elsewhere/b.db", "elsewhere/b.db"),
        ("", "postgres://u:secret@h/db", "postgresql://u:***@h/db schema arena"),
        ("t_1.", "postgresql://h/db", "postgresql://h/db schema arena_t_1"),
    ],
)
def test_location_of_the_books(prefix: str, url: str | None, expected: str) -> None:
    """Each arena has its own file or schema; a password is never shown."""
    assert expected == str(books_location(Path("home"), prefix, url))


@pytest.mark.parametrize("url", ["nonsense", "mysql://h/db", "sqlite://", "sqlite:///:memory:"])
def test_unusable_location_is_refused(url: str) -> None:
    """Another engine, not an address, or memory."""
    with pytest.raises(UsageError):
        books_location(Path("home"), "", url)


def test_damaged_file_is_not_retried(tmp_path: Path) -> None:
    """Damage is permanent; a missing file may appear later."""
    location = books_location(tmp_path, "", None)
    assert location.path is not None
    location.path.write_bytes(b"no database" * 1_000)
    with pytest.raises(BrokenBooks):
        Database(location).upgrade()
    with (
        pytest.raises(BooksUnavailable),
        Database(location.with_suffix("none"), read_only=True).reading(),
    ):
        pass
