"""Products, start and end of a market of price files. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from arena.errors import UsageError
from arena.plural import counted
from arena.pricefiles.candle_length import words_of
from arena.pricefiles.names import find_product
from arena.pricefiles.rows import MINUTE_S
from arena.pricefiles.times import time_text

EXCHANGE_HISTORY_S: Final = 5 * 3_600
"""Candles before the start of a simulated exchange, in seconds."""
REPLAY_HISTORY_BARS: Final = 60
"""Candles before the first snapshot of a replay."""
REPLAY_HISTORY_S: Final = REPLAY_HISTORY_BARS * MINUTE_S
"""The same of a market of minutes, in seconds."""
FILES_SHOWN_MAX: Final = 5
STEP_S: Final = 5
"""Step of the time of a market of minutes: the interval of Coinbase's `ticker_batch`."""


@dataclass(frozen=True, slots=True)
class MarketSpan:
    """Start and end of a market of price files.

    Attributes:
        first_s: Start of the oldest candle, Unix seconds.
        start_s: Time when clients may join, or of the first snapshot, Unix seconds.
        last_s: End of the newest candle, Unix seconds.
    """

    first_s: int
    start_s: int
    last_s: int


def pair_files(paths: Sequence[Path], products: Sequence[str]) -> list[tuple[Path, str]]:
    """Pair files with products; "" for a product that the file's name has.

    Args:
        paths: The files.
        products: One for each, in the same order; none to take them from the names.

    Raises:
        UsageError: The numbers of files and products differ, a product has two files, or a file's
            name has another product.
    """
    named = list(products) or ["" for _ in paths]
    says = [find_product(path.name) for path in paths]
    in_names = [
        "" if product in one.readings else one.product_id or " or ".join(one.readings)
        for one, product in zip(says, [*named, *("" for _ in paths)], strict=False)
    ]
    known = [
        product or name for product, name in zip(named, in_names, strict=False) if product or name
    ]
    if len(named) != len(paths) or len(set(known)) < len(known):
        files = ", ".join(path.name for path in paths[:FILES_SHOWN_MAX])
        raise UsageError(
            f"{counted(len(paths), 'price file')} ({files}) for the products "
            f"{', '.join(known or named)}",
            remedy="give one product per file, in the same order, and one file per product",
        )
    for path, product, name in zip(paths, named, in_names, strict=True):
        if product and name and product != name:
            raise UsageError(
                f"the price file {path.name} is of {name} by its name, and listed for {product}",
                remedy=f"list {name} in its place, or let the file's name begin with {product}",
            )
    return list(zip(paths, named, strict=True))


def span_of(
    ends: Sequence[tuple[int, int]],
    *,
    start: datetime | None,
    history_s: int,
    wanted_s: int = 0,
    length_s: int | None = None,
    bar_s: int = MINUTE_S,
) -> MarketSpan:
    """Compute start and end of a market of price files.

    Args:
        ends: Start of the first and end of the last candle of each file, Unix seconds.
        start: The requested start; None for `history_s` after the first candle, or the middle.
        history_s: Seconds of candles before the start.
        wanted_s: Seconds of candles that indicators need: without a requested start it is so late
            that they fit before it, as far as `length_s` still fits after it.
        length_s: Seconds from the start to the last snapshot; None for a market without an end.
        bar_s: Length of the candles; a start is rounded down to a multiple of it.

    Raises:
        UsageError: The start is outside the files.
    """
    first_s = min(first for first, _ in ends)
    last_s = max(last for _, last in ends)
    middle_s = (last_s - first_s) // 2
    start_s = first_s + min(history_s, middle_s - middle_s % bar_s)
    if length_s is not None:
        latest_s = last_s - length_s
        start_s = max(start_s, min(first_s + wanted_s, latest_s - latest_s % bar_s))
    if start is not None:
        asked_s = int(start.timestamp())
        start_s = asked_s - asked_s % bar_s
    if not first_s <= start_s < last_s:
        raise UsageError(
            f"the start {time_text(start_s)} is outside the prices",
            remedy=f"choose a time from {time_text(first_s)} to before {time_text(last_s)}",
        )
    return MarketSpan(first_s, start_s, last_s)


def snapshots_of(span: MarketSpan, interval_s: int, wanted: int | None) -> int:
    """Number of snapshots of a replay.

    Args:
        span: Start and end of the prices.
        interval_s: Seconds between snapshots.
        wanted: The requested number; None for as many as possible.

    Raises:
        UsageError: The prices end before the last snapshot.
    """
    available = (span.last_s - span.start_s) // interval_s + 1
    if wanted is not None and wanted > available:
        begin, end = (datetime.fromtimestamp(s, UTC) for s in (span.start_s, span.last_s))
        raise UsageError(
            f"{wanted:,} snapshots every {interval_s} s do not fit: the prices are enough for "
            f"{available:,}, from {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC",
            remedy="ask for fewer, start earlier, or choose a shorter interval",
        )
    return available if wanted is None else wanted


def interval_of(interval_s: float, bar_s: int = MINUTE_S) -> int:
    """Check the interval of the snapshots of a replay, and return it in seconds.

    Args:
        interval_s: A multiple of `STEP_S` in a market of minutes, else of its bars.
        bar_s: Length of the market's bars in seconds.

    Raises:
        UsageError: It is not a multiple.
    """
    if bar_s != MINUTE_S and (interval_s < bar_s or interval_s % bar_s):
        raise UsageError(
            f"the market has candles of {words_of(bar_s)}; candles of 1 minute are needed for an "
            f"interval of {interval_s:g} s",
            remedy=f"set interval_s (--min-interval) to {bar_s} or a multiple of it, or take "
            "shorter candles",
        )
    if interval_s < STEP_S or interval_s % STEP_S:
        raise UsageError(
            f"an interval of {interval_s:g} s is not a multiple of {STEP_S} s",
            remedy=f"recorded time moves in steps of {STEP_S} s; choose a multiple of that",
        )
    return int(interval_s)
