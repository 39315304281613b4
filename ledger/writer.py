"""Writes a batch and how far it goes in one transaction; reads back where the books stand.

SQLite takes the rows by `executemany`, PostgreSQL by COPY. A transaction moves `progress` on only
from where the batch began, so of two writers one fails, and a batch whose commit was not heard of
is never written twice.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, Table, func, insert, select, update
from sqlalchemy.dialects import sqlite

from arena.errors import Fenced
from arena.faults import point
from ledger import schema
from ledger.batch import BookedOffset, Row, RowBatch, TopicPartition
from ledger.database import Database
from ledger.schema import APPEND_ONLY, FIRST_WINS

_SQLITE = sqlite.dialect(paramstyle="qmark")
_INSERT = {table: str(insert(table).compile(dialect=_SQLITE)) for table in APPEND_ONLY}
STAGED = "staged"


class Writer:
    """The right hand of the books: adds to them, and says how far they are.

    Attributes:
        database: The books.
    """

    def __init__(self, database: Database) -> None:
        """Write nothing yet."""
        self.database = database

    def progress(self) -> dict[TopicPartition, BookedOffset]:
        """How far every partition is."""
        with self.database.reading() as connection:
            return booked_offsets_of(connection)

    def accounts(self) -> dict[tuple[str, str], int]:
        """The numbers of the accounts."""
        columns = schema.accounts.c
        with self.database.reading() as connection:
            rows = connection.execute(select(columns.name, columns.unit, columns.account_id))
            return {(name, unit): number for name, unit, number in rows}

    def fold(self, shard: int) -> bytes | None:
        """The packed shard as it was kept last; None if there is none."""
        packed = select(schema.folds.c.packed).where(schema.folds.c.shard == shard)
        with self.database.reading() as connection:
            found = connection.execute(packed).scalar()
        return None if found is None else bytes(found)

    def newest_equity_us(self) -> dict[str, int]:
        """The time of each venue's newest snapshot in the books."""
        columns = schema.equity_snapshots.c
        newest = select(columns.venue, func.max(columns.as_of_us)).group_by(columns.venue)
        with self.database.reading() as connection:
            return {row.venue: row[1] for row in connection.execute(newest)}

    def write(self, batch: RowBatch) -> None:
        """Add all of a batch, or nothing; a batch that is there already is left alone.

        Raises:
            BooksGone: It may or may not be there: write it again.
            BrokenBooks: The database refused a row.
            Fenced: Another process has written meanwhile.
        """
        with self.database.writing() as connection:
            if self._is_there(connection, batch):
                return
            for table, rows in batch.rows.items():
                if rows:
                    self._add(connection, table, rows)
            point("rows_written")
            for part, booked in batch.after.items():
                self._move(connection, part, batch.before[part], booked)
            for shard, (next_offset, packed) in batch.folds.items():
                self._keep(connection, shard, next_offset, packed)
            point("before_commit")
        point("after_commit")

    def _is_there(self, connection: Connection, batch: RowBatch) -> bool:
        stand = booked_offsets_of(connection)
        now = {part: stand.get(part) for part in batch.after}
        if now == batch.before:
            return False
        if now == batch.after:
            return True
        raise Fenced(
            f"the books at {self.database.location} stand at {now}, this process at {batch.before}",
        )

    def _add(self, connection: Connection, table: Table, rows: Sequence[Row]) -> None:
        if self.database.is_sqlite:
            connection.exec_driver_sql(_INSERT[table], list(rows))
        elif table in FIRST_WINS:
            # COPY alone would fail at the second row of a key.
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

    def _move(
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
        moved = connection.execute(
            update(schema.progress)
            .where(columns.topic == part[0], columns.part == part[1])
            .where(columns.next_offset == before.next_offset)
            .values(**after._asdict())
        )
        if moved.rowcount != 1:
            raise Fenced(f"another process wrote the books at {self.database.location}")

    def _keep(self, connection: Connection, shard: int, next_offset: int, packed: bytes) -> None:
        values = {"next_offset": next_offset, "packed": packed}
        kept = connection.execute(
            update(schema.folds).where(schema.folds.c.shard == shard).values(values)
        )
        if kept.rowcount == 0:
            connection.execute(insert(schema.folds).values(shard=shard, **values))


def booked_offsets_of(connection: Connection) -> dict[TopicPartition, BookedOffset]:
    """How far every partition is, in this transaction's view."""
    rows = connection.execute(select(schema.progress))
    return {(row.topic, row.part): BookedOffset(*row[2:]) for row in rows}


def _copy(connection: Connection, name: str, table: Table, rows: Iterable[Row]) -> None:
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    driver = connection.connection.driver_connection
    assert driver is not None, "the connection is closed"
    with driver.cursor() as cursor, cursor.copy(f"COPY {name} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
