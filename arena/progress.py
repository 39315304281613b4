"""Reports the progress of a long operation as `Step` values to a callback.

The callback is always called from the thread that called `start`, so it may draw.
`arena.progress_bars` draws bars; `print_progress` writes lines for pipes and logs.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

LINE_INTERVAL_S = 5.0


@dataclass(frozen=True, slots=True)
class Step:
    """A report of progress.

    Attributes:
        name: Name of the operation, constant during it: "Apache Kafka 4.3.1".
        detail: Current detail, for people: "47 files, 45 MB".
        done: Amount done, such as bytes or records; 0 if it is not counted.
        total: Total amount; 0 if unknown.
        finished: True exactly once, at the end.
    """

    name: str
    detail: str
    done: int = 0
    total: int = 0
    finished: bool = False


Progress = Callable[[Step], None]


def no_progress(step: Step) -> None:
    """Ignore a report."""


def print_progress(
    stream: IO[str] | None = None,
    *,
    interval_s: float = LINE_INTERVAL_S,
    clock: Callable[[], float] = time.monotonic,
) -> Progress:
    """A callback that writes plain lines: one when a step starts, one when it ends.

    In between it writes at most one line every `interval_s` seconds, so a log stays short.

    Args:
        stream: Stream to write to; None for standard error.
        interval_s: Seconds between two lines of the same step.
        clock: Monotonic seconds.
    """
    last: dict[str, float] = {}

    def show(step: Step) -> None:
        now = clock()
        if not step.finished and now - last.get(step.name, -interval_s) < interval_s:
            return
        last[step.name] = now
        counted = f"{step.done / step.total:4.0%}  " if step.total and not step.finished else ""
        print(f"{step.name}: {counted}{step.detail}", file=stream or sys.stderr, flush=True)

    return show
