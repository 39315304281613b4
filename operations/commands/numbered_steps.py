"""The numbered steps of a start: `[2/4] Apache Kafka 4.3.1 ..... 47 files, 45 MB`.

On a terminal a step is one line that is drawn over until it ends. Anywhere else it is a line when
it begins (where it takes long) and one when it ends, so that a log stays short. Every number is
printed: a step that had nothing to do says so before the next one.
"""

import shutil
import time
from collections.abc import Callable, Sequence
from typing import TextIO

from arena.progress import Step
from arena.visible_text import one_line

NAME_WIDTH = 30
BAR_WIDTH = 16
DRAW_INTERVAL_S = 0.1
LINE_INTERVAL_S = 5.0
DETAIL_CHARS_MAX = 1_000
NOTHING = "there already"


class NumberedSteps:
    """Prints steps under running numbers.

    Args:
        stream: Where to print.
        first: Number of the first of them.
        names: How the steps begin, in order; one of another name belongs to the first.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        first: int,
        names: Sequence[str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Print nothing yet."""
        self._stream = stream
        self._first = first
        self._names = names
        self._clock = clock
        self._terminal = stream.isatty()
        self._name = ""
        self._place = -1
        self._shown_at_s = clock()
        self._drawn_chars = 0

    def show(self, step: Step) -> None:
        """Draw one observation."""
        now_s = self._clock()
        if step.name != self._name:
            self._name = step.name
            self._shown_at_s = now_s if not self._terminal else 0.0
        interval_s = DRAW_INTERVAL_S if self._terminal else LINE_INTERVAL_S
        if not step.finished and now_s - self._shown_at_s < interval_s:
            return
        self._shown_at_s = now_s
        self._draw(_bar(step) + one_line(step.detail, DETAIL_CHARS_MAX), last=step.finished)

    def _draw(self, detail: str, *, last: bool) -> None:
        place = next((i for i, name in enumerate(self._names) if self._name.startswith(name)), 0)
        for skipped in range(self._place + 1, place):
            self._write(self._line(skipped, self._names[skipped], NOTHING), last=True)
        self._place = max(self._place, place)
        self._write(self._line(place, self._name, detail), last=last)

    def _line(self, place: int, name: str, detail: str) -> str:
        total = self._first + len(self._names) - 1
        head = f" [{self._first + place}/{total}] {name} "
        return head + "." * max(3, NAME_WIDTH - len(head)) + " " + detail

    def _write(self, line: str, *, last: bool) -> None:
        if not self._terminal:
            self._stream.write(line + "\n")
        else:
            # A line that wraps cannot be drawn over.
            line = line[: shutil.get_terminal_size().columns - 1]
            rest = " " * max(0, self._drawn_chars - len(line))
            self._stream.write("\r" + line + rest + ("\n" if last else ""))
            self._drawn_chars = 0 if last else len(line)
        self._stream.flush()


def _bar(step: Step) -> str:
    if not step.total or step.finished:
        return ""
    filled = int(BAR_WIDTH * min(1.0, step.done / step.total))
    return "█" * filled + "░" * (BAR_WIDTH - filled) + f" {step.done / step.total:4.0%}  "
