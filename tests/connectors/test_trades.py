"""Trades the feed did not send: pages, gaps, and trades that stay missing."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.market.events import TradeSeen
from connectors.market.json_bodies import RestMalformed
from connectors.market.trades import Backfill, FilledGap, TradeGap, with_trades
from connectors.simulator.coinbase.rest_responses import respond
from connectors.simulator.run import ExchangeOptions
from connectors.venues.coinbase.trades import read_trades
from tests.connectors.builders import T0, build_market, ticker

PAGE = b"""[
 {"trade_id":812,"side":"sell","size":"0.00120000","price":"84737.59",
  "time":"2026-10-03T20:58:31.127510Z"},
 {"trade_id":811,"side":"buy","size":"0.5","price":"84737.5","time":"2026-10-03T20:58:30.5Z"},
 {"trade_id":810,"side":"buy","size":"1.25","price":"84736","time":"2026-10-03T20:58:29Z"}
]"""


def trade(trade_id: int, size: str = "1", price: str = "100") -> TradeSeen:
    """A trade of BTC-USD."""
    return TradeSeen("BTC-USD", trade_id, Decimal(price), Decimal(size), 0, "buy", T0)


def pages(ids: list[int], gap: TradeGap, *, rows: int, pages_max: int = 3) -> tuple[FilledGap, int]:
    """Fill a gap from a venue that has these ids; return the result and the number of pages."""
    backfill, asked = Backfill(gap, page_rows=rows, pages_max=pages_max), 0
    while not backfill.done:
        below = [i for i in ids if backfill.after is None or i < backfill.after]
        backfill.take([trade(i) for i in sorted(below, reverse=True)[:rows]])
        asked += 1
    return backfill.filled(ticker(trade_id=gap.heartbeat_trade_id)), asked


def test_page_is_read_newest_first_with_the_takers_side() -> None:
    """The venue names the maker's side; the digits of prices are kept."""
    trades, refused = read_trades(PAGE, "BTC-USD")

    assert [812, 811, 810] == [t.trade_id for t in trades]
    assert ["buy", "sell", "sell"] == [t.taker_side for t in trades]
    assert ("84737.59", "0.00120000") == (str(trades[0].price), str(trades[0].size))
    assert datetime(2026, 10, 3, 20, 58, 31, 127510, UTC) == trades[0].time
    assert 0 == refused


@pytest.mark.parametrize(
    "row",
    [
        b'{"trade_id":"1","side":"buy","size":"1","price":"1"}',
        b'{"trade_id":true,"side":"buy","size":"1","price":"1"}',
        b'{"trade_id":-1,"side":"buy","size":"1","price":"1"}',
        b'{"trade_id":1,"side":"hold","size":"1","price":"1"}',
        b'{"trade_id":1,"side":["buy"],"size":"1","price":"1"}',
        b'{"trade_id":1,"side":"buy","size":"1","price":1.5}',
        b'{"trade_id":1,"side":"buy","size":"1","price":"0"}',
        b'{"trade_id":1,"side":"buy","size":"-1","price":"1"}',
        b'{"trade_id":1,"side":"buy","size":"NaN","price":"1"}',
        b"[1,2,3]",
        b"null",
    ],
)
def test_invalid_row_is_counted(row: bytes) -> None:
    """The other rows of the page are read."""
    good = b'{"trade_id":2,"side":"buy","size":"1","price":"9"}'

    trades, refused = read_trades(b"[" + row + b"," + good + b"]", "BTC-USD")

    assert ([2], 1) == ([t.trade_id for t in trades], refused)


@pytest.mark.parametrize("body", [b"{}", b'{"message":"NotFound"}', b"<html>", b"", b"null"])
def test_body_that_is_not_a_page_is_refused(body: bytes) -> None:
    """An error object or an HTML page is not a list of trades."""
    with pytest.raises(RestMalformed):
        read_trades(body, "BTC-USD")


def test_gap_is_filled_over_pages() -> None:
    """Seven trades come in pages of three; trades before the gap are not used."""
    filled, asked = pages(list(range(1, 18)), TradeGap("BTC-USD", 10, 17), rows=3)

    assert (7, list(range(11, 18))) == (filled.missed, [t.trade_id for t in filled.trades])
    assert ((), Decimal(7), 3) == (filled.unfilled, filled.volume, asked)


