"""The frame parser: recorded, documented, unusual and random frames."""

import json
import re
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import cramjam
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.market.events import (
    Event,
    FrameIgnored,
    FrameMalformed,
    HeartbeatSeen,
    SubscriptionsAcked,
    TickerSeen,
    TradeSeen,
    VenueRefused,
)
from connectors.venues.coinbase.protocol import parse, parse_time

TICKER = {
    "type": "ticker",
    "sequence": 12,
    "product_id": "BTC-USD",
    "price": "84737.58",
    "best_bid": "84737.58",
    "best_ask": "84737.59",
    "side": "sell",
    "time": "2026-10-03T20:58:31.127510Z",
    "trade_id": 11,
}


def parse_body(**changes: object) -> Event:
    """Parse the ticker with some fields changed; None removes a field."""
    body = {k: v for k, v in (TICKER | changes).items() if v is not None}
    return parse(orjson.dumps(body))


def recorded_lines(path: Path) -> list[str]:
    """Received frames of a cryptofeed recording."""
    text = bytes(cramjam.zstd.decompress(path.read_bytes())).decode()
    found = (re.fullmatch(r"[0-9.]+: (.*)", line) for line in text.splitlines())
    return [match.group(1) for match in found if match]


def test_reads_every_frame_of_a_real_recording(shared_recordings: Path) -> None:
    """In 30 seconds of ten products nothing is malformed."""
    lines = recorded_lines(shared_recordings / "ws" / "cryptofeed_v2" / "COINBASE.ws.28.0.zst")
    events = [parse(line) for line in lines]
    kinds = Counter(e.kind if isinstance(e, FrameIgnored) else type(e).__name__ for e in events)
    trades = [e for e in events if isinstance(e, TradeSeen)]

    assert {
        "l2update": 9719,
        "TickerSeen": 107,
        "TradeSeen": 107,
        "snapshot": 10,
        "SubscriptionsAcked": 3,
    } == kinds
    assert 10 == sum(trade.replayed for trade in trades)


def test_both_channels_name_the_same_taker(shared_recordings: Path) -> None:
    """The venue gives the taker's side on tickers, the maker's on matches; we give the taker's."""
    lines = recorded_lines(shared_recordings / "ws" / "cryptofeed_v2" / "COINBASE.ws.28.0.zst")
    events = [parse(line) for line in lines]
    tickers = {
        (e.product_id, e.trade_id): e.taker_side for e in events if isinstance(e, TickerSeen)
    }
    trades = {(e.product_id, e.trade_id): e.taker_side for e in events if isinstance(e, TradeSeen)}

    assert 107 == len(tickers)
    assert tickers == trades


def test_reads_every_fixture_of_another_client(shared_recordings: Path) -> None:
    """Frames of 2014 to 2021 are read or ignored, never malformed."""
    paths = sorted((shared_recordings / "ws" / "coinbase_pro_node" / "ws").rglob("*.json"))
    events = [parse(path.read_bytes()) for path in paths]

    assert 14 == len(events)
    assert [] == [e for e in events if isinstance(e, FrameMalformed)]
    assert {"TickerSeen", "HeartbeatSeen", "TradeSeen", "SubscriptionsAcked", "VenueRefused"} < {
        type(e).__name__ for e in events
    }


def test_reads_every_literal_of_the_exchange(shared_recordings: Path) -> None:
    """Documented and captured messages of the feed become the event of their kind."""
    path = shared_recordings / "ws" / "derived" / "literals.jsonl"
    literals = [json.loads(line) for line in path.read_text().splitlines()]
    expected = {
        "ticker": TickerSeen,
        "heartbeat": HeartbeatSeen,
        "match": TradeSeen,
        "last_match": TradeSeen,
        "subscriptions_ack": SubscriptionsAcked,
        "subscriptions_ack_ticker_batch": SubscriptionsAcked,
        "error": VenueRefused,
    }
    wrong = [
        literal["kind"]
        for literal in literals
        if literal["venue"] == "exchange_ws"
        and type(parse(json.dumps(literal["msg"])))
        is not expected.get(literal["kind"], FrameIgnored)
    ]

    assert [] == wrong


def test_ticker_keeps_every_digit() -> None:
    """Prices become the same decimals; the side is the taker's."""
    event = parse_body(volume_24h="1836.96781750")

    assert isinstance(event, TickerSeen)
    assert Decimal("84737.59") == event.best_ask
    assert "1836.96781750" == str(event.volume_24h)
    assert "sell" == event.taker_side
    assert datetime(2026, 10, 3, 20, 58, 31, 127510, UTC) == event.time
    assert event.best_bid_size is None


@pytest.mark.parametrize("volume", ["1" + "0" * 18, "9.9e20", "9" * 29])
def test_ticker_with_a_huge_volume_keeps_its_prices(volume: str) -> None:
    """A coin with a supply of 10^20 has such volumes; its quotes are valid nevertheless."""
    event = parse_body(volume_24h=volume, best_bid="0.000000000012")

    assert isinstance(event, TickerSeen)
    assert event.volume_24h is None
    assert Decimal("1.2E-11") == event.best_bid


