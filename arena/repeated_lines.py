"""Limits repeated log lines of libraries: each passes once per interval, with a count. Pure.

The Kafka client can log the same line about a deleted topic a thousand times a second, which would
fill a disk.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

EVERY_S = 10.0
LINES_MAX = 256
"""Number of different lines that are tracked; the one that passed longest ago is dropped first."""


@dataclass(slots=True)
class _Line:
    passed_s: float
    held_back: int = 0


class RepeatFilter(logging.Filter):
    """Passes the same line at most once per `EVERY_S`.

    A record that passes has the attribute `held_back`: the number of its repetitions that did not.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        """Take a monotonic clock."""
        super().__init__()
        self._now_s = now_s
        self._lines: OrderedDict[tuple[str, int, str], _Line] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """True for a line that passes."""
        try:
            key = (record.name, record.levelno, record.getMessage())
        except (TypeError, ValueError):  # arguments do not match the format; the handler reports it
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
