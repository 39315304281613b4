"""Frames of Binance's streams: quotes, prices and times from different frames of one product."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from connectors.market.events import (
    ActivitySeen,
    CandleClosed,
    Event,
    FrameIgnored,
    FrameMalformed,
    HeartbeatSeen,
    RequestAcked,
    RequestRefused,
    TickerSeen,
    TradeSeen,
    VenueClosing,
)
from connectors.market.feed import Feed
from connectors.market.recording import read_frames
from connectors.venues.binance.protocol import (
    TICKERS_PER_UPDATE,
    UNQUOTED_MAX,
    UNQUOTED_S,
    UPDATE_ID_MAX,
    BinanceDecoder,
    parse_time,
)
from tests.connectors.builders import FIXTURES, received

PRODUCT = "binance:BTCUSDT"
T_MS = 1_789_000_000_000


def book(update_id: int, bid: str = "9.99", ask: str = "10.01", **fields: object) -> bytes:
    """A frame with best prices, bare."""
    quotes = {"u": update_id, "s": "BTCUSDT", "b": bid, "B": "3", "a": ask, "A": "4"}
    return json.dumps(quotes | fields).encode()


def kline(last_id: int, close: str = "10", *, closed: bool = False, **fields: object) -> bytes:
    """A frame of the minute that starts at `T_MS`, cut to the minute."""
    start = T_MS - T_MS % 60_000
    line = {"t": start, "i": "1m", "L": last_id, "o": "10", "c": close, "h": "11", "l": "9"}
    body = {"e": "kline", "E": T_MS, "s": "BTCUSDT", "k": line | {"v": "5", "x": closed} | fields}
    return json.dumps({"stream": "btcusdt@kline_1m", "data": body}).encode()


def trade(trade_id: int, price: str = "10", *, maker_buys: bool = False) -> bytes:
    """A frame of one trade."""
    body = {"e": "trade", "E": T_MS, "s": "BTCUSDT", "t": trade_id, "p": price, "q": "2"}
    return json.dumps(body | {"T": T_MS, "m": maker_buys}).encode()


def mini(close: str = "10", *, at: int = T_MS) -> bytes:
    """A frame of 24-hour figures."""
    body = {"e": "24hrMiniTicker", "E": at, "s": "BTCUSDT", "c": close, "o": "8", "v": "99"}
    return json.dumps(body).encode()


def decoded(*frames: bytes) -> list[Event]:
    """The events of one connection's frames."""
    decode = BinanceDecoder()
    return [decode(frame) for frame in frames]


def ticker_of(event: Event) -> TickerSeen:
    """The event, which must be a ticker."""
    assert isinstance(event, TickerSeen), event
    return event


def test_quotes_become_a_ticker_once_a_price_is_known() -> None:
    """Before that they are activity; then the kline gives the price, the trade id and the time."""
    quotes, line = decoded(book(7), kline(100))

    assert ActivitySeen(PRODUCT) == quotes
    ticker = ticker_of(line)
    assert (PRODUCT, Decimal(10), 100, parse_time(T_MS)) == (
        ticker.product_id,
        ticker.price,
        ticker.trade_id,
        ticker.time,
    )
    assert (Decimal("9.99"), Decimal("10.01")) == (ticker.best_bid, ticker.best_ask)
    assert 7 * TICKERS_PER_UPDATE == ticker.sequence


def test_new_quotes_have_the_last_price_and_no_time() -> None:
    """The feed gives such a ticker the newest time that it knows."""
    ticker = ticker_of(decoded(kline(100), book(8))[1])

    assert (Decimal(10), 100, None) == (ticker.price, ticker.trade_id, ticker.time)


def test_kline_without_a_newer_trade_is_a_heartbeat() -> None:
    """It confirms the quotes, and names the last trade."""
    beat = decoded(book(7), kline(100), kline(100))[2]

    sequence = 7 * TICKERS_PER_UPDATE
    assert HeartbeatSeen(PRODUCT, sequence, 100, parse_time(T_MS), sequence) == beat


