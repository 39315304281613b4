"""Draws the progress of a long operation: bars on a terminal, plain lines elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress
from rich.status import Status
from rich.text import Text

from arena.progress import Progress, Step, print_progress
from arena.visible_text import visible_line

BAR_WIDTH = 24


@contextmanager
def draw_progress(console: Console | None = None) -> Iterator[Progress]:
    """Yield a callback for `Step`s that draws on standard error.

    On a terminal each step is one bar, which stays; in a pipe a step prints a line at its start and
    at its end.

    Args:
        console: Console to draw on; None for standard error.
    """
    target = console or Console(stderr=True)
    if not target.is_terminal:
        yield print_progress(target.file)
        return
    bar = RichProgress(
        TextColumn(" {task.fields[name]:<20}"),
        TextColumn("{task.description}"),
        BarColumn(BAR_WIDTH),
        TimeElapsedColumn(),
        console=target,
    )
    with bar:
        yield _Bars(bar).show


def terminal_status(text: str) -> Status:
    """Return a context that shows a text on standard error while it is a terminal; else nothing."""
    return Console(stderr=True).status(Text(visible_line(text)))


class _Bars:
    """One task of the display for each name of a step."""

    def __init__(self, bar: RichProgress) -> None:
        self._bar = bar
        self._tasks: dict[str, TaskID] = {}

    def show(self, step: Step) -> None:
        if step.name not in self._tasks:
            self._tasks[step.name] = self._bar.add_task(step.detail, total=None, name=step.name)
        total = step.total or (1 if step.finished else None)
        self._bar.update(
            self._tasks[step.name],
            description=step.detail,
            total=total,
            completed=total if step.finished else step.done,
        )
