"""Borders of panes; neighbours share them, so that four panes fit into 24 lines. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rich.text import Text

from dashboard.terminal.grid import fill_lines, fit
from dashboard.terminal.palette import BORDER, FOCUS, KEY, TITLE


@dataclass(frozen=True, slots=True)
class Section:
    """A pane's title.

    Attributes:
        name: Name of the pane.
        focused: True if the keys go to the pane.
        notes: Notes at the right end.
    """

    name: str
    focused: bool = False
    notes: Sequence[Text] = field(default_factory=tuple)


def top(width: int, section: Section) -> Text:
    """The first border."""
    return Text.assemble(("┌", BORDER), _title(section, width - 2), ("┐", BORDER), no_wrap=True)


def divider(
    width: int, left: int | None, joint: str, first: Section, second: Section | None
) -> Text:
    """A border between panes.

    Args:
        width: Cells of the whole line.
        left: Cells of the left pane if two panes are side by side, above or below; else None.
        joint: "┬" if the two panes are below the border, "┴" if above.
        first: Title at the left.
        second: Title after the joint, or None.
    """
    line = Text.assemble(("├", BORDER), no_wrap=True)
    if left is None:
        line.append_text(_title(first, width - 2))
    elif second is None:
        title = _title(first, width - 2)
        cells = title.divide([left, left + 1]) if joint else [title]
        line.append_text(cells[0])
        line.append(joint, style=BORDER)
        line.append_text(cells[2])
    else:
        line.append_text(_title(first, left))
        line.append(joint, style=BORDER)
        line.append_text(_title(second, width - 3 - left))
    line.append("┤", style=BORDER)
    return line


def bottom(width: int, keys: Iterable[tuple[str, str]], notes: Sequence[Text]) -> Text:
    """The bottom border, with the keys at the left and notes at the right."""
    room = width - 2
    left = _keys(keys)
    shown = list(notes)
    while shown and left.cell_len + _joined(shown).cell_len + 3 > room:
        shown.pop()
    right = _joined(shown)
    fill = room - left.cell_len - right.cell_len
    line = Text.assemble(("└", BORDER), no_wrap=True)
    line.append_text(left)
    line.append("─" * max(0, fill), style=BORDER)
    line.append_text(right)
    line.append("┘", style=BORDER)
    return fit(line, width)


def pane_lines(lines: Sequence[Text], width: int, height: int) -> list[Text]:
    """Lines between the outer borders, filled up to the pane's height."""
    return [
        Text.assemble(("│ ", BORDER), line, (" │", BORDER), no_wrap=True)
        for line in fill_lines(lines, width - 4, height)
    ]


def two_pane_lines(
    left_lines: Sequence[Text], right_lines: Sequence[Text], left: int, right: int, height: int
) -> list[Text]:
    """Two panes side by side."""
    pairs = zip(
        fill_lines(left_lines, left - 2, height),
        fill_lines(right_lines, right - 2, height),
        strict=True,
    )
    return [
        Text.assemble(("│ ", BORDER), a, (" │ ", BORDER), b, (" │", BORDER), no_wrap=True)
        for a, b in pairs
    ]


def _title(section: Section, room: int) -> Text:
    line = Text(no_wrap=True)
    line.append("▸" if section.focused else " ", style=FOCUS)
    line.append(section.name, style=FOCUS if section.focused else TITLE)
    line.append(" ")
    notes = list(section.notes)
    while notes and line.cell_len + _joined(notes).cell_len + 2 > room:
        notes.pop()
    right = _joined(notes)
    if section.notes and not notes:
        right = fit(section.notes[0], max(0, room - line.cell_len - 2))
    line.append("─" * max(0, room - line.cell_len - right.cell_len), style=BORDER)
    line.append_text(right)
    return fit(line, room)


def _joined(notes: Sequence[Text]) -> Text:
    line = Text(no_wrap=True)
    for index, note in enumerate(notes):
        line.append("  " if index else " ")
        line.append_text(note)
    if notes:
        line.append(" ")
    return line


def _keys(keys: Iterable[tuple[str, str]]) -> Text:
    line = Text(" ", no_wrap=True)
    for index, (key, words) in enumerate(keys):
        line.append("  " if index else "")
        line.append(key, style=KEY)
        line.append(f" {words}")
    line.append(" ")
    return line
