"""What the heartbeats of a connector say about its venues, merged into one text per field.

Pure: the connector passes the result to its process.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from arena.heartbeat_details import TEXT_CHARS_MAX, VENUES, VenueState, as_detail
from arena.liveness import FEED_DOWN, VENUE_BANS

PRODUCTS: Final = "products"


@dataclass(slots=True)
class FeedStatus:
    """The state of one venue's feed.

    Attributes:
        venue: Name of the venue.
        down: Why the feed is down, and what to do; "" while it is up.
        bans: Until when the venue asked for no requests or connections, and with which status; ""
            without a ban of more than a minute.
        age_ms: Milliseconds since the newest heartbeat of its products; None before the first.
        stale_products: Number of products whose prices are too old.
        connection_epoch: Number of its connection.
        connected: True if every subscription is acknowledged.
        simulated: True for the simulated exchange; None while unknown.
        speed: Venue seconds per wall second.
        products: The products that are followed.
    """

    venue: str = ""
    down: str = ""
    bans: str = ""
    age_ms: int | None = None
    stale_products: int = 0
    connection_epoch: int = 0
    connected: bool = False
    simulated: bool | None = None
    speed: float = 1.0
    products: tuple[str, ...] = ()


def gauges_of(statuses: Sequence[FeedStatus]) -> dict[str, float]:
    """The gauges of all venues: the largest age, sums, and 1 for connected only if all are."""
    ages_ms = [status.age_ms for status in statuses if status.age_ms is not None]
    return {
        **({"feed_age_ms": float(max(ages_ms))} if ages_ms else {}),
        "stale_products": float(sum(status.stale_products for status in statuses)),
        "connection_epoch": float(sum(status.connection_epoch for status in statuses)),
        "connected": float(all(status.connected for status in statuses)),
    }


def details_of(statuses: Sequence[FeedStatus]) -> dict[str, JsonValue]:
    """The details of all venues.

    `feed_down` is absent while all feeds are up, and `venue_bans` (venue -> text) without a ban.
    """
    known = [status for status in statuses if status.simulated is not None]
    down = "; ".join(dict.fromkeys(status.down for status in statuses if status.down))
    products = sorted(product_id for status in statuses for product_id in status.products)
    found: dict[str, JsonValue] = {FEED_DOWN: down} if down else {}
    bans: dict[str, JsonValue] = {one.venue: one.bans for one in statuses if one.bans}
    if bans:
        found[VENUE_BANS] = bans
    if known:
        found["simulated"] = any(status.simulated for status in known)
        found["speed"] = max(status.speed for status in known)
    if venues := [_state(status) for status in statuses if status.venue]:
        found[VENUES] = as_detail(venues)
    if products:
        found[PRODUCTS] = ", ".join(products)
    return found


def _state(status: FeedStatus) -> VenueState:
    return VenueState(
        venue=status.venue,
        connected=status.connected,
        age_ms=status.age_ms,
        products=len(status.products),
        stale=status.stale_products,
        connections=status.connection_epoch,
        down=status.down[:TEXT_CHARS_MAX],
        ban=status.bans[:TEXT_CHARS_MAX],
    )
