"""Geometry of the line charts: paths, ticks, direct labels, and the same data as a table. Pure.

Places across are in 1/1000 of the width of the plot, so a chart fills any width; places down are
pixels of a fixed height.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from dashboard.model.results import EquityCurves
from dashboard.web.page import formats
from dashboard.web.page.scales import Scale, Tick, scale, ticks, time_ticks
from dashboard.web.page.series import HOLD, OTHER

WIDTH = 1000
LABEL_PX = 15
"""Least distance between two labels."""
TABLE_ROWS = 40
Y_TICKS, X_TICKS = 6, 8

Values = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a chart, with its label at the end.

    Attributes:
        style: Class of the style sheet.
        path: Data of an SVG path.
        end: Place of the last point, down.
        label_at: Place of the label, down; None if the line has none.
        last: The last value in words.
    """

    agent: str
    style: str
    path: str
    end: float
    label_at: float | None
    last: str


@dataclass(frozen=True, slots=True)
class LineChart:
    """A chart of percentages over time.

    Attributes:
        height: Height of the plot in pixels.
        zero: Place of zero, down; None if it is not in the plot.
        down, across: Ticks; across in percent of the width.
        head, rows: The data as a table: a time, then the value of each line.
    """

    height: int
    zero: float | None
    down: tuple[Tick, ...]
    across: tuple[Tick, ...]
    lines: tuple[Line, ...]
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def return_chart(curves: EquityCurves, styles: Mapping[str, str], height: int = 300) -> LineChart:
    """The return of every agent since its opening, in percent."""
    values: dict[str, Values] = {}
    for one in curves.curves:
        whole = float(one.opening)
        values[one.agent] = [_return(value, whole) for value in one.values]
    return line_chart(curves.times, values, styles, height)


def _return(value: Decimal | None, whole: float) -> float | None:
    return None if value is None or not whole else (float(value) / whole - 1) * 100


def drawdown_chart(curves: EquityCurves, styles: Mapping[str, str], height: int = 110) -> LineChart:
    """The share that every agent has lost from its high so far, in percent, negative."""
    values = {
        one.agent: [None if v is None else -float(v) for v in one.drawdowns_pct]
        for one in curves.curves
    }
    return line_chart(curves.times, values, styles, height)


def line_chart(
    times: Sequence[int], values: Mapping[str, Values], styles: Mapping[str, str], height: int
) -> LineChart:
    """Lay out the lines, the most important one last so that it is on top.

    Args:
        times: Unix milliseconds.
        values: Agent -> its value at each time.
        styles: Agent -> class.
        height: Height of the plot in pixels.
    """
    shown = {agent: one for agent, one in values.items() if any(v is not None for v in one)}
    known = [v for one in shown.values() for v in one if v is not None]
    axis = scale([0.0, *known], height)
    across = Scale(times[0], max(times[-1], times[0] + 1), WIDTH) if times else Scale(0, 1, WIDTH)
    drawn = [_line(agent, one, times, across, axis, styles) for agent, one in shown.items()]
    drawn.sort(key=lambda line: (line.style != OTHER, line.style == HOLD))
    marks = time_ticks(times[0], times[-1], X_TICKS) if len(times) > 1 else ()
    return LineChart(
        height=height,
        zero=_down(axis, 0.0),
        down=tuple(Tick(_down(axis, v), words) for v, words in ticks(axis, Y_TICKS)),
        across=tuple(Tick(round(across.at(ms) / 10, 2), words) for ms, words in marks),
        lines=_labelled(drawn, height),
        head=("Time, UTC", *shown),
        rows=_table(times, list(shown.values())),
    )


def _down(axis: Scale, value: float) -> float:
    return round(axis.length - axis.at(value), 1)


def _line(
    agent: str,
    values: Values,
    times: Sequence[int],
    across: Scale,
    axis: Scale,
    styles: Mapping[str, str],
) -> Line:
    steps, is_open = [], False
    last, end = 0.0, 0.0
    for ms, value in zip(times, values, strict=True):
        if value is None:
            is_open = False
            continue
        last, end = value, _down(axis, value)
        steps.append(f"{'L' if is_open else 'M'}{across.at(ms):g} {end:g}")
        is_open = True
    style = styles.get(agent, OTHER)
    return Line(agent, style, "".join(steps), end, end, formats.pct(last))


def _labelled(lines: list[Line], height: int) -> tuple[Line, ...]:
    """The lines with labels that do not overlap; without room, lines of style "grey" have none."""
    room = height // LABEL_PX
    wanted = sorted(lines, key=lambda one: (one.style == OTHER, one.style != HOLD))[:room]
    ordered = sorted(wanted, key=lambda one: one.end)
    places: list[float] = []
    for line in ordered:
        least = places[-1] + LABEL_PX if places else 6.0
        places.append(max(line.end, least))
    limit = height - 2.0
    for index in range(len(places) - 1, -1, -1):
        places[index] = min(places[index], limit)
        limit = places[index] - LABEL_PX
    found = {line.agent: place for line, place in zip(ordered, places, strict=True)}
    return tuple(
        Line(one.agent, one.style, one.path, one.end, found.get(one.agent), one.last)
        for one in lines
    )


def _table(times: Sequence[int], columns: list[Values]) -> tuple[tuple[str, ...], ...]:
    """Rows of the newest time and of about `TABLE_ROWS` times before it, the newest first."""
    stride = max(1, -(-len(times) // TABLE_ROWS))
    chosen = range(len(times) - 1, -1, -stride)
    return tuple(
        (formats.at_ms(times[index]), *(formats.pct(column[index]) for column in columns))
        for index in chosen
    )
