"""Names of prices: files, or "cache:VENUE" for candles in the cache. Pure."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

from arena.candle_cache.series import VENUE
from arena.errors import UsageError

PREFIX: Final = "cache:"
Price = TypeVar("Price", str, Path)


def cache_venue(price: str | Path) -> str | None:
    """The venue in a name of prices such as "cache:coinbase"; None for a file.

    Raises:
        UsageError: It names the cache without a valid venue.
    """
    text = str(price)
    if not text.startswith(PREFIX):
        return None
    venue = text.removeprefix(PREFIX)
    if not VENUE.fullmatch(venue):
        raise UsageError(
            f"{text[:60]!r} names no venue", remedy='write the venue, such as "cache:coinbase"'
        )
    return venue


def for_each_product(prices: Sequence[Price], products: Sequence[str]) -> tuple[Price, ...]:
    """Prices with one entry per product: a single "cache:VENUE" is for all of them."""
    if len(prices) == 1 and products and cache_venue(prices[0]) is not None:
        return (prices[0],) * len(products)
    return tuple(prices)


def whole_candles(start: datetime, end: datetime, step_s: int) -> tuple[int, int]:
    """Begin of the first and end of the last candle within two times, Unix seconds.

    Args:
        start: The earliest begin.
        end: The latest end.
        step_s: Seconds of a candle.
    """
    first_s, last_s = start.timestamp(), int(end.timestamp())
    return int(-(-first_s // step_s)) * step_s, last_s - last_s % step_s
