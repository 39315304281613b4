"""The market data streams of Binance spot without sockets: one frame in, one event out.

Never raises on what a venue sends. Protocol: "WebSocket Streams for Binance"
(github.com/binance/binance-spot-api-docs, web-socket-streams.md). Frames come bare or wrapped as
`{"stream": ..., "data": ...}`. Numbers are JSON strings and become `Decimal`.

Quotes come in `bookTicker` frames, which have neither a time nor a last price; prices and trade ids
come in `kline`, `trade` and `aggTrade` frames, 24-hour figures in `24hrMiniTicker` frames. So the
decoder remembers, per product, the newest of each, and gives a `TickerSeen` as soon as it knows
quotes and a price: with each `bookTicker`, and with each `kline` that names a newer trade than the
last ticker. Other frames of a product with known quotes are `HeartbeatSeen`: the venue sends every
change of the quotes, so quotes are valid while its frames arrive. Without known quotes they are
`ActivitySeen`. Quotes are forgotten when `bookTicker` frames seem to be missing: after
`UNQUOTED_MAX` frames with a new trade, which should have changed the quotes, or `UNQUOTED_S` of
venue time. A decoder must not outlive its connection: quotes may have changed in between.

Sequence numbers are made from the book's update id `u`: `1000 u`, and one more for each later
ticker with the same quotes. An older `u` gives a ticker that the feed drops as out of order.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import orjson

from connectors.market.candles import valid_candle
from connectors.market.events import (
    ActivitySeen,
    CandleClosed,
    Event,
    FrameIgnored,
    FrameMalformed,
    HeartbeatSeen,
    RequestAcked,
    RequestRefused,
    Side,
    TickerSeen,
    TradeSeen,
    VenueClosing,
)
from connectors.market.json_bodies import (
    INTEGER_MAX,
    YEARS,
    Body,
    optional_number,
    parse_integer,
    parse_number,
)
from connectors.venues.binance.symbols import product_of

TEXT_CHARS_MAX: Final = 300
UNQUOTED_MAX: Final = 3
UNQUOTED_S: Final = 30.0
TICKERS_PER_UPDATE: Final = 1_000
"""Sequence numbers from one update id of the book to the next."""
UPDATE_ID_MAX: Final = INTEGER_MAX // TICKERS_PER_UPDATE - 1
PRODUCTS_MAX: Final = 4_096
"""Most products that a decoder remembers: more than the venue lists."""
INTERVAL: Final = "1m"
MINUTE_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Quotes:
    """The newest best prices of a product, and the update id of the book that they come from."""

    update_id: int
    bid: Decimal
    ask: Decimal
    bid_size: Decimal | None
    ask_size: Decimal | None


@dataclass(slots=True)
class ProductMemory:
    """What earlier frames of this connection said about a product.

    Attributes:
        quotes: Newest quotes, or None.
        price: Price of the newest trade, or None.
        trade_id: Its id, or None if only its price is known.
        size: Its size, if a frame of that trade gave it.
        side: Its taker's side, likewise.
        volume_24h: Base units traded in 24 hours.
        open_24h: Price 24 hours ago.
        ticked_trade_id: Trade id of the last ticker.
        sequence: Sequence number of the last ticker.
        figured_price: Price in the last 24-hour figures.
        unquoted: Frames with a new trade since the last quotes.
        unquoted_since: Time of the first frame since the last quotes that has one.
    """

    quotes: Quotes | None = None
    price: Decimal | None = None
    trade_id: int | None = None
    size: Decimal | None = None
    side: Side | None = None
    volume_24h: Decimal | None = None
    open_24h: Decimal | None = None
    ticked_trade_id: int | None = None
    sequence: int = -1
    figured_price: Decimal | None = None
    unquoted: int = 0
    unquoted_since: datetime | None = None

    def note_quotes(self, quotes: Quotes) -> None:
        """Remember the newest quotes."""
        self.quotes = quotes
        self.unquoted, self.unquoted_since = 0, None

    def check_quotes(self, time: datetime | None) -> None:
        """Forget the quotes if frames with newer ones seem to be missing."""
        since = self.unquoted_since = self.unquoted_since or time
        old = since is not None and time is not None and (time - since).total_seconds() > UNQUOTED_S
        if old or self.unquoted > UNQUOTED_MAX:
            self.quotes = None


def parse_time(value: object) -> datetime | None:
    """A time in Unix milliseconds as aware UTC; None if it is not one, or its year is not valid."""
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    try:
        moment = datetime.fromtimestamp(value / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment.year in YEARS else None


class BinanceDecoder:
    """Decodes the frames of one connection."""

    def __init__(self) -> None:
        """Start without a memory."""
        self._products: dict[str, ProductMemory] = {}
        self._decoders: dict[str, Callable[[Body], Event]] = {
            "kline": self._kline,
            "trade": self._trade,
            "aggTrade": self._trade,
            "24hrMiniTicker": self._mini_ticker,
            "serverShutdown": lambda body: VenueClosing(parse_time(body.get("E"))),
        }

    def __call__(self, frame: bytes | str) -> Event:
        """Decode one frame.

        Returns:
            The event; `FrameIgnored` for messages that are not used, `FrameMalformed` for anything
            that is not a message of the feed.
        """
        try:
            body = orjson.loads(frame)
        except orjson.JSONDecodeError as error:
            return FrameMalformed(_raw(frame), f"not JSON: {error}"[:TEXT_CHARS_MAX])
        if isinstance(body, dict) and "stream" in body:
            body = body.get("data")
        if not isinstance(body, dict):
            return FrameMalformed(_raw(frame), f"a JSON {type(body).__name__}; expected an object")
        kind = body.get("e", "")
        try:
            if kind == "":
                return self._unnamed(body)
            decoder = self._decoders.get(kind) if isinstance(kind, str) else None
            return FrameIgnored(str(kind)[:TEXT_CHARS_MAX]) if decoder is None else decoder(body)
        except ValueError as error:
            return FrameMalformed(_raw(frame), f"{kind or 'frame'}: {error}"[:TEXT_CHARS_MAX])

    def _unnamed(self, body: Body) -> Event:
        """A frame without the name of an event: quotes, or the response to a request."""
        if "u" in body and "s" in body:
            return self._book_ticker(body)
        if "lastUpdateId" in body:
            return FrameIgnored("order book")
        if (refusal := _refusal(body)) is not None:
            return refusal
        if "result" in body and (request_id := body.get("id")) is not None:
            if not isinstance(request_id, int) or isinstance(request_id, bool):
                raise ValueError(f"id is {str(request_id)[:40]!r}; expected a whole number")
            return RequestAcked(request_id)
        return FrameIgnored("without a name")

    def _remembered(self, product_id: str) -> ProductMemory:
        if product_id not in self._products and len(self._products) >= PRODUCTS_MAX:
            raise ValueError(f"more than {PRODUCTS_MAX} products")
        return self._products.setdefault(product_id, ProductMemory())

    def _book_ticker(self, body: Body) -> Event:
        product_id = product_of(body.get("s"))
        update_id = parse_integer(body, "u")
        if update_id > UPDATE_ID_MAX:
            raise ValueError(f"u is {update_id}")
        quotes = Quotes(
            update_id,
            bid=parse_number(body, "b"),
            ask=parse_number(body, "a"),
            bid_size=optional_number(body, "B"),
            ask_size=optional_number(body, "A"),
        )
        known = self._remembered(product_id)
        newest = known.quotes
        if newest is not None and update_id <= newest.update_id:
            sequence = update_id * TICKERS_PER_UPDATE
            if known.price is None or known.sequence < 0 or update_id == newest.update_id:
                return ActivitySeen(product_id)
            return _ticker(product_id, known, quotes, known.price, sequence, None)
        known.note_quotes(quotes)
        if known.price is None:
            return ActivitySeen(product_id)
        return self._tick(product_id, known, quotes, known.price, None)

    def _kline(self, body: Body) -> Event:
        product_id, time = product_of(body.get("s")), parse_time(body.get("E"))
        line = body.get("k")
        if not isinstance(line, dict) or line.get("i") != INTERVAL:
            return FrameIgnored("kline of another interval")
        price = parse_number(line, "c")
        trade_id = line.get("L")
        candle = _closed_candle(product_id, line, time) if line.get("x") is True else None
        known = self._remembered(product_id)
        # A minute without trades has -1 as its last trade id, and the price of an earlier minute.
        if isinstance(trade_id, int) and 0 <= trade_id <= INTEGER_MAX:
            known.unquoted += _note_trade(known, trade_id, price)
        elif known.price is None:
            known.price = price
        return candle or self._alive(product_id, known, time)

    def _trade(self, body: Body) -> Event:
        """A trade, or one taker's trades at one price, whose id is that of the last of them."""
        product_id, maker_buys = product_of(body.get("s")), body.get("m")
        if not isinstance(maker_buys, bool):
            raise ValueError(f"m is {str(maker_buys)[:40]!r}; expected true or false")
        trade_id = parse_integer(body, "t" if body.get("e") == "trade" else "l")
        price, size = parse_number(body, "p"), parse_number(body, "q")
        side: Side = "sell" if maker_buys else "buy"
        known = self._remembered(product_id)
        if _note_trade(known, trade_id, price) or known.trade_id == trade_id:
            known.size, known.side = size, side
        return TradeSeen(
            product_id,
            trade_id,
            price,
            size,
            sequence=0,
            taker_side=side,
            time=parse_time(body.get("T")) or parse_time(body.get("E")),
        )

    def _mini_ticker(self, body: Body) -> Event:
        product_id, time = product_of(body.get("s")), parse_time(body.get("E"))
        price = parse_number(body, "c")
        volume, open_ = optional_number(body, "v"), optional_number(body, "o")
        known = self._remembered(product_id)
        known.volume_24h, known.open_24h = volume, open_
        known.unquoted += known.figured_price not in (None, price)
        known.figured_price = price
        if known.trade_id is None:
            known.price = price
        return self._alive(product_id, known, time)

    def _alive(self, product_id: str, known: ProductMemory, time: datetime | None) -> Event:
        """A ticker if there is a newer trade than the last ticker's, otherwise a heartbeat."""
        known.check_quotes(time)
        if known.quotes is None or known.price is None:
            return ActivitySeen(product_id, time)
        ticked = -1 if known.ticked_trade_id is None else known.ticked_trade_id
        if known.sequence < 0 or (known.trade_id is not None and known.trade_id > ticked):
            return self._tick(product_id, known, known.quotes, known.price, time)
        return HeartbeatSeen(
            product_id,
            sequence=known.sequence,
            last_trade_id=known.trade_id or 0,
            time=time,
            ticker_sequence=known.sequence,
        )

    def _tick(
        self,
        product_id: str,
        known: ProductMemory,
        quotes: Quotes,
        price: Decimal,
        time: datetime | None,
    ) -> TickerSeen:
        known.sequence = max(quotes.update_id * TICKERS_PER_UPDATE, known.sequence + 1)
        known.ticked_trade_id = known.trade_id
        return _ticker(product_id, known, quotes, price, known.sequence, time)


