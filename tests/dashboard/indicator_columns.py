"""How each skin shows the indicators of the tests' arena."""

from dashboard import text
from dashboard.model.results import IndicatorRow
from dashboard.web.page import formats
from tests.dashboard.indicators import INDICATORS
from tests.dashboard.skin_columns import Column, fields, rest
from tests.dashboard.skins import Row, Skins, Truth


def _screen(row: IndicatorRow) -> Row:
    shown = ("-" if v is None else text.significant(v) for v in row.values.values())
    return row.name, *shown


def _on_screen(skins: Skins, truth: Truth) -> list[Row]:
    """The lines of the first product, without the columns that a row does not have."""
    lines = [line.strip("│ ").split() for line in skins.market_screen.splitlines()]
    first = next(n for n, words in enumerate(lines) if words[:1] == ["indicator"])
    return [tuple(words) for words in lines[first + 1 :][: len(truth.indicators.rows)]]


def _page(row: IndicatorRow) -> Row:
    cells = [formats.indicator(row.values[run]) if run in row.values else "" for run in INDICATORS]
    return row.name, *cells


INDICATOR_COLUMNS: dict[str, Column | str] = {
    "document": "it is about agents, not about the market",
    "screen": Column(_on_screen, _screen),
    "page": Column(
        lambda s, t: s.pages["/"].rows("indicators")[-len(t.indicators.rows) :],
        _page,
    ),
    "rest": fields(rest("indicators/BTC-USD", "rows"), "name", "values"),
    "short": "the short paths have portfolios, trades and prices",
}
