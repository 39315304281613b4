"""Options of a connector that publishes a live venue, and of one that plays a recording."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from arena.granularities import BOOK_BARS, book_bars
from arena.indicators.feature_sets import STANDARD, FeatureSet, parse_feature_set
from arena.products import venue_of
from connectors.market.candles import MINUTE_S

if TYPE_CHECKING:
    from connectors.market.venue import Venue


def history_minutes(features: FeatureSet, asked: int | None) -> int:
    """Minutes of candles that a connector loads, and keeps, for each product.

    Args:
        features: Indicators, which must be warm.
        asked: The least number, or None.
    """
    return max(BOOK_BARS, features.minutes_at_any_time, asked or 0)


def history_bars(features: FeatureSet, asked: int | None, bar_s: int) -> int:
    """Bars of a length in seconds that a replay uses, and keeps, for each product.

    Args:
        features: Indicators, which must be warm.
        asked: The least number of minutes, or None.
        bar_s: Length of the bars in seconds.
    """
    if bar_s == MINUTE_S:
        return history_minutes(features, asked)
    minutes = max(features.minutes_at_any_time, asked or 0)
    return max(book_bars(bar_s), -(-minutes * MINUTE_S // bar_s))


@dataclass(frozen=True, slots=True)
class MarketOptions:
    """One venue of a connector.

    Attributes:
        venue: The venue.
        products: Product ids in any order.
        ws_url: URL of the WebSocket feed.
        rest_url: URL of the REST API.
        record: File for raw frames, or None.
    """

    venue: "Venue"
    products: tuple[str, ...]
    ws_url: str
    rest_url: str
    record: Path | None = None


@dataclass(frozen=True, slots=True)
class ConnectorOptions:
    """Options of a live connector.

    Attributes:
        markets: The venues, each once.
        interval_s: Venue seconds from snapshot to snapshot.
        context: Files of dated context that are published before the first snapshot.
        features: The indicators in the snapshots.
        history_minutes: Minutes of candles to load, and to keep, for each product.
    """

    markets: tuple[MarketOptions, ...]
    interval_s: float
    context: tuple[Path, ...] = ()
    features: FeatureSet = field(default_factory=lambda: parse_feature_set(STANDARD))
    history_minutes: int = BOOK_BARS

    @property
    def venue(self) -> str:
        """The venue of the snapshots: "binance", or "binance+coinbase" for both."""
        return venue_of(p for market in self.markets for p in market.products)


@dataclass(frozen=True, slots=True)
class PlaybackOptions:
    """Options of a playback.

    Attributes:
        venue: The venue whose frames the recording holds.
        frames: File of the recording.
        interval_s: Venue seconds from snapshot to snapshot.
        speed: Recorded seconds per wall second; None for as fast as it can be read.
        products: Products to publish; empty for all.
        context: Files of dated context that are published before the first snapshot.
        features: The indicators in the snapshots.
    """

    venue: "Venue"
    frames: Path
    interval_s: float
    speed: float | None
    products: tuple[str, ...]
    context: tuple[Path, ...] = ()
    features: FeatureSet = field(default_factory=lambda: parse_feature_set(STANDARD))
