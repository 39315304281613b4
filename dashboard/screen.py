"""The whole screen as lines of exact width: frame and state in, text out. Pure.

The main screen is drawn here; the others come from `dashboard.agent_screen` and
`dashboard.help_screen`. A `Screen` is also a rich renderable, so it can be printed or exported.
"""

from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from dashboard import panes, text
from dashboard.agent_screen import agent_body, prompt_body
from dashboard.body import Body
from dashboard.borders import Section, bottom, divider, side, sides, top
from dashboard.frame import Frame
from dashboard.grid import blank, fit, spread
from dashboard.halts import halted_line
from dashboard.help_screen import help_body
from dashboard.palette import ALARM, QUIET, WARNING
from dashboard.rows import Link
from dashboard.standings import market_words, spending_words
from dashboard.ui import SCROLLING, Reach, Ui
from dashboard.verdict import verdict_line

WIDTH_MIN, HEIGHT_MIN = 80, 24
FEED_SILENT_S = 15.0
BEHIND_MANY = 1_000


@dataclass(frozen=True, slots=True)
class Screen:
    """What to show: exactly `height` lines of `width` cells, and how far the keys can go."""

    width: int
    height: int
    lines: tuple[Text, ...]
    reach: Reach = field(default_factory=Reach)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines."""
        yield from self.lines


def render(
    frame: Frame, ui: Ui, width: int, height: int, *, title: str = "arena", link: Link | None = None
) -> Screen:
    """Draw the screen the person is on.

    Args:
        frame: What there is to see.
        ui: Where the person is.
        width: Of the terminal, in cells.
        height: Likewise.
        title: The arena's name.
        link: How the reading goes.
    """
    if width < WIDTH_MIN or height < HEIGHT_MIN:
        return _too_small(width, height)
    header = _header(frame, width, title, link or Link())
    if ui.screen == "main":
        body = _main(frame, ui, width, height - 1, link or Link())
    elif ui.screen == "help":
        body = help_body(frame, ui, width, height - 1)
    elif ui.screen == "prompt":
        body = prompt_body(frame, ui, width, height - 1)
    else:
        body = agent_body(frame, ui, width, height - 1)
    lines = tuple(harmless(line, width) for line in (header, *body.lines))
    return Screen(width, height, lines, body.reach)


def harmless(line: Text, width: int) -> Text:
    """The line itself, or its cleaned text where a name in it could act on the terminal.

    What models say is cleaned where it is shown. Names of agents, nodes and products are checked
    by whoever makes them, but anyone who may write to a topic could write another.
    """
    if line.plain.isprintable():
        return line
    return fit(Text(text.clean(line.plain).replace("\n", " ")), width)


def _too_small(width: int, height: int) -> Screen:
    words = (
        "the terminal is too small:",
        f"{width} x {height}, needs {WIDTH_MIN} x {HEIGHT_MIN}",
        "make it larger, or q to quit",
    )
    lines = [fit(Text(line), width) for line in words[:height]]
    lines += [blank(width)] * (height - len(lines))
    return Screen(width, height, tuple(lines))


def _header(frame: Frame, width: int, title: str, link: Link) -> Text:
    standing = frame.standing
    market = Text(market_words(standing), style=WARNING if standing.simulated else "bold")
    items = [
        Text(title, style="bold"),
        market,
        Text(f"{frame.now:%H:%M:%S} {text.offset_text(frame.now)}"),
        Text(f"snapshot {text.count(standing.snapshots)}"),
        _feed(standing.feed_age_s, len(standing.stale_products)),
        _broker(link),
    ]
    if standing.venue_now is not None:
        items.append(Text(f"market {standing.venue_now:%Y-%m-%d %H:%M:%S} UTC", style=QUIET))
    return spread(items, width, droppable=(6, 0, 3, 2))


def _feed(age_s: float | None, stale: int) -> Text:
    if age_s is None:
        return Text("no price yet", style=QUIET)
    if age_s > FEED_SILENT_S:
        return Text(f"feed SILENT {text.age(age_s)}", style=ALARM)
    if stale:
        return Text(f"feed {text.age(age_s)}, {stale} stale", style=WARNING)
    return Text(f"feed {text.age(age_s)}")


def _broker(link: Link) -> Text:
    if link.silent_s is not None:
        return Text(f"broker SILENT {text.age(link.silent_s)}", style=ALARM)
    if link.read_share is not None:
        return Text(f"reading {link.read_share:.0%}", style=WARNING)
    if link.behind > BEHIND_MANY:
        return Text(f"{text.short_count(link.behind)} behind", style=WARNING)
    return Text("broker ok")


@dataclass(frozen=True, slots=True)
class _Heights:
    ranking: int
    notices: int
    middle: int
    trades: int
    thinking: int


def _heights(agents: int, height: int, notices: int) -> _Heights:
    """Share the lines between four borders and the footer: what people compare comes first."""
    room = height - 5 - notices
    ranking = max(2, min(1 + agents, room * 7 // 18 if room < 30 else room // 3))
    each = min(3, room // 5 // agents)
    thinking = max(3, each * agents or room // 6)
    rest = room - ranking - thinking
    middle = max(4, (rest + 1) * 11 // 20)
    return _Heights(ranking, notices, middle, rest - middle, thinking)


def _main(frame: Frame, ui: Ui, width: int, height: int, link: Link) -> Body:
    inner = width - 4
    notices = [
        *halted_line(frame.halts, frame.now, inner),
        *verdict_line(frame.evaluation, inner),
    ]
    heights = _heights(max(1, len(frame.ranking)), height, len(notices))
    left = (width - 3) * 9 // 20 if width < 120 else (width - 3) * 11 // 20
    right = width - 3 - left
    shown = _reach_of(frame, heights, ui.pane)
    scroll = min(ui.scroll, shown[1]) if ui.pane in SCROLLING else 0
    scrolls = {pane: scroll if pane == ui.pane else 0 for pane in SCROLLING}
    chosen = ui.agent if frame.row(ui.agent) else (frame.ranking[0].agent if frame.ranking else "")
    if link.read_share is not None and not frame.ranking:
        reading = [Text(f"reading the topics: {link.read_share:.0%}")]
    else:
        reading = []
    lines = [
        top(width, Section("ranking", ui.pane == "ranking", panes.legend(frame, heights.ranking))),
        *side(
            reading or panes.ranking(frame, inner, heights.ranking, chosen), width, heights.ranking
        ),
        *side(notices, width, heights.notices),
        divider(
            width,
            left,
            "┬",
            Section("equity", ui.pane == "equity", _span(frame)),
            Section("positions", ui.pane == "positions"),
        ),
        *sides(
            panes.equity(frame, left - 2, heights.middle, chosen),
            panes.positions(frame, right - 2, heights.middle, scrolls["positions"]),
            left,
            right,
            heights.middle,
        ),
        divider(
            width, left, "┴", Section("trades (seen → filled, bps, ms)", ui.pane == "trades"), None
        ),
        *side(panes.trades(frame, inner, heights.trades, scrolls["trades"]), width, heights.trades),
        divider(width, None, "", Section("thinking", ui.pane == "thinking"), None),
        *side(
            panes.thinking(frame, inner, heights.thinking, scrolls["thinking"]),
            width,
            heights.thinking,
        ),
        bottom(width, _keys(ui), _health(frame, width)),
    ]
    agents = tuple(row.agent for row in frame.ranking)
    return Body(lines, Reach(agents=agents, scroll_max=shown[1], page=shown[0]))


def _reach_of(frame: Frame, heights: _Heights, pane: str) -> tuple[int, int]:
    """Lines of a pane, and how far it can be scrolled."""
    titled = heights.trades >= panes.TITLES_FROM
    rooms = {
        "positions": (heights.middle - 1, len(frame.positions)),
        "trades": (heights.trades - titled, frame.trades_kept),
        "thinking": (heights.thinking, len(frame.thoughts)),
    }
    if pane not in rooms:
        return heights.ranking, 0
    room, rows = rooms[pane]
    return room, max(0, rows - room)


def _span(frame: Frame) -> list[Text]:
    times = [ms for one in frame.series[:1] for ms, _ in one.values]
    if len(times) < 2:
        return []
    return [Text(f"{text.age((times[-1] - times[0]) / 1000)} of market", style=QUIET)]


def _keys(ui: Ui) -> list[tuple[str, str]]:
    arrows = "scroll" if ui.pane in SCROLLING else "agent"
    return [("q", "quit"), ("tab", "pane"), ("↑↓", arrows), ("enter", "its turns"), ("?", "help")]


def _health(frame: Frame, width: int) -> list[Text]:
    """What goes wrong and what it costs, most important first."""
    standing = frame.standing
    silent = [row for row in frame.processes if row.life == "silent"]
    parts: list[Text] = []
    if silent:
        parts.append(Text(f"{len(silent)} silent", style=ALARM))
    if standing.dead_letters:
        parts.append(Text(f"{text.count(standing.dead_letters)} dead letters", style=WARNING))
    if standing.malformed:
        parts.append(Text(f"{text.count(standing.malformed)} unreadable", style=WARNING))
    errors = standing.llm_errors
    plural = "error" if errors == 1 else "errors"
    parts.append(Text(f"{text.count(errors)} {plural}", style=WARNING if errors else ""))
    cost = spending_words(standing)
    if width < 120 and standing.unpriced:
        cost = "$ unknown" if standing.cost_usd is None else f"{text.cost(standing.cost_usd)}+?"
    parts.append(Text(cost))
    if width >= 100:
        lags = [row.lag for row in frame.processes if row.lag is not None and row.alive]
        parts.append(Text(f"{text.short_count(standing.tokens)} tokens"))
        parts.append(Text(f"lag {text.count(max(lags, default=0))}"))
        alive = sum(row.alive for row in frame.processes)
        parts.append(Text(f"{alive} processes"))
    return parts
