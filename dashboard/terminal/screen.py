"""Renders a frame and the user's position as a screen of exact size. Pure.

The main screen is drawn here, the others in `compact`, `agent_screen` and `help_screen`. A `Screen`
is also a rich renderable, so it can be printed or exported.
"""

from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from dashboard import text
from dashboard.model.frame import Frame
from dashboard.model.rows import ReadStatus
from dashboard.terminal import panes
from dashboard.terminal.agent_screen import agent_body, prompt_body
from dashboard.terminal.borders import Section, bottom, divider, pane_lines, top, two_pane_lines
from dashboard.terminal.coaching_lines import coaching_body
from dashboard.terminal.compact import compact_body, fits, one_line_screen
from dashboard.terminal.context_line import context_line
from dashboard.terminal.feed_text import feed_notice
from dashboard.terminal.grid import fit
from dashboard.terminal.halted_line import halted_line
from dashboard.terminal.header import header_line, health_parts
from dashboard.terminal.help_screen import help_body
from dashboard.terminal.market_screen import market_body
from dashboard.terminal.palette import QUIET
from dashboard.terminal.plot import TIMES_FROM, span_text
from dashboard.terminal.screen_body import ScreenBody
from dashboard.terminal.ui import SCROLLING, KeyLimits, Ui
from dashboard.terminal.verdict import verdict_line

WIDTH_MIN, HEIGHT_MIN = 80, 24
"""A smaller terminal gets the screen of `dashboard.terminal.compact`."""


