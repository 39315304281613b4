"""One connection: subscriptions, refusals and silence. Pure."""

from collections.abc import Iterable
from typing import Final

import orjson

from arena.products import split_key
from connectors.market.events import (
    Event,
    HeartbeatSeen,
    SubscriptionsAcked,
    TickerSeen,
    VenueRefused,
)
from connectors.market.session import STABLE_AFTER_S, Action, Close, Drop, Send, Settled, Stable
from connectors.venues._template.protocol import CHANNEL

ACK_TIMEOUT_S: Final = 10.0
SILENCE_MAX_S: Final = 12.0
RESUBSCRIBES_MAX: Final = 1


class TemplateSession:
    """The state of one connection; see `connectors.market.session`.

    Args:
        products: Ids of the products to subscribe to.
        now_s: Monotonic seconds at which the connection opened.

    Attributes:
        products: Ids of the products that the venue has not refused.
    """

    def __init__(self, products: Iterable[str], now_s: float) -> None:
        """Create the session; call `open` for the first messages."""
        self.products = list(dict.fromkeys(products))
        self._acked: set[str] = set()
        self._settled = self._stable = self._closed = False
        self._opened_s = self._asked_s = self._alive_s = now_s
        self._resubscribes = 0

    def open(self, now_s: float) -> list[Action]:
        """The first message."""
        return self._subscribe(now_s)

    def on_event(self, event: Event, now_s: float) -> list[Action]:
        """Handle an event of the venue."""
        if self._closed:
            return []
        match event:
            case SubscriptionsAcked():
                self._acked = {product for _, product in event.subscribed}
                return self._settle()
            case VenueRefused() if event.product_id in self.products:
                self.products.remove(event.product_id)
                drop = Drop(event.product_id, event.reason)
                if not self.products:
                    return [drop, *self._close("no_products", "every product was refused")]
                return [drop, *self._subscribe(now_s)]
            case VenueRefused():
                return self._close("refused", event.reason)
            case TickerSeen() | HeartbeatSeen():
                self._alive_s = now_s
                if self._settled and not self._stable and now_s - self._opened_s >= STABLE_AFTER_S:
                    self._stable = True
                    return [Stable()]
        return []

    def on_tick(self, now_s: float) -> list[Action]:
        """Check time-outs."""
        if self._closed:
            return []
        if now_s - self._alive_s > SILENCE_MAX_S:
            return self._close("silent", f"no data for {now_s - self._alive_s:.0f} s")
        if self._settled or now_s - self._asked_s <= ACK_TIMEOUT_S:
            return []
        if self._resubscribes >= RESUBSCRIBES_MAX:
            return self._close("unacked", "subscriptions are not acknowledged")
        self._resubscribes += 1
        return self._subscribe(now_s)

    def unsubscribe_messages(self) -> list[str]:
        """The message that ends the subscriptions."""
        self._closed = True
        return [self._request("unsubscribe")]

    def _settle(self) -> list[Action]:
        if self._settled or not self._acked.issuperset(self.products):
            return []
        self._settled = True
        return [Settled()]

    def _subscribe(self, now_s: float) -> list[Action]:
        self._asked_s = now_s
        return [Send(self._request("subscribe"))]

    def _request(self, verb: str) -> str:
        symbols = [split_key(product_id).symbol for product_id in self.products]
        return orjson.dumps({"type": verb, "channel": CHANNEL, "symbols": symbols}).decode()

    def _close(self, why: str, detail: str) -> list[Action]:
        self._closed = True
        return [Close(why, detail)]
