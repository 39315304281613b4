"""Reads CSV as lines of cells: four delimiters, any line end, UTF-8 with or without a mark."""

import csv
import io
import re
from collections.abc import Iterator
from typing import Final

from arena.bounded_files import limits_factor

LINE_BYTES_MAX: Final = 64 << 10
LINES_MAX: Final = 2_100_000
"""More than the limit of rows, because lines may be empty."""
DELIMITERS: Final = ",;\t|"
MARKS: Final = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
PEEK_BYTES: Final = 4_096
ZERO_SHARE: Final = 4
"""In UTF-16 without a mark, more than one byte of this many is 0."""

CELLS_MIN: Final = 4
"""A line with this many semicolons, tabs or bars is separated by them."""

_DECIMAL_COMMA = re.compile(r"(?<=[0-9]),(?=[0-9])")

Line = tuple[int, list[str]]
"""Number of a line in the file, from 1, and its cells."""


def csv_lines(stream: io.BufferedReader) -> Iterator[Line]:
    """Yield the lines of a CSV file that are not empty.

    Raises:
        ValueError: It is not UTF-8, or a line is too long.
        csv.Error: It is not CSV.
    """
    require_utf8(stream.peek(PEEK_BYTES)[:PEEK_BYTES])
    lines = _Lines(stream)
    first = next(lines, None)
    if first is None:
        return
    head = [first]
    # The header decides the delimiter; it may come after some comment lines.
    head += [line for _, line in zip(range(4), lines, strict=False)]
    delimiter = max(DELIMITERS, key=lambda one: max(_count(line, one) for line in head))
    reader = csv.reader(_chained(head, lines), delimiter=delimiter, strict=False)
    for cells in reader:
        if any(cells):
            yield reader.line_num, cells


def _count(line: str, delimiter: str) -> int:
    """Count a delimiter in a line, without decimal commas if there is another delimiter."""
    if delimiter == "," and any(line.count(one) >= CELLS_MIN for one in DELIMITERS[1:]):
        line = _DECIMAL_COMMA.sub("", line)
    return line.count(delimiter)


def require_utf8(begin: bytes) -> None:
    """Refuse other encodings by the start of a file.

    Raises:
        ValueError: It is UTF-16 or UTF-32.
    """
    for mark, name in MARKS:
        if begin.startswith(mark):
            raise ValueError(f"it is {name}; save it as UTF-8")
    if begin.count(0) * ZERO_SHARE > len(begin) > 8 and begin.strip(b"\0"):
        raise ValueError("it is UTF-16 or has no text in it; save it as UTF-8")


def decoded(line: bytes, number: int) -> str:
    """Decode a line of UTF-8.

    Raises:
        ValueError: It is not UTF-8.
    """
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        byte = line[error.start]
        raise NotUtf8(
            number,
            f"byte 0x{byte:02x} is not UTF-8 (Latin-1 or Windows-1252?); save the file as UTF-8",
        ) from None


def require_line(number: int, size_bytes: int) -> None:
    """Check the length and the number of a line.

    Raises:
        ValueError: It is above a limit.
    """
    if size_bytes > LINE_BYTES_MAX:
        raise ValueError(f"it has a line of more than {LINE_BYTES_MAX:,} bytes")
    if number > LINES_MAX and number > LINES_MAX * limits_factor():
        raise ValueError(f"more than {LINES_MAX * limits_factor():,} lines; keep the days you need")


class NotUtf8(ValueError):
    """A line that is not UTF-8.

    Attributes:
        number: Number of the line, from 1.
    """

    def __init__(self, number: int, message: str) -> None:
        """Take the number and the message."""
        super().__init__(message)
        self.number = number


def _chained(head: list[str], rest: Iterator[str]) -> Iterator[str]:
    yield from head
    yield from rest


class _Lines(Iterator[str]):
    """The lines of a stream, with a length limit, without the byte order mark."""

    def __init__(self, stream: io.BufferedReader) -> None:
        """Detect the line ends of a stream."""
        begin = stream.peek(PEEK_BYTES)
        while begin.startswith(BYTE_ORDER_MARK):  # some editors add one at each save
            stream.read(len(BYTE_ORDER_MARK))
            begin = begin.removeprefix(BYTE_ORDER_MARK)
        old_mac = b"\r" in begin and b"\n" not in begin
        self._lines = _split_at_returns(stream) if old_mac else _split(stream)
        self._number = 0

    def __next__(self) -> str:
        """The next line."""
        line = next(self._lines)
        self._number += 1
        require_line(self._number, len(line))
        return decoded(line, self._number)


def _split(stream: io.BufferedReader) -> Iterator[bytes]:
    yield from iter(lambda: stream.readline(LINE_BYTES_MAX + 1), b"")


def _split_at_returns(stream: io.BufferedReader) -> Iterator[bytes]:
    """Lines that end with a carriage return only."""
    left = b""
    while chunk := stream.read1(LINE_BYTES_MAX):
        *whole, left = (left + chunk).split(b"\r")
        yield from (line + b"\n" for line in whole)
        if len(left) > LINE_BYTES_MAX:
            break
    if left:
        yield left
