"""Tables of the report as values, before they are HTML or Markdown. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from judge.formatting import joined_names

NOTES_SHOWN = 12


@dataclass(frozen=True, slots=True)
class TableHead:
    """Head of a column.

    Attributes:
        css: "w" for left-aligned text; "stick" for a column that stays visible.
        note: Meaning of the column, for the legend below the table.
        up: True if the first click sorts upwards.
    """

    text: str
    css: str = ""
    note: str = ""
    up: bool = False


@dataclass(frozen=True, slots=True)
class TableCell:
    """One cell.

    Attributes:
        under: A second, less prominent line.
        value: Sort key if it is not the text; "" sorts last.
        head: True if the cell names its row.
        link: HTML id that it links to.
        fold: Summary of further lines that a click unfolds; "" without any.
        folded: Those lines: name, figure and HTML id to link to.
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
        """Its whole text, on one line."""
        more = f"{self.fold}: " + ", ".join(f"{name} {text}" for name, text, _ in self.folded)
        under = "; ".join(filter(None, (self.under, more if self.fold else "")))
        return f"{self.text} ({under})" if under else self.text


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row; `css` is "baseline" for a baseline."""

    cells: tuple[TableCell, ...]
    css: str = ""


@dataclass(frozen=True, slots=True)
class ReportTable:
    """A table.

    Attributes:
        label: Accessible name.
        notes: Lines below the table.
    """

    label: str
    heads: tuple[TableHead, ...]
    rows: tuple[TableRow, ...]
    sortable: bool = False
    kind: str = ""
    notes: tuple[str, ...] = ()

    @property
    def legend(self) -> tuple[tuple[str, str], ...]:
        """Columns with a note, each with its meaning."""
        return tuple((head.text, head.note) for head in self.heads if head.note)

    def markdown(self) -> str:
        """Return the table as Markdown; further lines of a cell follow in parentheses."""
        lines = [_markdown_row([head.text for head in self.heads])]
        lines.append("|" + "|".join("---" if "w" in h.css else "--:" for h in self.heads) + "|")
        lines += [_markdown_row([cell.whole for cell in row.cells]) for row in self.rows]
        legend = [f"{head}: {note}" for head, note in self.legend]
        below = [f"- {markdown_text(line)}" for line in (*legend, *self.notes)]
        return "\n".join((*lines, "", *below) if below else lines)

    def figures(self) -> dict[str, object]:
        """Return the table as a JSON tree: printed texts, and the figures behind them."""
        return {
            "heads": [head.text for head in self.heads],
            "rows": [[_figure(cell) for cell in row.cells] for row in self.rows],
            "notes": list(self.notes),
        }


def notes_of(found: Iterable[tuple[str, str, str]], shown: int = NOTES_SHOWN) -> tuple[str, ...]:
    """Return why cells are unknown, one line per reason: "Sharpe of cash and random: ...".

    Args:
        found: Column, row and reason of each unknown cell.
        shown: Most lines.
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
    """Return the colour class of a gain or loss; "" if its text is rounded to zero."""
    if not amount or not any(mark in text for mark in "123456789"):
        return ""
    return "gain" if amount > 0 else "loss"


def plain(text: str, value: float | None = None) -> TableCell:
    """Return the cell of a figure, sorted by its value; an unknown one sorts last."""
    return TableCell(text, value="" if value is None else value)


def name_cell(name: str, under: str = "", link: str = "") -> TableCell:
    """Return the cell that names its row."""
    return TableCell(name, under=under, head=True, link=link)


def markdown_text(text: str) -> str:
    """Return untrusted text as one line of Markdown, with its markup and addresses escaped."""
    shown = " ".join(text.split()).translate(_ESCAPES)
    shown = _ADDRESS.sub(lambda found: found[0].replace(":", "\\:").replace(".", "\\."), shown)
    return f"\\{shown}" if shown.startswith(("-", "+")) else shown


def markdown_code(text: str) -> str:
    """Return untrusted text for use between two backticks."""
    return " ".join(text.split()).replace("`", "'")


_ESCAPES = str.maketrans(
    {mark: f"\\{mark}" for mark in "\\`*_{}[]#|~!@$"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
)
_ADDRESS = re.compile(r"(https?|ftp|mailto|xmpp):|www\.", re.IGNORECASE)
"""Addresses that GitHub turns into links without markup."""


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
