"""What price files give a market: which is of which product, when it begins and ends. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from arena.errors import UsageError
from arena.plural import counted
from arena.pricefiles.names import find_product
from arena.pricefiles.rows import MINUTE_S
from arena.pricefiles.times import time_text

EXCHANGE_HISTORY_S: Final = 5 * 3_600
"""Seconds of a file's candles that are before the start of a simulated exchange."""
REPLAY_HISTORY_S: Final = 3_600
"""Seconds of a file's candles that are before the first snapshot of a replay."""
FILES_SHOWN_MAX: Final = 5
STEP_S: Final = 5
"""Market time moves in such steps, Unix seconds: the cadence of Coinbase's `ticker_batch`."""


@dataclass(frozen=True, slots=True)
class MarketSpan:
    """When a market of files is.

    Attributes:
        first_s: Start of the oldest candle, Unix seconds.
        start_s: When clients may join, or the first snapshot.
        last_s: End of the newest candle.
    """

    first_s: int
    start_s: int
    last_s: int


def pair_files(paths: Sequence[Path], products: Sequence[str]) -> list[tuple[Path, str]]:
    """Each file with what it is of: the product at its place, or "" if its name says it.

    Args:
        paths: The files.
        products: One for each, in the same order; none to take them from the names.

    Raises:
        UsageError: There are more of one than of the other, a product has two files, or a name
            says another product.
    """
    named = list(products) or ["" for _ in paths]
    says = [find_product(path.name) for path in paths]
    said = [
        "" if product in one.readings else one.product_id or " or ".join(one.readings)
        for one, product in zip(says, [*named, *("" for _ in paths)], strict=False)
    ]
    known = [product or name for product, name in zip(named, said, strict=False) if product or name]
    if len(named) != len(paths) or len(set(known)) < len(known):
        files = ", ".join(path.name for path in paths[:FILES_SHOWN_MAX])
        raise UsageError(
            f"{counted(len(paths), 'price file')} ({files}) for the products "
            f"{', '.join(known or named)}",
            remedy="give one product per file, in the same order, and one file per product",
        )
    for path, product, name in zip(paths, named, said, strict=True):
        if product and name and product != name:
            raise UsageError(
                f"the price file {path.name} is of {name} by its name, and listed for {product}",
                remedy=f"list {name} in its place, or let the file's name begin with {product}",
            )
    return list(zip(paths, named, strict=True))


def span_of(
    ends: Sequence[tuple[int, int]], *, start: datetime | None, history_s: int
) -> MarketSpan:
    """When a market of files is.

    Args:
        ends: Of each file, the start of the first candle and the end of the last, Unix seconds.
        start: As it is asked for; None for `history_s` after the first candle, or in the middle.
        history_s: Seconds of candles before the start.

    Raises:
        UsageError: The start is outside the files.
    """
    first_s = min(first for first, _ in ends)
    last_s = max(last for _, last in ends)
    middle_s = (last_s - first_s) // 2
    start_s = first_s + min(history_s, middle_s - middle_s % MINUTE_S)
    if start is not None:
        asked_s = int(start.timestamp())
        start_s = asked_s - asked_s % MINUTE_S
    if not first_s <= start_s < last_s:
        raise UsageError(
            f"the start {time_text(start_s)} is outside the prices",
            remedy=f"choose a time from {time_text(first_s)} to before {time_text(last_s)}",
        )
    return MarketSpan(first_s, start_s, last_s)


def snapshots_of(span: MarketSpan, interval_s: int, wanted: int | None) -> int:
    """How many snapshots a replay has.

    Args:
        span: Of its prices.
        interval_s: Seconds from one to the next.
        wanted: As many as are asked for; None for all that there is time for.

    Raises:
        UsageError: The prices end before the last one.
    """
    available = (span.last_s - span.start_s) // interval_s + 1
    if wanted is not None and wanted > available:
        begin, end = (datetime.fromtimestamp(s, UTC) for s in (span.start_s, span.last_s))
        raise UsageError(
            f"{wanted:,} snapshots every {interval_s} s, but the prices have time for "
            f"{available:,}: {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC",
            remedy="ask for fewer, start earlier, or choose a shorter interval",
        )
    return available if wanted is None else wanted


def interval_of(interval_s: float) -> int:
    """Seconds from one snapshot to the next, as whole steps of market time.

    Raises:
        UsageError: They are not.
    """
    if interval_s < STEP_S or interval_s % STEP_S:
        raise UsageError(
            f"an interval of {interval_s:g} s",
            remedy=f"recorded time moves in steps of {STEP_S} s; choose a multiple of that",
        )
    return int(interval_s)
