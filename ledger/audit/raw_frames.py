"""Finds raw frames of a venue in the recordings of a connector: one JSON line per frame.

Reads what `arena connector coinbase --record` writes: `t` (Unix seconds), `conn` and `data`, or
`data_base64` if the bytes are not UTF-8; `.zst`, `.gz` or plain. A truncated file is read as far as
possible.
"""

import gzip
import io
import zlib
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import orjson

from arena.bounded_files import LimitedStream, bounded_lines, open_regular, unpacked_limit

FRAMES_PATTERN = "frames*.jsonl*"
LINE_BYTES_MAX = 9 << 20
"""A frame of 4 MB, escaped as JSON; a longer line is skipped."""
BUFFER_BYTES = 1 << 17
FILE_BYTES_MAX = 64 << 30
"""The largest recording; it is streamed, one line at a time."""


@dataclass(frozen=True, slots=True)
class RawFrame:
    """One frame.

    Attributes:
        file, line: Its file and line number.
        raw: Its bytes.
    """

    file: str
    line: int
    raw: bytes


def frame_files(run: Path | None, named: Path | None) -> list[Path]:
    """Return the recordings of a run, or the named one."""
    if named is not None:
        return [named]
    return [] if run is None else sorted(run.glob(FRAMES_PATTERN))


def find_frame(files: list[Path], product_id: str, sequence: int) -> RawFrame | None:
    """Return the ticker frame of a product with a sequence number, or None."""
    needles = (product_id.encode(), str(sequence).encode())
    for path in files:
        for frame in _frames(path):
            if not all(needle in frame.raw for needle in needles):
                continue
            body = _json(frame.raw)
            wanted = (product_id, sequence)
            kind = str(body.get("type", ""))
            if (body.get("product_id"), body.get("sequence")) == wanted and "ticker" in kind:
                return frame
    return None


def _frames(path: Path) -> Iterator[RawFrame]:
    try:
        with _open(path) as stream:
            for number, line in enumerate(bounded_lines(stream, LINE_BYTES_MAX), 1):
                body = _json(line)
                if "data" in body:
                    raw = str(body["data"]).encode()
                elif "data_base64" in body:
                    raw = b64decode(str(body["data_base64"]))
                else:
                    continue
                yield RawFrame(path.name, number, raw)
    except (OSError, EOFError, ValueError, zlib.error):
        return


def _open(path: Path) -> BinaryIO:
    raw = open_regular(path, FILE_BYTES_MAX)
    limit, file = unpacked_limit(raw), cast("BinaryIO", raw)
    if path.suffix == ".gz":
        file = cast("BinaryIO", gzip.GzipFile(fileobj=raw))
    if path.suffix == ".zst":
        import pyarrow

        file = pyarrow.input_stream(pyarrow.PythonFile(raw), compression="zstd")
    return io.BufferedReader(LimitedStream(file, path, limit), BUFFER_BYTES)


def _json(text: bytes) -> dict[str, object]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
