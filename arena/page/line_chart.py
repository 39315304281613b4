"""Geometry of the line charts: paths, ticks, direct labels, and the same data as a table. Pure.

Places across are in 1/1000 of the width of the plot, so a chart fills any width; places down are
pixels of a fixed height.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from arena.page import formats
from arena.page.scales import Scale, Tick, scale, ticks, time_ticks
from arena.page.series import HOLD, OTHER

WIDTH = 1000
LABEL_PX = 15
"""Least distance between two labels."""
CHAR_PX = 6
"""Width of a character of the labels on the left."""
TABLE_ROWS = 40
Y_TICKS, X_TICKS = 6, 8

Values = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at a time in Unix milliseconds, in words."""

    at_ms: int
    words: str


@dataclass(frozen=True, slots=True)
class Curve:
    """What a line shows.

    Attributes:
        style: Classes of the style sheet.
        values: Its value at each time; None leaves a gap.
        points: Indices of the times to draw; None for all.
        visible: False if it is hidden until a reader asks for it.
        marks: What the line marks; what is out of the times is left out.
    """

    name: str
    style: str
    values: Values
    points: Sequence[int] | None = None
    visible: bool = True
    marks: Sequence[Mark] = ()


@dataclass(frozen=True, slots=True)
class PlacedMark:
    """A mark on a line: its place across in percent, down in pixels, and its words."""

    at: float
    down: float
    words: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a chart, with its label at the end.

    Attributes:
        key: Number of its curve.
        path: Data of an SVG path; never text of a person or a model.
        end: Place of the last point, down.
        label_at: Place of the label, down; None if the line has none.
        last: The last value in words.
    """

    key: int
    name: str
    style: str
    path: Markup
    end: float
    label_at: float | None
    last: str
    visible: bool
    marks: tuple[PlacedMark, ...] = ()


@dataclass(frozen=True, slots=True)
class LineChart:
    """A chart of values over time.

    Attributes:
        height: Height of the plot in pixels.
        left: Width of the labels on the left in pixels.
        zero: Place of zero, down; None if it is not in the plot.
        down, across: Ticks; across in percent of the width.
        head, rows: The data as a table: a time, then the value of each curve.
    """

    height: int
    left: int
    zero: float | None
    down: tuple[Tick, ...]
    across: tuple[Tick, ...]
    lines: tuple[Line, ...]
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def line_chart(
    times: Sequence[int],
    curves: Sequence[Curve],
    height: int,
    words: Callable[[float | None], str] = formats.pct,
    *,
    signed: bool = True,
) -> LineChart:
    """Lay out the lines, the most important one last so that it is on top.

    Args:
        times: Unix milliseconds.
        curves: What to draw; one without a value is left out.
        height: Height of the plot in pixels.
        words: Writes a value.
        signed: True for changes: zero is on the axis, and its labels have signs.
    """
    shown = [(n, one) for n, one in enumerate(curves) if any(v is not None for v in one.values)]
    known = [v for _, one in shown for v in one.values if v is not None]
    axis = scale([0.0, *known] if signed else known, height)
    across = Scale(times[0], max(times[-1], times[0] + 1), WIDTH) if times else Scale(0, 1, WIDTH)
    drawn = [_line(n, one, times, across, axis, words) for n, one in shown]
    drawn.sort(key=lambda line: (line.style != OTHER, line.style == HOLD))
    marks = time_ticks(times[0], times[-1], X_TICKS) if len(times) > 1 else ()
    down = tuple(Tick(_down(axis, v), label) for v, label in ticks(axis, Y_TICKS, signed=signed))
    return LineChart(
        height=height,
        left=14 + CHAR_PX * max((len(tick.words) for tick in down), default=0),
        zero=_down(axis, 0.0) if signed else None,
        down=down,
        across=tuple(Tick(round(across.at(ms) / 10, 2), label) for ms, label in marks),
        lines=_labelled(drawn, height),
        head=("Time, UTC", *(one.name for _, one in shown)),
        rows=_table(times, [one.values for _, one in shown], words),
    )


def _down(axis: Scale, value: float) -> float:
    return round(axis.length - axis.at(value), 1)


def _line(
    key: int,
    curve: Curve,
    times: Sequence[int],
    across: Scale,
    axis: Scale,
    words: Callable[[float | None], str],
) -> Line:
    steps, is_open = [], False
    last, end = 0.0, 0.0
    for index in range(len(times)) if curve.points is None else curve.points:
        value = curve.values[index]
        if value is None:
            is_open = False
            continue
        last, end = value, _down(axis, value)
        steps.append(f"{'L' if is_open else 'M'}{across.at(times[index]):g} {end:g}")
        is_open = True
    path = Markup("".join(steps))  # Markup: letters and numbers
    marks = _marks(curve, times, across, axis)
    return Line(key, curve.name, curve.style, path, end, end, words(last), curve.visible, marks)


def _marks(
    curve: Curve, times: Sequence[int], across: Scale, axis: Scale
) -> tuple[PlacedMark, ...]:
    """The marks of a line, each at the first known value from its time on."""
    found = []
    for mark in curve.marks:
        index = bisect_left(times, mark.at_ms)
        known = (n for n in range(index, len(times)) if curve.values[n] is not None)
        at = next(known, None) if times and mark.at_ms >= times[0] else None
        if at is not None and (value := curve.values[at]) is not None:
            place = round(across.at(times[at]) / WIDTH * 100, 2)
            found.append(PlacedMark(place, _down(axis, value), mark.words))
    return tuple(found)


def _labelled(lines: list[Line], height: int) -> tuple[Line, ...]:
    """The lines with labels that do not overlap; without room, lines of style "grey" have none."""
    room = height // LABEL_PX
    wanted = sorted(
        (one for one in lines if one.visible),
        key=lambda one: (one.style == OTHER, one.style != HOLD),
    )[:room]
    ordered = sorted(wanted, key=lambda one: one.end)
    places: list[float] = []
    for line in ordered:
        least = places[-1] + LABEL_PX if places else 6.0
        places.append(max(line.end, least))
    limit = height - 2.0
    for index in range(len(places) - 1, -1, -1):
        places[index] = min(places[index], limit)
        limit = places[index] - LABEL_PX
    found = {line.key: place for line, place in zip(ordered, places, strict=True)}
    return tuple(replace(one, label_at=found.get(one.key)) for one in lines)


def _table(
    times: Sequence[int], columns: Sequence[Values], words: Callable[[float | None], str]
) -> tuple[tuple[str, ...], ...]:
    """Rows of the newest time and of about `TABLE_ROWS` times before it, the newest first."""
    stride = max(1, -(-len(times) // TABLE_ROWS))
    chosen = range(len(times) - 1, -1, -stride)
    return tuple(
        (formats.at_ms(times[index]), *(words(column[index]) for column in columns))
        for index in chosen
    )
