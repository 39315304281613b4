"""The venue's WebSocket protocol without sockets: requests to replies, the market to frames. Pure.

It is as strict as the strictest report about the real venue: a subscription that names one bad
product is refused as a whole, and only the first bad one is named.
"""

from datetime import UTC, datetime
from typing import Final

import orjson

from arena.money import decimal_text
from connectors.simulator.simulated_market import Print, SimulatedMarket

ACK_NAMES: Final = {"ticker_batch": "ticker_1000"}
CHANNELS: Final = ("ticker_batch", "ticker", "heartbeat", "matches")
TICKER_CHANNELS: Final = ("ticker_batch", "ticker")
LOGIN_CHANNELS: Final = ("full", "level2", "level3", "user")


def iso(moment: datetime) -> str:
    """A time in the venue's format: microseconds and Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def ticker_frame(market: SimulatedMarket, product_id: str) -> str | None:
    """The `ticker` message of a product; None before its first trade."""
    state = market.products[product_id]
    if not state.prints or state.tick is None:
        return None
    last, tick = state.prints[-1], state.tick
    return orjson.dumps(
        {
            "type": "ticker",
            "sequence": state.sequence,
            "product_id": product_id,
            "price": decimal_text(last.trade.price),
            "open_24h": decimal_text(market.price_24h_ago(product_id)),
            "volume_24h": decimal_text(state.volume_24h),
            "best_bid": decimal_text(tick.bid),
            "best_bid_size": decimal_text(tick.bid_size),
            "best_ask": decimal_text(tick.ask),
            "best_ask_size": decimal_text(tick.ask_size),
            "side": last.trade.taker_side,
            "time": iso(datetime.fromtimestamp(market.now_s, UTC)),
            "trade_id": last.trade_id,
            "last_size": decimal_text(last.trade.size),
        }
    ).decode()


def heartbeat_frame(market: SimulatedMarket, product_id: str, at: datetime) -> str:
    """The `heartbeat` message of a product at a venue time."""
    state = market.products[product_id]
    last = state.prints[-1].trade_id if state.prints else 0
    return orjson.dumps(
        {
            "type": "heartbeat",
            "last_trade_id": last,
            "product_id": product_id,
            "sequence": state.sequence,
            "time": iso(at),
        }
    ).decode()


def match_frame(product_id: str, last: Print, *, kind: str = "match") -> str:
    """The `match` message of a trade; its side is the maker's.

    Args:
        product_id: Id of the product.
        last: The trade.
        kind: "match", or "last_match" for the one that opens a subscription.
    """
    return orjson.dumps(
        {
            "type": kind,
            "trade_id": last.trade_id,
            "side": "sell" if last.trade.taker_side == "buy" else "buy",
            "size": decimal_text(last.trade.size),
            "price": decimal_text(last.trade.price),
            "product_id": product_id,
            "sequence": last.sequence,
            "time": iso(last.at),
        }
    ).decode()


class FeedSession:
    """One client's subscriptions.

    Attributes:
        pairs: Pairs (channel as subscribed, product) that the client gets.
    """

    def __init__(self, market: SimulatedMarket) -> None:
        """Create a session on a market, without subscriptions."""
        self._market = market
        self.pairs: set[tuple[str, str]] = set()

    def wants(self, channels: tuple[str, ...], product_id: str) -> bool:
        """True if the client gets one of the channels for the product."""
        return any((channel, product_id) in self.pairs for channel in channels)

    def on_message(self, text: str | bytes, *, forget: str | None = None) -> list[str]:
        """Handle a request.

        Args:
            text: The request.
            forget: A product that the acknowledgement omits although it is subscribed (a fault).

        Returns:
            Frames for this client: the acknowledgement or an error, then the newest ticker or
            trade of each new subscription.
        """
        try:
            body = orjson.loads(text)
        except orjson.JSONDecodeError:
            return [_error("Malformed JSON", "")]
        verb = body.get("type") if isinstance(body, dict) else None
        if verb not in ("subscribe", "unsubscribe"):
            return [_error("Type has to be either subscribe or unsubscribe", "")]
        requested = _requested_pairs(body)
        reason = "No channels provided" if not requested else self._refusal_reason(requested)
        if reason is not None:
            return [_error(f"Failed to {verb}", reason)]
        if verb == "unsubscribe":
            self.pairs -= requested
            return [self._ack(forget)]
        new = requested - self.pairs
        self.pairs |= requested
        return [self._ack(forget), *self._first_frames(new)]

    def _refusal_reason(self, requested: set[tuple[str, str]]) -> str | None:
        for channel, product in sorted(requested):
            if channel in LOGIN_CHANNELS:
                return "level2, level3, and full channels now require authentication."
            if channel not in CHANNELS:
                return f"{channel} is not a valid channel"
            if not product:
                return f"You need to specify at least one product ID for channel {channel}"
            state = self._market.products.get(product)
            if state is None or state.unlisted:
                return f"{product} is not a valid product"
            if state.status == "delisted":
                return f"{product} is delisted"
        return None

    def _ack(self, forget: str | None) -> str:
        listed: dict[str, list[str]] = {}
        for channel, product in sorted(self.pairs, reverse=True):
            if product != forget:
                listed.setdefault(ACK_NAMES.get(channel, channel), []).append(product)
        channels = [
            {"name": name, "product_ids": products, "account_ids": None}
            for name, products in listed.items()
        ]
        return orjson.dumps({"type": "subscriptions", "channels": channels}).decode()

    def _first_frames(self, pairs: set[tuple[str, str]]) -> list[str]:
        frames: list[str | None] = []
        for channel, product in sorted(pairs):
            state = self._market.products[product]
            if channel in TICKER_CHANNELS:
                frames.append(ticker_frame(self._market, product))
            elif channel == "matches" and state.prints:
                frames.append(match_frame(product, state.prints[-1], kind="last_match"))
        return [frame for frame in frames if frame is not None]


def _requested_pairs(body: dict[str, object]) -> set[tuple[str, str]]:
    """Pairs (channel, product) of a request in either form; the product is "" if it has none."""
    shared = body.get("product_ids")
    channels = body.get("channels")
    pairs: set[tuple[str, str]] = set()
    for entry in channels if isinstance(channels, list) else []:
        own = entry.get("product_ids") if isinstance(entry, dict) else None
        name = entry.get("name") if isinstance(entry, dict) else entry
        products = own if isinstance(own, list) else shared if isinstance(shared, list) else []
        pairs |= {(str(name), str(product)) for product in products or [""]}
    return pairs


def _error(message: str, reason: str) -> str:
    return orjson.dumps({"type": "error", "message": message, "reason": reason}).decode()
