"""The report's charts as values: places of lines, intervals and bars, and their figures. Pure.

Every chart has its figures as a table (`head`, `rows`), which `figures.json` has too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from arena.currency import cash_digits
from arena.metrics.returns import drawdowns
from arena.page.intervals import IntervalAxis, Plot, interval_axis
from arena.page.line_chart import Curve, LineChart, line_chart
from arena.page.scales import Scale
from arena.page.series import MARKET as MARKET_STYLE
from arena.page.series import styles
from judge.report import formats
from judge.report.agent_sections import NAME_MAX, anchor
from judge.report.facts import Facts
from judge.report.matrix import Matrix
from judge.report.page_tables import latency_bps, trading_costs, trading_entries
from judge.season import FloatArray
from judge.verdict_text import MARKET

POINTS_MAX = 700
"""Most points of one curve: a screen shows no more."""
CHART_POINTS_MAX = 24_000
"""Most points of a chart; with many curves each one has fewer."""
CURVES_SHOWN = 10
"""Curves that are visible at first; the others can be switched on."""
EQUITY_PX, DRAWDOWNS_PX = 400, 260
WEALTH_INDEX = "wealth index"
"""Unit of the equity of accounts in several currencies (`judge.season.currencies`)."""
INDEX_DIGITS = 6
SHADES = 3
"""Shades of a gain, and of a loss, in the matrix."""


@dataclass(frozen=True, slots=True)
class Named:
    """What names a row of a chart: HTML id of the entry's section, and its line style."""

    name: str
    link: str
    style: str
    baseline: bool


@dataclass(frozen=True, slots=True)
class IntervalChart:
    """Returns with their intervals, best first."""

    axis: IntervalAxis
    named: tuple[Named, ...]
    plots: tuple[Plot, ...]
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class BarChart:
    """Bars from zero, one after the other for each kind of amount.

    Attributes:
        zero: Place of zero in percent of the width.
        bars: Of each row: place and width of each bar, in percent.
    """

    zero: float
    named: tuple[Named, ...]
    bars: tuple[tuple[tuple[float, float], ...], ...]
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class MatrixChart:
    """Mean returns of strategies (rows) and models (columns), shaded by size.

    Attributes:
        shades: Of each cell "up-1" to "up-3", "down-1" to "down-3", or "".
    """

    shades: tuple[tuple[str, ...], ...]
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Chart = LineChart | IntervalChart | BarChart | MatrixChart


def curve_styles(facts: Facts) -> dict[str, str]:
    """Return entry -> classes of its line; beyond six cells the colours are used again."""
    return styles(((one.name, one) for one in facts.season.entries), grey=False)


def make_charts(facts: Facts, matrix: Matrix | None) -> dict[str, Chart]:
    """Return the charts by name, without those that have nothing to show."""
    named = _named(facts)
    found: dict[str, Chart | None] = {
        "returns": _returns(facts, named),
        "equity": _equity(facts, named),
        "drawdowns": _drawdowns(facts, named),
        "matrix": None if matrix is None else matrix_chart(matrix),
        "costs": _costs(facts, named),
        "latency": _latency(facts, named),
        "decisions": _decisions(facts, named),
    }
    return {name: chart for name, chart in found.items() if chart is not None}


