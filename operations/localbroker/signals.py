"""SIGTERM and SIGHUP as an exception, so that what was begun is put away.

Python ends at once on these signals: no `finally` runs, and a half-made directory stays.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from arena.command_exit import ENDING_SIGNALS, end_by_signal
from arena.errors import EXIT_TERMINATED


class Terminated(KeyboardInterrupt):
    """The process was asked to end; treated like Ctrl-C."""

    exit_code = EXIT_TERMINATED


@contextmanager
def terminate_as_interrupt() -> Iterator[None]:
    """Within the block, the first SIGTERM or SIGHUP raises `Terminated` in the main thread.

    Further ones are ignored while the stack unwinds. Does nothing outside the main thread, and
    leaves a signal alone that is ignored, or for which other code has installed a handler.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in ENDING_SIGNALS}
    ours = [n for n, handler in before.items() if handler in (signal.SIG_DFL, end_by_signal)]

    def end(_number: int, _frame: FrameType | None) -> None:
        for number in ours:
            signal.signal(number, signal.SIG_IGN)
        raise Terminated

    for number in ours:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, before[number])
