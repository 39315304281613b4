r"""Makes standard output and standard error safe: printed text cannot control the terminal.

`make_output_safe` replaces both streams. All text passes `arena.visible_text`, whether a command,
a library or a log line prints it. Only a terminal gets the control characters that draw screens and
progress. Characters that the encoding lacks are escaped. A stream that was closed at the start is
opened on the null device, so that no socket gets its number.
"""

import contextlib
import io
import os
import sys
from typing import TextIO

from arena.visible_text import one_line, visible

DRAWING = "\n\t\r\b\x07\x1b"
"""Control characters for colours, cursors and progress on a terminal."""
TEXT = "\n\t"
STANDARD = (0, 1, 2)
NOTE_CHARS_MAX = 1_000


class SafeStream(io.TextIOWrapper):
    """A text stream that escapes invisible characters.

    Args:
        number: File descriptor, which stays open when the stream is closed.
        encoding: Encoding of the replaced stream.
        lines: True to flush after each line.
        keep: Control characters that are not escaped.
        lossy: True to drop output that cannot be written instead of raising an error.

    Attributes:
        failed: Error of the last failed write, or None.
    """

    def __init__(self, number: int, encoding: str, *, lines: bool, keep: str, lossy: bool) -> None:
        """Open the file descriptor again."""
        raw = io.FileIO(number, "w", closefd=False)
        super().__init__(
            io.BufferedWriter(raw), encoding, errors="backslashreplace", line_buffering=lines
        )
        self._keep = keep
        self._lossy = lossy
        self.failed: OSError | None = None

    def write(self, text: str) -> int:
        """Write a text with its invisible characters escaped."""
        try:
            super().write(visible(text, keep=self._keep))
        except OSError as error:
            self._fail(error)
        return len(text)

    def flush(self) -> None:
        """Flush the buffer."""
        try:
            super().flush()
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        self.failed = error
        if not self._lossy:
            raise error
        discard_output(self)


def make_output_safe() -> None:
    """Replace `sys.stdout` and `sys.stderr`, and open closed descriptors among 0, 1 and 2."""
    for number in STANDARD:
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    sys.stdout = _safe_stream(sys.stdout, 1, lossy=False)
    sys.stderr = _safe_stream(sys.stderr, 2, lossy=True)


def print_note(text: str) -> None:
    """Print a note for people on standard error; it is neither output nor a failure."""
    print(f"note: {one_line(text, NOTE_CHARS_MAX)}", file=sys.stderr, flush=True)


def discard_output(stream: TextIO) -> None:
    """Send what a stream still holds, and everything printed later, to the null device.

    For a command whose reader (head, less) has left: Python would complain when it flushes.
    """
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def _safe_stream(stream: TextIO | None, number: int, *, lossy: bool) -> SafeStream:
    encoding = (stream.encoding if stream is not None else None) or "utf-8"
    terminal = os.isatty(number)
    draws = terminal or bool(os.environ.get("FORCE_COLOR"))
    lines = lossy or terminal or bool(getattr(stream, "line_buffering", False))
    if stream is not None:
        with contextlib.suppress(OSError):
            stream.flush()
    return SafeStream(number, encoding, lines=lines, keep=DRAWING if draws else TEXT, lossy=lossy)