def test_trades_newer_than_the_heartbeat_are_used() -> None:
    """They were made while the pages were requested."""
    filled, _ = pages(list(range(1, 21)), TradeGap("BTC-USD", 10, 12), rows=100)

    assert (20, 10) == (filled.last_trade_id, filled.missed)


def test_trades_beyond_the_last_page_are_unfilled() -> None:
    """The number of pages is bounded; the remaining ids are reported."""
    filled, asked = pages(list(range(1, 31)), TradeGap("BTC-USD", 10, 30), rows=4, pages_max=2)

    assert (2, ((11, 22),)) == (asked, filled.unfilled)


def test_hole_in_the_pages_is_unfilled() -> None:
    """Ids that the venue omits stay missing."""
    filled, _ = pages([8, 9, 11, 12, 15], TradeGap("BTC-USD", 9, 15), rows=2)

    assert (3, ((10, 10), (13, 14))) == (len(filled.trades), filled.unfilled)


@given(
    ids=st.sets(st.integers(1, 60)),
    seen=st.integers(0, 60),
    more=st.integers(1, 30),
    rows=st.integers(1, 20),
    pages_max=st.integers(1, 5),
)
def test_every_trade_is_found_or_missing(
    ids: set[int], seen: int, more: int, rows: int, pages_max: int
) -> None:
    """Found and missing ids make up the gap; the number of pages is bounded."""
    gap = TradeGap("BTC-USD", seen, seen + more)
    filled, asked = pages(sorted(ids), gap, rows=rows, pages_max=pages_max)
    found = [t.trade_id for t in filled.trades]
    missing = [i for first, last in filled.unfilled for i in range(first, last + 1)]

    assert asked <= pages_max
    assert list(range(seen + 1, filled.last_trade_id + 1)) == sorted(found + missing)
    assert set(found) <= ids


def test_ticker_gets_the_last_trade() -> None:
    """Price, id, size and side are the trade's; the quotes stay the ticker's."""
    trades = (trade(6, "2"), trade(7, "3", "101"), trade(8, "4", "102"))
    fetched = ticker("100", trade_id=6, bid="101", ask="103")
    fetched = with_trades(fetched, FilledGap(5, 8, trades))

    assert (8, Decimal(102), Decimal(4), "buy") == (
        fetched.trade_id,
        fetched.price,
        fetched.last_size,
        fetched.taker_side,
    )
    assert (Decimal(101), Decimal(103)) == (fetched.best_bid, fetched.best_ask)


def test_volume_counts_each_trade_once() -> None:
    """Only trades that are newer than the ticker's are added."""
    trades = (trade(6, "2"), trade(7, "3"), trade(8, "4"))
    fetched = ticker("100", trade_id=6)
    counted = replace(fetched, volume_24h=Decimal(10))

    assert Decimal(17) == with_trades(counted, FilledGap(5, 8, trades)).volume_24h
    assert with_trades(fetched, FilledGap(5, 8, trades)).volume_24h is None


def test_newer_ticker_is_unchanged() -> None:
    """Its last trade came after the pages."""
    fetched = ticker("100", trade_id=9)

    assert fetched == with_trades(fetched, FilledGap(5, 8, (trade(8),)))
    assert fetched == with_trades(fetched, FilledGap(5, 9, ()))


def test_simulated_exchange_pages_like_the_venue() -> None:
    """`after` gives older ids, `before` the newest page above one; headers carry the cursors."""
    market = build_market(ExchangeOptions(("BTC-USD",)), T0)
    newest = market.products["BTC-USD"].trade_id

    def page(query: str) -> tuple[list[int], dict[str, str]]:
        reply = respond(market, f"/products/BTC-USD/trades{query}", T0)
        return [t.trade_id for t in read_trades(reply.body, "BTC-USD")[0]], dict(reply.headers)

    ids, cursors = page("?limit=3")
    assert [newest, newest - 1, newest - 2] == ids
    assert {"CB-BEFORE": str(newest), "CB-AFTER": str(newest - 2)} == cursors
    assert [newest - 3, newest - 4] == page(f"?limit=2&after={cursors['CB-AFTER']}")[0]
    assert [newest, newest - 1] == page(f"?limit=2&before={newest - 50}")[0]
    assert ([], {}) == page(f"?before={newest}")
    assert 1_000 == len(page("")[0]) == len(page("?limit=5000")[0])