@pytest.mark.parametrize(("bid", "ask"), [("6", "6.01"), ("0", "10.01"), ("10.02", "10.01")])
def test_heartbeats_do_not_confirm_quotes_that_were_refused(bid: str, ask: str) -> None:
    """The venue shows other quotes than the last accepted ticker, so the ticker becomes stale."""
    feed, decode = Feed("binance"), BinanceDecoder()
    good = [kline(100), book(7), kline(100)]
    refused = [book(8, bid, ask), kline(100), mini()]
    for second, frame in enumerate([*good, *refused]):
        feed.apply(decode(frame), received(second))

    assert 3.0 == feed.age_s(PRODUCT, 5.0)
    feed.apply(decode(book(9)), received(6.0))
    feed.apply(decode(kline(100)), received(7.0))
    assert 0.0 == feed.age_s(PRODUCT, 7.0)


def test_tickers_of_one_update_have_growing_sequences() -> None:
    """Each newer trade with the same quotes counts one up; new quotes start at a higher number."""
    frames = (book(7), kline(100), kline(101), trade(102), kline(102), book(8))
    sequences = [e.sequence for e in decoded(*frames) if isinstance(e, TickerSeen)]

    assert [7000, 7001, 7002, 8000] == sequences


def test_quotes_are_forgotten_after_trades_without_new_ones() -> None:
    """A trade changes the best sizes; if no quotes follow, their frames are missing."""
    decode = BinanceDecoder()
    decode(book(7))
    kinds = [type(decode(kline(n))) for n in range(1, UNQUOTED_MAX + 2)]

    assert [*[TickerSeen] * UNQUOTED_MAX, ActivitySeen] == kinds
    assert ActivitySeen is type(decode(kline(UNQUOTED_MAX + 1)))
    assert (8000, UNQUOTED_MAX + 1) == (
        ticker_of(seen := decode(book(8))).sequence,
        ticker_of(seen).trade_id,
    )


def test_quotes_are_forgotten_if_the_price_moves_without_new_ones() -> None:
    """Figures of 24 hours with another price show trades, too."""
    events = decoded(book(7), *(mini(f"10.{n}") for n in range(UNQUOTED_MAX + 2)))

    assert [HeartbeatSeen] * UNQUOTED_MAX + [ActivitySeen] == [type(e) for e in events[2:]]


def test_quotes_are_confirmed_for_half_a_minute_only() -> None:
    """By venue time; then they must be fetched, in case their stream alone is dead."""
    last = T_MS + int(UNQUOTED_S * 1000)
    kinds = [type(e) for e in decoded(book(7), kline(1), mini(at=last), mini(at=last + 1))]

    assert [ActivitySeen, TickerSeen, HeartbeatSeen, ActivitySeen] == kinds


def test_older_update_does_not_replace_newer_quotes() -> None:
    """It has a lower sequence number, which the feed drops; later tickers have the newer quotes."""
    events = decoded(book(8), kline(100), book(7, "1", "2"), kline(101), book(8, "3", "4"))

    assert ticker_of(events[2]).sequence < ticker_of(events[1]).sequence
    assert Decimal("9.99") == ticker_of(events[3]).best_bid
    assert ActivitySeen(PRODUCT) == events[4]


def test_trade_gives_side_and_size_to_the_next_ticker() -> None:
    """If the buyer is the maker, the taker sells."""
    seen, ticker = decoded(trade(100, maker_buys=True), book(7))

    assert isinstance(seen, TradeSeen)
    assert ("sell", Decimal(2), 100) == (seen.taker_side, seen.size, seen.trade_id)
    assert ("sell", Decimal(2)) == (ticker_of(ticker).taker_side, ticker_of(ticker).last_size)


def test_newer_kline_makes_side_and_size_unknown() -> None:
    """They were those of an earlier trade."""
    ticker = ticker_of(decoded(trade(100), book(7), kline(101))[2])

    assert (None, None) == (ticker.taker_side, ticker.last_size)


def test_figures_of_24_hours_are_in_later_tickers() -> None:
    """They alone give a price, too, until a trade is known; without quotes they confirm nothing."""
    first, ticker, beat = decoded(mini("9.5"), book(7), mini("9.6"))

    assert ActivitySeen(PRODUCT, parse_time(T_MS)) == first
    assert (Decimal("9.5"), Decimal(99), Decimal(8)) == (
        ticker_of(ticker).price,
        ticker_of(ticker).volume_24h,
        ticker_of(ticker).open_24h,
    )
    assert isinstance(beat, HeartbeatSeen)


