"""Lines of exact width: text that is cut or padded, and tables that adapt to the width. Pure.

A table always has its required columns, optional ones as the width allows, and one column that may
grow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len
from rich.text import Text

from dashboard.terminal.palette import QUIET

GAP_MAX = 3
FULL_CELLS = 20
"""A name of at most this many cells is shown whole before an optional column is added."""
GROW_MAX = 24
"""Most extra cells of a growing column; the rest stays free at the right."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        title: Text above the column; "" for none.
        align: "right" for figures, "left" for text.
        optional: 0 for a required column; 1, 2, ... are added in that order as the width allows.
        cells_min: Fewest cells; a column that may shrink stops there.
        shrink: True if it may be cut to make room for required columns.
        grow: True if it gets the free cells.
        preferred: True for an optional column that is shown even if others are cut for it.
    """

    title: str
    align: Literal["left", "right"] = "left"
    optional: int = 0
    cells_min: int = 1
    shrink: bool = False
    grow: bool = False
    preferred: bool = False


def fit(text: Text, width: int, align: Literal["left", "right"] = "left") -> Text:
    """The text in exactly `width` cells: cut with an ellipsis, or padded with blanks."""
    if text.cell_len == width:
        return text
    fitted = text.copy()
    fitted.no_wrap = True
    fitted.truncate(width, overflow="ellipsis")
    missing = width - fitted.cell_len
    if missing > 0 and align == "right":
        fitted.pad_left(missing)
    elif missing > 0:
        fitted.pad_right(missing)
    return fitted


def blank(width: int) -> Text:
    """An empty line."""
    return Text(" " * width)


def fill_lines(lines: Sequence[Text], width: int, height: int) -> list[Text]:
    """Exactly `height` lines of exactly `width` cells: cut, or padded with empty lines."""
    shown = [fit(line, width) for line in lines[:height]]
    return shown + [blank(width)] * (height - len(shown))


def table(
    columns: Sequence[Column],
    rows: Sequence[Sequence[Text]],
    width: int,
    *,
    header: bool = True,
) -> list[Text]:
    """Lay out rows in columns.

    Args:
        columns: One column for each cell of a row.
        rows: Rows of cells; styles are kept.
        width: Cells of every line.
        header: True to start with a line of titles.

    Returns:
        Lines of exactly `width` cells.
    """
    natural = [
        max(
            [
                column.cells_min,
                cell_len(column.title) if header else 0,
                *(r[i].cell_len for r in rows),
            ]
        )
        for i, column in enumerate(columns)
    ]
    shown = _choose(columns, natural, width)
    widths, gap = _widths(columns, natural, shown, width)
    lines = []
    if header:
        titles = [Text(columns[i].title, style=QUIET) for i in shown]
        lines.append(_line(titles, [columns[i] for i in shown], widths, gap, width))
    for row in rows:
        cells = [row[i] for i in shown]
        lines.append(_line(cells, [columns[i] for i in shown], widths, gap, width))
    return lines


def _choose(columns: Sequence[Column], natural: list[int], width: int) -> list[int]:
    shown = [i for i, column in enumerate(columns) if not column.optional]
    optional = [i for i, column in enumerate(columns) if column.optional]
    for index in sorted(optional, key=lambda i: columns[i].optional):
        preferred = columns[index].preferred
        least = [_least(columns[i], natural[i], preferred) for i in (*shown, index)]
        if sum(least) + len(shown) > width:
            break
        shown.append(index)
    return sorted(shown)


def _least(column: Column, natural: int, preferred: bool) -> int:
    """The cells that a column needs before another one is added."""
    if not column.shrink:
        return natural
    return column.cells_min if preferred else max(column.cells_min, min(natural, FULL_CELLS))


def _widths(
    columns: Sequence[Column], natural: list[int], shown: list[int], width: int
) -> tuple[list[int], int]:
    widths = {i: natural[i] for i in shown}
    gaps = len(shown) - 1
    for i in shown:
        over = sum(widths.values()) + gaps - width
        if over > 0 and columns[i].shrink:
            widths[i] = max(columns[i].cells_min, widths[i] - over)
    left = width - sum(widths.values()) - gaps
    growing = [i for i in shown if columns[i].grow]
    gap = 1
    if left > 0 and gaps:
        gap = min(GAP_MAX, 1 + left // gaps)
        left -= (gap - 1) * gaps
    if left > 0 and growing:
        widths[growing[0]] += min(left, GROW_MAX)
    return [widths[i] for i in shown], gap


def _line(
    cells: Sequence[Text], columns: Sequence[Column], widths: list[int], gap: int, width: int
) -> Text:
    line = Text(no_wrap=True)
    for index, (cell, column, room) in enumerate(zip(cells, columns, widths, strict=True)):
        if index:
            line.append(" " * gap)
        line.append_text(fit(cell, room, column.align))
    return fit(line, width)


def spread(
    items: Sequence[Text], width: int, *, droppable: Sequence[int] = (), gap_max: int = 4
) -> Text:
    """Items on one line with equal gaps.

    Args:
        items: Items from left to right.
        width: Cells of the line.
        droppable: Indexes of the items to drop, in this order, if not all fit.
        gap_max: Most blanks between two items.
    """
    kept = dict(enumerate(items))
    for index in droppable:
        if sum(i.cell_len for i in kept.values()) + len(kept) <= width - 1:
            break
        kept.pop(index, None)
    shown = list(kept.values())
    gaps = len(shown) - 1
    left = width - 2 - sum(item.cell_len for item in shown)
    gap = min(gap_max, left // gaps) if gaps else 0
    line = Text(" ", no_wrap=True)
    for index, item in enumerate(shown):
        if index:
            line.append(" " * gap)
        line.append_text(item)
    return fit(line, width)


def wrap(text: str, width: int, *, style: str = "", indent: str = "", limit: int = 0) -> list[Text]:
    """Wrap text into lines of exactly `width` cells.

    Args:
        text: Cleaned text; its line breaks are kept.
        width: Cells of a line.
        style: Style of the text.
        indent: Text before every line.
        limit: Most lines; a cut text ends with an ellipsis. 0 for no limit.
    """
    room = max(1, width - cell_len(indent))
    lines: list[Text] = []
    for paragraph in text.split("\n"):
        lines += _fold(paragraph, room)
        if limit and len(lines) > limit:
            break
    if limit and len(lines) > limit:
        lines = [*lines[: limit - 1], Text(lines[limit - 1].plain + " …")]
    return [fit(Text.assemble(indent, (line.plain, style)), width) for line in lines]


def _fold(paragraph: str, room: int) -> list[Text]:
    """Break one paragraph at blanks if there are any, else inside the word."""
    lines: list[Text] = []
    rest = paragraph
    while cell_len(rest) > room:
        end = _cells_end(rest, room)
        cut = rest.rfind(" ", room // 2, end + 1)
        if cut <= 0:
            cut = end
        lines.append(Text(rest[:cut]))
        rest = rest[cut:].removeprefix(" ")
    return [*lines, Text(rest)]


def _cells_end(text: str, room: int) -> int:
    """Number of characters that fit into `room` cells, at least one."""
    used = 0
    for index, character in enumerate(text):
        used += cell_len(character)
        if used > room:
            return max(1, index)
    return len(text)