def decision_costs(facts: Facts) -> dict[int, float]:
    """Return entry -> dollars a decision, for entries with a cost, most expensive first."""
    found = {n: cost for n in facts.order if (cost := facts.metrics[n].usd_per_decision)}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def curve_points(entries: int) -> int:
    """Return the most points of one curve, of so many entries and the market."""
    return min(POINTS_MAX, CHART_POINTS_MAX // (entries + 1))


def thin(values: FloatArray, limit: int) -> "np.ndarray[Any, np.dtype[np.intp]]":
    """Return indices of at most `limit` points: both ends, and each segment's extremes.

    Args:
        values: The curve, [T].
        limit: At least 4.
    """
    size = len(values)
    if size <= limit:
        return np.arange(size)
    edges = np.linspace(0, size, (limit - 2) // 2 + 1).astype(int)
    indices = {0, size - 1}
    for first, last in pairwise(edges):
        indices |= {
            first + int(values[first:last].argmin()),
            first + int(values[first:last].argmax()),
        }
    return np.array(sorted(indices))


def bar_chart(
    head: Sequence[str],
    named: Sequence[Named],
    amounts: Sequence[Sequence[float]],
    texts: Sequence[Sequence[str]],
) -> BarChart:
    """Return bars, each row's stacked from zero.

    Args:
        head: Name of the rows, then of each kind of amount.
        named: The rows.
        amounts: [rows][kinds], all of one sign in a row.
        texts: The same in words.
    """
    totals = [sum(one) for one in amounts]
    low, high = min(0.0, *totals), max(0.0, *totals)
    scale = Scale(low, high if high > low else low + 1.0, 100.0)
    bars = []
    for row in amounts:
        ends = [sum(row[:n]) for n in range(len(row) + 1)]
        places = [(scale.at(min(pair)), scale.at(max(pair))) for pair in pairwise(ends)]
        bars.append(tuple((at, round(end - at, 2)) for at, end in places))
    rows = tuple((one.name, *words) for one, words in zip(named, texts, strict=True))
    return BarChart(scale.at(0.0), tuple(named), tuple(bars), tuple(head), rows)


def matrix_chart(matrix: Matrix) -> MatrixChart:
    """Return the matrix; a cell whose agents are all dead says so."""
    known = [abs(value) for row in matrix.cells for value in row if value is not None]
    bound = max(known, default=0.0) or 0.01
    rows = tuple(
        (
            strategy,
            *(
                "dead" if (at, n) in matrix.dead else formats.change(value)
                for n, value in enumerate(matrix.cells[at])
            ),
        )
        for at, strategy in enumerate(matrix.strategies)
    )
    return MatrixChart(
        shades=tuple(tuple(_shade(value, bound) for value in row) for row in matrix.cells),
        head=("strategy", *matrix.models),
        rows=rows,
    )


def _shade(value: float | None, bound: float) -> str:
    steps = 0 if value is None else round(abs(value) / bound * SHADES)
    return f"{'up' if value and value > 0 else 'down'}-{steps}" if steps else ""


def _named(facts: Facts) -> list[Named]:
    found = curve_styles(facts)
    return [
        Named(formats.quote(one.name, NAME_MAX), anchor(n), found[one.name], one.kind == "baseline")
        for n, one in enumerate(facts.season.entries)
    ]


def _returns(facts: Facts, named: Sequence[Named]) -> IntervalChart | None:
    rows = [
        (row, row.return_interval, named[facts.entrants[n].places[0]])
        for row, n in zip(facts.board.rows, facts.ranking, strict=True)
    ]
    known = [(row, found, one) for row, found, one in rows if found is not None]
    if not known:
        return None
    window, held = facts.board.window, facts.season.hold
    hold = float(held[window.end] / held[window.begin] - 1)
    ends = [value for _, one, _ in known for value in (one.low, one.high)]
    axis = interval_axis(ends, hold, MARKET)
    return IntervalChart(
        axis=axis,
        named=tuple(
            Named(formats.quote(row.agent, NAME_MAX), one.link, one.style, one.baseline)
            for row, _, one in known
        ),
        plots=tuple(axis.plot(one.low, one.high, one.value) for _, one, _ in known),
        head=("entry", "return", f"{facts.verdict.confidence:.0%} interval, %"),
        rows=tuple(
            (
                formats.quote(row.agent, NAME_MAX),
                formats.change(one.value),
                formats.spread(one.low * 100, one.high * 100, 2),
            )
            for row, one, _ in known
        ),
    )


def _curves(facts: Facts, named: Sequence[Named], columns: Mapping[int, FloatArray]) -> list[Curve]:
    """Return the curves of the entries and of the market, which is the last column."""
    limit = curve_points(len(named))
    shown = set(facts.order[:CURVES_SHOWN])
    found = []
    for n, values in columns.items():
        is_market = n == len(named)
        found.append(
            Curve(
                MARKET if is_market else named[n].name,
                MARKET_STYLE if is_market else named[n].style,
                values.tolist(),
                thin(values, limit).tolist(),
                visible=is_market or n in shown,
            )
        )
    return found


def _times(facts: Facts) -> list[int]:
    found: list[int] = facts.season.times.astype("datetime64[ms]").astype(np.int64).tolist()
    return found


def _equity(facts: Facts, named: Sequence[Named]) -> LineChart:
    season = facts.season
    columns = {n: season.equity[:, n] for n in range(len(named))} | {len(named): season.hold}
    digits = INDEX_DIGITS if season.parts else cash_digits(season.assumptions.currency)

    def words(value: float | None) -> str:
        return formats.money(value, digits)

    return line_chart(_times(facts), _curves(facts, named, columns), EQUITY_PX, words, signed=False)


def _drawdowns(facts: Facts, named: Sequence[Named]) -> LineChart:
    season = facts.season
    columns = {n: -100 * drawdowns(season.equity[:, n]) for n in range(len(named))}
    columns[len(named)] = -100 * drawdowns(season.hold)
    return line_chart(_times(facts), _curves(facts, named, columns), DRAWDOWNS_PX)


def _costs(facts: Facts, named: Sequence[Named]) -> BarChart | None:
    season, trading = facts.season, trading_entries(facts)
    if not trading:
        return None
    kinds = trading_costs(facts)
    amounts = list(zip(*(values for _, values in kinds), strict=True))
    digits = INDEX_DIGITS if season.parts else cash_digits(season.assumptions.currency)
    unit = WEALTH_INDEX if season.parts else season.assumptions.currency
    return bar_chart(
        ("entry", *(f"{kind}, {unit}" for kind, _ in kinds)),
        [named[n] for n in trading],
        amounts,
        [[formats.money(value, digits) for value in row] for row in amounts],
    )


def _latency(facts: Facts, named: Sequence[Named]) -> BarChart | None:
    trading = trading_entries(facts)
    bps = [latency_bps(facts, n) for n in trading]
    if not any(bps):
        return None
    return bar_chart(
        ("entry", "bps of what was traded"),
        [named[n] for n in trading],
        [[value] for value in bps],
        [[formats.gain(value)] for value in bps],
    )


def _decisions(facts: Facts, named: Sequence[Named]) -> BarChart | None:
    costs = decision_costs(facts)
    if not costs:
        return None
    return bar_chart(
        ("entry", "$ a decision"),
        [named[n] for n in costs],
        [[value] for value in costs.values()],
        [[formats.llm_usd(value)] for value in costs.values()],
    )
