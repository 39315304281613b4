"""Reads Parquet from untrusted sources within limits: checked before anything is unpacked.

A small footer can declare any number of rows, a small page can unpack to two gigabytes, and every
row can refer to one long dictionary value. So the footer is walked before it is parsed, the header
of every page is read before the page, and the longest dictionary value bounds the number of rows
that are decoded at a time. `ARENA_FILE_LIMITS_FACTOR` multiplies all limits.

Layout: https://parquet.apache.org/docs/file-format/. The first call loads `pyarrow`.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from arena.bounded_files import limits_factor, open_regular, too_large
from arena.errors import BrokenLog, Malformed
from arena.thrift_compact import CompactReader, Fields

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

FILE_BYTES_MAX = 4 << 30
FOOTER_BYTES_MAX = 1 << 20
"""About 1,500 row groups of an export: 24 GB of records."""
STRUCTS_MAX = 100_000
COLUMNS_MAX = 1_000
PAGE_BYTES_MAX = 32 << 20
"""Limit for an unpacked page; a page of an export has a few MB at most."""
DICTIONARY_BYTES_MAX = 4 << 20
PAGES_MAX = 200_000
VALUES_PER_GROUP_MAX = 2 << 20
"""Limit for the values of a column in a row group, including those in lists and maps."""
UNPACKED_BYTES = 256 << 20
UNPACKED_RATIO = 200
"""A file may unpack to `UNPACKED_BYTES` or to this many times its size."""
ROWS = 500_000
"""A file may have this many rows, or as many as it has bytes."""
ENTRIES_MAX = 1 << 20
"""Limit for the dictionary values of a file."""
BATCH_BYTES = 8 << 20
HEADER_BYTES_MAX = 64 << 10
TAIL_BYTES = 8
MAGIC = b"PAR1"

DATA_PAGE, INDEX_PAGE, DICTIONARY_PAGE, DATA_PAGE_V2 = 0, 1, 2, 3
EXPANDING = {7: "DELTA_BYTE_ARRAY"}
"""Encodings in which a few bytes represent many long values."""
REMEDY = "copy the file again from its source"


@dataclass(slots=True)
class _Group:
    """Facts from the page headers of a row group.

    Attributes:
        longest: Bytes of the longest dictionary value of a column without lists.
    """

    rows: int
    longest: int = 1


@dataclass(slots=True)
class BoundedParquet:
    """A Parquet file whose footer and page headers were checked.

    Attributes:
        path: The file.
        rows: Number of rows by its footer.
        unpacked_max: Limit of the unpacked bytes.
    """

    path: Path
    rows: int
    schema: "pa.Schema"
    unpacked_max: int
    _file: "pq.ParquetFile"
    _groups: list[_Group] = field(default_factory=list)

    def row_groups(self) -> range:
        """Numbers of the row groups."""
        return range(len(self._groups))

    def batches(
        self, columns: Sequence[str], rows_max: int, *, group: int | None = None
    ) -> Iterator["pa.RecordBatch"]:
        """Yield batches of some columns, of at most `rows_max` rows, from one row group or all.

        Raises:
            BrokenLog: A page cannot be decoded.
            NotReadable: The file unpacks to more than its limit.
        """
        import pyarrow as pa

        unpacked = 0
        try:
            for number in self.row_groups() if group is None else (group,):
                rows = max(1, min(rows_max, BATCH_BYTES // self._groups[number].longest))
                for batch in self._file.iter_batches(
                    rows, row_groups=[number], columns=list(columns), use_threads=False
                ):
                    unpacked += batch.nbytes
                    if unpacked > self.unpacked_max:
                        raise self._unpacks()
                    yield batch
        except (OSError, ValueError, KeyError, MemoryError, pa.ArrowException) as error:
            raise BrokenLog(
                f"{self.path} cannot be read: {_first_line(error)}", remedy=REMEDY
            ) from None

    def _unpacks(self) -> Exception:
        limit = self.unpacked_max
        return too_large(self.path, f"unpacks to more than {limit:,} bytes", limit)


@contextmanager
def open_parquet(path: Path, *, inside: Path | None = None) -> Iterator[BoundedParquet]:
    """Open a Parquet file and check everything that can be checked without unpacking.

    Args:
        path: The file.
        inside: A folder that must contain the file after links are followed.

    Raises:
        FileNotFoundError: The file does not exist.
        NotReadable: It is not a regular file in the folder, or above a limit.
        BrokenLog: It is not a Parquet file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with open_regular(path, FILE_BYTES_MAX, inside=inside) as stream:
        size = _check_footer(path, stream)
        try:
            with pq.ParquetFile(stream, pre_buffer=False, buffer_size=1 << 16) as file:
                found = _check(path, stream, size, file)
                yield found
        except (OSError, ValueError, MemoryError, pa.ArrowException) as error:
            raise BrokenLog(f"{path} cannot be read: {_first_line(error)}", remedy=REMEDY) from None


