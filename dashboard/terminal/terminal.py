"""The terminal: full screen on and off, keys in, lines out. No other module uses it.

Two daemon threads do the calls that may block: one waits for keys, one draws. So a terminal that
accepts no output delays neither the reading of topics nor the exit of the process.
"""

import os
import select
import sys
import termios
import threading
import tty
from collections.abc import Callable, Sequence
from io import StringIO
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.text import Text

from dashboard.terminal.keys import KeyDecoder
from dashboard.terminal.screen import Screen

ENTER = "\x1b[?1049h\x1b[?25l\x1b[2J"
LEAVE = "\x1b[?25h\x1b[0m\x1b[?1049l"
ESCAPE_PAUSE_S = 0.05
"""Pause after which a lone escape byte is the escape key."""
STOP_POLL_S = 0.5
KEY_BYTES_MAX = 256
JOIN_TIMEOUT_S = 1.0
LEAVE_TIMEOUT_S = 1.0


def can_show_screens() -> bool:
    """True if standard output is a terminal with cursor addressing."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "")


class Terminal:
    """A context in which the terminal shows a full screen; it is restored on exit.

    Args:
        on_key: Called with the name of each key, in the key thread.
    """

    def __init__(self, on_key: Callable[[str], None]) -> None:
        """Prepare the terminal; entering the context changes it."""
        self._out = sys.stdout.fileno()
        self._in = sys.stdin.fileno() if sys.stdin.isatty() else None
        self._saved: list[Any] | None = None  # Any: tcgetattr returns a mixed list
        self._stopped = threading.Event()
        self._on_key = on_key
        self._keys = threading.Thread(target=self._read_keys, name="keys", daemon=True)

    def size(self) -> tuple[int, int]:
        """Columns and lines."""
        found = os.get_terminal_size(self._out)
        return found.columns, found.lines

    def __enter__(self) -> "Terminal":
        if self._in is not None:
            self._saved = termios.tcgetattr(self._in)
            tty.setcbreak(self._in, termios.TCSANOW)
            self._quiet_controls(self._in)
        self.write(ENTER)
        if self._in is not None:
            self._keys.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped.set()
        try:
            if not self._takes_output(LEAVE_TIMEOUT_S):
                termios.tcflush(self._out, termios.TCOFLUSH)
            if self._takes_output(0):
                self.write(LEAVE)
        finally:
            if self._in is not None and self._saved is not None:
                termios.tcsetattr(self._in, termios.TCSANOW, self._saved)

    def _takes_output(self, timeout_s: float) -> bool:
        _, ready, _ = select.select([], [self._out], [], timeout_s)
        return bool(ready)

    def _quiet_controls(self, descriptor: int) -> None:
        """Disable Ctrl-S, which would freeze the screen, and Ctrl-Z, which would suspend it."""
        modes = termios.tcgetattr(descriptor)
        modes[0] &= ~termios.IXON
        modes[6][termios.VSUSP] = b"\x00"
        termios.tcsetattr(descriptor, termios.TCSANOW, modes)

    def write(self, text: str) -> None:
        """Write the whole text; blocks while the terminal accepts no output."""
        left = text.encode()
        while left:
            left = left[os.write(self._out, left) :]

    def _read_keys(self) -> None:
        assert self._in is not None
        decoder = KeyDecoder()
        while not self._stopped.is_set():
            pause_s = ESCAPE_PAUSE_S if decoder.pending else STOP_POLL_S
            ready, _, _ = select.select([self._in], [], [], pause_s)
            if not ready:
                names = decoder.flush()
            elif received := os.read(self._in, KEY_BYTES_MAX):
                names = decoder.feed(received)
            else:
                return
            for name in names:
                self._on_key(name)


class Painter:
    """Draws the newest screen in a thread, writing only the lines that changed.

    Args:
        terminal: The terminal; it must be entered.

    Attributes:
        error: The error that ended the thread, or None.
    """

    def __init__(self, terminal: Terminal) -> None:
        """Start the drawing thread."""
        self._terminal = terminal
        self._ready = threading.Condition()
        self._next: Screen | None = None
        self._stopped = False
        self._shown: Sequence[Text] = ()
        self._console: Console | None = None
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="painter", daemon=True)
        self._thread.start()

    def show(self, screen: Screen) -> None:
        """Draw this screen next; an earlier one that is still waiting is skipped."""
        with self._ready:
            self._next = screen
            self._ready.notify()

    def stop(self) -> None:
        """End after the current screen; waits at most `JOIN_TIMEOUT_S` for the terminal."""
        with self._ready:
            self._stopped = True
            self._ready.notify()
        self._thread.join(JOIN_TIMEOUT_S)

    def _run(self) -> None:
        try:
            while True:
                with self._ready:
                    while self._next is None and not self._stopped:
                        self._ready.wait()
                    if self._stopped:
                        return
                    screen, self._next = self._next, None
                if screen is not None:
                    self._paint(screen)
        except Exception as error:  # The main task raises it again.
            self.error = error

    def _paint(self, screen: Screen) -> None:
        if self._console is None or self._console.width != screen.width:
            self._console = line_console(screen.width)
            self._shown = ()
        whole = len(screen.lines) != len(self._shown)
        parts = ["\x1b[2J"] if whole else []
        for index, line in enumerate(screen.lines):
            if whole or line != self._shown[index]:
                codes = line_codes(self._console, line)
                parts.append(f"\x1b[{index + 1};1H{codes}\x1b[0m")
        if parts:
            self._terminal.write("".join(parts))
        self._shown = screen.lines


def line_console(width: int) -> Console:
    """A console that only encodes styles; it honours TERM, COLORTERM and NO_COLOR."""
    return Console(
        file=StringIO(),
        force_terminal=True,
        width=width,
        height=1,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
    )


def line_codes(console: Console, line: Text) -> str:
    """A line with its styles as terminal codes."""
    with console.capture() as captured:
        console.print(line, end="", no_wrap=True, overflow="ignore", crop=False)
    return captured.get()
