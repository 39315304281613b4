"""The simulated market: candles from ticks, price files, REST and WebSocket data."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from arena.errors import UsageError
from arena.pricefiles.names import product_of
from connectors.market.events import (
    HeartbeatSeen,
    SubscriptionsAcked,
    TickerSeen,
    TradeSeen,
    VenueRefused,
)
from connectors.simulator.coinbase.feed_session import FeedSession, heartbeat_frame
from connectors.simulator.coinbase.rest_responses import respond
from connectors.simulator.recorded_prices import RecordedPricePath
from connectors.simulator.run import ExchangeOptions
from connectors.simulator.simulated_market import SimulatedMarket
from connectors.venues.coinbase.protocol import parse
from connectors.venues.coinbase.protocol_products import list_products
from connectors.venues.coinbase.rest_protocol import read_candles, read_ticker
from connectors.venues.coinbase.subscription import CHANNELS, subscribe_messages
from tests.connectors.builders import FIXTURES, T0, build_market, load_price_path

CSV = FIXTURES / "AAA-USD_1m.csv"
T0_S = int(T0.timestamp())


def synthetic_market(*products: str, seed: int = 7) -> SimulatedMarket:
    """A synthetic market with five hours of history."""
    return build_market(ExchangeOptions(products or ("BTC-USD", "AERO-USD"), seed=seed), T0)


def file_market(path: Path = CSV, product: str = "AAA-USD") -> SimulatedMarket:
    """A market played to the end of a price file."""
    price_path = load_price_path(path, product)
    market = SimulatedMarket([price_path], start_s=price_path.first_s, end_s=price_path.last_s)
    market.advance(price_path.last_s)
    return market


def get(market: SimulatedMarket, target: str) -> tuple[int, bytes]:
    """Status and body of a request."""
    reply = respond(market, target, datetime.fromtimestamp(market.now_s, UTC))
    return reply.status, reply.body


def file_candles(price_path: RecordedPricePath) -> list[tuple[Decimal, ...]]:
    """Rows of a file that have trades: start, low, high, open, close, volume."""
    return [
        (Decimal(ts), row.trades[2], row.trades[1], row.trades[0], row.trades[3], row.trades[4])
        for ts, row in sorted(price_path.rows.items())
        if row.trades
    ]


def market_candles(market: SimulatedMarket, product: str) -> list[tuple[Decimal, ...]]:
    """The market's minute candles, in the same form."""
    return [
        (Decimal(ts), bar.low, bar.high, bar.open, bar.close, bar.volume)
        for ts, bar in market.products[product].bars.items()
    ]


def test_candles_of_a_file_are_reproduced() -> None:
    """Every price and volume equals the file's; minutes without trades have no bar."""
    market = file_market()

    assert file_candles(load_price_path(CSV, "AAA-USD")) == market_candles(market, "AAA-USD")
    assert 7 == len(market.products["AAA-USD"].bars)
    assert market.ended


def test_two_real_days_are_reproduced(shared_recordings: Path) -> None:
    """Every minute of BTC, ETH and LTC and its closing quotes equal the file's."""
    for path in sorted((shared_recordings / "candles" / "normalized").glob("*.csv.gz")):
        product = product_of(path)
        price_path = load_price_path(path, product)
        market = file_market(path, product)
        assert file_candles(price_path) == market_candles(market, product)
        fresh = load_price_path(path, product)
        for ts, row in sorted(price_path.rows.items()):
            ticks = [fresh.step(ts + second) for second in range(0, 60, 5)]
            last = ticks[-1]
            assert last is not None
            if row.bid is not None:
                assert (row.bid, row.ask) == (last.bid, last.ask)
            assert all(tick is not None and tick.bid < tick.ask for tick in ticks)


