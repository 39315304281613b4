"""REST bodies: candles, tickers, times and errors."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.market.json_bodies import RestMalformed, error_text
from connectors.venues.coinbase.rest_protocol import (
    read_candles,
    read_ticker,
    read_time,
)

ROW = "[1584316800, 5236.01, 5346.05, 5346.03, 5245.17, 3728.67857634]"


def test_candles_are_sorted_exact_and_unique() -> None:
    """The wire has low, high, open, close, newest first; the result is oldest first."""
    body = f"[{ROW}, [1584316740, 1, 4, 2, 3, 4.727521520000001], {ROW}]"
    candles, wrong = read_candles(body)

    assert 0 == wrong
    assert [1584316740, 1584316800] == [int(c.start.timestamp()) for c in candles]
    first = candles[0]
    assert [1, 4, 2, 3] == [int(p) for p in (first.low, first.high, first.open, first.close)]
    assert Decimal("4.727521520000001") == first.volume


def test_reads_real_candles(shared_recordings: Path) -> None:
    """Every row of two recorded bodies of 300 rows is valid."""
    for name in ("2020-03-20-00-00.json", "2020-03-20-05-00.json"):
        path = shared_recordings / "candles" / "coinbase_pro_node" / name
        candles, wrong = read_candles(path.read_bytes())
        assert (300, 0) == (len(candles), wrong)


@pytest.mark.parametrize(
    "row",
    [
        "[1584316800, 5, 4, 4.5, 4.5, 1]",
        "[1584316800, 1, 2, 3, 1, 1]",
        "[1584316800, 0, 2, 1, 1, 1]",
        "[1584316800, 1, 2, 1, 1, -1]",
        "[1584316800, 1, 2, 1, 1]",
        '[1584316800, "1", 2, 1, 1, 1]',
        "[1584316800.5, 1, 2, 1, 1, 1]",
        "[99999999999999, 1, 2, 1, 1, 1]",
        f"[1584316800, 1, 2, 1, 1, 0.{'1' * 60}]",
        "[1584316800, true, 2, 1, 1, 1]",
        "null",
    ],
)
def test_invalid_row_is_counted(row: str) -> None:
    """It is skipped and counted; the others are kept."""
    candles, wrong = read_candles(f"[{ROW}, {row}]")

    assert (1, 1) == (len(candles), wrong)


@pytest.mark.parametrize(
    "body", ["{}", "", "<html>", "[[1584316800, NaN, 1, 1, 1, 1]]", "[" * 9999]
)
def test_body_that_is_not_a_list_is_malformed(body: str) -> None:
    """It is not JSON, not a list, or has NaN."""
    with pytest.raises(RestMalformed):
        read_candles(body)


@given(st.recursive(st.none() | st.floats() | st.integers() | st.text(), st.lists))
def test_candles_of_any_json(body: object) -> None:
    """Any JSON gives candles or `RestMalformed`."""
    try:
        candles, wrong = read_candles(json.dumps(body))
    except RestMalformed:
        return
    assert candles == []
    assert wrong >= 0


def test_ticker_and_time_are_read() -> None:
    """Bodies of `/products/{id}/ticker` and `/time` are decoded; others are refused."""
    body = (
        '{"ask":"2","bid":"1.9","volume":"7","trade_id":86326522,"price":"1.95","size":"0.2",'
        '"time":"2026-02-24T07:20:00.716579Z","rfq_volume":"0"}'
    )
    seen = read_ticker(body, "BTC-USD")

    assert (Decimal("1.9"), Decimal(2), 86326522) == (seen.best_bid, seen.best_ask, seen.trade_id)
    assert datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC) == read_time('{"iso":"2026-01-02T03:04:05Z"}')
    for wrong in ('{"ask":2}', "[]", "{}"):
        with pytest.raises(RestMalformed):
            read_ticker(wrong, "BTC-USD")
        with pytest.raises(RestMalformed):
            read_time(wrong)


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("application/json", b'{"message":"NotFound"}', "NotFound"),
        ("text/plain", b'{"message":"Public rate limit exceeded"}', "Public rate limit exceeded"),
        ("text/plain", b"Unauthorized", "Unauthorized"),
        ("text/html", b"<html><title>502 Bad\nGateway</title><p>x", "HTML: 502 Bad Gateway"),
        ("text/html", b"<p>blocked</p>", "HTML: blocked"),
        ("application/json", b'{"error":', '{"error":'),
        ("application/json", b"", "an empty body"),
        ("text/plain", b"x" * 10_000, "x" * 200),
    ],
)
def test_error_is_one_line_in_every_format(content_type: str, body: bytes, expected: str) -> None:
    """JSON, plain text and HTML become one line of text."""
    assert expected == error_text(content_type, body)
