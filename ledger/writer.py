"""Writes a batch of rows and its offsets in one transaction; reads the booked offsets.

SQLite takes the rows by `executemany`, PostgreSQL by COPY. A transaction advances `progress` only
from the offsets at which the batch began. So of two writers one fails, and a batch whose commit was
not confirmed is never written twice.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, Table, func, insert, select, update
from sqlalchemy.dialects import sqlite

from arena.errors import Fenced
from arena.fault_points import fault_point
from ledger import schema
from ledger.batch import BookedOffset, Row, RowBatch, TopicPartition
from ledger.database import Database
from ledger.schema import APPEND_ONLY, FIRST_WINS

_SQLITE = sqlite.dialect(paramstyle="qmark")
_INSERT = {table: str(insert(table).compile(dialect=_SQLITE)) for table in APPEND_ONLY}
STAGED = "staged"


class Writer:
    """Adds batches to the books, and reads their state.

    Attributes:
        database: The books.
    """

    def __init__(self, database: Database) -> None:
        """Prepare to write.

        Args:
            database: The books.
        """
        self.database = database

    def booked_offsets(self) -> dict[TopicPartition, BookedOffset]:
        """Return the booked offset of every partition."""
        with self.database.reading() as connection:
            return booked_offsets_of(connection)

    def accounts(self) -> dict[tuple[str, str], int]:
        """Return (name, unit) -> number of the account."""
        columns = schema.accounts.c
        with self.database.reading() as connection:
            rows = connection.execute(select(columns.name, columns.unit, columns.account_id))
            return {(name, unit): number for name, unit, number in rows}

    def fold(self, shard: int) -> bytes | None:
        """Return the stored fold of a shard, or None."""
        packed = select(schema.folds.c.packed).where(schema.folds.c.shard == shard)
        with self.database.reading() as connection:
            found = connection.execute(packed).scalar()
        return None if found is None else bytes(found)

    def newest_equity_us(self) -> dict[str, int]:
        """Return venue -> time of its newest snapshot in the books, in microseconds."""
        columns = schema.equity_snapshots.c
        newest = select(columns.venue, func.max(columns.as_of_us)).group_by(columns.venue)
        with self.database.reading() as connection:
            return {row.venue: row[1] for row in connection.execute(newest)}

    def write(self, batch: RowBatch) -> None:
        """Add a whole batch, or nothing; a batch that was already written is skipped.

        Raises:
            BooksUnavailable: The batch may or may not be written: write it again.
            BrokenBooks: The database refused a row.
            Fenced: Another process has written in the meantime.
        """
        with self.database.writing() as connection:
            if self._is_written(connection, batch):
                return
            for table, rows in batch.rows.items():
                if rows:
                    self._add(connection, table, rows)
            fault_point("rows_written")
            for part, booked in batch.after.items():
                self._advance(connection, part, batch.before[part], booked)
            for shard, (next_offset, packed) in batch.folds.items():
                self._store_fold(connection, shard, next_offset, packed)
            fault_point("before_commit")
        fault_point("after_commit")

    def _is_written(self, connection: Connection, batch: RowBatch) -> bool:
        booked = booked_offsets_of(connection)
        now = {part: booked.get(part) for part in batch.after}
        if now == batch.before:
            return False
        if now == batch.after:
            return True
        raise Fenced(
            f"the books at {self.database.location} are at {now}, this process at {batch.before}",
        )

    def _add(self, connection: Connection, table: Table, rows: Sequence[Row]) -> None:
        if self.database.is_sqlite:
            connection.exec_driver_sql(_INSERT[table], list(rows))
        elif table in FIRST_WINS:
            # COPY alone would fail if a key exists.
            connection.exec_driver_sql(
                f"CREATE TEMP TABLE {STAGED} (LIKE {table.name}) ON COMMIT DROP"
            )
            _copy(connection, STAGED, table, rows)
            connection.exec_driver_sql(
                f"INSERT INTO {table.name} SELECT * FROM {STAGED} ON CONFLICT DO NOTHING"
            )
            connection.exec_driver_sql(f"DROP TABLE {STAGED}")
        else:
            _copy(connection, table.name, table, rows)

    def _advance(
        self,
        connection: Connection,
        part: TopicPartition,
        before: BookedOffset | None,
        after: BookedOffset,
    ) -> None:
        columns = schema.progress.c
        if before is None:
            topic, number = part
            connection.execute(
                insert(schema.progress).values(topic=topic, part=number, **after._asdict())
            )
            return
        updated = connection.execute(
            update(schema.progress)
            .where(columns.topic == part[0], columns.part == part[1])
            .where(columns.next_offset == before.next_offset)
            .values(**after._asdict())
        )
        if updated.rowcount != 1:
            raise Fenced(f"another process wrote the books at {self.database.location}")

    def _store_fold(
        self, connection: Connection, shard: int, next_offset: int, packed: bytes
    ) -> None:
        values = {"next_offset": next_offset, "packed": packed}
        updated = connection.execute(
            update(schema.folds).where(schema.folds.c.shard == shard).values(values)
        )
        if updated.rowcount == 0:
            connection.execute(insert(schema.folds).values(shard=shard, **values))


def booked_offsets_of(connection: Connection) -> dict[TopicPartition, BookedOffset]:
    """Return the booked offset of every partition, as this transaction sees it."""
    rows = connection.execute(select(schema.progress))
    return {(row.topic, row.part): BookedOffset(*row[2:]) for row in rows}


def _copy(connection: Connection, name: str, table: Table, rows: Iterable[Row]) -> None:
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    driver = connection.connection.driver_connection
    assert driver is not None, "the connection is closed"
    with driver.cursor() as cursor, cursor.copy(f"COPY {name} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