def test_parquet_is_read_like_csv(shared_recordings: Path) -> None:
    """A Parquet file with another name for its time column gives a week of minutes."""
    path = shared_recordings / "candles" / "aiquant_binance" / "BTCUSDT_1m.parquet"
    price_path = load_price_path(path, "BTC-USD")

    assert 10_080 == len(price_path.rows)
    trades = price_path.rows[price_path.first_s].trades
    assert trades is not None
    assert Decimal("61435.41") == trades[0]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no candle"),
        ("ts,open\n", "no candle"),
        ("when,open\n1,2\n", "no time"),
        ("ts,open,high,low,close,volume\n1788998461,1,1,1,1,1\n", "does not start a minute"),
        ("ts,open,high,low,close,volume\n1788998460,1,1,2,1,1\n", "is not a candle"),
        ("ts,open,high,low,close,volume\n1788998460,x,1,1,1,1\n", "not a decimal"),
    ],
)
def test_file_without_valid_candles_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    """The message names what is wrong."""
    path = tmp_path / "AAA-USD.csv"
    path.write_text(text)

    with pytest.raises(UsageError, match=complaint):
        load_price_path(path, "AAA-USD")
    with pytest.raises(UsageError, match="does not name a product"):
        product_of(Path("candles.csv"))


def test_rest_candles_are_like_the_venues() -> None:
    """They are newest first, with both ends and the open bucket, at most 300."""
    market = synthetic_market("BTC-USD")
    base = f"/products/BTC-USD/candles?granularity=60&end={T0_S}"
    status, body = get(market, f"{base}&start={T0_S - 600}")
    starts = [row[0] for row in json.loads(body)]

    assert 200 == status
    assert list(range(T0_S - 60, T0_S - 601, -60)) == starts
    market.advance(T0_S + 30)
    assert T0_S == json.loads(get(market, f"{base}&start={T0_S - 600}")[1])[0][0]
    assert 200 == get(market, f"{base}&start={T0_S - 300 * 60}")[0]
    assert 400 == get(market, f"{base}&start={T0_S - 301 * 60}")[0]
    assert 400 == get(market, "/products/BTC-USD/candles?granularity=61")[0]


def test_quiet_product_has_holes() -> None:
    """Buckets without trades have no row."""
    market = synthetic_market("AERO-USD")
    _, body = get(market, "/products/AERO-USD/candles?granularity=60")

    assert 10 < len(json.loads(body)) < 150


def test_longer_candles_are_folded_from_minutes() -> None:
    """The venue's five-minute bars equal those that the connector makes from minutes."""
    market = synthetic_market("BTC-USD")
    query = f"start={T0_S - 3600}&end={T0_S - 60}"
    fives, _ = read_candles(get(market, f"/products/BTC-USD/candles?granularity=300&{query}")[1])
    ones, _ = read_candles(get(market, f"/products/BTC-USD/candles?granularity=60&{query}")[1])

    assert 12 == len(fives)
    for five in fives:
        inside = [c for c in ones if 0 <= (c.start - five.start).total_seconds() < 300]
        assert (inside[0].open, inside[-1].close) == (five.open, five.close)
        assert sum(c.volume for c in inside) == five.volume


def test_rest_returns_products_tickers_trades_and_time() -> None:
    """The connector's decoders read the responses."""
    market = synthetic_market()
    found = list_products(
        get(market, "/products")[1], ["BTC-USD", "AERO-USD", "LUNA-USD"], venue="coinbase"
    )
    seen = read_ticker(get(market, "/products/BTC-USD/ticker")[1], "BTC-USD")
    trades = json.loads(get(market, "/products/BTC-USD/trades?limit=5")[1])
    page = json.loads(
        get(market, f"/products/BTC-USD/trades?limit=5&after={trades[-1]['trade_id']}")[1]
    )

    assert ["BTC-USD", "AERO-USD"] == [p.product_id for p in found.online]
    assert [("LUNA-USD", "delisted")] == [(p.product_id, p.status) for p in found.closed]
    assert seen.trade_id == trades[0]["trade_id"]
    ids = [trade["trade_id"] for trade in trades + page]
    assert list(range(ids[0], ids[0] - 10, -1)) == ids
    assert T0_S == json.loads(get(market, "/time")[1])["epoch"]
    assert (404, b'{"message":"NotFound"}') == get(market, "/products/NOPE-USD/ticker")


