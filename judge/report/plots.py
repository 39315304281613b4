"""The report's charts as plotly figures without colours, which the page adds. Pure.

The `meta` of a trace says what it shows (`{"entry": 3}`, `{"role": "hold"}`); the page chooses
colour, dash and symbol from it. So one figure serves the light and dark themes and the printer.
"""

from collections.abc import Collection, Sequence
from html import escape
from itertools import pairwise
from typing import Any

import numpy as np
import orjson
import plotly.graph_objects as go

from arena.currency import cash_digits
from judge.metrics_returns import drawdowns
from judge.report import formats
from judge.season import FloatArray, Season
from judge.verdict_text import MARKET

POINTS_MAX = 2_000
"""Most points of one curve."""
CHART_POINTS_MAX = 24_000
"""Most points of a chart; with more than twelve curves each one has fewer."""
ROW_PX = 26
TITLED_PX = 28
"""Room above a chart for text."""
LABEL_CHARS_MAX = 80
LABEL_SHARE = 0.3
"""Room for the figure next to the longest bar, as a share of the range of all bars."""
WEALTH_INDEX = "wealth index"
"""Unit of the equity of accounts in several currencies (`judge.season.currencies`)."""
INDEX_DIGITS = 6
COST_SHARE = "mean over the currencies of cost over starting cash"
PATTERNS = ("", "/", "x")

Chart = dict[str, Any]  # Any: a plotly figure's JSON.


def label(name: str) -> str:
    """Return a name with escaped tags, which plotly would interpret."""
    return escape(formats.quote(name, LABEL_CHARS_MAX), quote=False)


def equity_chart(season: Season) -> Chart:
    """Return each entry's equity over venue time, and the equal-weight market."""
    unit = WEALTH_INDEX if season.parts else season.assumptions.currency
    hover = f"%{{y:,.{_digits(unit)}f}} {unit}"
    traces = [
        _line(season, season.equity[:, n], name, {"entry": n}, hover)
        for n, name in enumerate(map(label, season.names))
    ]
    traces.append(_line(season, season.hold, MARKET, {"role": "hold"}, hover))
    return _chart(traces, xaxis={"type": "date"}, yaxis={"tickformat": _ticks(unit)})


def drawdown_chart(season: Season) -> Chart:
    """Return each entry's fall below its highest equity so far."""
    traces = [
        _line(season, -drawdowns(season.equity[:, n]), name, {"entry": n}, "%{y:.2%}")
        for n, name in enumerate(map(label, season.names))
    ]
    traces.append(_line(season, -drawdowns(season.hold), MARKET, {"role": "hold"}, "%{y:.2%}"))
    return _chart(traces, xaxis={"type": "date"}, yaxis={"tickformat": ".1%"})


def interval_chart(rows: Sequence[tuple[str, float, float, float, int]], hold: float) -> Chart:
    """Return each entry's return with its interval, best on top, and the equal-weight market.

    Args:
        rows: Name, return, low, high and index of the entry; best first.
        hold: Return of the equal-weight market.
    """
    traces = [
        go.Scatter(
            x=[value],
            y=[name],
            mode="markers",
            name=name,
            meta={"entry": n},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [high - value],
                "arrayminus": [value - low],
            },
            hovertemplate="%{y}: %{x:+.2%}<extra></extra>",
        )
        for name, value, low, high, n in rows
    ]
    chart = _chart(
        traces,
        xaxis={"title": {"text": "return over the season"}, "tickformat": ".1%"},
        yaxis={"autorange": "reversed", "type": "category"},
        height=ROW_PX * len(rows) + 90,
        top=TITLED_PX,
    )
    chart["layout"]["shapes"] = [
        {"type": "line", "x0": hold, "x1": hold, "y0": 0, "y1": 1, "yref": "paper"}
    ]
    chart["layout"]["annotations"] = [
        {
            "x": hold, "y": 1, "yref": "paper", "yanchor": "bottom", "showarrow": False,
            "text": f"{MARKET} {formats.change(hold)}",
        }
    ]  # fmt: skip
    return chart


def heat_chart(
    strategies: Sequence[str],
    models: Sequence[str],
    cells: Sequence[Sequence[float | None]],
    dead: Collection[tuple[int, int]] = (),
) -> Chart:
    """Return the heat map of mean returns of each strategy (row) with each model (column).

    Args:
        strategies: Names of the rows.
        models: Names of the columns.
        cells: Mean returns; None without a ranked agent.
        dead: Row and column of the cells to label "dead".
    """
    known = [abs(v) for row in cells for v in row if v is not None]
    bound = max(known, default=0.0) or 0.01
    trace = go.Heatmap(
        x=list(models),
        y=list(strategies),
        z=[list(row) for row in cells],
        zmin=-bound,
        zmax=bound,
        meta={"role": "heat"},
        texttemplate="%{z:+.2%}",
        hovertemplate="%{y} × %{x}: %{z:+.2%}<extra></extra>",
        xgap=3,
        ygap=3,
        showscale=False,
    )
    chart = _chart(
        [trace],
        xaxis={"type": "category", "side": "top", "title": {"text": "model"}},
        yaxis={"type": "category", "autorange": "reversed", "title": {"text": "strategy"}},
        height=56 * len(strategies) + 110,
        top=TITLED_PX,
    )
    chart["layout"]["annotations"] = [
        {"x": models[column], "y": strategies[row], "text": "dead", "showarrow": False}
        for row, column in sorted(dead)
    ]
    return chart