def _ticker(
    product_id: str,
    known: ProductMemory,
    quotes: Quotes,
    price: Decimal,
    sequence: int,
    time: datetime | None,
) -> TickerSeen:
    return TickerSeen(
        product_id=product_id,
        price=price,
        best_bid=quotes.bid,
        best_ask=quotes.ask,
        sequence=sequence,
        time=time,
        trade_id=known.trade_id,
        best_bid_size=quotes.bid_size,
        best_ask_size=quotes.ask_size,
        last_size=known.size,
        taker_side=known.side,
        volume_24h=known.volume_24h,
        open_24h=known.open_24h,
    )


def _note_trade(known: ProductMemory, trade_id: int, price: Decimal) -> bool:
    """Remember a trade unless a newer one is known; True if it is the newest."""
    if known.trade_id is not None and trade_id <= known.trade_id:
        return False
    known.trade_id, known.price = trade_id, price
    known.size = known.side = None
    return True


def _closed_candle(product_id: str, line: Body, time: datetime | None) -> CandleClosed | None:
    """The candle of a closed kline; None if its values contradict each other."""
    start_ms = parse_integer(line, "t")
    open_, high, low = (parse_number(line, name) for name in "ohl")
    close, volume = parse_number(line, "c"), parse_number(line, "v")
    candle = None
    if start_ms % MINUTE_MS == 0:
        candle = valid_candle(start_ms // 1000, open_, high, low, close, volume)
    return None if candle is None else CandleClosed(product_id, candle, time)


def _refusal(body: Body) -> RequestRefused | None:
    """An error, which the venue sends in two forms; None if it is not one.

    `{"error": {"code": 2, "msg": "..."}, "id": 1}`, and `{"code": 2, "msg": "...", "id": 1}`.
    """
    error = body.get("error", body)
    if not isinstance(error, dict) or "code" not in error or "msg" not in error:
        return None
    request_id, code = body.get("id"), error["code"]
    return RequestRefused(
        request_id=request_id if type(request_id) is int else None,
        code=code if type(code) is int else 0,
        message=str(error["msg"])[:TEXT_CHARS_MAX],
    )


def _raw(frame: bytes | str) -> bytes:
    return frame if isinstance(frame, bytes) else frame.encode("utf-8", "surrogatepass")