def _check_footer(path: Path, stream: BinaryIO) -> int:
    """Check the footer and return its offset."""
    size = stream.seek(0, os.SEEK_END)
    if size < TAIL_BYTES + len(MAGIC):
        raise _broken(path, f"has {size} bytes, and is not a Parquet file")
    stream.seek(size - TAIL_BYTES)
    tail = stream.read(TAIL_BYTES)
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != MAGIC or length > size - TAIL_BYTES - len(MAGIC):
        raise _broken(path, "does not end like a Parquet file")
    limit = FOOTER_BYTES_MAX * limits_factor()
    if length > limit:
        raise too_large(path, f"has a footer of {length:,} bytes", limit)
    stream.seek(size - TAIL_BYTES - length)
    reader = CompactReader(stream.read(length), STRUCTS_MAX * limits_factor())
    try:
        reader.struct()
    except Malformed as error:
        raise _broken(path, f"has a footer with {error}") from None
    stream.seek(0)
    return size - TAIL_BYTES - length


def _check(path: Path, stream: BinaryIO, end: int, file: "pq.ParquetFile") -> BoundedParquet:
    """Compare the footer and the page headers with the limits."""
    factor, metadata = limits_factor(), file.metadata
    unpacked_max = max(UNPACKED_BYTES, UNPACKED_RATIO * end) * factor
    rows_max = max(ROWS, end) * factor
    rows = metadata.num_rows
    if rows < 0:
        raise _broken(path, f"declares {rows} rows")
    if rows > rows_max:
        raise too_large(path, f"declares {rows:,} rows", rows_max, "rows")
    if metadata.num_columns > COLUMNS_MAX:
        raise too_large(path, f"has {metadata.num_columns:,} columns", COLUMNS_MAX, "columns")
    found = BoundedParquet(path, rows, file.schema_arrow, unpacked_max, file)
    walk = _Pages(path, stream, end, unpacked_max, PAGES_MAX * factor, ENTRIES_MAX * factor)
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        looked = _Group(group.num_rows)
        for index in range(group.num_columns):
            walk.column(group.column(index), file.schema.column(index), looked, factor)
        found._groups.append(looked)
    if sum(group.rows for group in found._groups) != rows:
        raise _broken(path, f"declares {rows:,} rows, and its row groups add up to another number")
    stream.seek(0)
    return found


