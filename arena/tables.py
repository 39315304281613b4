"""Draws a table for people: on a terminal with borders, in a pipe as plain columns."""

from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from arena.visible_text import one_line

PIPE_WIDTH = 10_000
"""Of a line that no terminal cuts."""
CELL_CHARS_MAX = 1_000
REMARK_CHARS_MAX = 4_000


def print_table(
    columns: Sequence[tuple[str, bool]],
    rows: Iterable[Sequence[str]],
    *,
    remarks: Sequence[str] = (),
    console: Console | None = None,
) -> None:
    """Print rows below their headings.

    Args:
        columns: Heading of each, and whether it holds figures: those line up right.
        rows: The cells, as they are to be read.
        remarks: Lines below the table.
        console: Where to; standard output where none is given.
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
