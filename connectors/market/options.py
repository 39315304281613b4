"""Options of a connector that publishes a live venue, and of one that plays a recording."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from arena.products import venue_of

if TYPE_CHECKING:
    from connectors.market.venue import Venue


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
    """

    markets: tuple[MarketOptions, ...]
    interval_s: float
    context: tuple[Path, ...] = ()

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
    """

    venue: "Venue"
    frames: Path
    interval_s: float
    speed: float | None
    products: tuple[str, ...]
    context: tuple[Path, ...] = ()
