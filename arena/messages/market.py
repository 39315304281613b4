"""Market data: products, tickers, candles, and the snapshot on which every agent decides."""

from typing import Literal

from pydantic import Field

from arena.messages.base import Message, MessagePart, Utc, is_empty, is_none
from arena.messages.context import ContextItem
from arena.money import WireDecimal
from arena.trading_modes import ONLINE

Side = Literal["buy", "sell"]
Fills = Literal["open", "close"]


def _is_false(value: object) -> bool:
    return value is False


def _is_minute(value: object) -> bool:
    return value == 60


def _is_close(value: object) -> bool:
    return value == "close"


def _is_online(value: object) -> bool:
    return value == ONLINE


class Product(Message):
    """The trading rules of one product, published beside its tickers.

    Attributes:
        base_increment: Smallest step of a quantity, in base units.
        quote_increment: Smallest step of a price, in quote units.
        min_market_funds: Smallest notional of a market order, in quote units.
        status: The venue's word: "online", "offline", "internal", "delisted"; "unlisted" if it does
            not list the product, "unreadable" if its entry cannot be read.
        modes: The venue's active flags that restrict orders, such as "limit_only", sorted; empty in
            older records.
    """

    venue: str
    product_id: str
    base_currency: str
    quote_currency: str
    base_increment: WireDecimal
    quote_increment: WireDecimal
    min_market_funds: WireDecimal
    status: str = ONLINE
    modes: tuple[str, ...] = Field(default=(), exclude_if=is_empty)


class Ticker(Message):
    """One update of the best prices of a product.

    Attributes:
        price: Price of the last trade, in quote units; it may be outside the spread.
        best_bid: Highest bid.
        best_ask: Lowest ask.
        taker_side: Side of the taker of the last trade.
        volume_24h: Base units traded in 24 hours.
        event_time: Venue time of the update.
        received_at: Our wall time when the frame arrived.
        confirmed_at: Our wall time when a heartbeat of the venue last confirmed this product's
            feed; a quiet product is published again with a newer one.
        sequence: The venue's per-product sequence number; only its order is meaningful.
        connection_epoch: Number of the connector's connection; grows with each reconnect.
    """

    venue: str
    product_id: str
    price: WireDecimal
    best_bid: WireDecimal
    best_ask: WireDecimal
    best_bid_size: WireDecimal | None = None
    best_ask_size: WireDecimal | None = None
    last_size: WireDecimal | None = None
    taker_side: Side | None = None
    volume_24h: WireDecimal | None = None
    open_24h: WireDecimal | None = None
    event_time: Utc
    received_at: Utc
    confirmed_at: Utc | None = None
    sequence: int = 0
    connection_epoch: int = 0
    trade_id: int | None = None


class Candle(MessagePart):
    """One closed candle; `start` is the venue time of its start, volume is in base units."""

    start: Utc
    open: WireDecimal
    high: WireDecimal
    low: WireDecimal
    close: WireDecimal
    volume: WireDecimal


class ClosedCandle(Message):
    """One closed minute of a product, on `market.candles`.

    A venue may correct its newest minutes: the newest record of a minute counts.

    Attributes:
        granularity_s: Length of the candle in seconds: a minute, unless a replay has longer bars.
        restarts: True if a new series of the product begins with this record: the records before it
            do not count any more.
        rewinds: How often the venue's time had gone back by more than an interval; candles of
            fewer rewinds are those of an earlier market.
    """

    venue: str
    product_id: str
    candle: Candle
    granularity_s: int = Field(default=60, exclude_if=_is_minute)
    rewinds: int = Field(default=0, exclude_if=is_empty)
    restarts: bool = Field(default=False, exclude_if=_is_false)


class CandleWindow(MessagePart):
    """Closed candles of one granularity, oldest first, and the missing ones.

    Attributes:
        granularity_s: Length of a candle in seconds.
        gaps: Starts of candles inside the window that the venue does not have.
        stale: True if the newest candle is older than two lengths: the source lags.
    """

    granularity_s: int
    candles: tuple[Candle, ...] = ()
    gaps: tuple[Utc, ...] = ()
    stale: bool = False


