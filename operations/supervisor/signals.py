"""Signals as a note, not as an exception: nothing is cut in two by Ctrl-C.

An exception raised by a signal between "started" and "remembered" would leave a process nobody
knows. So the handlers only note the first signal, and the loops look. A second one hurries: what is
waited for is cut short.
"""

import signal
import time
from types import FrameType, TracebackType
from typing import Any, Self

from arena.command_exit import DOUBLE_S
from operations.localbroker.signals import Terminated

WATCHED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AGAIN_S = 0.3
"""A second Ctrl-C within this time is the first one again: a key that bounced."""


class StopSignals:
    """Within the block, `received` is the first signal that asked to stop, or None.

    `hurried` is True after a second one: whatever is still waited for ends at once. A SIGHUP that
    is ignored stays so: the process is under nohup. For the main thread only.
    """

    def __init__(self) -> None:
        """Nothing is installed before the block."""
        self.received: signal.Signals | None = None
        self.hurried = False
        self._received_s = 0.0
        self._before: dict[int, Any] = {}  # Any: a handler, a constant or None

    def __enter__(self) -> Self:
        """Take the signals over."""
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
        """Give them back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def raise_received(self) -> None:
        """Raise what the noted signal stands for, after the block; nothing without one.

        Raises:
            KeyboardInterrupt: It was Ctrl-C.
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
