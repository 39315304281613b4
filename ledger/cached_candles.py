"""Adds candles of the cache to the table `candles` of the books.

A candle that the books have stays as it is. Reads the cache, and writes the database in
transactions of some days.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from arena.candle_cache.series import Series
from arena.candle_cache.store import CandleStore
from ledger import schema
from ledger.batch import Row, RowBatch
from ledger.database import Database
from ledger.writer import Writer

ROWS_MAX = 20_000
"""Rows of one transaction, about."""
US_PER_S = 1_000_000
TRADES = 5
"""Cells of a row with open, high, low, close and volume."""


@dataclass(frozen=True, slots=True)
class ImportedCandles:
    """What was added.

    Attributes:
        series: Number of series.
        rows: Number of candles in them, without those that have quotes only.
        added: Number of candles that the books did not have.
    """

    series: int
    rows: int
    added: int


def import_candles(
    database: Database, store: CandleStore, chosen: Sequence[Series]
) -> ImportedCandles:
    """Add the candles of series; the books are created if there are none.

    Raises:
        UsageError: A file of the cache was changed.
        BooksUnavailable: The database does not answer, is full or locked.
    """
    database.upgrade()
    writer, rows = Writer(database), 0
    before = _count(database)
    for series in chosen:
        with store.reading(series):
            for part in _parts(store, series):
                batch = RowBatch()
                batch.rows[schema.candles] = part
                writer.write(batch)
                rows += len(part)
    return ImportedCandles(len(chosen), rows, _count(database) - before)


def _parts(store: CandleStore, series: Series) -> Iterator[list[Row]]:
    """The rows of a series, oldest first, in lists of whole days."""
    found: list[Row] = []
    days = store.manifest(series).days
    whole = store.whole_days(series, min(days, default=0), max(days, default=0) + 1)
    for day, entry in whole.days.items():
        for start_s, line in store.read_day(series, day, entry).items():
            numbers = line.split(",")[:TRADES]
            if all(numbers):
                start_us = start_s * US_PER_S
                found.append((series.venue, series.product_id, series.step_s, start_us, *numbers))
        if len(found) >= ROWS_MAX:
            yield found
            found = []
    if found:
        yield found


def _count(database: Database) -> int:
    with database.reading() as connection:
        return int(
            connection.execute(select(func.count()).select_from(schema.candles)).scalar_one()
        )