def test_match_gives_the_takers_side() -> None:
    """If the maker sells, the taker buys."""
    event = parse(
        b'{"type":"match","trade_id":1,"side":"sell","size":"985","price":"0.00001305",'
        b'"product_id":"SKL-BTC","sequence":2,"time":"2021-04-17T16:43:37.089723Z"}'
    )

    assert isinstance(event, TradeSeen)
    assert ("buy", Decimal("0.00001305"), False) == (event.taker_side, event.price, event.replayed)


@pytest.mark.parametrize("field", ["best_bid", "best_ask"])
def test_ticker_without_quotes_is_ignored(field: str) -> None:
    """Without a bid or ask nothing can be filled; it is not an error of the venue."""
    assert FrameIgnored("ticker without quotes") == parse_body(**{field: ""})


def test_empty_ticker_is_ignored() -> None:
    """The venue sends tickers whose every field is empty."""
    assert FrameIgnored("empty ticker") == parse_body(product_id="", price="")


@pytest.mark.parametrize(
    "changes",
    [
        {"price": 84737.58},
        {"price": "NaN"},
        {"price": "Infinity"},
        {"price": "1e99"},
        {"price": "1_000"},
        {"price": " 1"},
        {"price": "9" * 100},
        {"price": "٣"},
        {"price": None},
        {"sequence": None},
        {"sequence": "12"},
        {"sequence": True},
        {"sequence": -1},
        {"sequence": 2**70},
        {"product_id": "btc/usd"},
        {"product_id": None},
        {"trade_id": 1.5},
        {"best_bid_size": {}},
    ],
)
def test_ticker_with_an_invalid_field_is_malformed(changes: dict[str, object]) -> None:
    """Corrupt values are refused, and the frame's bytes are kept."""
    body = {k: v for k, v in (TICKER | changes).items() if v is not None}
    raw = json.dumps(body).encode()
    event = parse(raw)

    assert isinstance(event, FrameMalformed)
    assert raw == event.raw
    assert event.why


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-08-09T21:05:48.228846629Z", datetime(2026, 8, 9, 21, 5, 48, 228846, UTC)),
        ("2026-08-09T21:05:48Z", datetime(2026, 8, 9, 21, 5, 48, tzinfo=UTC)),
        ("2026-08-09T23:05:48+02:00", datetime(2026, 8, 9, 21, 5, 48, tzinfo=UTC)),
        ("0001-01-01T00:00:00.000000Z", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("2026-08-09 21:05:48.854840045 +0000 UTC m=+41691.260485341", None),
        ("2026-08-09T21:05:48", None),
        ("", None),
        (None, None),
        (1786309500, None),
    ],
)
def test_unusual_times(text: object, expected: datetime | None) -> None:
    """Nanoseconds are cut, other zones converted, invalid times are None."""
    assert expected == parse_time(text)


@pytest.mark.parametrize(
    ("reason", "product", "channel"),
    [
        ("LOOM-USDC is delisted", "LOOM-USDC", None),
        ("ETH-USD is not a valid product", "ETH-USD", None),
        (" is not a valid product", None, None),
        ("ticker is not a valid channel", None, "ticker"),
        ("No channels provided", None, None),
    ],
)
def test_product_or_channel_of_an_error_is_found(
    reason: str, product: str | None, channel: str | None
) -> None:
    """The product or channel that an error names is read from its text."""
    event = parse(json.dumps({"type": "error", "message": "Failed to subscribe", "reason": reason}))

    assert isinstance(event, VenueRefused)
    assert (product, channel) == (event.product_id, event.channel)


@pytest.mark.parametrize("raw", [b"", b"[]", b"null", b'"x"', b"\xff\xfe", b"{", b"[" * 5000])
def test_frame_that_is_not_an_object_is_malformed(raw: bytes) -> None:
    """Its bytes are kept unchanged."""
    event = parse(raw)

    assert isinstance(event, FrameMalformed)
    assert raw == event.raw


def test_unknown_types_are_ignored() -> None:
    """The venue may add message types at any time."""
    assert FrameIgnored("rfq_match") == parse(b'{"type":"rfq_match","price":"1"}')


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)
fields = st.sampled_from([*TICKER, "channels", "reason", "size", "last_trade_id", "best_bid_size"])
kinds = st.sampled_from(["ticker", "heartbeat", "match", "last_match", "subscriptions", "error"])


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_never_raises_on_random_frames(frame: bytes | str) -> None:
    """Any bytes and any text give an event."""
    assert isinstance(parse(frame), Event)


@given(kinds, st.dictionaries(fields, json_values))
def test_never_raises_on_a_message_with_any_fields(kind: str, changes: dict[str, object]) -> None:
    """Any value in any field gives an event."""
    frame = json.dumps({**TICKER, **changes, "type": kind})

    assert isinstance(parse(frame), Event)
