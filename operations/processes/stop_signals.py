"""SIGINT, SIGTERM and SIGHUP for code that has children or half-written files to clean up.

Python ends at once on SIGTERM and SIGHUP: no `finally` runs. `terminate_as_interrupt` raises
instead, for code that a `finally` cleans up after. Code that starts processes must not be cut in
two: an exception between "started" and "recorded" would leave a process that is never ended. There
`StopSignals` notes the first signal and the loops check it.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

from arena.command_exit import DOUBLE_S, ENDING_SIGNALS, end_by_signal
from arena.errors import EXIT_TERMINATED

WATCHED = (signal.SIGINT, *ENDING_SIGNALS)
AGAIN_S = 0.3
"""A second Ctrl-C within this time counts as the first one: the key bounced."""


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP was received; handled like Ctrl-C."""

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
    taken = [n for n, handler in before.items() if handler in (signal.SIG_DFL, end_by_signal)]

    def end(_number: int, _frame: FrameType | None) -> None:
        for number in taken:
            signal.signal(number, signal.SIG_IGN)
        raise Terminated

    for number in taken:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, before[number])


class StopSignals:
    """Within the block, `received` is the first signal that asked to stop, or None.

    `hurried` is True after a second one: every wait then ends at once. An ignored SIGHUP stays
    ignored: the process is under nohup. For the main thread only.
    """

    def __init__(self) -> None:
        """Create it; the block installs the handlers."""
        self.received: signal.Signals | None = None
        self.hurried = False
        self._received_s = 0.0
        self._before: dict[int, Any] = {}  # Any: a handler, a constant or None

    def __enter__(self) -> Self:
        """Install the handlers."""
        for number in WATCHED:
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Restore the handlers from before the block."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def raise_received(self) -> None:
        """Raise the exception of the noted signal, after the block; do nothing without one.

        Raises:
            KeyboardInterrupt: It was SIGINT.
            Terminated: It was another one.
        """
        if self.received == signal.SIGINT:
            raise KeyboardInterrupt
        if self.received is not None:
            raise Terminated

    def _note(self, number: int, _: FrameType | None) -> None:
        now_s = time.monotonic()
        if self.received is None:
            self.received, self._received_s = signal.Signals(number), now_s
            return
        # A whole group may get one signal twice.
        again_s = AGAIN_S if number == signal.SIGINT else DOUBLE_S
        self.hurried = self.hurried or now_s >= self._received_s + again_s
