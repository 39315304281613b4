"""Renders the indicators of a snapshot for the prompts that show them. Pure.

One table, a line per product and granularity, the fastest first:

    ## Indicators (closed bars, newest value; - needs more bars)
    product_id,bars,ema_20,rsi_14
    BTC-USD,1m,67203.61,55.2178
    BTC-USD,5m,67190.02,-
    (BTC-USD 1m starts again at 10:02: no bar at 10:01)

Values have seven significant digits. Smaller prompts show fewer columns, the first of the set, and
at last fewer products; a line at the end says so.
"""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from arena.messages import IndicatorWindow, ProductView
from arena.plural import counted
from routers.prompt_sizes import PromptForm
from routers.prompt_text import clock_text, join_with_and

HEADING = "## Indicators (closed bars, newest value; - needs more bars)"
FIRST_COLUMNS = "product_id,bars"
NO_VALUE = "-"
SIGNIFICANT_DIGITS = 7
RESTARTS_SHOWN_MAX = 6


class IndicatorText(NamedTuple):
    """The section of the indicators.

    Attributes:
        lines: Its lines; empty if the snapshot has no indicators.
        left_out: Describes what it leaves out.
    """

    lines: tuple[str, ...] = ()
    left_out: str = ""

    @property
    def chars(self) -> int:
        """Characters of the lines, with a line break after each."""
        return sum(len(line) + 1 for line in self.lines)

    def without_values(self) -> "IndicatorText":
        """The section left out, for a prompt that has no room for it."""
        return IndicatorText(left_out="the indicators") if self.lines else self


NO_INDICATORS: Final = IndicatorText()


def value_text(value: float | None) -> str:
    """A value in plain digits, rounded to `SIGNIFICANT_DIGITS`; `NO_VALUE` for None."""
    if value is None:
        return NO_VALUE
    return f"{Decimal(f'{value:.{SIGNIFICANT_DIGITS}g}'):f}"


def render_indicators(views: Sequence[ProductView], form: PromptForm) -> IndicatorText:
    """Render the indicators of products within the bounds of a prompt size.

    Args:
        views: The products that the prompt shows.
        form: The bounds.
    """
    views = [view for view in views if view.indicators]
    windows = [window for view in views for window in view.indicators.values()]
    names = list(dict.fromkeys(name for window in windows for name in window.values))
    if not names:
        return NO_INDICATORS
    fewest = min(len(names), form.indicator_columns_min)
    for columns in range(min(len(names), form.indicator_columns_max), fewest - 1, -1):
        found = _render(views, len(views), names, columns, form)
        if found.chars <= form.indicators_chars_max:
            return found
    for shown in range(len(views) - 1, 0, -1):
        found = _render(views, shown, names, fewest, form)
        if found.chars <= form.indicators_chars_max:
            return found
    return IndicatorText(left_out="the indicators")


def _render(
    views: Sequence[ProductView], shown: int, names: Sequence[str], columns: int, form: PromptForm
) -> IndicatorText:
    """The first `shown` products with the first `columns` values."""
    lines = [HEADING, ",".join([FIRST_COLUMNS, *names[:columns]])]
    for view in views[:shown]:
        for name, window in view.indicators.items():
            cells = (value_text(window.values.get(column)) for column in names[:columns])
            lines.append(",".join([view.product_id, name, *cells]))
    lines += _restart_lines(views[:shown])
    left_out = []
    if more := len(names) - columns:
        left_out.append(counted(more, "indicator"))
    if more := len(views) - shown:
        left_out.append(f"the indicators of {counted(more, 'product')}")
    words = join_with_and(left_out) if left_out else ""
    if words:
        lines.append(f"({words} left out: {form.size} prompt)")
    return IndicatorText(tuple(lines), words)


def _restart_lines(views: Sequence[ProductView]) -> list[str]:
    """One line per series that a missing bar has interrupted while values are missing."""
    found = [
        f"({view.product_id} {name} {_restart_text(window)})"
        for view in views
        for name, window in view.indicators.items()
        if window.gap is not None and None in window.values.values()
    ]
    more = len(found) - RESTARTS_SHOWN_MAX
    return found[:RESTARTS_SHOWN_MAX] + ([f"({more} more start again)"] if more > 0 else [])


def _restart_text(window: IndicatorWindow) -> str:
    assert window.gap is not None, "only an interrupted series starts again"
    since = window.since or window.gap + timedelta(minutes=1)
    return f"starts again at {clock_text(since)}: no bar at {clock_text(window.gap)}"
