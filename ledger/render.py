"""Formats a sheet as a table, JSON, CSV or Parquet. Amounts are decimal text, never a float.

In Parquet an amount is `decimal128(38, 8)`, a price `decimal128(38, 18)` and a time a timestamp, so
the file has every digit of the books.
"""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from arena.atomic_files import atomic_draft
from arena.money import PRICE_DIGITS, SCALE_DIGITS, from_units, units_text
from arena.optional_imports import start_pyarrow
from arena.visible_text import csv_text
from ledger.batch import Value
from ledger.statements import Kind, Sheet

if TYPE_CHECKING:
    import pyarrow as pa

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DECIMAL_DIGITS = 38


def moment(micros: int) -> datetime:
    """Return the time of microseconds since 1970."""
    return EPOCH + timedelta(microseconds=micros)


def cell(value: Value, kind: Kind) -> str:
    """Format one value."""
    if value is None:
        return ""
    if kind == "amount":
        return units_text(int(value))
    if kind == "time":
        return moment(int(value)).isoformat().replace("+00:00", "Z")
    return value.hex() if isinstance(value, bytes) else str(value)


def cells(sheet: Sheet, *, grouped: bool = False) -> list[list[str]]:
    """Format all rows; `grouped` puts commas between thousands."""
    kinds = [kind for _, kind in sheet.columns]
    return [
        [
            thousands(text) if grouped and kind in ("amount", "price") else text
            for value, kind in zip(row, kinds, strict=True)
            for text in (cell(value, kind),)
        ]
        for row in sheet.rows
    ]


def thousands(text: str) -> str:
    """Put commas between the thousands of a decimal text: "-1234.5" is "-1,234.5"."""
    sign = "-" if text.startswith("-") else ""
    number, point, decimals = text.removeprefix("-").partition(".")
    return f"{sign}{int(number):,}{point}{decimals}" if number else text


def as_json(sheet: Sheet) -> str:
    """Return the rows as JSON objects; amounts are text, counts numbers, missing values null."""
    names = [name for name, _ in sheet.columns]
    kinds = [kind for _, kind in sheet.columns]
    rows = [
        {
            name: None if value is None else value if kind == "count" else cell(value, kind)
            for name, kind, value in zip(names, kinds, row, strict=True)
        }
        for row in sheet.rows
    ]
    return json.dumps({"sheet": sheet.name, "rows": rows, "remarks": sheet.remarks}, indent=2)


def as_csv(sheet: Sheet) -> str:
    """Return the rows with a header line (RFC 4180)."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([name for name, _ in sheet.columns])
    writer.writerows(
        [
            csv_text(text) if kind == "text" else text
            for text, (_, kind) in zip(row, sheet.columns, strict=True)
        ]
        for row in cells(sheet)
    )
    return out.getvalue()


def write_parquet(sheet: Sheet, path: Path) -> None:
    """Write one file with one row group; an older file stays if this cannot be written."""
    import pyarrow.parquet as pq

    with atomic_draft(path) as draft:
        pq.write_table(arrow_table(sheet), draft, compression="zstd")


def arrow_table(sheet: Sheet) -> "pa.Table":
    """Return the rows as an Arrow table."""
    import pyarrow as pa

    start_pyarrow()
    types = {
        "text": pa.string(),
        "amount": pa.decimal128(DECIMAL_DIGITS, SCALE_DIGITS),
        "price": pa.decimal128(DECIMAL_DIGITS, PRICE_DIGITS),
        "count": pa.int64(),
        "time": pa.timestamp("us", tz="UTC"),
    }
    fields = [pa.field(name, types[kind]) for name, kind in sheet.columns]
    columns = [
        pa.array([_typed(row[index], kind) for row in sheet.rows], types[kind])
        for index, (_, kind) in enumerate(sheet.columns)
    ]
    return pa.table(columns, schema=pa.schema(fields))


def _typed(value: Value, kind: Kind) -> str | int | Decimal | datetime | None:
    if value is None or kind == "count":
        return value if not isinstance(value, bytes) else value.hex()
    if kind == "amount":
        return from_units(int(value))
    if kind == "price":
        return Decimal(str(value))
    if kind == "time":
        return moment(int(value))
    return cell(value, kind)
