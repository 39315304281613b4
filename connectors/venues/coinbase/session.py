"""One connection to Coinbase Exchange: acks, errors, heartbeats and silence. Pure."""

from collections.abc import Iterable
from typing import Final

from connectors.market.events import (
    Event,
    HeartbeatSeen,
    SubscriptionsAcked,
    TickerSeen,
    VenueRefused,
)
from connectors.market.session import STABLE_AFTER_S, Action, Close, Drop, Send, Settled, Stable
from connectors.venues.coinbase.subscription import (
    CHANNELS,
    Pairs,
    missing_products,
    subscribe_messages,
    wanted_pairs,
)

ACK_TIMEOUT_S: Final = 10.0
HEARTBEAT_TIMEOUT_S: Final = 12.0
RESUBSCRIBES_MAX: Final = 1
"""Times that missing products are requested again before the connection is closed."""
REFUSALS_MAX: Final = 3
"""Errors without a known product before the connection is closed."""


class CoinbaseSession:
    """The state of one connection; see `connectors.market.session`.

    Args:
        products: Ids of the products to subscribe to.
        now_s: Monotonic seconds at which the connection opened.
        channels: Channels to subscribe to, by their names in a subscription.

    Attributes:
        products: Ids of the products that the venue has not refused.
        channels: As the argument.
        acked: Acknowledged pairs of channel and product.
        settled: True once every subscription was acknowledged.
        closed: True once the connection must end.
    """

    def __init__(
        self, products: Iterable[str], now_s: float, *, channels: tuple[str, ...] = CHANNELS
    ) -> None:
        """Create the session; call `open` for the first messages."""
        self.products = list(dict.fromkeys(products))
        self.channels = channels
        self.acked: Pairs = frozenset()
        self.settled = False
        self.closed = False
        self._opened_s = now_s
        self._subscribed_s = now_s
        self._heartbeat_s = now_s
        self._resubscribes = 0
        self._refusals = 0
        self._stable = False

    @property
    def wanted(self) -> Pairs:
        """The pairs of channel and product that must be acknowledged."""
        return wanted_pairs(self.channels, self.products)

    def open(self, now_s: float) -> list[Action]:
        """The first messages; the venue wants them within five seconds of the connect."""
        return self._subscribe(self.products, now_s)

    def on_event(self, event: Event, now_s: float) -> list[Action]:
        """Handle an event of the venue."""
        if self.closed:
            return []
        if isinstance(event, HeartbeatSeen | TickerSeen):
            return self._on_alive(event, now_s)
        if isinstance(event, SubscriptionsAcked):
            self.acked = event.subscribed
            return self._settle()
        if isinstance(event, VenueRefused):
            return self._on_refusal(event, now_s)
        return []

    def on_tick(self, now_s: float) -> list[Action]:
        """Check timeouts; call it about once a second."""
        if self.closed:
            return []
        silent_s = now_s - self._heartbeat_s
        if silent_s > HEARTBEAT_TIMEOUT_S:
            return self._close("silent", f"no heartbeat for {silent_s:.0f} s")
        if self.settled or now_s - self._subscribed_s <= ACK_TIMEOUT_S:
            return []
        missing = missing_products(self.wanted, self.acked)
        if self._resubscribes >= RESUBSCRIBES_MAX:
            return self._close("unacked", f"not acknowledged: {', '.join(missing)[:200]}")
        self._resubscribes += 1
        return self._subscribe(missing, now_s)

    def unsubscribe_messages(self) -> list[str]:
        """The messages that end the subscriptions; the session is closed after them."""
        self.closed = True
        return subscribe_messages(self.channels, self.products, verb="unsubscribe")

    def _on_alive(self, event: HeartbeatSeen | TickerSeen, now_s: float) -> list[Action]:
        if isinstance(event, HeartbeatSeen):
            self._heartbeat_s = now_s
        if self._stable or not self.settled or now_s - self._opened_s < STABLE_AFTER_S:
            return []
        self._stable = True
        return [Stable()]

    def _on_refusal(self, refusal: VenueRefused, now_s: float) -> list[Action]:
        product = refusal.product_id
        if product in self.products:
            self.products.remove(product)
            drop = Drop(product, refusal.reason)
            if not self.products:
                return [drop, *self._close("no_products", "every product was refused")]
            return [drop, *self._settle(), *self._subscribe(self.products, now_s)]
        self._refusals += 1
        if self._refusals >= REFUSALS_MAX:
            return self._close("refused", f"{refusal.message}: {refusal.reason}")
        return []

    def _settle(self) -> list[Action]:
        if self.settled or not self.products or missing_products(self.wanted, self.acked):
            return []
        self.settled = True
        return [Settled()]

    def _subscribe(self, products: list[str], now_s: float) -> list[Action]:
        self._subscribed_s = now_s
        return [Send(text) for text in subscribe_messages(self.channels, products)]

    def _close(self, why: str, detail: str) -> list[Action]:
        self.closed = True
        return [Close(why, detail)]
