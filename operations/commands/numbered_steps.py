"""The numbered steps of a start: `[2/4] Apache Kafka 4.3.1 ..... 47 files, 45 MB`.

On a terminal a step is one line that is redrawn until it ends. Elsewhere it is a line when it
begins (if it takes long) and one when it ends, so that a log stays short. Every number is printed,
also of a step that had nothing to do.
"""

import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import TextIO

from arena import __version__
from arena.progress import Step
from arena.visible_text import one_line
from operations.commands.redrawn_line import RedrawnLine

STEP_VARIABLE = "ARENA_STEP"
"""Set by `scripts/setup` if it printed the first step."""
NAME_WIDTH = 30
BAR_WIDTH = 16
DRAW_INTERVAL_S = 0.1
LINE_INTERVAL_S = 5.0
DETAIL_CHARS_MAX = 1_000
NOTHING_TO_DO = "there already"


class NumberedSteps:
    """Prints steps with consecutive numbers.

    Args:
        stream: The stream to print to.
        first: Number of the first step.
        names: The beginnings of the steps' names, in order; other names belong to the first step.
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
        """Create the steps; `show` prints them."""
        self._first = first
        self._names = names
        self._clock = clock
        self._line = RedrawnLine(stream)
        self._name = ""
        self._index = -1
        self._shown_at_s = clock()

    def show(self, step: Step) -> None:
        """Draw the state of a step, at most once per interval."""
        now_s = self._clock()
        if step.name != self._name:
            self._name = step.name
            self._shown_at_s = now_s if not self._line.is_terminal else 0.0
        interval_s = DRAW_INTERVAL_S if self._line.is_terminal else LINE_INTERVAL_S
        if not step.finished and now_s - self._shown_at_s < interval_s:
            return
        self._shown_at_s = now_s
        self._draw(_bar(step) + one_line(step.detail, DETAIL_CHARS_MAX), last=step.finished)

    def _draw(self, detail: str, *, last: bool) -> None:
        index = next((i for i, name in enumerate(self._names) if self._name.startswith(name)), 0)
        for skipped in range(self._index + 1, index):
            self._write(self._text(skipped, self._names[skipped], NOTHING_TO_DO), last=True)
        self._index = max(self._index, index)
        self._write(self._text(index, self._name, detail), last=last)

    def _text(self, index: int, name: str, detail: str) -> str:
        total = self._first + len(self._names) - 1
        head = f" [{self._first + index}/{total}] {name} "
        return head + "." * max(3, NAME_WIDTH - len(head)) + " " + detail

    def _write(self, line: str, *, last: bool) -> None:
        self._line.draw(line)
        if last:
            self._line.keep()


def print_title(names: Sequence[str]) -> NumberedSteps:
    """Print the title; the steps continue the numbers of `scripts/setup` if it ran before.

    Args:
        names: The beginnings of the steps' names, in order.
    """
    print(f" arena {__version__}   a contest between trading agents, on real Kafka", flush=True)
    first = 2 if STEP_VARIABLE in os.environ else 1
    return NumberedSteps(sys.stdout, first=first, names=names)


def _bar(step: Step) -> str:
    if not step.total or step.finished:
        return ""
    filled = int(BAR_WIDTH * min(1.0, step.done / step.total))
    return "█" * filled + "░" * (BAR_WIDTH - filled) + f" {step.done / step.total:4.0%}  "
