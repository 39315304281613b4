"""One line that is redrawn on a terminal; in a pipe, a line at intervals."""

import time
from collections.abc import Callable
from typing import TextIO

from arena.visible_text import one_line
from operations.commands.redrawn_line import RedrawnLine

DRAW_INTERVAL_S = 0.25
LINE_INTERVAL_S = 8.0
LINE_CHARS_MAX = 1_000


class LiveLine:
    """Shows the progress of a long wait on one line.

    Args:
        stream: The stream to print to.
        hidden: True if the dashboard has the screen: only `end` prints.
        clock: Monotonic seconds.
    """

    def __init__(
        self, stream: TextIO, *, hidden: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Create the line; `show` prints it."""
        self._stream = stream
        self._hidden = hidden
        self._clock = clock
        self._line = RedrawnLine(stream)
        self._interval_s = DRAW_INTERVAL_S if self._line.is_terminal else LINE_INTERVAL_S
        self._drawn_at_s = clock()
        self._deferred: list[str] = []

    def show(self, text: str) -> None:
        """Draw a state, at most once per interval."""
        now_s = self._clock()
        if self._hidden or now_s - self._drawn_at_s < self._interval_s:
            return
        self._drawn_at_s = now_s
        self._draw(text)

    def print_above(self, text: str) -> None:
        """Print a line that stays above the live one."""
        if self._hidden:
            self._deferred.append(text)
            return
        self._line.clear()
        self._stream.write(f" {one_line(text, LINE_CHARS_MAX)}\n")
        self._stream.flush()

    def end(self, text: str) -> None:
        """Print the deferred lines and the last state."""
        self._hidden = False
        for line in self._deferred:
            self.print_above(line)
        self._deferred.clear()
        self._draw(text)
        self._line.keep()

    def _draw(self, text: str) -> None:
        self._line.draw(f" {one_line(text, LINE_CHARS_MAX)}")
