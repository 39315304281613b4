"""Reads the lines of files of dated context, from the start or from where the last read ended.

A file that was replaced or truncated is read again from its start. Of a file that is still written
to, a last line without a line end waits until it is complete.
"""

import io
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from arena.bounded_files import open_regular
from arena.context.lines import LINE_BYTES_MAX, LineRefused, ParsedLine, parse_line
from arena.errors import UsageError

FILE_BYTES_MAX: Final = 256 << 20
SUFFIXES: Final = (".jsonl", ".ndjson")
FILES_MAX: Final = 1_000
"""Most files in a watched folder."""
LINES_AT_ONCE: Final = 2_000
READ_BYTES: Final = 1 << 20
TAIL_BYTES: Final = 256
"""Bytes before the position that are compared to notice a file that was written again."""
REFUSED_SHOWN_MAX: Final = 5
"""Most errors of lines in the report of a file."""
CHECKED_AGAINST: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""Stands for the first snapshot while a file is only checked."""


class FileLine(NamedTuple):
    """One line of a file.

    Attributes:
        path: The file.
        number: Number of the line, from 1.
        content: The line without its end; its beginning if it is too long.
        too_long: True if it has more bytes than a line may have.
    """

    path: Path
    number: int
    content: bytes
    too_long: bool = False

    @property
    def place(self) -> str:
        """The file and the number of the line."""
        return f"{self.path.name}:{self.number}"

    def parsed(self, first: datetime | None) -> ParsedLine:
        """The items of the line; see `arena.context.lines.parse_line`.

        Raises:
            LineRefused: It cannot be used.
        """
        if self.too_long:
            what = f"line: it has more than {LINE_BYTES_MAX:,} bytes"
            raise LineRefused(what, remedy="shorten its texts")
        return parse_line(self.content, first)


class FileTail:
    """A file that is read from where the last read ended.

    Args:
        path: The file.
        inside: A folder that must contain the file after links are followed, or None.
    """

    def __init__(self, path: Path, *, inside: Path | None = None) -> None:
        """Start before the first line."""
        self.path = path
        self._inside = inside
        self._offset = 0
        self._number = 0
        self._inode: tuple[int, int] | None = None
        self._tail = b""
        self._modified_ns = 0

    def read(self, *, to_end: bool = False) -> list[FileLine]:
        """The next lines, at most `LINES_AT_ONCE`, without empty ones; none if nothing is new.

        Args:
            to_end: Also return a last line without a line end.

        Raises:
            OSError: The file cannot be read.
            NotReadable: It is not a regular file, or too large.
        """
        with open_regular(self.path, FILE_BYTES_MAX, inside=self._inside) as file:
            found = os.fstat(file.fileno())
            inode = (found.st_dev, found.st_ino)
            edited = found.st_size == self._offset and found.st_mtime_ns != self._modified_ns
            if (
                inode != self._inode
                or found.st_size < self._offset
                or edited
                or self._rewritten(file)
            ):
                self._offset, self._number, self._tail = 0, 0, b""
            self._inode, self._modified_ns = inode, found.st_mtime_ns
            file.seek(self._offset)
            lines: list[FileLine] = []
            while len(lines) < LINES_AT_ONCE:
                line = file.readline(LINE_BYTES_MAX + 2)
                content, length = line, len(line)
                while line and not line.endswith(b"\n"):
                    line = file.readline(READ_BYTES)
                    length += len(line)
                complete = line.endswith(b"\n")
                if not content or not (complete or to_end):
                    break
                self._offset += length
                self._number += 1
                self._tail = content[-TAIL_BYTES:] if length == len(content) else b""
                plain = content.rstrip(b"\r\n")
                too_long = length > len(content) or len(plain) > LINE_BYTES_MAX
                if plain.strip():
                    lines.append(FileLine(self.path, self._number, plain, too_long))
            return lines

    def _rewritten(self, file: io.BufferedReader) -> bool:
        """True if the bytes before the position are not those that were read."""
        if not self._tail:
            return False
        file.seek(self._offset - len(self._tail))
        return file.read(len(self._tail)) != self._tail


def files_in(folder: Path) -> list[Path]:
    """The files of dated context in a folder, by name; hidden ones are left out.

    Raises:
        UsageError: It is not a folder, or has too many files.
    """
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise UsageError(f"cannot read the folder {folder}: {error.strerror}") from None
    paths = [folder / n for n in names if n.endswith(SUFFIXES) and not n.startswith(".")]
    if len(paths) > FILES_MAX:
        raise UsageError(
            f"{folder} has {len(paths):,} files", remedy=f"keep at most {FILES_MAX:,} in it"
        )
    return paths


def read_part(tail: FileTail) -> list[FileLine]:
    """The next lines of a file that is complete; none at its end.

    Raises:
        UsageError: It cannot be read.
    """
    try:
        return tail.read(to_end=True)
    except OSError as error:
        remedy = "name a file of JSON lines"
        raise UsageError(f"cannot read {tail.path}: {error.strerror}", remedy=remedy) from None


def read_lines(path: Path) -> Iterator[FileLine]:
    """All lines of a file, in parts that fit into memory.

    Raises:
        UsageError: It cannot be read.
    """
    tail = FileTail(path)
    while lines := read_part(tail):
        yield from lines


class FileReport(NamedTuple):
    """What is in a file.

    Attributes:
        items: Number of items.
        refused: Place and error of the first refused lines.
        refused_count: Number of refused lines.
    """

    items: int
    refused: tuple[str, ...]
    refused_count: int


def check_file(path: Path, *, simulated: bool) -> FileReport:
    """Read a file and count its items and the lines that cannot be used.

    Args:
        path: The file.
        simulated: True if the market is simulated, so that lines may have `after`.

    Raises:
        UsageError: It cannot be read.
    """
    items = count = 0
    shown: list[str] = []
    for line in read_lines(path):
        try:
            items += len(line.parsed(CHECKED_AGAINST if simulated else None).items)
        except LineRefused as error:
            count += 1
            if len(shown) < REFUSED_SHOWN_MAX:
                shown.append(f"{line.place}: {error}")
    return FileReport(items, tuple(shown), count)
