"""The screen of a small terminal: the ranking, one pane below it, and the keys. Pure.

Below 80 x 24 cells the panes do not fit side by side. Down to 40 x 12 the ranking is shown with one
pane below it, which tab changes; on smaller terminals the ranking alone, down to one line.
"""

from rich.text import Text

from dashboard import text
from dashboard.model.frame import Frame
from dashboard.model.rows import ReadStatus
from dashboard.terminal import panes
from dashboard.terminal.feed_text import feed_notice, feed_text
from dashboard.terminal.grid import fill_lines, fit
from dashboard.terminal.halted_line import halted_line
from dashboard.terminal.header import health_parts
from dashboard.terminal.palette import BORDER, KEY, QUIET, TITLE
from dashboard.terminal.screen_body import ScreenBody
from dashboard.terminal.ui import SCROLLING, KeyLimits, Ui

WIDTH_MIN, HEIGHT_MIN = 40, 12
RANKED_WIDTH_MIN, RANKED_HEIGHT_MIN = 30, 4
"""A terminal of this size that is too small for the compact screen shows part of the ranking."""
PANE_LINES_MIN = 3
"""Least lines of the lower pane; the ranking takes at most the rest."""
KEYS = (("q", "quit"), ("tab", "pane"), ("enter", "turns"), ("?", "help"))
BELOW = "trades"
"""The pane below the ranking while the ranking is focused."""


def fits(width: int, height: int) -> bool:
    """True if there is room for the compact screen."""
    return width >= WIDTH_MIN and height >= HEIGHT_MIN


def compact_body(
    frame: Frame, ui: Ui, width: int, height: int, read_status: ReadStatus
) -> ScreenBody:
    """Ranking, one pane and keys.

    Args:
        frame: The data to show.
        ui: The user's position.
        width: Cells of every line.
        height: Number of lines, without the header.
        read_status: Progress of reading the topics.
    """
    notices = [
        *halted_line(frame.halts, frame.now, width),
        *feed_notice(frame.summary, width, read_status.ended),
    ]
    room = height - 3 - len(notices)  # two titles and the keys
    ranking = min(1 + max(1, len(frame.ranking)), max(2, room - PANE_LINES_MIN))
    below = max(1, room - ranking)
    pane = BELOW if ui.pane == "ranking" else ui.pane
    rows = {
        "positions": len(frame.positions) + 1,
        "trades": frame.trades_available,
        "thinking": len(frame.thoughts),
    }
    scroll_max = max(0, rows.get(ui.pane, 0) - below)
    scroll = min(ui.scroll, scroll_max) if ui.pane in SCROLLING else 0
    chosen = ui.agent if frame.row(ui.agent) else (frame.ranking[0].agent if frame.ranking else "")
    if read_status.read_share is not None and not frame.ranking:
        first = [fit(Text(f"reading the topics: {read_status.read_share:.0%}"), width)]
    else:
        first = panes.ranking(frame, width, ranking, chosen, wide=False)
    legend = panes.legend(frame, ranking, short=True)
    lines = [
        _title("ranking", legend, width, focused=ui.pane == "ranking"),
        *fill_lines(first, width, ranking),
        *notices,
        _title(pane, [], width, focused=ui.pane == pane),
        *fill_lines(_pane(frame, pane, width, below, scroll, chosen), width, below),
        _keys(width, health_parts(frame, width, read_status)),
    ]
    agents = tuple(row.agent for row in frame.ranking)
    return ScreenBody(lines[:height], KeyLimits(agents=agents, scroll_max=scroll_max, page=below))


def one_line_screen(frame: Frame, width: int, height: int, read_status: ReadStatus) -> list[Text]:
    """The leader and the state of the feed, with as much of the ranking as fits."""
    words = [feed_text(frame.summary, frame.now, read_status.ended)[0], "q quits"]
    if frame.ranking and frame.ranking[0].ranked and frame.ranking[0].equity is not None:
        leader = frame.ranking[0]
        change = text.signed_percent(leader.gain, leader.whole)
        words.insert(0, f"#1 {text.one_line(leader.agent, 40)} {change}")
    if width >= RANKED_WIDTH_MIN and height >= RANKED_HEIGHT_MIN and frame.ranking:
        chosen = frame.ranking[0].agent
        rows = panes.ranking(frame, width, height - 1, chosen, wide=False)
        last = "  ".join(words[-2:])
        return [*fill_lines(rows, width, height - 1), *fill_lines([Text(last)], width, 1)]
    shown = words if height >= len(words) else ["  ".join(words)]
    return fill_lines([Text(one) for one in shown], width, height)


def _pane(frame: Frame, pane: str, width: int, height: int, scroll: int, chosen: str) -> list[Text]:
    match pane:
        case "equity":
            return panes.equity(frame, width, height, chosen)
        case "positions":
            return panes.positions(frame, width, height, scroll)
        case "thinking":
            return panes.thinking(frame, width, height, scroll)
        case _:
            return panes.trades(frame, width, height, scroll, panes.NARROW_FILLS)


def _title(name: str, notes: list[Text], width: int, *, focused: bool) -> Text:
    """A rule with the pane's name, and the notes that fit after it."""
    line = Text.assemble(("─", BORDER), ("▸" if focused else " ", TITLE), (name, TITLE), " ")
    for note in notes:
        if line.cell_len + note.cell_len + 1 <= width:
            line.append_text(note)
            line.append(" ")
    line.append("─" * max(0, width - line.cell_len), style=BORDER)
    return fit(line, width)


def _keys(width: int, health: list[Text]) -> Text:
    line = Text(no_wrap=True)
    for key, words in KEYS:
        line.append(key, style=KEY)
        line.append(f" {words}  ")
    for part in health:
        if line.cell_len + part.cell_len + 2 > width:
            break
        line.append_text(part)
        line.append("  ", style=QUIET)
    return fit(line, width)