@dataclass(slots=True)
class _Pages:
    """Walks the page headers of a file, column by column of each row group."""

    path: Path
    stream: BinaryIO
    end: int
    unpacked_left: int
    pages_left: int
    entries_left: int

    def column(
        self,
        chunk: "pq.ColumnChunkMetaData",
        schema: "pq.ColumnSchema",
        group: _Group,
        factor: int,
    ) -> None:
        """Check the pages of a column of a row group."""
        values, limit = 0, VALUES_PER_GROUP_MAX * factor
        begin = chunk.data_page_offset
        dictionary = chunk.dictionary_page_offset if chunk.has_dictionary_page else None
        # A column without values has no data page, and its offset is 0.
        if dictionary and (dictionary < begin or begin == chunk.num_values == 0):
            begin = dictionary
        position, end = begin, begin + chunk.total_compressed_size
        if not len(MAGIC) <= begin <= end <= self.end:
            raise self._broken(f"has a column at bytes {begin} to {end} of {self.end}")
        longest = 0
        while position < end:
            header, body = self._header(position, end)
            kind, unpacked, packed = (_number(header, field_id) for field_id in (1, 2, 3))
            if min(unpacked, packed) < 0 or body + packed > end:
                raise self._broken(f"has a page of {packed} bytes at {position} that does not fit")
            self._take(unpacked, PAGE_BYTES_MAX * factor)
            position = body + packed
            count, encoding = _values(header, kind)
            if encoding in EXPANDING:
                raise self._broken(f"has a page in {EXPANDING[encoding]}, which is not read")
            if kind == DICTIONARY_PAGE:
                longest = self._dictionary(chunk, body, packed, unpacked, count, factor)
            else:
                values += max(0, count)
        if max(values, chunk.num_values) > limit:
            count = max(values, chunk.num_values)
            raise too_large(self.path, f"has {count:,} values in a row group", limit, "values")
        if schema.max_repetition_level:
            if longest * values > max(BATCH_BYTES * factor, self.unpacked_left):
                raise self._above(f"names a value of {longest:,} bytes {values:,} times, more")
        else:
            group.longest = max(group.longest, longest)

    def _header(self, position: int, end: int) -> tuple[Fields, int]:
        """The header of the page at a position, and the offset of its content."""
        self.pages_left -= 1
        if self.pages_left < 0:
            raise too_large(self.path, "has too many pages", PAGES_MAX, "pages")
        self.stream.seek(position)
        reader = CompactReader(
            self.stream.read(min(HEADER_BYTES_MAX, end - position)), HEADER_BYTES_MAX
        )
        try:
            fields = reader.struct()
        except Malformed as error:
            raise self._broken(f"has a page at {position} with {error}") from None
        return fields, position + reader.position

    def _take(self, unpacked: int, limit: int) -> None:
        if unpacked > limit:
            raise too_large(self.path, f"has a page that unpacks to {unpacked:,} bytes", limit)
        self.unpacked_left -= unpacked
        if self.unpacked_left < 0:
            raise self._above("unpacks to more")

    def _dictionary(
        self,
        chunk: "pq.ColumnChunkMetaData",
        body: int,
        packed: int,
        unpacked: int,
        count: int,
        factor: int,
    ) -> int:
        """Bytes of the longest value of a dictionary."""
        import pyarrow as pa

        if chunk.physical_type != "BYTE_ARRAY":
            return unpacked // max(1, count)
        limit = DICTIONARY_BYTES_MAX * factor
        if unpacked > limit:
            raise too_large(self.path, f"has a dictionary of {unpacked:,} bytes", limit)
        self.stream.seek(body)
        content = self.stream.read(packed)
        if chunk.compression != "UNCOMPRESSED":
            content = pa.decompress(content, unpacked, chunk.compression.lower(), asbytes=True)
        longest, at = 0, 0
        while at + 4 <= len(content):
            self.entries_left -= 1
            if self.entries_left < 0:
                raise too_large(self.path, "has too many dictionary values", ENTRIES_MAX, "values")
            length = int.from_bytes(content[at : at + 4], "little")
            longest, at = max(longest, length), at + 4 + length
        return min(longest, unpacked)

    def _above(self, what: str) -> Exception:
        size = max(UNPACKED_BYTES, UNPACKED_RATIO * self.end) * limits_factor()
        return too_large(self.path, f"{what} than it may", size)

    def _broken(self, what: str) -> BrokenLog:
        return _broken(self.path, what)


def _values(header: Fields, kind: int) -> tuple[int, int]:
    """Number of values in a page, and their encoding, by its header."""
    number, encoding = {DATA_PAGE: (5, 2), DICTIONARY_PAGE: (7, 2), DATA_PAGE_V2: (8, 4)}.get(
        kind, (0, 0)
    )
    inner = header.get(number)
    if not isinstance(inner, dict):
        return 0, 0
    return _number(inner, 1), _number(inner, encoding)


def _number(fields: Fields, name: int) -> int:
    found = fields.get(name, 0)
    return found if isinstance(found, int) else 0


def _broken(path: Path, what: str) -> BrokenLog:
    return BrokenLog(f"{path} cannot be read: it {what}", remedy=REMEDY)


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0][:200] or type(error).__name__
