"""The market as agents see it: prices and indicators of every product. Pure."""

from collections.abc import Sequence

from rich.text import Text

from arena.plural import counted
from dashboard import text
from dashboard.model.frame import Frame
from dashboard.model.results import IndicatorValues
from dashboard.terminal.borders import Section, bottom, pane_lines, top
from dashboard.terminal.grid import Column, blank, table, wrap
from dashboard.terminal.palette import QUIET, TITLE, WARNING
from dashboard.terminal.screen_body import ScreenBody
from dashboard.terminal.ui import KeyLimits, Ui

UNKNOWN = "-"
"""A value that needs more bars."""


def market_body(frame: Frame, ui: Ui, width: int, height: int) -> ScreenBody:
    """The indicators of every product by granularity, scrollable."""
    inner, room = width - 4, height - 2
    lines = _lines(frame.indicators, inner)
    scroll_max = max(0, len(lines) - room)
    first = min(ui.scroll, scroll_max)
    keys = [("↑↓", "scroll"), ("esc", "back"), ("q", "quit")] if scroll_max else [("esc", "back")]
    place = f"{first + 1}-{min(len(lines), first + room)} of {len(lines)}"
    body = [
        top(width, Section("market: indicators of closed bars", focused=True)),
        *pane_lines(lines[first : first + room], width, room),
        bottom(width, keys, [Text(place, style=QUIET)]),
    ]
    return ScreenBody(body, KeyLimits(scroll_max=scroll_max, page=max(1, room - 1)))


def _lines(products: Sequence[IndicatorValues], width: int) -> list[Text]:
    if not products:
        return wrap(
            "no indicators: the newest snapshot holds none ([features] chooses them)", width
        )
    lines: list[Text] = []
    for one in products:
        lines += [blank(width)] if lines else []
        lines.append(Text(f"{one.product_id}  at {one.as_of:%H:%M:%S}Z", style=TITLE))
        columns = [Column("indicator", cells_min=12, grow=True)]
        columns += [Column(run.granularity, "right", cells_min=6) for run in one.runs]
        cells = [
            [Text(row.name), *(_cell(row.values, run.granularity) for run in one.runs)]
            for row in one.rows
        ]
        lines += table(tuple(columns), cells, width)
        for run in one.runs:
            if run.gap is not None:
                words = (
                    f"{run.granularity}: {counted(run.bars, 'bar')} since a gap at"
                    f" {run.gap:%Y-%m-%d %H:%M}Z"
                )
                lines += wrap(words, width, style=WARNING)
    return lines


def _cell(values: dict[str, float | None], granularity: str) -> Text:
    if granularity not in values:
        return Text("")
    value = values[granularity]
    return Text(UNKNOWN, style=QUIET) if value is None else Text(text.significant(value))
