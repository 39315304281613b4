"""The key of a series of candles in the cache, and its folder. Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from arena.errors import UsageError
from arena.granularities import GRANULARITIES, MINUTE, find_granularity
from arena.products import product_key

FOLDER: Final = "candles"
DAY_S: Final = 86_400
VENUE: Final = re.compile(r"[a-z][a-z0-9]{0,19}")
SYMBOL: Final = re.compile(r"[A-Z0-9]{1,24}(?:-[A-Z0-9]{1,10})?")


@dataclass(frozen=True, slots=True, order=True)
class Series:
    """The candles of one length of a venue's product.

    Attributes:
        venue: The venue, such as "coinbase".
        symbol: The venue's own id of the product, such as "BTC-USD".
        granularity: Length of the candles, such as "1m".
    """

    venue: str
    symbol: str
    granularity: str = MINUTE

    @property
    def step_s(self) -> int:
        """Seconds of a candle."""
        return GRANULARITIES[self.granularity]

    @property
    def product_id(self) -> str:
        """The id of the product in the arena: "BTC-USD", "binance:BTCUSDT"."""
        return product_key(self.venue, self.symbol)

    def __str__(self) -> str:
        """The series in sentences: "coinbase BTC-USD 1m"."""
        return f"{self.venue} {self.symbol} {self.granularity}"

    def folder(self, home: Path) -> Path:
        """The folder of its files."""
        return home / FOLDER / self.venue / self.symbol / self.granularity


def checked_series(venue: str, symbol: str, granularity: str = MINUTE) -> Series:
    """The series of texts that a user or a file gave.

    Raises:
        UsageError: One of them cannot be part of a path.
    """
    if not VENUE.fullmatch(venue):
        raise UsageError(
            f"{venue[:40]!r} is not the name of a venue", remedy="write one such as coinbase"
        )
    if not SYMBOL.fullmatch(symbol):
        raise UsageError(
            f"{symbol[:40]!r} is not a product", remedy="write one such as BTC-USD or BTCUSDT"
        )
    find_granularity(granularity)
    return Series(venue, symbol, granularity)


def day_of(time_s: int) -> int:
    """Start of the UTC day that contains a time; both in Unix seconds."""
    return time_s - time_s % DAY_S


def days_of(start_s: int, end_s: int) -> range:
    """Starts of the days from `start_s` to before `end_s`, Unix seconds."""
    return range(day_of(start_s), end_s, DAY_S)


def day_name(day_s: int) -> str:
    """A day as in file names: "2026-01-31"."""
    return datetime.fromtimestamp(day_s, UTC).strftime("%Y-%m-%d")


def read_day_name(name: str) -> int:
    """The start of a day from its name, Unix seconds.

    Raises:
        ValueError: It is not a day.
    """
    found = date.fromisoformat(name)
    if found.isoformat() != name:
        raise ValueError(f"{name!r} is not a day such as 2026-01-31")
    return int(datetime(found.year, found.month, found.day, tzinfo=UTC).timestamp())
