"""The candles of one day as a Parquet file.

Columns: `ts` (start of the candle, UTC), `open`, `high`, `low`, `close`, `volume`, `bid`, `ask`.
Numbers are text without trailing zeros, so that no digit is lost: a float has at most 17, a price
up to 18 after the point. A cell without a number is null. The same rows give the same bytes.

The first call loads `pyarrow`.
"""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from arena.bounded_parquet import open_parquet
from arena.optional_imports import start_pyarrow

if TYPE_CHECKING:
    import pyarrow as pa

NUMBERS: Final = ("open", "high", "low", "close", "volume", "bid", "ask")
COLUMNS: Final = ("ts", *NUMBERS)
ROWS_MAX: Final = 1_440
"""Minutes of a day."""

Lines = Mapping[int, str]
"""Start of a candle in Unix seconds -> "open,high,low,close,volume,bid,ask", numbers or empty."""


def encode_day(lines: Lines) -> bytes:
    """The content of a day's file, rows oldest first."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    start_pyarrow()
    starts = sorted(lines)
    cells = [lines[start].split(",") for start in starts]
    columns = [
        pa.array(starts, pa.int64()).cast(pa.timestamp("s", "UTC")),
        *(
            pa.array([row[index] or None for row in cells], pa.string())
            for index in range(len(NUMBERS))
        ),
    ]
    target = BytesIO()
    table = pa.table(columns, names=list(COLUMNS))
    with pq.ParquetWriter(target, table.schema, compression="zstd", use_dictionary=False) as writer:
        if starts:  # A day without candles has no row group.
            writer.write_table(table)
    return target.getvalue()


def decode_day(path: Path) -> dict[int, str]:
    """The rows of a day's file, oldest first.

    Raises:
        BrokenLog: It is not such a file.
        NotReadable: It is above a limit.
        ValueError: It has other columns.
    """
    found: dict[int, str] = {}
    start_pyarrow()
    with open_parquet(path) as file:
        if tuple(file.schema.names) != COLUMNS:
            raise ValueError(f"the columns are {', '.join(file.schema.names)[:200]}")
        for batch in file.batches(COLUMNS, ROWS_MAX):
            found |= _rows(batch)
    return found


def _rows(batch: "pa.RecordBatch") -> dict[int, str]:
    import pyarrow as pa

    unit = batch.column(0).cast(pa.timestamp("s", "UTC"))
    starts = unit.cast(pa.int64()).to_pylist()
    columns = [[cell or "" for cell in column.to_pylist()] for column in batch.columns[1:]]
    return {start: ",".join(cells) for start, *cells in zip(starts, *columns, strict=True)}
