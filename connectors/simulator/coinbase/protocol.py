"""The simulated exchange as Coinbase Exchange. Pure."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

import orjson

from arena.errors import UsageError
from connectors.simulator.coinbase.feed_session import (
    TICKER_CHANNELS,
    FeedSession,
    heartbeat_frame,
    match_frame,
    ticker_frame,
)
from connectors.simulator.coinbase.rest_responses import error_response, respond
from connectors.simulator.simulated_market import SimulatedMarket
from connectors.simulator.venue_protocol import Frame, RestResponse

SUBSCRIBE_WITHIN_S: Final = 5.0
BIG_FRAME_BYTES: Final = 5_000_000
GARBAGE: Final = '{"type":"ticker","price":'
CHEAPER: Final = 1000
"""A bad print is at this fraction of the price."""


class CoinbaseProtocol:
    """See `connectors.simulator.venue_protocol.ExchangeProtocol`.

    A heartbeat is sent once per venue second; a ticker with each step in which something traded.

    Args:
        market: The market.
    """

    messages_per_s_max: int | None = None
    absent_faults: Mapping[str, str] = MappingProxyType(
        {"shutdown": "Coinbase Exchange does not announce the end of a connection"}
    )

    def __init__(self, market: SimulatedMarket) -> None:
        """Create the protocol; trades before now are not sent."""
        self.market = market
        self.lifetime_s: float | None = None
        self.subscribe_within_s: float | None = SUBSCRIBE_WITHIN_S
        self._matched = {p: state.trade_id for p, state in market.products.items()}
        self._last: dict[str, str] = {}

    def session(self) -> FeedSession:
        """The state of a new client."""
        return FeedSession(self.market)

    def beat_frames(self, product_id: str, at: datetime) -> list[Frame]:
        """The heartbeat of a product that is online."""
        if not self.market.products[product_id].live:
            return []
        return [Frame(("heartbeat",), heartbeat_frame(self.market, product_id, at))]

    def step_frames(self, product_id: str, at: datetime, *, hidden: bool) -> list[Frame]:
        """The matches and the ticker of a product that has traded."""
        state = self.market.products[product_id]
        if not state.changed or not state.live:
            return []
        state.changed = False
        text = ticker_frame(self.market, product_id)
        if text is None or hidden:
            return []
        matches = [p for p in state.prints if p.trade_id > self._matched[product_id]]
        self._matched[product_id] = state.trade_id
        self._last[product_id] = text
        frames = [Frame(("matches",), match_frame(product_id, trade)) for trade in matches]
        return [*frames, Frame(TICKER_CHANNELS, text)]

    def faulty_frame(self, product_id: str, kind: str) -> str:
        """A frame of a fault; a bad print advances the product's sequence number."""
        if kind == "big_frame":
            return '{"type":"status","padding":"' + "x" * BIG_FRAME_BYTES + '"}'
        if kind == "garbage":
            return GARBAGE
        state = self.market.products[product_id]
        text = ticker_frame(self.market, product_id)
        if text is None:
            raise UsageError(f"fault {kind}: {product_id} has no price yet", remedy="set it later")
        if kind == "reorder":
            body = orjson.loads(self._last.get(product_id) or text)
            body["sequence"] -= 1
            return orjson.dumps(body).decode()
        state.sequence += 1
        body = orjson.loads(ticker_frame(self.market, product_id) or "{}")
        for name, price in (
            ("price", state.prints[-1].trade.price if state.prints else 0),
            ("best_bid", state.tick.bid if state.tick else 0),
            ("best_ask", state.tick.ask if state.tick else 0),
        ):
            body[name] = f"{price / CHEAPER:f}"
        return orjson.dumps(body).decode()

    def respond(self, target: str, at: datetime) -> RestResponse:
        """The response to `GET target` at a venue time."""
        return respond(self.market, target, at)

    def refuse(self, status: int, headers: Mapping[str, str], *, handshake: bool) -> RestResponse:
        """The response to a client that makes too many requests or handshakes."""
        message = "You are connecting too fast" if handshake else "Public rate limit exceeded"
        return error_response(status, message, headers)

    def error(self, status: int, message: str) -> RestResponse:
        """An error in the venue's format."""
        return error_response(status, message)
