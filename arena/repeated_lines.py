"""Lines of libraries that come again and again: each passes once in a while, with a count. Pure.

A client of Kafka may say the same of a topic that is gone a thousand times a second, and would fill
a disk with it.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

EVERY_S = 10.0
LINES_MAX = 256
"""Different lines that are remembered; the one that passed longest ago is forgotten first."""


@dataclass(slots=True)
class _Line:
    passed_s: float
    held_back: int = 0


class RepeatFilter(logging.Filter):
    """Lets the same line through at most once per `EVERY_S`.

    A record that passes has an attribute `held_back`: how many like it did not pass since the last.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        """Take a clock that never goes back."""
        super().__init__()
        self._now_s = now_s
        self._lines: OrderedDict[tuple[str, int, str], _Line] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """True for a line that passes."""
        try:
            key = (record.name, record.levelno, record.getMessage())
        except (TypeError, ValueError):  # its text and values do not fit; the handler says so
            return True
        now_s, known = self._now_s(), self._lines.get(key)
        if known is not None and now_s - known.passed_s < EVERY_S:
            known.held_back += 1
            return False
        record.held_back = 0 if known is None else known.held_back
        self._lines[key] = _Line(now_s)
        self._lines.move_to_end(key)
        if len(self._lines) > LINES_MAX:
            self._lines.popitem(last=False)
        return True
