"""The simulated exchange as Binance spot. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import orjson

from arena.errors import UsageError
from arena.pricefiles.rows import MINUTE_S
from connectors.simulator.binance import frames
from connectors.simulator.binance.feed_session import StreamSession
from connectors.simulator.binance.rest_responses import TOO_MANY, error_response, respond
from connectors.simulator.binance.wire import milliseconds
from connectors.simulator.faults import NONE_ABSENT
from connectors.simulator.simulated_market import SimulatedMarket
from connectors.simulator.venue_protocol import Frame, RestResponse

LIFETIME_S: Final = 86_400.0
MESSAGES_PER_S_MAX: Final = 5
BIG_FRAME_BYTES: Final = 5_000_000
GARBAGE: Final = '{"stream":"btcusdt@bookTicker","data":{"u":'
CHEAPER: Final = Decimal(1000)
"""A bad print is at this fraction of the price."""
BANNED: Final = 418


class BinanceProtocol:
    """See `connectors.simulator.venue_protocol.ExchangeProtocol`.

    Best prices and candles are sent with each step of the market that changed them, 24-hour figures
    once per venue second if something traded. A product without news sends nothing.

    Args:
        market: The market.
    """

    subscribe_within_s: float | None = None
    messages_per_s_max: int | None = MESSAGES_PER_S_MAX
    absent_faults = NONE_ABSENT

    def __init__(self, market: SimulatedMarket) -> None:
        """Create the protocol; trades before now are not sent."""
        self.market = market
        self.lifetime_s: float | None = LIFETIME_S
        self._traded = {p: state.trade_id for p, state in market.products.items()}
        self._figured = dict(self._traded)
        self._quoted = {p: state.sequence for p, state in market.products.items()}
        self._open_minute: dict[str, int] = {}
        self._last: dict[str, str] = {}

    def session(self) -> StreamSession:
        """The state of a new client."""
        return StreamSession()

    def beat_frames(self, product_id: str, at: datetime) -> list[Frame]:
        """The 24-hour figures of a product that has traded since the last call."""
        state = self.market.products[product_id]
        if not state.live or state.trade_id == self._figured[product_id]:
            return []
        self._figured[product_id] = state.trade_id
        text = frames.mini_ticker(self.market, product_id, at)
        return [] if text is None else [Frame(("miniTicker",), text)]

    def step_frames(self, product_id: str, at: datetime, *, hidden: bool) -> list[Frame]:
        """New trades, the candle that they changed, a candle that closed, and new best prices."""
        state = self.market.products[product_id]
        state.changed = False
        before, self._traded[product_id] = self._traded[product_id], state.trade_id
        quoted, self._quoted[product_id] = self._quoted[product_id], state.sequence
        found: list[Frame] = []
        for one in state.prints if state.trade_id > before else ():
            if one.trade_id > before:
                found.append(Frame(("trade",), frames.trade(product_id, one)))
                found.append(Frame(("aggTrade",), frames.agg_trade(product_id, one)))
        for start_s in self._minutes(product_id, traded=state.trade_id > before):
            text = frames.kline(self.market, product_id, start_s, at)
            found += [] if text is None else [Frame(("kline_1m",), text)]
        if state.sequence != quoted and (text := frames.book_ticker(self.market, product_id)):
            self._last[product_id] = text
            found.append(Frame(("bookTicker",), text))
        return [] if hidden or not state.live else found

    def faulty_frame(self, product_id: str, kind: str) -> str:
        """A frame of a fault; a bad print advances the product's update id.

        Raises:
            UsageError: The product has no quote yet.
        """
        if kind == "big_frame":
            return '{"stream":"padding","data":"' + "x" * BIG_FRAME_BYTES + '"}'
        if kind == "garbage":
            return GARBAGE
        if kind == "shutdown":
            now = datetime.fromtimestamp(self.market.now_s, UTC)
            return orjson.dumps({"e": "serverShutdown", "E": milliseconds(now)}).decode()
        state = self.market.products[product_id]
        if state.tick is None:
            raise UsageError(f"fault {kind}: {product_id} has no quote yet", remedy="set it later")
        if kind == "bad_print":
            state.sequence += 1
            self._quoted[product_id] = state.sequence
        body = orjson.loads(frames.book_ticker(self.market, product_id) or "{}")
        if kind == "reorder":
            body = orjson.loads(self._last.get(product_id) or orjson.dumps(body))
            body["data"]["u"] -= 1
        else:
            for name in ("b", "a"):
                body["data"][name] = f"{Decimal(body['data'][name]) / CHEAPER:f}"
        return orjson.dumps(body).decode()

    def respond(self, target: str, at: datetime) -> RestResponse:
        """The response to `GET target` at a venue time."""
        return respond(self.market, target, at)

    def refuse(self, status: int, headers: Mapping[str, str], *, handshake: bool) -> RestResponse:
        """The response to a client that makes too many requests or handshakes."""
        message = "Too much request weight used; please use the WebSocket Streams for live updates."
        if status == BANNED:
            message = "Way too much request weight used; IP banned."
        return error_response(status, TOO_MANY, message, headers)

    def error(self, status: int, message: str) -> RestResponse:
        """An error in the venue's format."""
        return error_response(status, -1000, message)

    def _minutes(self, product_id: str, *, traded: bool) -> list[int]:
        """Starts of the minutes whose candle is sent now: one that closed, one that changed."""
        state = self.market.products[product_id]
        opened = self._open_minute.get(product_id)
        due: list[int] = []
        if opened is not None and opened + MINUTE_S <= self.market.now_s:
            due.append(self._open_minute.pop(product_id))
        if traded and state.prints:
            at_s = int(state.prints[-1].at.timestamp())
            newest = at_s - at_s % MINUTE_S
            if newest + MINUTE_S > self.market.now_s:
                self._open_minute[product_id] = newest
            if newest not in due:
                due.append(newest)
        return due
