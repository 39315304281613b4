"""Plots curves in braille, eight dots to a character cell. Pure.

Every curve has a colour and its name beside its end; a cell that several curves share has the
colour of the one drawn last. Agents after the eighth repeat the colours with another line pattern.
Both axes have labels: the return in percent, and market time if there are at least eight lines.
Floats are exact enough here: a dot is coarser.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from rich.text import Text

from dashboard.model.rows import Series
from dashboard.terminal.palette import QUIET, agent_style, line_mark, line_pattern

BRAILLE_BASE = 0x2800
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bit of each dot of a cell, by row and column (Unicode chapter 21.1, braille patterns)."""
AXIS_CELLS = 8
LABEL_CELLS_MAX = 24
TIMES_FROM = 8
"""Lines from which on the last one shows the span of market time."""
MARK = "◇"
"""Where another version of an agent's prompt came into force."""
LEAST_SPAN = 0.0002
"""Smallest span of the y axis, as a return: two basis points."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps venue time and return to dots.

    Attributes:
        first_ms: Venue time at the left, Unix milliseconds.
        last_ms: Venue time at the right, Unix milliseconds.
        low: Return at the bottom.
        high: Return at the top.
        columns: Width in dots.
        rows: Height in dots.
    """

    first_ms: int
    last_ms: int
    low: float
    high: float
    columns: int
    rows: int

    def x(self, ms: int) -> int:
        """Dot column of a time."""
        span = max(1, self.last_ms - self.first_ms)
        return min(self.columns - 1, (ms - self.first_ms) * (self.columns - 1) // span)

    def y(self, value: float) -> int:
        """Dot row of a return, 0 at the top."""
        share = (self.high - value) / (self.high - self.low)
        return min(self.rows - 1, max(0, round(share * (self.rows - 1))))


class Canvas:
    """Cells of braille dots, each with the style of the curve that was drawn there last."""

    def __init__(self, width: int, height: int) -> None:
        """Create an empty area of `width` by `height` character cells."""
        self.width, self.height = width, height
        self.masks = [[0] * width for _ in range(height)]
        self.styles = [[""] * width for _ in range(height)]
        self.marked: set[tuple[int, int]] = set()

    def mark(self, x: int, y: int, style: str) -> None:
        """Show `MARK` in the cell of a dot."""
        row, column = y // 4, x // 2
        self.marked.add((row, column))
        self.styles[row][column] = style

    def dot(self, x: int, y: int, style: str) -> None:
        """Set one dot."""
        row, column = y // 4, x // 2
        self.masks[row][column] |= DOTS[y % 4][x % 2]
        self.styles[row][column] = style

    def line(
        self,
        start: tuple[int, int],
        end: tuple[int, int],
        style: str,
        pattern: tuple[bool, ...] = (True,),
    ) -> None:
        """Join two dots; only the columns that are True in the pattern are drawn."""
        (x0, y0), (x1, y1) = start, end
        steps = max(abs(x1 - x0), abs(y1 - y0), 1)
        for step in range(steps + 1):
            x = x0 + round((x1 - x0) * step / steps)
            if pattern[x % len(pattern)]:
                self.dot(x, y0 + round((y1 - y0) * step / steps), style)

    def row(self, index: int, *, empty: str = " ") -> Text:
        """One line of characters; cells without a dot show `empty`."""
        shown = [
            MARK if (index, column) in self.marked else chr(BRAILLE_BASE + mask) if mask else empty
            for column, mask in enumerate(self.masks[index])
        ]
        text = Text(no_wrap=True)
        cells = zip(shown, self.styles[index], strict=True)
        for style, run in groupby(cells, key=lambda cell: cell[1] or QUIET):
            text.append("".join(words for words, _ in run), style)
        return text


def plot_returns(
    series: Sequence[Series], width: int, height: int, *, chosen: str = ""
) -> list[Text]:
    """The returns of all agents over venue time.

    Args:
        series: Curves in rank order.
        width: Character cells, including axis and names.
        height: Number of lines.
        chosen: The agent whose curve is drawn last and bold.

    Returns:
        `height` lines of `width` cells; [] if there is no curve to draw or no room.
    """
    curves = {s.agent: _returns(s) for s in series}
    values = [pair for curve in curves.values() for pair in curve]
    times = {ms for ms, _ in values}
    if len(times) < 2 or width < AXIS_CELLS + 12 or height < 2:
        return []
    longest = max(len(_label(s)) for s in series)
    beside = width - AXIS_CELLS - width * 3 // 10
    names_width = min(LABEL_CELLS_MAX, longest, max(12, beside))
    times_line = height >= TIMES_FROM
    height -= times_line
    canvas = Canvas(width - AXIS_CELLS - names_width, height)
    scale = _scale(values, canvas)
    order = sorted(series, key=lambda s: (s.agent == chosen, -s.rank))
    for one in order:
        bold = "bold " if one.agent == chosen else ""
        style = bold + agent_style(one.colour)
        dots = [(scale.x(ms), scale.y(value)) for ms, value in curves[one.agent]]
        pattern = line_pattern(one.colour)
        for start, end in zip(dots, dots[1:] or dots, strict=False):
            canvas.line(start, end, style, pattern)
        for at in one.marks:
            known = (pair for pair in curves[one.agent] if pair[0] >= at >= scale.first_ms)
            if (pair := next(known, None)) is not None:
                canvas.mark(scale.x(pair[0]), scale.y(pair[1]), style)
    names = _names(series, curves, scale, height, names_width, chosen)
    axis = _axis(scale, height)
    zero = scale.y(0.0) // 4
    lines = [
        Text.assemble(
            axis[row], canvas.row(row, empty="┈" if row == zero else " "), names[row], no_wrap=True
        )
        for row in range(height)
    ]
    return [*lines, _times(scale, canvas.width, width)] if times_line else lines


def span_text(first_ms: int, last_ms: int) -> tuple[str, str]:
    """The two ends of a span of market time, with the day if they are on different days."""
    ends = [datetime.fromtimestamp(ms / 1000, UTC) for ms in (first_ms, last_ms)]
    form = "%H:%M" if ends[0].date() == ends[1].date() else "%m-%d %H:%M"
    first, last = (f"{end:{form}}" for end in ends)
    return first, f"{last} UTC"


def _times(scale: Scale, cells: int, width: int) -> Text:
    """The x axis: start and end of the curves in market time."""
    first, last = span_text(scale.first_ms, scale.last_ms)
    room = width - AXIS_CELLS
    words = f"{first}{last:>{max(1, cells - len(first))}}"
    if len(words) > room or cells < len(first) + len(last) + 1:
        words = f"{first} - {last}"[:room]
    return Text(f"{' ' * AXIS_CELLS}{words:<{room}}", style=QUIET)


def _returns(series: Series) -> list[tuple[int, float]]:
    opening = series.opening
    return [(ms, (v - opening) / opening) for ms, v in series.values if v is not None and opening]


def _scale(values: list[tuple[int, float]], canvas: Canvas) -> Scale:
    low = min(0.0, min(value for _, value in values))
    high = max(0.0, max(value for _, value in values))
    if high - low < LEAST_SPAN:
        low, high = low - LEAST_SPAN / 2, high + LEAST_SPAN / 2
    times = [ms for ms, _ in values]
    return Scale(min(times), max(times), low, high, canvas.width * 2, canvas.height * 4)


def _axis(scale: Scale, height: int) -> list[Text]:
    labels = {0: scale.high, height - 1: scale.low}
    zero = scale.y(0.0) // 4
    labels[zero] = 0.0
    return [
        Text(_percent(labels[row]) if row in labels else " " * AXIS_CELLS, style=QUIET)
        for row in range(height)
    ]


def _percent(value: float) -> str:
    text = f"{value * 100:+.2f}%" if round(value * 10_000) else "0.00%"
    return f"{text:>{AXIS_CELLS - 1}} "[:AXIS_CELLS]


def _label(series: Series) -> str:
    return f"{line_mark(series.colour)}{series.rank} {series.agent}"


def _names(
    series: Sequence[Series],
    curves: dict[str, list[tuple[int, float]]],
    scale: Scale,
    height: int,
    width: int,
    chosen: str,
) -> list[Text]:
    """Rank and name beside the end of each curve, each on its own line."""
    named = [s for s in series if curves[s.agent]]
    named.sort(key=lambda s: (s.agent != chosen, s.rank))
    named = sorted(named[:height], key=lambda s: (-curves[s.agent][-1][1], s.rank))
    rows = [scale.y(curves[s.agent][-1][1]) // 4 for s in named]
    for index in range(1, len(rows)):
        rows[index] = max(rows[index], rows[index - 1] + 1)
    limit = height - 1
    for index in reversed(range(len(rows))):
        rows[index] = min(rows[index], limit)
        limit = rows[index] - 1
    lines = [Text(" " * width) for _ in range(height)]
    for row, one in zip(rows, named, strict=True):
        words = _label(one)
        words = words if len(words) <= width else words[: width - 1] + "…"
        bold = "bold " if one.agent == chosen else ""
        lines[row] = Text(f"{words:<{width}}", style=bold + agent_style(one.colour))
    return lines
