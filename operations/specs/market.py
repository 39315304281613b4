"""The tables [market] and [[markets]] of an ARENA.toml, and the flags that they become. Pure."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, model_validator

from arena.candle_cache.names import PREFIX as CACHE
from arena.candle_cache.names import cache_venue
from arena.granularities import GRANULARITIES, MINUTE, Granularity
from arena.messages.market import Fills
from arena.pricefiles.times import require_price_time
from arena.products import DEFAULT_VENUE
from operations.specs.errors import SpecFault
from operations.specs.tables import ProductId, SpecTable

CONTEXT_FILES_MAX = 20
MINUTE_S = GRANULARITIES[MINUTE]
ISO_UTC = "%Y-%m-%dT%H:%M:%S"
SYNTHETIC_START = datetime(2026, 1, 1, tzinfo=UTC)
"""Default venue time of the first snapshot of a synthetic replay: the same in every run."""

SOURCES_OF = {
    "seed": ("exchange", "replay"),
    "speed": ("exchange",),
    "prices": ("exchange", "replay"),
    "start": ("exchange", "replay"),
    "end": ("exchange", "replay"),
    "granularity": ("replay",),
    "fills": ("replay",),
    "record": ("coinbase", "live", "exchange"),
}
"""Keys of [market] that only some sources have."""


def _price_list(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Prices = Annotated[tuple[str, ...], BeforeValidator(_price_list)]
"""Files of candles, or one text such as "cache:coinbase"."""


def _midnight(value: object) -> object:
    """The start of a day in UTC, for a date without a time."""
    if isinstance(value, str) and len(value) == len("2026-01-31"):
        value = date.fromisoformat(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_midnight), AfterValidator(require_price_time)]
"""A time from 2000 to 2100 with an offset, or a day, which begins at midnight UTC."""


class MarketTable(SpecTable):
    """The source of the prices.

    Attributes:
        source: "live" is the venue's own feed ("coinbase" is Coinbase's), "exchange" a simulated
            venue, "replay" gives the same prices in every run, at the pace of the agents.
        venue: The venue of the products; [[markets]] names several.
        seed: Seed of the synthetic prices.
        speed: Seconds of market time per second.
        prices: Candle files to replay instead of synthetic prices, relative to the ARENA.toml, or
            "cache:VENUE" for the candles from `start` to `end` in the cache.
        start: Venue time of the first snapshot of a replay; by default early in the files, or a
            fixed day for synthetic prices. With the cache the first candle that is used.
        end: The last candle of recorded prices that is used ends by this time.
        granularity: Length of the candles of a replay: "1m" by default; with files that of the
            files, and if it is given they must have it.
        fills: Which price orders of a replay fill at: "close" of the candle that ended, or "open"
            of the one that begins; by default "close" with candles of a minute, else "open".
        record: True keeps every raw frame of the feed in the run's directory.
        context: Files of dated news, sentiment and token facts, relative to the ARENA.toml, that
            the connector publishes before the first snapshot.
    """

    source: Literal["coinbase", "live", "exchange", "replay"] = "exchange"
    venue: str = DEFAULT_VENUE
    seed: int = Field(default=7, ge=0)
    speed: float = Field(default=1.0, ge=0.01, le=3_600)
    prices: Prices = ()
    start: Moment | None = None
    end: Moment | None = None
    granularity: Granularity | None = None
    fills: Fills | None = None
    record: bool = False
    context: tuple[str, ...] = Field(default=(), max_length=CONTEXT_FILES_MAX)

    @model_validator(mode="after")
    def _keys_need_their_source(self) -> Self:
        for key in sorted(self.model_fields_set):
            sources = SOURCES_OF.get(key, (self.source,))
            if self.source not in sources:
                wanted = " or ".join(f'"{source}"' for source in sources)
                raise SpecFault((key,), f"{key} needs source = {wanted}; remove it")
        if self.end is not None and self.start is not None and self.end <= self.start:
            raise SpecFault(("end",), f"{self.end} is not after start; choose a later end")
        return self

    @property
    def is_live(self) -> bool:
        """True for the feed of a real venue."""
        return self.source in ("coinbase", "live")

    @property
    def bar_s(self) -> int | None:
        """Length of the market's candles in seconds; None if its files decide."""
        if self.granularity is None and self.prices and not self.from_cache:
            return None if self.source == "replay" else MINUTE_S
        return GRANULARITIES[self.granularity or MINUTE]

    @property
    def begins_at(self) -> datetime | None:
        """Venue time at which a replay starts; None if its files decide."""
        return self.start if self.start or self.prices else SYNTHETIC_START

    @property
    def from_cache(self) -> bool:
        """True if its prices come from the cache of candles."""
        return any(price.startswith(CACHE) for price in self.prices)


class VenueTable(SpecTable):
    """One of several venues.

    Attributes:
        venue: The venue.
        products: Its products, by the venue's own ids.
        prices: Candle files to replay, one per product, relative to the ARENA.toml, or
            "cache:VENUE".
    """

    venue: str
    products: tuple[ProductId, ...] = Field(min_length=1, max_length=50)
    prices: Prices = ()


def price_flags(market: MarketTable, directory: Path) -> list[str]:
    """The flags with recorded prices: files, or "cache:VENUE", one per product.

    Args:
        market: The market.
        directory: The folder to which its paths are relative.
    """
    words = []
    for price in market.prices:
        words += ["--prices", price if cache_venue(price) else str(directory / price)]
    return words


def range_flags(start: datetime | None, end: datetime | None) -> list[str]:
    """The flags with the start and the end of a market."""
    times = {"--start": start, "--end": end}
    return [
        word
        for flag, moment in times.items()
        if moment is not None
        for word in (flag, moment.astimezone(UTC).strftime(ISO_UTC))
    ]