@dataclass(frozen=True, slots=True)
class Screen:
    """Exactly `height` lines of `width` cells, and the limits of the keys."""

    width: int
    height: int
    lines: tuple[Text, ...]
    limits: KeyLimits = field(default_factory=KeyLimits)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines."""
        yield from self.lines


def render(
    frame: Frame,
    ui: Ui,
    width: int,
    height: int,
    *,
    title: str = "arena",
    read_status: ReadStatus | None = None,
) -> Screen:
    """Draw the user's current screen.

    Args:
        frame: The data to show.
        ui: The user's position.
        width: Columns of the terminal.
        height: Lines of the terminal.
        title: Title at the top left.
        read_status: Progress of reading the topics.
    """
    read_status = read_status or ReadStatus()
    if not fits(width, height):
        shown = one_line_screen(frame, width, height, read_status)
        return Screen(width, height, tuple(harmless(line, width) for line in shown))
    header = header_line(frame, width, title, read_status)
    if ui.screen == "main" and (width < WIDTH_MIN or height < HEIGHT_MIN):
        body = compact_body(frame, ui, width, height - 1, read_status)
    elif ui.screen == "main":
        body = _main(frame, ui, width, height - 1, read_status)
    elif ui.screen == "help":
        body = help_body(frame, ui, width, height - 1)
    elif ui.screen == "market":
        body = market_body(frame, ui, width, height - 1)
    elif ui.screen == "coaching":
        body = coaching_body(frame, ui, width, height - 1)
    elif ui.screen == "prompt":
        body = prompt_body(frame, ui, width, height - 1)
    else:
        body = agent_body(frame, ui, width, height - 1)
    lines = tuple(harmless(line, width) for line in (header, *body.lines))
    return Screen(width, height, lines, body.limits)


def harmless(line: Text, width: int) -> Text:
    """The line, or its cleaned text if it has characters that could act on the terminal.

    Text of models is cleaned where it is rendered. Names of agents, nodes and products are checked
    by the processes that write them, but other writers of a topic could write any name.
    """
    if line.plain.isprintable():
        return line
    return fit(Text(text.clean(line.plain).replace("\n", " ")), width)


@dataclass(frozen=True, slots=True)
class _Heights:
    ranking: int
    notices: int
    middle: int
    trades: int
    thinking: int


def _heights(agents: int, height: int, notices: int) -> _Heights:
    """Share the lines among the panes; the ranking comes first."""
    room = height - 5 - notices
    ranking = max(2, min(1 + agents, room * 7 // 18 if room < 30 else room // 3))
    each = min(3, room // 5 // agents)
    thinking = max(3, each * agents or room // 6)
    rest = room - ranking - thinking
    middle = max(4, (rest + 1) * 11 // 20)
    return _Heights(ranking, notices, middle, rest - middle, thinking)


def _main(frame: Frame, ui: Ui, width: int, height: int, read_status: ReadStatus) -> ScreenBody:
    inner = width - 4
    notices = [
        *halted_line(frame.halts, frame.now, inner),
        *feed_notice(frame.summary, inner, read_status.ended),
        *context_line(frame.context, inner),
        *verdict_line(frame.evaluation, inner),
    ]
    heights = _heights(max(1, len(frame.ranking)), height, len(notices))
    left = (width - 3) * 9 // 20 if width < 120 else (width - 3) * 11 // 20
    right = width - 3 - left
    shown = _pane_limits(frame, heights, ui.pane)
    scroll = min(ui.scroll, shown[1]) if ui.pane in SCROLLING else 0
    scrolls = {pane: scroll if pane == ui.pane else 0 for pane in SCROLLING}
    chosen = ui.agent if frame.row(ui.agent) else (frame.ranking[0].agent if frame.ranking else "")
    if read_status.read_share is not None and not frame.ranking:
        reading = [Text(f"reading the topics: {read_status.read_share:.0%}")]
    else:
        reading = []
    lines = [
        top(width, Section("ranking", ui.pane == "ranking", panes.legend(frame, heights.ranking))),
        *pane_lines(
            reading or panes.ranking(frame, inner, heights.ranking, chosen), width, heights.ranking
        ),
        *pane_lines(notices, width, heights.notices),
        divider(
            width,
            left,
            "┬",
            Section("equity %", ui.pane == "equity", _span(frame, heights.middle)),
            Section("positions", ui.pane == "positions"),
        ),
        *two_pane_lines(
            panes.equity(frame, left - 2, heights.middle, chosen),
            panes.positions(frame, right - 2, heights.middle, scrolls["positions"]),
            left,
            right,
            heights.middle,
        ),
        divider(
            width, left, "┴", Section("trades (seen → filled, bps, ms)", ui.pane == "trades"), None
        ),
        *pane_lines(
            panes.trades(frame, inner, heights.trades, scrolls["trades"]), width, heights.trades
        ),
        divider(width, None, "", Section("thinking", ui.pane == "thinking"), None),
        *pane_lines(
            panes.thinking(frame, inner, heights.thinking, scrolls["thinking"]),
            width,
            heights.thinking,
        ),
        bottom(width, _keys(ui), health_parts(frame, width, read_status)),
    ]
    agents = tuple(row.agent for row in frame.ranking)
    return ScreenBody(lines, KeyLimits(agents=agents, scroll_max=shown[1], page=shown[0]))


def _pane_limits(frame: Frame, heights: _Heights, pane: str) -> tuple[int, int]:
    """Number of lines of a pane, and how far it can be scrolled."""
    titled = heights.trades >= panes.TITLES_FROM
    rooms = {
        "positions": (heights.middle - 1, len(frame.positions)),
        "trades": (heights.trades - titled, frame.trades_available),
        "thinking": (heights.thinking, len(frame.thoughts)),
    }
    if pane not in rooms:
        return heights.ranking, 0
    room, rows = rooms[pane]
    return room, max(0, rows - room)


def _span(frame: Frame, height: int) -> list[Text]:
    """Length of the curves in market time; also their span, unless the axis shows it."""
    times = [ms for one in frame.series[:1] for ms, _ in one.values]
    if len(times) < 2:
        return []
    first, last = span_text(times[0], times[-1])
    words = [f"{text.age((times[-1] - times[0]) / 1000)} of market"]
    if height < TIMES_FROM:
        words.insert(0, f"{first}-{last}")
    return [Text(one, style=QUIET) for one in words]


def _keys(ui: Ui) -> list[tuple[str, str]]:
    arrows = "scroll" if ui.pane in SCROLLING else "agent"
    return [("q", "quit"), ("tab", "pane"), ("↑↓", arrows), ("enter", "its turns"), ("?", "help")]