def cost_chart(
    names: Sequence[str], costs: Sequence[tuple[str, Sequence[float]]], currency: str
) -> Chart:
    """Return the trading costs of each entry: stacked bars, one pattern per kind of cost.

    Args:
        names: Names of the entries.
        costs: Kind of cost, and its amount for each entry.
        currency: Currency of the amounts, or `WEALTH_INDEX`.
    """
    digits = _digits(currency)
    traces = [
        go.Bar(
            x=list(amounts),
            y=list(names),
            orientation="h",
            name=kind,
            meta={"role": "cost", "kind": n},
            marker={"pattern": {"shape": PATTERNS[n % len(PATTERNS)]}},
            hovertemplate=f"%{{y}}: {kind} %{{x:,.{digits}f}} {currency}<extra></extra>",
        )
        for n, (kind, amounts) in enumerate(costs)
    ]
    title = COST_SHARE if currency == WEALTH_INDEX else currency
    return _bars(traces, len(names), title, {"tickformat": _ticks(currency)}, showlegend=True)


def _digits(unit: str) -> int:
    return INDEX_DIGITS if unit == WEALTH_INDEX else cash_digits(unit)


def _ticks(unit: str) -> str:
    return ",.0f" if _digits(unit) == 2 else ",.6~f"


def latency_chart(names: Sequence[str], bps: Sequence[float]) -> Chart:
    """Return the latency costs in bps of the traded notional; a bar to the left is a gain."""
    trace = go.Bar(
        x=list(bps),
        y=list(names),
        orientation="h",
        meta={"role": "single"},
        texttemplate="%{x:+.2f}",
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{x:+.3f} bps<extra></extra>",
    )
    low, high = min(0.0, *bps), max(0.0, *bps)
    room = LABEL_SHARE * (high - low)
    ends = [low - room * (low < 0), high + room * (high > 0)]
    return _bars([trace], len(names), "bps of what was traded", {"range": ends})


def decision_chart(names: Sequence[str], dollars: Sequence[float]) -> Chart:
    """Return the cost of model calls per decision, in US dollars."""
    trace = go.Bar(
        x=list(dollars),
        y=list(names),
        orientation="h",
        meta={"role": "single"},
        texttemplate="$%{x:.4f}",
        textposition="auto",
        hovertemplate="%{y}: $%{x:.5f} a decision<extra></extra>",
    )
    return _bars([trace], len(names), "$ per decision", {"tickformat": "$.4~f"})


def curve_points(season: Season) -> int:
    """Return the most points of one curve of this season."""
    return min(POINTS_MAX, CHART_POINTS_MAX // (len(season.entries) + 1))


def thin(values: FloatArray, limit: int = POINTS_MAX) -> "np.ndarray[Any, np.dtype[np.intp]]":
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


def _line(
    season: Season, values: FloatArray, name: str, meta: dict[str, object], shown: str
) -> go.Scatter:
    indices = thin(values, curve_points(season))
    return go.Scatter(
        x=season.times[indices].astype("datetime64[ms]").astype(np.float64),
        y=values[indices],
        mode="lines",
        name=name,
        meta=meta,
        hovertemplate=f"%{{x|%d %b %H:%M:%S}}  {shown}<extra>%{{fullData.name}}</extra>",
    )


def _bars(
    traces: list[go.Bar],
    rows: int,
    title: str,
    xaxis: dict[str, object],
    *,
    showlegend: bool = False,
) -> Chart:
    return _chart(
        traces,
        barmode="relative",
        showlegend=showlegend,
        xaxis={"title": {"text": title}, **xaxis},
        yaxis={"type": "category", "autorange": "reversed"},
        height=ROW_PX * rows + 90,
        top=TITLED_PX,
    )


def _chart(traces: Sequence[object], **layout: Any) -> Chart:  # Any: plotly's layout tree.
    """Return a validated figure without a template, with the common layout."""
    figure = go.Figure(data=list(traces))
    figure.update_layout(
        template=None,
        showlegend=layout.pop("showlegend", False),
        autosize=True,
        hovermode="closest",
        margin={"l": 8, "r": 12, "t": layout.pop("top", 12), "b": 8},
        **layout,
    )
    figure.update_xaxes(automargin=True)
    figure.update_yaxes(automargin=True)
    found: Chart = orjson.loads(figure.to_json())
    return found
