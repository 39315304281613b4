"""Reads the record batches of an Arrow (Feather) file, after a check of its unpacked size.

The file has a stream of messages. Each has a small flatbuffer with the lengths of its buffers, and
a packed buffer starts with its unpacked length. Both are read here first and compared with the
limits. Layout: https://arrow.apache.org/docs/format/Columnar.html.
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from arena.bounded_files import limits_factor, too_large
from arena.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

BEGIN: Final = 8
"""Bytes before the first message: the magic bytes, padded."""
CONTINUES: Final = b"\xff\xff\xff\xff"
METADATA_BYTES_MAX: Final = 1 << 20
UNPACKED_BYTES_MAX: Final = 256 << 20
ROWS_MAX: Final = 2_000_000
MESSAGES_MAX: Final = 100_000
BUFFERS_MAX: Final = 10_000
SLICE_ROWS: Final = 8_192
DICTIONARY, BATCH = 2, 3
REMEDY: Final = "copy the file again from its source"


def feather_batches(path: Path, stream: BinaryIO) -> "tuple[pa.Schema, Iterator[pa.RecordBatch]]":
    """The schema of an Arrow file, and its batches in slices of `SLICE_ROWS`.

    Raises:
        UsageError: It is not a complete Arrow file.
        NotReadable: It is above a limit.
    """
    import pyarrow as pa

    _check(path, stream)
    stream.seek(BEGIN)
    try:
        reader = pa.ipc.open_stream(stream)
    except (OSError, ValueError, MemoryError, pa.ArrowException) as error:
        raise _broken(path, _first_line(error)) from None
    return reader.schema, _slices(path, reader)


def _slices(path: Path, reader: "pa.RecordBatchReader") -> "Iterator[pa.RecordBatch]":
    import pyarrow as pa

    try:
        for batch in reader:
            for begin in range(0, batch.num_rows, SLICE_ROWS):
                yield batch.slice(begin, SLICE_ROWS)
    except (OSError, MemoryError, pa.ArrowException) as error:
        raise _broken(path, _first_line(error)) from None


def _check(path: Path, stream: BinaryIO) -> None:
    """Walk the messages and add up their unpacked sizes."""
    factor = limits_factor()
    size = stream.seek(0, os.SEEK_END)
    position, unpacked, rows = BEGIN, 0, 0
    try:
        for _ in range(MESSAGES_MAX):
            stream.seek(position)
            prefix = stream.read(8)
            if len(prefix) < 8 or prefix[:4] != CONTINUES:
                raise _broken(path, f"no message at byte {position:,}")
            length = int.from_bytes(prefix[4:], "little")
            if not length:
                return  # the end of the stream
            if length > METADATA_BYTES_MAX:
                raise too_large(path, f"has a message of {length:,} bytes", METADATA_BYTES_MAX)
            message = _Table.root(stream.read(length))
            body = position + 8 + length
            position = body + message.number(3, 8)
            if not body <= position <= size:
                raise _broken(path, f"a message of {position - body:,} bytes does not fit in it")
            batch = _batch(message)
            if batch is None:
                continue
            rows += max(0, batch.number(0, 8))
            unpacked += _unpacked(stream, batch, body, position)
            if rows > ROWS_MAX * factor:
                raise too_large(path, f"has {rows:,} rows", ROWS_MAX * factor, "rows")
            if unpacked > UNPACKED_BYTES_MAX * factor:
                limit = UNPACKED_BYTES_MAX * factor
                raise too_large(path, f"unpacks to {unpacked:,} bytes or more", limit)
    except (struct.error, IndexError, OverflowError):
        raise _broken(path, f"the message at byte {position:,} is damaged") from None
    raise _broken(path, f"more than {MESSAGES_MAX:,} messages")


def _batch(message: "_Table") -> "_Table | None":
    """The record batch in a message, including that of a dictionary."""
    kind = message.number(1, 1)
    if kind not in (DICTIONARY, BATCH):
        return None
    header = message.table(2)
    return header.table(1) if kind == DICTIONARY else header


def _unpacked(stream: BinaryIO, batch: "_Table", body: int, end: int) -> int:
    """Unpacked bytes of the buffers of a batch."""
    found = 0
    packed = batch.has(3)
    for offset, length in batch.pairs(2):
        if not (min(offset, length) >= 0 and body + offset + length <= end):
            raise IndexError("a buffer outside its message")
        if packed and length >= 8:
            stream.seek(body + offset)
            stated = int.from_bytes(stream.read(8), "little", signed=True)
            found += length if stated < 0 else stated
        else:
            found += length
    return found


class _Table:
    """A table of a flatbuffer: https://flatbuffers.dev/internals/.

    Args:
        content: The whole buffer.
        at: Position of the table.
    """

    def __init__(self, content: bytes, at: int) -> None:
        """Find the fields of the table."""
        self._content = content
        self._at = at
        self._fields = at - self._int("<i", at)
        self._size = self._int("<H", self._fields)

    @classmethod
    def root(cls, content: bytes) -> "_Table":
        """The root table of a buffer."""
        return cls(content, struct.unpack_from("<I", content, 0)[0])

    def has(self, field: int) -> bool:
        """True if the table has a field."""
        return self._position(field) > 0

    def number(self, field: int, size: int) -> int:
        """An integer of a number of bytes; 0 if it is absent."""
        position = self._position(field)
        return self._int({1: "<b", 2: "<h", 4: "<i", 8: "<q"}[size], position) if position else 0

    def table(self, field: int) -> "_Table":
        """A table inside this one."""
        position = self._position(field)
        if not position:
            raise IndexError("a table is missing")
        return _Table(self._content, position + self._int("<I", position))

    def pairs(self, field: int) -> Iterator[tuple[int, int]]:
        """A list of pairs of 64-bit integers."""
        position = self._position(field)
        if not position:
            return
        begin = position + self._int("<I", position)
        count = self._int("<I", begin)
        if count > BUFFERS_MAX:
            raise IndexError("too many buffers")
        for index in range(count):
            one, other = struct.unpack_from("<qq", self._content, begin + 4 + 16 * index)
            yield one, other

    def _position(self, field: int) -> int:
        """Position of a field; 0 if it is absent."""
        offset = 4 + 2 * field
        if offset + 2 > self._size:
            return 0
        found = self._int("<H", self._fields + offset)
        return self._at + found if found else 0

    def _int(self, form: str, at: int) -> int:
        if at < 0:
            raise IndexError("before the beginning")
        found: int = struct.unpack_from(form, self._content, at)[0]
        return found


def _broken(path: Path, what: str) -> UsageError:
    return UsageError(f"{path} cannot be read: {what}", remedy=REMEDY)


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0][:200] or type(error).__name__
