r"""Standard output and standard error as every command has them: nothing printed can act.

`make_output_safe` replaces both streams. Each text goes through `arena.visible_text`, whatever prints
it: a command, a library, a log line. Only a terminal gets the control characters with which
screens and progress are drawn. What the encoding cannot write is escaped, and a stream that was
closed before the start is the null device, so no socket ever gets its number.
"""

import contextlib
import io
import os
import sys
from typing import TextIO

from arena.visible_text import visible

DRAWING = "\n\t\r\b\x07\x1b"
"""What a terminal is given for colours, cursors and progress."""
TEXT = "\n\t"
STANDARD = (0, 1, 2)


class SafeStream(io.TextIOWrapper):
    """A text stream that shows what is invisible.

    Args:
        number: Of the file that is written to; it stays open when this is closed.
        encoding: Of the stream it replaces.
        lines: Flush after each line.
        keep: Control characters that are written as they are.
        lossy: Drop what cannot be written: the last words of a process must not end it.

    Attributes:
        failed: Why the last write failed, or None.
    """

    def __init__(self, number: int, encoding: str, *, lines: bool, keep: str, lossy: bool) -> None:
        """Open the file of that number again."""
        raw = io.FileIO(number, "w", closefd=False)
        super().__init__(
            io.BufferedWriter(raw), encoding, errors="backslashreplace", line_buffering=lines
        )
        self._keep = keep
        self._lossy = lossy
        self.failed: OSError | None = None

    def write(self, text: str) -> int:
        """Write a text with everything in it made visible."""
        try:
            super().write(visible(text, keep=self._keep))
        except OSError as error:
            self._fail(error)
        return len(text)

    def flush(self) -> None:
        """Write what is buffered."""
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
    """Replace `sys.stdout` and `sys.stderr`, and open what of 0, 1 and 2 is closed."""
    for number in STANDARD:
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this one
    sys.stdout = _safe_stream(sys.stdout, 1, lossy=False)
    sys.stderr = _safe_stream(sys.stderr, 2, lossy=True)


def discard_output(stream: TextIO) -> None:
    """Send what a stream still holds, and all that follows, to the null device."""
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
