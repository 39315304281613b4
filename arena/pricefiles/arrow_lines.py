"""Reads Parquet and Feather as lines of cells: floats with the shortest digits, times in ns."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from arena.bounded_files import too_large
from arena.bounded_parquet import open_parquet
from arena.errors import UsageError
from arena.pricefiles.columns import COLUMNS_MAX, is_header, shown
from arena.pricefiles.csv_lines import Line
from arena.pricefiles.feather import feather_batches

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS: Final = 8_192
CELL_BYTES_MAX: Final = 1_024
DAY_NS: Final = 86_400_000_000_000
NANOSECONDS: Final = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


def parquet_lines(path: Path) -> Iterator[Line]:
    """Yield the names and the rows of a Parquet file.

    Raises:
        UsageError: A column has lists, or a value is too long.
        BrokenLog: The file cannot be decoded.
        NotReadable: The file is above a limit.
    """
    with open_parquet(path) as file:
        names = _names(path, file.schema)
        yield 0, names
        yield from _rows(path, file.batches(names, BATCH_ROWS))


def feather_lines(path: Path, stream: BinaryIO) -> Iterator[Line]:
    """Yield the names and the rows of a Feather or Arrow file; see `parquet_lines`."""
    schema, batches = feather_batches(path, stream)
    names = _names(path, schema)
    yield 0, names
    yield from _rows(path, (batch.select(names) for batch in batches))


def _names(path: Path, schema: "pa.Schema") -> list[str]:
    """The columns with one value per row."""
    if len(schema.names) > COLUMNS_MAX:
        raise UsageError(f"{path} has more than {COLUMNS_MAX} columns")
    if len(set(schema.names)) < len(schema.names):
        raise UsageError(f"{path} has two columns with the same name: {shown(schema.names)}")
    nested = [field for field in schema if field.type.num_fields]
    if wrong := [field for field in nested if is_header([field.name])]:
        raise UsageError(
            f"{path}: the column {wrong[0].name} has values of type {wrong[0].type}",
            remedy="give a number or a time in each row",
        )
    return [field.name for field in schema if field not in nested]


def _rows(path: Path, batches: Iterable["pa.RecordBatch"]) -> Iterator[Line]:
    number = 0
    for batch in batches:
        columns = [_cells(path, column) for column in batch.columns]
        for cells in zip(*columns, strict=True):
            number += 1
            yield number, list(cells)


def _cells(path: Path, column: "pa.Array") -> list[str]:
    """A column as text."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        _require_short(path, column.dictionary)
        column = column.dictionary_decode()
        kind = column.type
    if pa.types.is_timestamp(kind):
        factor = NANOSECONDS[kind.unit]
        return _texts(column.cast(pa.int64()), lambda value: str(value * factor))
    if pa.types.is_date32(kind):
        return _texts(column.cast(pa.int32()), lambda value: str(value * DAY_NS))
    if pa.types.is_float32(kind) or pa.types.is_float16(kind):
        return [str(value) for value in column.to_numpy(zero_copy_only=False)]  # shortest digits
    _require_short(path, column)
    if pa.types.is_binary(kind):
        return _texts(column, lambda value: bytes(value).decode(errors="replace"))
    return _texts(column, str)


def _require_short(path: Path, column: "pa.Array") -> None:
    """Check the length of texts."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind):
        longest = pc.max(pc.binary_length(column)).as_py() or 0
        if longest > CELL_BYTES_MAX:
            raise too_large(path, f"has a value of {longest:,} bytes", CELL_BYTES_MAX)


def _texts(column: "pa.Array", text: Callable[..., str]) -> list[str]:
    return ["" if value is None else text(value) for value in column.to_pylist()]
