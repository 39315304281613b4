"""Tables as values: what the page shows, before it is HTML or Markdown. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from judge.formatting import joined_names

NOTES_SHOWN = 12


@dataclass(frozen=True, slots=True)
class TableHead:
    """A column's head.

    Attributes:
        css: "w" for words, which line up left; "stick" for the column that stays in sight.
        note: What the column means; the legend below the table prints it.
        up: The first click on it sorts upwards.
    """

    text: str
    css: str = ""
    note: str = ""
    up: bool = False


@dataclass(frozen=True, slots=True)
class TableCell:
    """One cell.

    Attributes:
        under: A second, quieter line.
        value: What it is sorted by, where that is not its text; "" sorts last.
        head: It names its row.
        link: Id of the part of the page it leads to.
        fold: Summary of further lines that are unfolded with a click; "" without any.
        folded: Those lines: name, figure and id of the part of the page.
    """

    text: str
    under: str = ""
    css: str = ""
    value: float | str | None = None
    head: bool = False
    link: str = ""
    fold: str = ""
    folded: tuple[tuple[str, str, str], ...] = ()

    @property
    def whole(self) -> str:
        """Everything it says, on one line."""
        more = f"{self.fold}: " + ", ".join(f"{name} {text}" for name, text, _ in self.folded)
        under = "; ".join(filter(None, (self.under, more if self.fold else "")))
        return f"{self.text} ({under})" if under else self.text


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row; `css` is "baseline" for an entry that does not compete."""

    cells: tuple[TableCell, ...]
    css: str = ""


@dataclass(frozen=True, slots=True)
class ReportTable:
    """A table.

    Attributes:
        label: Says aloud what it is.
        notes: Lines below it: why cells are as they are.
    """

    label: str
    heads: tuple[TableHead, ...]
    rows: tuple[TableRow, ...]
    sortable: bool = False
    kind: str = ""
    notes: tuple[str, ...] = ()

    @property
    def legend(self) -> tuple[tuple[str, str], ...]:
        """Column and what it means, of every column that needs it."""
        return tuple((head.text, head.note) for head in self.heads if head.note)

    def markdown(self) -> str:
        """The same as a Markdown table; further lines of a cell follow in parentheses."""
        lines = [_markdown_row([head.text for head in self.heads])]
        lines.append("|" + "|".join("---" if "w" in h.css else "--:" for h in self.heads) + "|")
        lines += [_markdown_row([cell.whole for cell in row.cells]) for row in self.rows]
        said = [f"{head}: {note}" for head, note in self.legend]
        below = [f"- {markdown_text(line)}" for line in (*said, *self.notes)]
        return "\n".join((*lines, "", *below) if below else lines)

    def figures(self) -> dict[str, object]:
        """The table as a JSON tree: texts as they are printed, and the figures behind them."""
        return {
            "heads": [head.text for head in self.heads],
            "rows": [[_figure(cell) for cell in row.cells] for row in self.rows],
            "notes": list(self.notes),
        }


def notes_of(found: Iterable[tuple[str, str, str]], shown: int = NOTES_SHOWN) -> tuple[str, ...]:
    """Why cells are unknown, one line per reason: "Sharpe of cash, random: ...".

    Args:
        found: Column, row and reason of each such cell.
        shown: How many lines at most.
    """
    grouped: dict[tuple[str, str], list[str]] = {}
    for column, row, reason in found:
        grouped.setdefault((column, reason), []).append(row)
    merged: dict[tuple[str, str], list[str]] = {}
    for (column, reason), rows in grouped.items():
        merged.setdefault((joined_names(rows), reason), []).append(column)
    lines = [f"{', '.join(columns)} of {who}: {why}" for (who, why), columns in merged.items()]
    if len(lines) > shown:
        lines = [*lines[:shown], f"and {len(lines) - shown:,} more reasons, all in figures.json"]
    return tuple(lines)


def tone(amount: float | None, text: str) -> str:
    """Colour of a gain or loss, as its sign says; none where the text has rounded it to zero."""
    if not amount or not any(mark in text for mark in "123456789"):
        return ""
    return "gain" if amount > 0 else "loss"


def plain(text: str, value: float | None = None, *, colored: bool = False) -> TableCell:
    """A figure's cell, sorted by its value; an unknown one sorts last."""
    return TableCell(
        text, value="" if value is None else value, css=tone(value, text) if colored else ""
    )


def name_cell(name: str, under: str = "", link: str = "") -> TableCell:
    """The cell that names its row."""
    return TableCell(name, under=under, head=True, link=link)


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


def _figure(cell: TableCell) -> object:
    figure: dict[str, object] = {"text": cell.text}
    if cell.under:
        figure["under"] = cell.under
    if cell.value is not None and cell.value != "":
        figure["value"] = cell.value
    if cell.folded:
        figure["folded"] = [[name, text] for name, text, _ in cell.folded]
        figure["fold"] = cell.fold
    return cell.text if len(figure) == 1 else figure


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(markdown_text(cell) for cell in cells) + " |"
