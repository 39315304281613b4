"""Files that may come from anywhere: opened only if they are plain files within a bound.

A bundle, a manifest, a price file or a checkpoint can name a device, a pipe or a path outside its
folder, or be of any size. What is opened here is a regular file, not larger than its limit, and, if
a folder is given, inside that folder also after links were followed.

`ARENA_FILE_LIMITS_FACTOR` multiplies every limit, for a large file that is known to be honest.
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
"""What is given of a line that is longer than lines may be."""
TEXT_FILE_BYTES_MAX = 2 << 20
"""A specification, a strategy, a list of prices."""
UNPACKED_BYTES = 512 << 20
UNPACKED_RATIO = 100
"""A packed file may unpack to `UNPACKED_BYTES`, or to so many times its size."""
RAISE_LIMIT = f"if the file is honest, set {FACTOR_VARIABLE} to a larger number"

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class NotReadable(UsageError):
    """A file that is not opened: not a regular one, outside its folder, or above a limit."""


def limits_factor() -> int:
    """By how much every limit of a file is multiplied.

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
    """The refusal of a file above a limit.

    Args:
        path: The file.
        what: What of it, and how much: "has 7,000,000 bytes".
        limit: The limit, in the unit.
        unit: Of the limit.
    """
    return NotReadable(f"{path} {what}; the limit is {limit:,} {unit}", remedy=RAISE_LIMIT)


def is_plain_name(name: str) -> bool:
    """True if a name is that of a file in the same folder: letters, digits, '.', '_' and '-'."""
    return len(name) <= NAME_CHARS_MAX and _PLAIN.fullmatch(name) is not None


def open_regular(path: Path, bytes_max: int, *, inside: Path | None = None) -> io.BufferedReader:
    """Open a regular file to read.

    Args:
        path: The file.
        bytes_max: The most it may have, before `ARENA_FILE_LIMITS_FACTOR`.
        inside: A folder that the file must be in, after links were followed.

    Raises:
        FileNotFoundError: There is no such file.
        NotReadable: It is a device, a pipe, a folder, outside, or too large.
        OSError: It cannot be opened.
    """
    try:
        real = path.resolve(strict=True)
    except RuntimeError:  # A loop of links.
        raise NotReadable(f"{path} is a link to itself", remedy="name the file itself") from None
    if inside is not None and not real.is_relative_to(inside.resolve()):
        raise NotReadable(
            f"{path} is a link to {real}, outside {inside}", remedy="put the file itself there"
        )
    # Without O_NONBLOCK the open of a pipe waits for its writer.
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
    """The bytes of a regular file; see `open_regular`, also for what it raises.

    A file of /proc says that it is empty: it is read up to the limit, too.
    """
    limit = bytes_max * limits_factor()
    with open_regular(path, bytes_max, inside=inside) as file:
        found = file.read(limit + 1)
    if found is None:  # what is opened without waiting has nothing to read now
        raise NotReadable(f"{path} is a stream, not a file", remedy="name a regular file")
    if len(found) > limit:
        raise too_large(path, f"has more than {limit:,} bytes", limit)
    return found


def read_text_file(path: Path, bytes_max: int = TEXT_FILE_BYTES_MAX) -> str:
    """The text of a regular file, as UTF-8 with or without byte order marks; see `read_regular`.

    Raises:
        UnicodeDecodeError: It is not UTF-8.
    """
    content = read_regular(path, bytes_max)
    return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8").read().lstrip("\ufeff")


def bounded_lines(stream: BinaryIO, bytes_max: int) -> Iterator[bytes]:
    """The lines of a stream, each with its end; of a longer one the first bytes, and one line.

    Args:
        stream: Buffered, open to read.
        bytes_max: The longest line that is given whole.
    """
    while line := stream.readline(bytes_max + 1):
        if len(line) > bytes_max:
            part, line = line[-1:], line[:CUT_LINE_BYTES]
            while part and not part.endswith(b"\n"):
                part = stream.readline(READ_BYTES)
        yield line


def unpacked_limit(file: io.BufferedReader) -> int:
    """Bytes that a packed file may unpack to, with the factor in it.

    Recordings of JSON unpack to 10 or 20 times their size.
    """
    return max(UNPACKED_BYTES, UNPACKED_RATIO * os.fstat(file.fileno()).st_size) * limits_factor()


class Limited(io.RawIOBase):
    """A stream that is unpacked, and the most that may come out of it.

    Args:
        stream: What is read.
        path: For the error.
        bytes_max: The limit, with the factor in it.
    """

    def __init__(self, stream: BinaryIO, path: Path, bytes_max: int) -> None:
        """Wrap a stream, which is closed with this one."""
        super().__init__()
        self._stream = stream
        self._path = path
        self._limit = bytes_max
        self._left = bytes_max

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: "memoryview[int]") -> int:  # type: ignore[override]  # a raw buffer
        """Read some bytes.

        Raises:
            NotReadable: More came out than the limit.
        """
        found = self._stream.read(min(len(buffer), READ_BYTES))
        self._left -= len(found)
        if self._left < 0:
            raise too_large(self._path, f"unpacks to more than {self._limit:,} bytes", self._limit)
        buffer[: len(found)] = found
        return len(found)

    def close(self) -> None:
        """Close both."""
        self._stream.close()
        super().close()


def _kind(mode: int) -> str:
    """What a file is if it is not a regular one; "" if it is."""
    kinds = (
        (stat.S_ISREG, ""),
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
    )
    return next((name for is_kind, name in kinds if is_kind(mode)), "a special file")
