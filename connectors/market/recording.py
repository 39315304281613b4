"""Records raw frames with the time of receipt, and reads recordings.

One JSON line per frame: `t` (Unix seconds, wall, as a string of digits), `conn` (number of the
connection) and `data` (the text), or `data_base64` if the bytes are not UTF-8. The extension
decides the compression: `.gz`, `.zst` or none. Lines are written in batches, each a whole gzip
member or zstd frame, so the file of a killed recorder is readable. When a file reaches its bound,
it is renamed to `NAME.1`, older ones get the next number, and the oldest is deleted.

Recordings of cryptofeed 2 are read too: lines `<unix seconds>: <frame>`; frames of the client
(`<-`) and connection marks (`<->`) are skipped. Those of hftbacktest's collector are, too: lines
`<unix nanoseconds> <frame>`.
"""

import errno
import gzip
import io
import re
import zlib
from base64 import b64decode, b64encode
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final, cast

import orjson

from arena.bounded_files import LimitedStream, bounded_lines, open_regular, unpacked_limit
from arena.clock import Clock
from arena.errors import DependencyMissing, UsageError
from arena.threads import Threads, WorkerThreads

QUEUED_MAX: Final = 20_000
FLUSH_EVERY_S: Final = 1.0
FILE_BYTES_MAX: Final = 256 << 20
FILES_KEPT: Final = 8
LINE_BYTES_MAX: Final = 9 << 20
"""Longest line: a frame of 4 MB, escaped as JSON. A longer line gives an unreadable frame."""
BUFFER_BYTES: Final = 1 << 17
READ_BYTES_MAX: Final = 64 << 30
"""Largest recording that is read; it is streamed, a line at a time."""
DISK_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
SUFFIXES: Final = (".gz", ".zst")
_CRYPTOFEED: Final = re.compile(rb"([0-9]{1,12}(?:\.[0-9]{1,9})?): (.*)", re.DOTALL)
_HFTBACKTEST: Final = re.compile(rb"([0-9]{10})([0-9]{9}) (.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class RecordedFrame:
    """One frame of a recording, or a line that is not a frame.

    Attributes:
        at: Wall time of receipt; None for a line that is not a frame.
        epoch: Number of the connection.
        raw: The frame, or the line.
    """

    at: datetime | None
    epoch: int
    raw: bytes


def encode_line(raw: bytes, at: datetime, epoch: int) -> bytes:
    """One frame as a line of a recording."""
    line: dict[str, object] = {"t": f"{at.timestamp():.6f}", "conn": epoch}
    try:
        line["data"] = raw.decode()
    except UnicodeDecodeError:
        line["data_base64"] = b64encode(raw).decode()
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def decode_line(line: bytes) -> RecordedFrame | None:
    """The frame in a line of any format; None for a line that a client sent."""
    if not line.strip() or line.startswith((b"wss://", b"ws://", b"http")):
        return None
    if (found := _CRYPTOFEED.fullmatch(line)) is not None:
        return RecordedFrame(_moment(found.group(1).decode()), 1, found.group(2))
    if (found := _HFTBACKTEST.fullmatch(line)) is not None:
        seconds = f"{found.group(1).decode()}.{found.group(2).decode()}"
        return RecordedFrame(_moment(seconds), 1, found.group(3))
    try:
        body = orjson.loads(line)
        at = _moment(str(body["t"]))
        data = body.get("data")
        raw = data.encode() if data is not None else b64decode(body["data_base64"])
        return RecordedFrame(at, int(body.get("conn", 1)), raw)
    except (ValueError, TypeError, KeyError, AttributeError):
        return RecordedFrame(None, 0, line)


def _moment(seconds: str) -> datetime:
    try:
        return datetime.fromtimestamp(float(seconds), UTC)
    except (OverflowError, OSError) as error:
        raise ValueError(f"{seconds} is not a time") from error


def read_frames(path: Path) -> Iterator[RecordedFrame]:
    """Read the frames of a recording, oldest first, without loading it whole.

    Raises:
        UsageError: The file does not exist or cannot be decompressed.
    """
    if not path.exists():
        raise UsageError(f"the recording {path} does not exist")
    try:
        with _open(path) as stream:
            for line in bounded_lines(stream, LINE_BYTES_MAX):
                frame = decode_line(line.rstrip(b"\r\n"))
                if frame is not None:
                    yield frame
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None


def _open(path: Path) -> BinaryIO:
    raw = open_regular(path, READ_BYTES_MAX)
    limit, file = unpacked_limit(raw), cast("BinaryIO", raw)
    if path.suffix == ".gz":
        file = cast("BinaryIO", gzip.GzipFile(fileobj=raw))
    if path.suffix == ".zst":
        import pyarrow

        file = pyarrow.input_stream(pyarrow.PythonFile(raw), compression="zstd")
    return io.BufferedReader(LimitedStream(file, path, limit), BUFFER_BYTES)


class FrameRecorder:
    """Writes frames to a file without delaying the read loop.

    Args:
        path: File to append to; it is created if it does not exist.
        clock: Clock of the pauses between batches.
        counters: Gets `recorded` and `recording_dropped`.
        threads: Write the file; None for threads of this process.
        file_bytes_max: Size at which a new file is started.
        files_kept: Rotated files that are kept in addition to the present one.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock,
        counters: Counter[str],
        threads: Threads | None = None,
        file_bytes_max: int = FILE_BYTES_MAX,
        files_kept: int = FILES_KEPT,
    ) -> None:
        """Create the recorder; the first batch opens the file."""
        self.path = path
        self._clock = clock
        self._counters = counters
        self._threads = threads or WorkerThreads()
        self._file_bytes_max = file_bytes_max
        self._files_kept = files_kept
        self._queue: deque[bytes] = deque()

    def put(self, raw: bytes, at: datetime, epoch: int) -> None:
        """Queue a frame; never waits. Drops the oldest if the disk is too slow."""
        if len(self._queue) >= QUEUED_MAX:
            self._queue.popleft()
            self._counters["recording_dropped"] += 1
        self._queue.append(encode_line(raw, at, epoch))

    async def run(self) -> None:
        """Write a batch a second until cancelled, then the rest."""
        try:
            while True:
                await self._clock.sleep(FLUSH_EVERY_S)
                await self._threads.run(self.flush)
        finally:
            self.flush()

    def flush(self) -> None:
        """Write the queued frames.

        Raises:
            UsageError: The file cannot be written.
            DependencyMissing: The disk is full; a restart helps once there is space.
        """
        lines = [self._queue.popleft() for _ in range(len(self._queue))]
        if not lines:
            return
        try:
            self._rotate_if_full()
            with self.path.open("ab") as stream:
                stream.write(_compress(self.path.suffix, b"".join(lines)))
        except OSError as error:
            text = f"cannot record to {self.path}: {error.strerror}"
            if error.errno in DISK_FULL:
                raise DependencyMissing(text, remedy="free space on that disk") from error
            raise UsageError(text) from error
        self._counters["recorded"] += len(lines)

    def _rotate_if_full(self) -> None:
        if not self.path.exists() or self.path.stat().st_size < self._file_bytes_max:
            return
        rotated(self.path, self._files_kept).unlink(missing_ok=True)
        for number in range(self._files_kept - 1, 0, -1):
            older = rotated(self.path, number)
            if older.exists():
                older.rename(rotated(self.path, number + 1))
        self.path.rename(rotated(self.path, 1))


def rotated(path: Path, number: int) -> Path:
    """Name of a rotated file; it keeps the extension that names the compression."""
    suffix = "".join(path.suffixes[-2:]) if path.suffix in SUFFIXES else path.suffix
    stem = path.name[: len(path.name) - len(suffix)]
    return path.with_name(f"{stem}.{number}{suffix}")


def _compress(suffix: str, text: bytes) -> bytes:
    if suffix == ".gz":
        return gzip.compress(text, compresslevel=3)
    if suffix == ".zst":
        import cramjam

        return bytes(cramjam.zstd.compress(text, level=3))
    return text
