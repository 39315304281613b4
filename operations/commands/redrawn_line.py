"""One line of a terminal that is redrawn in place; in a pipe, each drawing is a line."""

from typing import TextIO

from rich.console import Console
from rich.control import Control
from rich.segment import ControlType
from rich.text import Text

_ERASE = Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2))


class RedrawnLine:
    """Draws one line; a line that is longer than the terminal is cut, because it must not wrap.

    Args:
        stream: The stream to print to.

    Attributes:
        is_terminal: True if the stream is a terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        """Create the line; `draw` prints it."""
        self.is_terminal = stream.isatty()
        self._stream = stream
        self._console = Console(file=stream, force_terminal=self.is_terminal, color_system=None)
        self._is_drawn = False

    def draw(self, text: str) -> None:
        """Replace the line's text; in a pipe, print the text as a line."""
        if not self.is_terminal:
            self._stream.write(f"{text}\n")
            self._stream.flush()
            return
        self._console.control(_ERASE)
        width = self._console.width - 1
        self._console.print(Text(text), end="", width=width, no_wrap=True, overflow="crop")
        self._is_drawn = True

    def clear(self) -> None:
        """Erase the line, so that other text can be printed in its place."""
        if self._is_drawn:
            self._console.control(_ERASE)
            self._is_drawn = False

    def keep(self) -> None:
        """Leave the line as it is, and start the next one."""
        if self._is_drawn:
            self._stream.write("\n")
            self._is_drawn = False
        self._stream.flush()
