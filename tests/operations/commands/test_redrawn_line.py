"""One line of a terminal that is redrawn in place, and what a pipe gets of it."""

import io

import pytest

from arena.progress import Step
from operations.commands.live_line import LiveLine
from operations.commands.numbered_steps import NumberedSteps
from operations.commands.redrawn_line import RedrawnLine

ERASE = "\r\x1b[2K"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """True."""
        return True


@pytest.fixture(autouse=True)
def _size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_terminal_line_is_replaced_cut_and_kept() -> None:
    """Each drawing erases the one before; a long line is cut before it wraps; `keep` ends it."""
    out = Terminal()
    line = RedrawnLine(out)
    line.draw("first [red] :warning:")
    line.draw("x" * 100)
    line.keep()
    line.draw("next")
    line.clear()
    line.clear()

    assert out.getvalue() == (f"{ERASE}first [red] :warning:{ERASE}{'x' * 39}\n{ERASE}next{ERASE}")


def test_pipe_gets_a_line_for_each_drawing() -> None:
    """Without a terminal there are no control characters, and nothing is cut or erased."""
    out = io.StringIO()
    line = RedrawnLine(out)
    line.draw("x" * 100)
    line.keep()
    line.clear()

    assert out.getvalue() == "x" * 100 + "\n"


def test_live_line_and_steps_are_drawn_on_one_terminal_line() -> None:
    """A permanent line replaces the live one; a finished step keeps its line."""
    out, now_s = Terminal(), 1.0
    live = LiveLine(out, clock=lambda: now_s)
    now_s = 2.0
    live.show("1/5")
    live.print_above("a node came back")
    live.end("5/5")
    steps = NumberedSteps(out, first=1, names=["broker"])
    steps.show(Step("broker", "ready", finished=True))

    assert out.getvalue() == (
        f"{ERASE} 1/5{ERASE} a node came back\n{ERASE} 5/5\n"
        f"{ERASE} [1/1] broker ................ ready\n"
    )
