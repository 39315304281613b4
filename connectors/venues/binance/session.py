"""One connection to Binance spot: acknowledgements, refusals, silence and its end. Pure.

A connection is alive while data arrives: a connection that is open, answers pings and acknowledges
requests may send nothing at all. The venue ends each connection after 24 hours, and may announce
an earlier end by a `serverShutdown` frame; the session ends it before that.
"""

from collections.abc import Iterable
from typing import Final

from connectors.market.events import (
    ActivitySeen,
    CandleClosed,
    Event,
    HeartbeatSeen,
    RequestAcked,
    RequestRefused,
    TickerSeen,
    TradeSeen,
    VenueClosing,
)
from connectors.market.session import STABLE_AFTER_S, Action, Close, Drop, Send, Settled, Stable
from connectors.venues.binance.subscription import (
    PULSE,
    Outbox,
    Verb,
    batches_of,
    request_text,
    streams_of,
)

ACK_TIMEOUT_S: Final = 10.0
SILENCE_MAX_S: Final = 12.0
LIFETIME_S: Final = 23.5 * 3_600
"""Half an hour less than the venue allows, so that the end does not come at a busy moment."""
RESENDS_MAX: Final = 1
"""Times that unacknowledged requests are sent again before the connection is closed."""
REFUSALS_MAX: Final = 3
"""Refusals of unknown requests before the connection is closed."""


class BinanceSession:
    """The state of one connection; see `connectors.market.session`.

    Args:
        products: Ids of the products to subscribe to.
        now_s: Monotonic seconds at which the connection opened.

    Attributes:
        products: Ids of the products that the venue has not refused.
        settled: True once every subscription was acknowledged.
        closed: True once the connection must end.
    """

    def __init__(self, products: Iterable[str], now_s: float) -> None:
        """Create the session; call `open` for the first messages."""
        self.products = list(dict.fromkeys(products))
        self.settled = False
        self.closed = False
        self._requests: dict[int, tuple[str, ...]] = {}
        self._outbox = Outbox()
        self._next_id = 1
        self._opened_s = now_s
        self._requested_s = now_s
        self._data_s = now_s
        self._resends = 0
        self._refusals = 0
        self._stable = False

    def open(self, now_s: float) -> list[Action]:
        """The first messages; the others follow with the next ticks."""
        actions = self._subscribe(batches_of(self.products), now_s)
        # The pulse is not among the requests that must be acknowledged.
        self._outbox.put(self._request("SUBSCRIBE", (PULSE,)))
        return [*actions, *self._released(now_s)]

    def on_event(self, event: Event, now_s: float) -> list[Action]:
        """Handle an event of the venue."""
        if self.closed:
            return []
        match event:
            case RequestAcked():
                self._requests.pop(event.request_id, None)
                return self._settle()
            case RequestRefused():
                return self._on_refusal(event, now_s)
            case VenueClosing():
                return self._close("server_shutdown", "the venue announced the connection's end")
            case TickerSeen() | HeartbeatSeen() | TradeSeen() | ActivitySeen() | CandleClosed():
                return self._on_data(now_s)
        return []

    def on_tick(self, now_s: float) -> list[Action]:
        """Check time-outs and send what had to wait; call it about once a second."""
        if self.closed:
            return []
        silent_s = now_s - self._data_s
        if silent_s > SILENCE_MAX_S:
            return self._close("silent", f"no data for {silent_s:.0f} s")
        if now_s - self._opened_s >= LIFETIME_S:
            return self._close("lifetime", "the venue ends connections after 24 hours")
        if self.settled or now_s - self._requested_s <= ACK_TIMEOUT_S:
            return self._released(now_s)
        missing = [product for batch in self._requests.values() for product in batch]
        if self._resends >= RESENDS_MAX:
            return self._close("unacked", f"not acknowledged: {', '.join(missing)[:200]}")
        self._resends += 1
        self._requests.clear()
        return self._subscribe(batches_of(missing), now_s)

    def unsubscribe_messages(self) -> list[str]:
        """The messages that end the subscriptions; the session is closed after them.

        At most as many as may be sent at once: the connection is closed next, which ends the rest.
        """
        self.closed = True
        farewell = Outbox()
        for batch in batches_of(self.products):
            streams = [stream for product in batch for stream in streams_of(product)]
            farewell.put(self._request("UNSUBSCRIBE", streams))
        return farewell.release(0.0)

    def _on_data(self, now_s: float) -> list[Action]:
        self._data_s = now_s
        if self._stable or not self.settled or now_s - self._opened_s < STABLE_AFTER_S:
            return []
        self._stable = True
        return [Stable()]

    def _on_refusal(self, refusal: RequestRefused, now_s: float) -> list[Action]:
        """Request the products of a refused batch one by one; drop one that is refused alone."""
        batch = self._requests.pop(refusal.request_id or 0, ())
        if len(batch) > 1:
            return self._subscribe([(product,) for product in batch], now_s)
        if len(batch) == 1 and batch[0] in self.products:
            self.products.remove(batch[0])
            drop = Drop(batch[0], refusal.message)
            if not self.products:
                return [drop, *self._close("no_products", "every product was refused")]
            return [drop, *self._settle()]
        self._refusals += 1
        if self._refusals >= REFUSALS_MAX:
            return self._close("refused", f"error {refusal.code}: {refusal.message}")
        return []

    def _settle(self) -> list[Action]:
        if self.settled or not self.products or self._requests:
            return []
        self.settled = True
        return [Settled()]

    def _subscribe(self, batches: Iterable[tuple[str, ...]], now_s: float) -> list[Action]:
        self._requested_s = now_s
        for batch in batches:
            self._requests[self._next_id] = batch
            streams = [stream for product in batch for stream in streams_of(product)]
            self._outbox.put(self._request("SUBSCRIBE", streams))
        return self._released(now_s)

    def _request(self, verb: Verb, streams: Iterable[str]) -> str:
        text = request_text(verb, tuple(streams), self._next_id)
        self._next_id += 1
        return text

    def _released(self, now_s: float) -> list[Action]:
        texts = self._outbox.release(now_s)
        if texts:
            self._requested_s = now_s
        return [Send(text) for text in texts]

    def _close(self, why: str, detail: str) -> list[Action]:
        self.closed = True
        return [Close(why, detail)]