class IndicatorWindow(MessagePart):
    """Technical indicators of one granularity after its newest closed bar.

    Attributes:
        since: Start of the first bar of the unbroken run, None before it closed. The newest bar
            ends `bars` granularities later.
        bars: Closed bars in the run.
        gap: Start of the newest missing bar before the run; the indicators started again after it.
        values: Name, such as "rsi_14" -> value in 12 significant digits; None until warm, or if
            undefined.
    """

    since: Utc | None = None
    bars: int = 0
    gap: Utc | None = Field(default=None, exclude_if=is_none)
    values: dict[str, float | None] = Field(default_factory=dict)


class ProductView(MessagePart):
    """One product in a snapshot.

    Attributes:
        ticker: The last ticker, or None before the first.
        age_ms: Milliseconds since this product's feed was last confirmed; None if it never was.
        stale: True if the price is too old to trade on.
        windows: "15m", "5m", "1m" -> closed candles, not overlapping, in venue time; with longer
            bars those of `arena.granularities.WINDOWS`, longest first.
        indicators: Granularity, such as "15m" -> the indicators of the feature set; without
            granularities that have none.
        status, modes: From the newest `Product` before the snapshot's `ticker_offsets`.
    """

    product_id: str
    ticker: Ticker | None = None
    age_ms: int | None = None
    stale: bool = True
    windows: dict[str, CandleWindow] = Field(default_factory=dict)
    indicators: dict[str, IndicatorWindow] = Field(default_factory=dict, exclude_if=is_empty)
    status: str = Field(default=ONLINE, exclude_if=_is_online)
    modes: tuple[str, ...] = Field(default=(), exclude_if=is_empty)


class MarketSnapshot(Message):
    """The market of a venue at one time, which every agent receives.

    Attributes:
        snapshot_id: `arena.ids.snapshot_id(venue, as_of, products, rewinds)`.
        as_of: Venue time; later than in the snapshot before, unless `rewinds` has grown.
        interval_s: Venue seconds between snapshots.
        bar_s: Length of the market's candles in seconds.
        fills: Which price the tickers have if the market is a replay of candles: "close", the last
            trade of the bar that ended, or "open", the first one of the bar that begins.
        simulated: True for the simulated exchange or a recording.
        recorded: True if the prices are from a real market in the past: a model may have read
            about them.
        source: Source of recorded prices, such as "BTC-USD.csv (Kraken); rows 44f052d5d04ea0c2",
            with the digest of `arena.pricefiles`; "" for others.
        speed: Venue seconds per wall second.
        connection_epoch: Number of the connector's connection.
        rewinds: How often the venue's time had gone back by more than an interval.
        ticker_offsets: Partition of `market.tickers` -> offset after the last ticker in it; an
            executor reads up to there before it prices an order on this snapshot.
        candle_offsets: Partition of `market.candles` -> offset after the newest candle that the
            indicators of the snapshot are made of.
        context: The newest items that were visible at `as_of`, by product and kind, the newest
            first (`arena.context.visible`).
        context_offsets: Partition of `market.context` -> offset after the last record that was
            read for it.
        published_at: Our wall time.
    """

    snapshot_id: str
    venue: str
    as_of: Utc
    interval_s: float
    bar_s: int = Field(default=60, exclude_if=_is_minute)
    fills: Fills = Field(default="close", exclude_if=_is_close)
    simulated: bool = False
    recorded: bool = Field(default=False, exclude_if=_is_false)
    source: str = Field(default="", exclude_if=is_empty)
    speed: float = 1.0
    connection_epoch: int = 0
    rewinds: int = 0
    ticker_offsets: dict[int, int] = Field(default_factory=dict)
    candle_offsets: dict[int, int] = Field(default_factory=dict, exclude_if=is_empty)
    products: tuple[ProductView, ...] = ()
    context: tuple[ContextItem, ...] = Field(default=(), exclude_if=is_empty)
    context_offsets: dict[int, int] = Field(default_factory=dict, exclude_if=is_empty)
    published_at: Utc

    def view(self, product_id: str) -> ProductView | None:
        """The view of a product, or None if the snapshot does not have it."""
        return next((v for v in self.products if v.product_id == product_id), None)
