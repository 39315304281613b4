"""Texts that prompts of every size share. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from arena.granularities import WINDOWS, granularity_of
from arena.messages import MarketSnapshot, ProductView
from arena.money import decimal_text
from arena.trading_modes import restriction

PRODUCTS_MAX = 30
DATED_S = 3_600
"""The start of a candle of this length or more has its date."""
TICKER_COLUMNS = "product_id,price,best_bid,best_ask,volume_24h,age_s,stale"
CANDLE_COLUMNS = "start,open,high,low,close,volume"
CONTEXT = "context"
"""The word of `Strategy.shows` for news, sentiment and token facts."""
INDICATORS = "indicators"
SHOWN_PARTS = (INDICATORS, CONTEXT)
"""Parts of a snapshot that prompts show if the strategy asks for them."""
CUT_NOTE = "\n(cut here: prompt limit)"


@dataclass(frozen=True, slots=True)
class MarketText:
    """The part of the user message that is the same for all agents with the same prompt size.

    Attributes:
        heading: The first line.
        body: Tickers and candles.
        left_out: Describes what the body leaves out of the snapshot.
        context: Ids of the items of dated context that the body shows.
        products: Number of products in the tickers.
    """

    heading: str
    body: str
    left_out: str = ""
    context: tuple[str, ...] = ()
    products: int = 0


def ticker_cells(view: ProductView) -> dict[str, str]:
    """A product's ticker by column; unknown values are empty."""
    ticker = view.ticker
    cells = {
        "product_id": view.product_id,
        "price": "",
        "best_bid": "",
        "best_ask": "",
        "volume_24h": "",
        "age_s": "" if view.age_ms is None else f"{view.age_ms / 1000:.1f}",
        "stale": "yes" if view.stale or ticker is None else "no",
    }
    if ticker is not None:
        cells["price"] = decimal_text(ticker.price)
        cells["best_bid"] = decimal_text(ticker.best_bid)
        cells["best_ask"] = decimal_text(ticker.best_ask)
        if ticker.volume_24h is not None:
            cells["volume_24h"] = decimal_text(ticker.volume_24h)
    return cells


def restriction_lines(shown: Sequence[ProductView]) -> list[str]:
    """One line per restriction: "(SOL-USD is limit only: market orders are refused)"."""
    names: dict[str, list[str]] = {}
    for view in shown:
        if text := restriction(view.status, view.modes):
            names.setdefault(text, []).append(view.product_id)
    return [
        f"({join_with_and(found)} {'is' if len(found) == 1 else 'are'} {text})"
        for text, found in names.items()
    ]


def window_names(snapshot: MarketSnapshot) -> tuple[str, ...]:
    """The candle windows of a snapshot, longest candles first: 15m, 5m, 1m with minutes."""
    return tuple(name for name, _ in reversed(WINDOWS[granularity_of(snapshot.bar_s)]))


def start_text(instant: datetime, granularity_s: int) -> str:
    """The start of a candle: "09:30", or "11-21 09:00" if it is an hour or longer."""
    clock = clock_text(instant)
    if granularity_s < DATED_S:
        return clock
    return f"{instant.month:02d}-{instant.day:02d} {clock}"


def clock_text(instant: datetime) -> str:
    """Hours and minutes, eight times faster than strftime; a prompt has hundreds."""
    return f"{instant.hour:02d}:{instant.minute:02d}"


def duration_text(seconds: float) -> str:
    """Format a holding time or an age: "42s", "4m12s", "2h05m", "3d04h"."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86_400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86_400}d{whole % 86_400 // 3600:02d}h"


def plain_text(number: Decimal) -> str:
    """Like `decimal_text`, but faster for numbers without an exponent."""
    text = str(number)
    return decimal_text(number) if "E" in text else text


def cut_to(text: str, chars_max: int) -> str:
    """Cut a text to a bound, a last resort against values of absurd length."""
    return text if len(text) <= chars_max else text[: chars_max - len(CUT_NOTE)] + CUT_NOTE


def join_with_and(parts: list[str]) -> str:
    """Join parts of a sentence: "a", "a and b", "a, b and c"."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
