"""Exports every table of the books to Parquet or CSV, from one consistent view.

Amounts have eight decimals, prices eighteen; times are UTC; candles keep the digits of the venue.
Rows are streamed into the files, a bounded number at a time.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, Table, select

from arena.atomic_files import atomic_draft
from ledger.amounts import field_widths, join_amounts
from ledger.render import arrow_table, cells
from ledger.schema import APPEND_ONLY
from ledger.statements import Kind, Sheet

SLICE_ROWS = 10_000
TIMES = "_us"
PRICES = frozenset({"price"})
DURATIONS = frozenset({"latency_us"})


def export_tables(connection: Connection, folder: Path, form: str) -> dict[str, int]:
    """Write all tables; return the number of rows per table.

    Args:
        connection: One consistent view of the books.
        folder: The output folder, created if missing; existing files are replaced.
        form: "parquet" or "csv".
    """
    folder.mkdir(parents=True, exist_ok=True)
    write = _write_csv if form == "csv" else _write_parquet
    return {
        table.name: write(_sheets(connection, table), folder / f"{table.name}.{form}")
        for table in APPEND_ONLY
    }


def kinds_of(table: Table) -> tuple[tuple[str, Kind], ...]:
    """Return the columns of a table as a `Sheet` has them."""
    return tuple(
        (name.removesuffix(TIMES), "amount" if width > 1 else _kind(table, name))
        for name, width in field_widths(table)
    )


def _kind(table: Table, name: str) -> Kind:
    if name in PRICES:
        return "price"
    if name.endswith(TIMES) and name not in DURATIONS:
        return "time"
    return "count" if issubclass(table.columns[name].type.python_type, int) else "text"


def _sheets(connection: Connection, table: Table) -> Iterator[Sheet]:
    """Yield the rows in slices; the first one is empty, so that every file has its header."""
    columns = kinds_of(table)
    query = select(table).order_by(*table.primary_key.columns)
    widths = [width for _, width in field_widths(table)]
    streamed = connection.execution_options(yield_per=SLICE_ROWS).execute(query)
    yield Sheet(table.name, columns, [])
    for rows in streamed.partitions(SLICE_ROWS):
        yield Sheet(table.name, columns, [join_amounts(widths, row) for row in rows])


def _write_csv(sheets: Iterator[Sheet], path: Path) -> int:
    count = 0
    with atomic_draft(path) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        for sheet in sheets:
            if not sheet.rows:
                writer.writerow([name for name, _ in sheet.columns])
            writer.writerows(cells(sheet))
            count += len(sheet.rows)
    return count


def _write_parquet(sheets: Iterator[Sheet], path: Path) -> int:
    import pyarrow.parquet as pq

    first = next(sheets)
    count = 0
    schema = arrow_table(first).schema
    with (
        atomic_draft(path) as draft,
        pq.ParquetWriter(draft, schema, compression="zstd") as writer,
    ):
        for sheet in sheets:
            writer.write_table(arrow_table(sheet))
            count += len(sheet.rows)
    return count