def events(frames: Iterable[str]) -> list[object]:
    """Frames as the connector decodes them."""
    return [parse(frame) for frame in frames]


def test_subscription_is_acknowledged_and_starts_with_the_last_values() -> None:
    """After the ack comes a ticker per product, and a `last_match` for matches."""
    market = synthetic_market()
    session = FeedSession(market)
    (text,) = subscribe_messages((*CHANNELS, "matches"), ["BTC-USD", "AERO-USD"])
    ack, *first = events(session.on_message(text))

    assert isinstance(ack, SubscriptionsAcked)
    assert ("ticker_1000", "BTC-USD") in ack.subscribed
    assert ("ticker_batch", "BTC-USD") not in ack.subscribed
    assert {TradeSeen: 2, TickerSeen: 2} == {
        kind: sum(isinstance(e, kind) for e in first) for kind in (TradeSeen, TickerSeen)
    }
    beat = parse(heartbeat_frame(market, "BTC-USD", T0))
    assert isinstance(beat, HeartbeatSeen)
    ticker_ids = [e.trade_id for e in first if isinstance(e, TickerSeen)]
    assert beat.last_trade_id in ticker_ids


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({"type": "subscribe"}, "No channels provided"),
        ({"type": "subscribe", "channels": ["heartbeat"]}, "at least one product ID"),
        ({"type": "subscribe", "channels": ["x"], "product_ids": ["BTC-USD"]}, "not a valid chan"),
        (
            {"type": "subscribe", "channels": ["level2"], "product_ids": ["BTC-USD"]},
            "require authentication",
        ),
        (
            {"type": "subscribe", "channels": ["ticker_batch"], "product_ids": ["NO-USD"]},
            "NO-USD is not a valid product",
        ),
    ],
)
def test_invalid_subscription_is_refused_as_a_whole(
    request_: dict[str, object], reason: str
) -> None:
    """The reason is in the venue's words, and nothing is subscribed."""
    session = FeedSession(synthetic_market("BTC-USD"))
    (event,) = events(session.on_message(json.dumps(request_)))

    assert isinstance(event, VenueRefused)
    assert reason in event.reason
    assert set() == session.pairs


def test_invalid_request_is_answered_with_an_error() -> None:
    """The text is not JSON, or its verb is unknown."""
    session = FeedSession(synthetic_market("BTC-USD"))

    assert all(
        isinstance(parse(frame), VenueRefused)
        for text in ("{", "[]", '{"type":"buy"}')
        for frame in session.on_message(text)
    )


def test_sequences_and_trade_ids_only_grow() -> None:
    """Trade ids grow by one, sequences by more than one."""
    prints = list(synthetic_market("BTC-USD").products["BTC-USD"].prints)
    steps = [b.sequence - a.sequence for a, b in pairwise(prints)]

    assert 1000 == len(prints)
    assert {1} == {b.trade_id - a.trade_id for a, b in pairwise(prints)}
    assert min(steps) > 1


def test_start_outside_the_file_is_refused() -> None:
    """`--start` must be within the prices, and there must be one product per file."""
    inside = ExchangeOptions((), prices=(CSV,))
    assert build_market(inside, T0).now_s < build_market(inside, T0).end_s  # type: ignore[operator]

    with pytest.raises(UsageError, match="outside"):
        build_market(ExchangeOptions((), prices=(CSV,), start=T0 - timedelta(days=1)), T0)
    with pytest.raises(UsageError, match="one product per file"):
        build_market(ExchangeOptions(("A-USD", "B-USD"), prices=(CSV,)), T0)
