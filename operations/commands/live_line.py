"""One line that is drawn over on a terminal; in a pipe, a line now and then."""

import shutil
import time
from collections.abc import Callable
from typing import TextIO

from arena.visible_text import one_line

DRAW_INTERVAL_S = 0.25
LINE_INTERVAL_S = 8.0
LINE_CHARS_MAX = 1_000


class LiveLine:
    """Shows the newest state of a long wait.

    Args:
        stream: Where to print.
        hidden: Something else has the screen: only the last line is shown.
        clock: Monotonic seconds.
    """

    def __init__(
        self, stream: TextIO, *, hidden: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Print nothing yet."""
        self._stream = stream
        self._hidden = hidden
        self._clock = clock
        self._terminal = stream.isatty()
        self._interval_s = DRAW_INTERVAL_S if self._terminal else LINE_INTERVAL_S
        self._drawn_at_s = clock()
        self._drawn_chars = 0
        self._later: list[str] = []

    def show(self, text: str) -> None:
        """Draw a state, unless one was drawn just now."""
        now_s = self._clock()
        if self._hidden or now_s - self._drawn_at_s < self._interval_s:
            return
        self._drawn_at_s = now_s
        self._draw(text)

    def say(self, text: str) -> None:
        """Print a line that stays, above the live one."""
        if self._hidden:
            self._later.append(text)
            return
        self._clear()
        self._stream.write(f" {one_line(text, LINE_CHARS_MAX)}\n")
        self._stream.flush()

    def end(self, text: str) -> None:
        """Print the last state, and what was kept back."""
        self._hidden = False
        for kept in self._later:
            self.say(kept)
        self._later.clear()
        self._draw(text)
        if self._drawn_chars:
            self._stream.write("\n")
            self._drawn_chars = 0
        self._stream.flush()

    def _draw(self, text: str) -> None:
        text = one_line(text, LINE_CHARS_MAX)
        if not self._terminal:
            self._stream.write(f" {text}\n")
        else:
            # A line that wraps cannot be drawn over.
            line = f" {text}"[: shutil.get_terminal_size().columns - 1]
            rest = " " * max(0, self._drawn_chars - len(line))
            self._stream.write("\r" + line + rest)
            self._drawn_chars = len(line)
        self._stream.flush()

    def _clear(self) -> None:
        if self._drawn_chars:
            self._stream.write("\r" + " " * self._drawn_chars + "\r")
            self._drawn_chars = 0
