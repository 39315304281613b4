"""A sheet as text for people, JSON, CSV or Parquet. Amounts are decimal text, never a float.

In Parquet an amount is `decimal128(38, 8)`, a price `decimal128(38, 18)` and a time a timestamp;
the file holds what the books hold, to the last digit.
"""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from arena.money import PRICE_DIGITS, SCALE_DIGITS, from_units, units_text
from arena.visible import csv_text
from arena.written import whole_file
from ledger.batch import Value
from ledger.statements import Kind, Sheet

if TYPE_CHECKING:
    import pyarrow as pa

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DECIMAL_DIGITS = 38


def moment(micros: int) -> datetime:
    """The time of microseconds since 1970."""
    return EPOCH + timedelta(microseconds=micros)


def cell(value: Value, kind: Kind) -> str:
    """A value as it is read."""
    if value is None:
        return ""
    if kind == "amount":
        return units_text(int(value))
    if kind == "time":
        return moment(int(value)).isoformat().replace("+00:00", "Z")
    return value.hex() if isinstance(value, bytes) else str(value)


def cells(sheet: Sheet, *, grouped: bool = False) -> list[list[str]]:
    """All rows as they are read; `grouped` puts commas between thousands."""
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
    """A decimal text with commas between thousands: "-1234.5" is "-1,234.5"."""
    sign = "-" if text.startswith("-") else ""
    number, point, decimals = text.removeprefix("-").partition(".")
    return f"{sign}{int(number):,}{point}{decimals}" if number else text


def as_json(sheet: Sheet) -> str:
    """The rows as a list of objects; amounts are text, counts numbers, an absent value null."""
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
    """The rows with a heading line (RFC 4180)."""
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
    """One file of one row group; an older one stays if this cannot be written."""
    import pyarrow.parquet as pq

    with whole_file(path) as draft:
        pq.write_table(arrow_table(sheet), draft, compression="zstd")


def arrow_table(sheet: Sheet) -> "pa.Table":
    """The rows as a table of Arrow."""
    import pyarrow as pa

    types = {
        "text": pa.string(),
        "amount": pa.decimal128(DECIMAL_DIGITS, SCALE_DIGITS),
        "price": pa.decimal128(DECIMAL_DIGITS, PRICE_DIGITS),
        "count": pa.int64(),
        "time": pa.timestamp("us", tz="UTC"),
    }
    fields = [pa.field(name, types[kind]) for name, kind in sheet.columns]
    columns = [
        pa.array([_typed(row[place], kind) for row in sheet.rows], types[kind])
        for place, (_, kind) in enumerate(sheet.columns)
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
