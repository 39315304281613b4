"""Renders the market in a compact or tiny prompt: tickers, and as many candles as fit. Pure.

The first level of detail that fits is used, from the richest to the poorest, and it is the same for
every product, so that products can be compared. The form is that of the full prompt with fewer
rows; if candles are too long, only closing prices are listed:

    ## Closes (UTC, oldest first)
    product_id,window,closes
    BTC-USD,1m,67203.60,67210.00

One line at the end says what is left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from arena.messages import CandleWindow, MarketSnapshot, ProductView, PromptSize
from arena.plural import counted
from routers.prompt_text import (
    CANDLE_COLUMNS,
    PRODUCTS_MAX,
    TICKER_COLUMNS,
    MarketText,
    cut_to,
    join_with_and,
    plain_text,
    restriction_lines,
    start_text,
    ticker_cells,
    window_names,
)

CLOSES_HEADING = "## Closes (UTC, oldest first)"
CLOSES_COLUMNS = "product_id,window,closes"
TINY_COLUMNS = "product_id,price,best_bid,best_ask,stale"
QUOTE_COLUMNS = "product_id,best_bid,best_ask,stale"
NAMES_IN_HEADING_MAX = 3
LAGGING_MAX = 6


@dataclass(frozen=True, slots=True)
class Level:
    """A level of detail.

    Attributes:
        counts: Candles per product, for the windows 15m, 5m and 1m, or those of longer bars.
        columns: The columns of the tickers.
        closes: Show only closing prices.
    """

    counts: tuple[int, int, int]
    columns: str
    closes: bool = True

    def counts_of(self, names: Sequence[str]) -> dict[str, int]:
        """Window -> candles per product; the last counts are those of fewer windows."""
        return dict(zip(names, self.counts[-len(names) :], strict=True))


LEVELS: dict[PromptSize, tuple[Level, ...]] = {
    "compact": (
        Level((4, 12, 12), TICKER_COLUMNS, closes=False),
        Level((3, 6, 8), TICKER_COLUMNS, closes=False),
        Level((6, 12, 12), TICKER_COLUMNS),
        Level((4, 8, 8), TICKER_COLUMNS),
        Level((3, 4, 5), TICKER_COLUMNS),
        Level((0, 3, 3), TICKER_COLUMNS),
        Level((0, 0, 3), TICKER_COLUMNS),
        Level((0, 0, 0), TICKER_COLUMNS),
        Level((0, 0, 0), TINY_COLUMNS),
    ),
    "tiny": (
        Level((4, 6, 6), TINY_COLUMNS),
        Level((3, 4, 4), TINY_COLUMNS),
        Level((0, 3, 3), TINY_COLUMNS),
        Level((0, 0, 3), TINY_COLUMNS),
        Level((0, 0, 0), TINY_COLUMNS),
        Level((0, 0, 0), QUOTE_COLUMNS),
    ),
}


def render_small_market(snapshot: MarketSnapshot, size: PromptSize, chars_max: int) -> MarketText:
    """Render tickers and candles of a snapshot within a number of characters.

    Args:
        snapshot: The snapshot.
        size: "compact" or "tiny".
        chars_max: Bound of heading and body together.
    """
    shown = snapshot.products[:PRODUCTS_MAX]
    levels = LEVELS[size]
    for level in levels:
        rendered = _render_level(snapshot, shown, level, size)
        if len(rendered.heading) + len(rendered.body) + 1 <= chars_max:
            return rendered
    while len(shown) > 1:
        shown = shown[:-1]
        rendered = _render_level(snapshot, shown, levels[-1], size)
        if len(rendered.heading) + len(rendered.body) + 1 <= chars_max:
            return rendered
    body = cut_to(rendered.body, chars_max - len(rendered.heading) - 1)
    return replace(rendered, body=body)


def _render_level(
    snapshot: MarketSnapshot, shown: Sequence[ProductView], level: Level, size: PromptSize
) -> MarketText:
    few = len(shown) <= NAMES_IN_HEADING_MAX
    names = ", ".join(v.product_id for v in shown) if few else f"{len(shown)} products"
    columns = level.columns.split(",")
    lines = ["## Tickers", level.columns]
    for view in shown:
        cells = ticker_cells(view)
        lines.append(",".join(cells[column] for column in columns))
    lines += restriction_lines(shown)
    counts = level.counts_of(window_names(snapshot))
    if any(counts.values()):
        lines += _closes(shown, counts) if level.closes else _candles(shown, counts)
        lines += _lagging_note(shown, counts)
    parts = _left_out_parts(snapshot, shown, level)
    if parts:
        lines.append(f"({size} prompt: {join_with_and(parts)} {_is_or_are(parts)} left out)")
    heading = f"# Market as of {snapshot.as_of:%Y-%m-%dT%H:%M:%SZ} ({names})"
    left_out = join_with_and(parts) if parts else ""
    return MarketText(heading, "\n".join(lines), left_out, products=len(shown))


def _is_or_are(parts: Sequence[str]) -> str:
    return "is" if parts == ["1 product"] else "are"


def _windows(
    shown: Sequence[ProductView], counts: Mapping[str, int]
) -> Iterator[tuple[ProductView, str, CandleWindow, int]]:
    for view in shown:
        for name, count in counts.items():
            window = view.windows.get(name)
            if count and window is not None and window.candles:
                yield view, name, window, count


def _closes(shown: Sequence[ProductView], counts: Mapping[str, int]) -> list[str]:
    lines = [CLOSES_HEADING, CLOSES_COLUMNS]
    for view, name, window, count in _windows(shown, counts):
        closes = ",".join(plain_text(candle.close) for candle in window.candles[-count:])
        lines.append(f"{view.product_id},{name},{closes}")
    return lines if len(lines) > 2 else []


def _candles(shown: Sequence[ProductView], counts: Mapping[str, int]) -> list[str]:
    lines = []
    for view, name, window, count in _windows(shown, counts):
        length_s = window.granularity_s
        lines += [f"## Candles {view.product_id} {name} (UTC, oldest first)", CANDLE_COLUMNS]
        lines += [
            f"{start_text(c.start, length_s)},{plain_text(c.open)},{plain_text(c.high)},"
            f"{plain_text(c.low)},{plain_text(c.close)},{plain_text(c.volume)}"
            for c in window.candles[-count:]
        ]
    return lines


def _lagging_note(shown: Sequence[ProductView], counts: Mapping[str, int]) -> list[str]:
    rendered = [
        f"{v.product_id} {name}" for v, name, window, _ in _windows(shown, counts) if window.stale
    ]
    if not rendered:
        return []
    more = len(rendered) - LAGGING_MAX
    text = ", ".join(rendered[:LAGGING_MAX]) + (f" and {more} more" if more > 0 else "")
    return [f"(the newest candles are missing: {text})"]


def _left_out_parts(
    snapshot: MarketSnapshot, shown: Sequence[ProductView], level: Level
) -> list[str]:
    """Describe what this level leaves out of the full prompt."""
    parts = []
    if more := len(snapshot.products) - len(shown):
        parts.append(counted(more, "product"))
    longest = {
        name: max((len(v.windows[name].candles) for v in shown if name in v.windows), default=0)
        for name in window_names(snapshot)
    }
    counts = level.counts_of(window_names(snapshot))
    absent = [name for name in counts if longest[name] and not counts[name]]
    shortened = [f"{counts[n]} {n}" for n in counts if counts[n] and longest[n] > counts[n]]
    if absent:
        parts.append(f"{join_with_and(absent)} candles")
    if shortened:
        parts.append(
            f"all but the last {join_with_and(shortened)} {'closes' if level.closes else 'candles'}"
        )
    elif level.closes and any(counts[name] and longest[name] for name in counts):
        parts.append("opens, highs, lows and volumes of the candles")
    if level.columns != TICKER_COLUMNS:
        parts += ["24 h volumes", "ages"] + ([] if "price," in level.columns else ["last prices"])
    return parts
