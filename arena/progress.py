"""How a long wait tells what it is doing: `Step` values handed to a callback.

The callback is always called from the thread that called `start`, so it may draw.
Drawing a bar is the command's business; `print_progress` writes lines for pipes and logs.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

LINE_INTERVAL_S = 5.0


@dataclass(frozen=True, slots=True)
class Step:
    """One observation of a wait.

    Attributes:
        name: What is being done, constant over the wait: "Apache Kafka 4.3.1".
        detail: What a person wants to know now: "47 files, 45 MB".
        done: Bytes fetched so far; 0 where nothing is counted.
        total: Bytes to fetch; 0 where it is not known.
        finished: True exactly once, at the end of the wait.
    """

    name: str
    detail: str
    done: int = 0
    total: int = 0
    finished: bool = False


Progress = Callable[[Step], None]


def no_progress(step: Step) -> None:
    """Draw nothing."""


def print_progress(
    stream: IO[str] | None = None,
    *,
    interval_s: float = LINE_INTERVAL_S,
    clock: Callable[[], float] = time.monotonic,
) -> Progress:
    """A callback that writes plain lines: one when a step starts, one when it ends.

    In between it writes at most one line every `interval_s` seconds, so a log stays short.

    Args:
        stream: Where to write; standard error where none is given.
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
