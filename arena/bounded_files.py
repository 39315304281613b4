"""Opens files from untrusted sources: regular files only, within size limits.

A bundle, a manifest, a price file or a checkpoint can name a device, a pipe or a path outside its
folder, or have any size. A file that is opened here is a regular file, not larger than its limit
and, if a folder is given, inside that folder after links are followed.

`ARENA_FILE_LIMITS_FACTOR` multiplies every limit, for a large file that is known to be good.
"""

import io
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from arena.errors import UsageError

FACTOR_VARIABLE = "ARENA_FILE_LIMITS_FACTOR"
FACTOR_MAX = 1_000_000
NAME_CHARS_MAX = 255
READ_BYTES = 1 << 20
CUT_LINE_BYTES = 1 << 10
"""Bytes that are returned of a line above the limit."""
TEXT_FILE_BYTES_MAX = 2 << 20
"""Limit for a specification, a strategy or a price list."""
UNPACKED_BYTES = 512 << 20
UNPACKED_RATIO = 100
"""A packed file may unpack to `UNPACKED_BYTES` or to this many times its size."""
RAISE_LIMIT = f"if you trust the file, set {FACTOR_VARIABLE} to a larger number"

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class NotReadable(UsageError):
    """A file that is refused: not a regular file, outside its folder, or above a limit."""


def limits_factor() -> int:
    """The factor for every file limit.

    Raises:
        UsageError: `ARENA_FILE_LIMITS_FACTOR` is not a whole number from 1 to `FACTOR_MAX`.
    """
    text = os.environ.get(FACTOR_VARIABLE, "1")
    if not re.fullmatch(r"[0-9]{1,7}", text) or not 1 <= int(text) <= FACTOR_MAX:
        raise UsageError(
            f"{FACTOR_VARIABLE} is {text[:40]!r}",
            remedy=f"set a whole number from 1 to {FACTOR_MAX:,}",
        )
    return int(text)


def too_large(path: Path | str, what: str, limit: int, unit: str = "bytes") -> NotReadable:
    """The error for a file above a limit.

    Args:
        path: The file.
        what: What is too large, such as "has 7,000,000 bytes".
        limit: The limit, in the unit.
        unit: Unit of the limit.
    """
    return NotReadable(f"{path} {what}; the limit is {limit:,} {unit}", remedy=RAISE_LIMIT)


def is_plain_name(name: str) -> bool:
    """True for the name of a file in the same folder: letters, digits, '.', '_' and '-'."""
    return len(name) <= NAME_CHARS_MAX and _PLAIN.fullmatch(name) is not None


def open_regular(path: Path, bytes_max: int, *, inside: Path | None = None) -> io.BufferedReader:
    """Open a regular file for reading.

    Args:
        path: The file.
        bytes_max: The size limit, before `ARENA_FILE_LIMITS_FACTOR`.
        inside: A folder that must contain the file after links are followed.

    Raises:
        FileNotFoundError: The file does not exist.
        NotReadable: It is a device, a pipe or a folder, outside the folder, or too large.
        OSError: It cannot be opened.
    """
    try:
        real = path.resolve(strict=True)
    except RuntimeError:  # A loop of links.
        raise NotReadable(f"{path} is a link to itself", remedy="name the file itself") from None
    if inside is not None and not real.is_relative_to(inside.resolve()):
        raise NotReadable(
            f"{path} is a link to {real}, outside {inside}", remedy="copy the file there"
        )
    # Without O_NONBLOCK, opening a pipe waits for its writer.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    if kind := _kind(real.lstat().st_mode):
        raise NotReadable(f"{path} is {kind}, not a file", remedy="name a regular file")
    descriptor = os.open(real, flags)
    try:
        found = os.fstat(descriptor)
        if kind := _kind(found.st_mode):
            raise NotReadable(f"{path} is {kind}, not a file", remedy="name a regular file")
        limit = bytes_max * limits_factor()
        if found.st_size > limit:
            raise too_large(path, f"has {found.st_size:,} bytes", limit)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: Path, bytes_max: int, *, inside: Path | None = None) -> bytes:
    """Read a regular file; see `open_regular`, also for its exceptions.

    Files in /proc report a size of 0 and are read up to the limit.
    """
    limit = bytes_max * limits_factor()
    with open_regular(path, bytes_max, inside=inside) as file:
        found = file.read(limit + 1)
    if found is None:  # a non-blocking stream that has no data now
        raise NotReadable(f"{path} is a stream, not a file", remedy="name a regular file")
    if len(found) > limit:
        raise too_large(path, f"has more than {limit:,} bytes", limit)
    return found


def read_text_file(path: Path, bytes_max: int = TEXT_FILE_BYTES_MAX) -> str:
    """Read a UTF-8 text file, with or without byte order marks; see `read_regular`.

    Raises:
        UnicodeDecodeError: It is not UTF-8.
    """
    content = read_regular(path, bytes_max)
    return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8").read().lstrip("\ufeff")


def bounded_lines(stream: BinaryIO, bytes_max: int) -> Iterator[bytes]:
    """Yield the lines of a stream with their line ends; a line above the limit is cut.

    Args:
        stream: A buffered stream, open for reading.
        bytes_max: Size up to which a line is not cut.
    """
    while line := stream.readline(bytes_max + 1):
        if len(line) > bytes_max:
            part, line = line[-1:], line[:CUT_LINE_BYTES]
            while part and not part.endswith(b"\n"):
                part = stream.readline(READ_BYTES)
        yield line


def unpacked_limit(file: io.BufferedReader) -> int:
    """Bytes that a packed file may unpack to, factor included.

    Recordings of JSON unpack to 10 or 20 times their size.
    """
    return max(UNPACKED_BYTES, UNPACKED_RATIO * os.fstat(file.fileno()).st_size) * limits_factor()


class LimitedStream(io.RawIOBase):
    """An unpacked stream with a limit on its output.

    Args:
        stream: The stream to read.
        path: The file, for the error.
        bytes_max: The limit, factor included.
    """

    def __init__(self, stream: BinaryIO, path: Path, bytes_max: int) -> None:
        """Wrap a stream; it is closed with this one."""
        super().__init__()
        self._stream = stream
        self._path = path
        self._limit = bytes_max
        self._left = bytes_max

    def readable(self) -> bool:
        """Always true."""
        return True

    def readinto(self, buffer: "memoryview[int]") -> int:  # type: ignore[override]  # a raw buffer
        """Read some bytes.

        Raises:
            NotReadable: The output is above the limit.
        """
        found = self._stream.read(min(len(buffer), READ_BYTES))
        self._left -= len(found)
        if self._left < 0:
            raise too_large(self._path, f"unpacks to more than {self._limit:,} bytes", self._limit)
        buffer[: len(found)] = found
        return len(found)

    def close(self) -> None:
        """Close both streams."""
        self._stream.close()
        super().close()


def _kind(mode: int) -> str:
    """The kind of a file that is not regular; "" for a regular file."""
    kinds = (
        (stat.S_ISREG, ""),
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
    )
    return next((name for is_kind, name in kinds if is_kind(mode)), "a special file")
