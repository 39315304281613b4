"""Tables as values: what the page shows, before it is HTML or Markdown. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Head:
    """A column's head.

    Attributes:
        css: "w" for words, which line up left; "stick" for the column that stays in sight.
        note: What the column means.
        up: The first click on it sorts upwards.
    """

    text: str
    css: str = ""
    note: str = ""
    up: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    Attributes:
        under: A second, quieter line.
        value: What it is sorted by, where that is not its text; "" sorts last.
        head: It names its row.
        link: Id of the part of the page it leads to.
        note: Shown when pointed at.
    """

    text: str
    under: str = ""
    css: str = ""
    value: float | str | None = None
    head: bool = False
    link: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One row; `css` is "baseline" for an entry that does not compete."""

    cells: tuple[Cell, ...]
    css: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table. `label` says aloud what it is."""

    label: str
    heads: tuple[Head, ...]
    rows: tuple[Row, ...]
    sortable: bool = False
    kind: str = ""

    def markdown(self) -> str:
        """The same as a Markdown table; a second line of a cell follows in parentheses."""
        lines = [_markdown_row([head.text for head in self.heads])]
        lines.append("|" + "|".join("---" if "w" in h.css else "--:" for h in self.heads) + "|")
        lines += [
            _markdown_row([f"{c.text} ({c.under})" if c.under else c.text for c in row.cells])
            for row in self.rows
        ]
        return "\n".join(lines)


def tone(amount: float | None, text: str) -> str:
    """Colour of a gain or loss, as its sign says; none where the text has rounded it to zero."""
    if not amount or not any(mark in text for mark in "123456789"):
        return ""
    return "gain" if amount > 0 else "loss"


def plain(text: str, value: float | None = None, *, colored: bool = False) -> Cell:
    """A figure's cell, sorted by its value; an unknown one sorts last."""
    return Cell(
        text, value="" if value is None else value, css=tone(value, text) if colored else ""
    )


def words(text: str, under: str = "") -> Cell:
    """A cell of words."""
    return Cell(text, under=under, css="w")


def name_cell(name: str, under: str = "", link: str = "") -> Cell:
    """The cell that names its row."""
    return Cell(name, under=under, head=True, link=link)


def markdown_text(text: str) -> str:
    """Foreign text on one line of Markdown, without any of its marks, links or addresses."""
    shown = " ".join(text.split()).translate(_ESCAPES)
    shown = _ADDRESS.sub(lambda found: found[0].replace(":", "\\:").replace(".", "\\."), shown)
    return f"\\{shown}" if shown.startswith(("-", "+")) else shown


def markdown_code(text: str) -> str:
    """Foreign text between two backticks."""
    return " ".join(text.split()).replace("`", "'")


_ESCAPES = str.maketrans(
    {mark: f"\\{mark}" for mark in "\\`*_{}[]#|~!@$"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
)
_ADDRESS = re.compile(r"(https?|ftp|mailto|xmpp):|www\.", re.IGNORECASE)
"""What GitHub makes a link of, without any mark."""


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(markdown_text(cell) for cell in cells) + " |"
