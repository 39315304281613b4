"""Prints tables for people: with borders on a terminal, as plain columns in a pipe."""

from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from arena.visible_text import one_line

PIPE_WIDTH = 10_000
"""Line width in a pipe, so that no line is cut."""
CELL_CHARS_MAX = 1_000
REMARK_CHARS_MAX = 4_000


def print_table(
    columns: Sequence[tuple[str, bool]],
    rows: Iterable[Sequence[str]],
    *,
    remarks: Sequence[str] = (),
    console: Console | None = None,
) -> None:
    """Print a table.

    Args:
        columns: Heading of each column, and True for numbers, which are right-aligned.
        rows: Texts of the cells.
        remarks: Lines below the table.
        console: Console to print to; None for standard output.
    """
    target = console or Console(soft_wrap=False)
    if not target.is_terminal:
        target.width = PIPE_WIDTH
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading, figures in columns:
        table.add_column(heading, justify="right" if figures else "left", no_wrap=figures)
    for row in rows:
        table.add_row(*(Text(one_line(cell, CELL_CHARS_MAX)) for cell in row))
    target.print(table)
    for remark in remarks:
        target.print(Text(one_line(remark, REMARK_CHARS_MAX)))
