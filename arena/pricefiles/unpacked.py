"""Opens a price file, plain or packed, as a stream with a size limit. Reads one file.

The first bytes decide the kind of a file. A name with the ending of another kind is refused, and so
are unsupported kinds, by name. Nothing is unpacked to disk.
"""

import gzip
import io
import os
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final, cast

from arena.bounded_files import LimitedStream, limits_factor, open_regular
from arena.errors import UsageError
from arena.plural import counted
from arena.pricefiles.formats import CONTAINERS

FILE_BYTES_MAX: Final = 256 << 20
UNPACKED_BYTES_MAX: Final = 256 << 20
MEMBERS_MAX: Final = 1_000
MAGIC_BYTES: Final = 512
GZIP, ZIP, PARQUET, FEATHER = b"\x1f\x8b", b"PK", b"PAR1", b"ARROW1"
STRANGE: Final = (
    (b"BZh", "packed with bzip2", "unpack it"),
    (b"\xfd7zXZ", "packed with xz", "unpack it"),
    (b"7z\xbc\xaf", "a 7z archive", "unpack it"),
    (b"Rar!", "a RAR archive", "unpack it"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd", "unpack it"),
    (b"\x89HDF", "HDF5", "save it as Parquet or CSV"),
    (b"FEA1", "Feather version 1", "save it as Parquet or CSV"),
    (b"SQLite", "an SQLite database", "export the candles as CSV"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook", "save it as CSV"),
    (b"%PDF", "a PDF", "download the CSV"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file", "run `git lfs pull`"),
)
"""First bytes of unsupported kinds of files, their names, and the remedy."""
PROMISES: Final = {
    ".gz": (GZIP, "a gzip"),
    ".zip": (ZIP, "a zip"),
    ".parquet": (PARQUET, "a Parquet"),
    ".pq": (PARQUET, "a Parquet"),
    ".feather": (FEATHER, "a Feather"),
    ".arrow": (FEATHER, "an Arrow"),
}
INSIDE: Final = (
    (GZIP, "packed with gzip twice"),
    (ZIP, "a zip archive packed with gzip"),
    (PARQUET, "a Parquet file packed with gzip"),
    (FEATHER, "a Feather or Arrow file packed with gzip"),
)
"""Unsupported content of gzip files."""
BESIDE: Final = re.compile(
    r"(\._.*|\.ds_store|thumbs\.db|desktop\.ini|(readme|licen[cs]e|changelog|notice)[^/]*"
    r"|.*\.(checksum|md5|sha256|md|pdf|html?|png|jpe?g))",
    re.IGNORECASE,
)
"""Names of other files in archives of prices."""
ENDINGS: Final = " ".join(suffixes for suffixes, _ in CONTAINERS)


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """The content of a price file.

    Attributes:
        kind: "parquet", "feather" or "text".
        stream: Stream of the unpacked bytes, at the start.
        member: Name of the file in an archive, or "".
    """

    kind: str
    stream: io.BufferedReader
    member: str = ""


@contextmanager
def open_packed(path: Path) -> Iterator[OpenedFile]:
    """Open a price file.

    Raises:
        UsageError: It does not exist, is not a file, is above a limit, or of an unsupported kind.
        OSError: It cannot be read.
    """
    if not path.exists():
        raise UsageError(
            f"price file {path} does not exist",
            remedy="a path in [market] prices is relative to the specification's folder",
        )
    with open_regular(path, FILE_BYTES_MAX) as raw:
        magic = raw.read(MAGIC_BYTES)
        raw.seek(0)
        _require_named_kind(path, magic)
        if magic.startswith(PARQUET):
            yield OpenedFile("parquet", raw)
        elif magic.startswith(FEATHER):
            yield OpenedFile("feather", raw)
        elif magic.startswith(ZIP):
            with _open_zip(path, raw) as opened:
                yield opened
        else:
            packed = magic.startswith(GZIP)
            content = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if packed else raw
            with _bounded(path, content) as stream:
                if packed:
                    inside = stream.peek(MAGIC_BYTES)
                    _refuse_strange(path, inside)
                    for begins, what in INSIDE:
                        if inside.startswith(begins):
                            raise _is(path, what, "unpack it once")
                    if inside[257:262] == b"ustar":
                        raise _is(path, "a tar archive", "unpack it")
                yield OpenedFile("text", stream)


def _require_named_kind(path: Path, magic: bytes) -> None:
    """Check that a file is what its name says, and of a supported kind."""
    _refuse_strange(path, magic)
    known, word = PROMISES.get(path.suffix.lower(), (b"", ""))
    if known and not magic.startswith(known):
        size = os.path.getsize(path)
        what = f"begins with {magic[:12]!r}" if magic else "is empty"
        raise UsageError(
            f"{path} cannot be read: it {what} ({size:,} bytes) and is not {word} file",
            remedy="copy the file again from its source, or give it the right ending",
        )


def _refuse_strange(path: Path, magic: bytes) -> None:
    for begins, what, remedy in STRANGE:
        if magic.startswith(begins):
            raise _is(path, what, remedy)
    if magic.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise _is(path, "a web page, not candles", "download the file itself")


def _is(path: Path, what: str, remedy: str) -> UsageError:
    return UsageError(f"{path} is {what}", remedy=f"{remedy}; price files end with {ENDINGS}")


def _bounded(path: Path, content: BinaryIO) -> io.BufferedReader:
    limit = UNPACKED_BYTES_MAX * limits_factor()
    return io.BufferedReader(LimitedStream(content, path, limit), 1 << 16)


@contextmanager
def _open_zip(path: Path, raw: BinaryIO) -> Iterator[OpenedFile]:
    """The one file in an archive."""
    try:
        with zipfile.ZipFile(raw) as archive:
            member = _member(path, archive)
            if member.flag_bits & 1:
                raise _is(path, "an archive with a password", "unpack it")
            with archive.open(member) as inside, _bounded(path, cast("BinaryIO", inside)) as stream:
                magic = stream.peek(MAGIC_BYTES)
                _refuse_strange(path, magic)
                if magic.startswith((GZIP, PARQUET, FEATHER, ZIP)):
                    raise _is(path, f"an archive of {member.filename[:80]}", "unpack it")
                yield OpenedFile("text", stream, member.filename)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise UsageError(
            f"{path} cannot be read: {str(error)[:200]}",
            remedy="copy the file again from its source",
        ) from None


def _member(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    found = archive.infolist()
    names = {info.filename for info in found[:MEMBERS_MAX]}
    if "xl/workbook.xml" in names:
        raise _is(path, "an Excel workbook", "save it as CSV")
    held = [info for info in found if not info.is_dir()]
    files = [info for info in held if not _is_beside(info.filename)]
    if len(files) > 1:  # a hidden file counts only if it is the one that is there
        files = [i for i in files if not PurePosixPath(i.filename).name.startswith(".")] or files
    if len(files) != 1:
        what = counted(len(files), "file") if files else "no price file"
        names_shown = ", ".join(info.filename[:60] for info in (files or held)[:3]) or "it is empty"
        more = ", ..." if len(files or held) > 3 else ""
        raise UsageError(
            f"{path} has {what} ({names_shown}{more})",
            remedy="give an archive with one price file in it, or unpack it and name the files",
        )
    return files[0]


def _is_beside(filename: str) -> bool:
    """True for a member that is not a price file, such as a README."""
    member = PurePosixPath(filename)
    return "__MACOSX" in member.parts or BESIDE.fullmatch(member.name) is not None