def test_closed_kline_is_a_candle_and_its_trade_is_not_lost() -> None:
    """The next frame of the product gives the ticker of the last trade."""
    candle, ticker = decoded(book(7), kline(100), kline(101, "10.5", closed=True), mini())[2:]

    assert isinstance(candle, CandleClosed)
    assert (Decimal("10.5"), Decimal(5)) == (candle.candle.close, candle.candle.volume)
    assert (101, Decimal("10.5")) == (ticker_of(ticker).trade_id, ticker_of(ticker).price)


def test_minute_without_trades_has_no_trade_id() -> None:
    """Its last trade id is -1; the price is used if none is known."""
    ticker = ticker_of(decoded(kline(-1), book(7))[1])

    assert (None, Decimal(10)) == (ticker.trade_id, ticker.price)


@pytest.mark.parametrize(
    ("frame", "event"),
    [
        (b'{"result":null,"id":3}', RequestAcked(3)),
        (b'{"code":2,"msg":"Invalid request","id":3}', RequestRefused(3, 2, "Invalid request")),
        (b'{"error":{"code":3,"msg":"Invalid JSON"}}', RequestRefused(None, 3, "Invalid JSON")),
        (b'{"e":"serverShutdown","E":1789000000000}', VenueClosing(parse_time(T_MS))),
        (b'{"lastUpdateId":1,"bids":[],"asks":[]}', FrameIgnored("order book")),
        (b'{"stream":"x@depth","data":{"e":"depthUpdate"}}', FrameIgnored("depthUpdate")),
        (b'{"result":["btcusdt@trade"],"id":null}', FrameIgnored("without a name")),
    ],
)
def test_other_frames_are_decoded(frame: bytes, event: Event) -> None:
    """Acknowledgements and errors by id, in both forms; the end of a connection; unused frames."""
    assert [event] == decoded(frame)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"[]",
        b'{"stream":"x","data":[1]}',
        book(-1),
        book(UPDATE_ID_MAX + 1),
        book(7, s="btcusdt"),
        book(7, s=None),
        book(7, b=9.99),
        book(7, a="NaN"),
        kline(100, o="x", closed=True),
        kline(100, c=10),
        trade(1, "1e999"),
        b'{"e":"trade","s":"BTCUSDT","t":1,"p":"1","q":"1","m":"yes"}',
        b'{"result":null,"id":"three"}',
    ],
)
def test_malformed_frame_is_kept(frame: bytes) -> None:
    """It does not change what the decoder remembers either."""
    decode = BinanceDecoder()
    decode(book(5))
    event = decode(frame)

    assert isinstance(event, FrameMalformed)
    assert frame == event.raw
    assert 5 * TICKERS_PER_UPDATE == ticker_of(decode(kline(100))).sequence


@pytest.mark.parametrize("value", [None, "1789000000000", True, -1, 0, 10**30, 1.5])
def test_invalid_time_is_none(value: object) -> None:
    """So is a year in which the venue did not exist."""
    assert parse_time(value) is None


@pytest.mark.parametrize(
    ("name", "tickers", "trades"),
    [
        ("cryptofeed_v2/BINANCE.ws.1.0.zst", 45, 2),
        ("hftbacktest_binance_spot/btcusdt_20240808.gz", 28_039, 9_757),
    ],
)
def test_real_recordings_are_decoded(
    shared_recordings: Path, name: str, tickers: int, trades: int
) -> None:
    """No frame is malformed; quotes are never crossed and sequence numbers grow."""
    decode = BinanceDecoder()
    events = [decode(frame.raw) for frame in read_frames(shared_recordings / "ws" / name)]

    seen = [event for event in events if isinstance(event, TickerSeen)]
    assert [] == [event for event in events if isinstance(event, FrameMalformed)]
    assert (tickers, trades) == (len(seen), sum(isinstance(e, TradeSeen) for e in events))
    assert all(0 < ticker.best_bid <= ticker.best_ask for ticker in seen)
    for product_id in {ticker.product_id for ticker in seen}:
        sequences = [t.sequence for t in seen if t.product_id == product_id]
        assert sorted(set(sequences)) == sequences


def test_fixture_has_every_kind_of_event() -> None:
    """The hand-made recording of the contract tests."""
    decode = BinanceDecoder()
    kinds = {type(decode(f.raw)) for f in read_frames(FIXTURES / "binance_frames.jsonl")}

    assert {
        ActivitySeen,
        CandleClosed,
        FrameIgnored,
        FrameMalformed,
        HeartbeatSeen,
        RequestAcked,
        RequestRefused,
        TickerSeen,
        TradeSeen,
        VenueClosing,
    } == kinds
