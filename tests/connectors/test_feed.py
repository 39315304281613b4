"""The fold of events: ordering, freshness, bad prints, venue time."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from arena.messages import Ticker
from connectors.market.events import TickerSeen
from connectors.market.feed import LAG_GRACE_S, STALE_AFTER_S, Dropped, Feed, VenueClock
from connectors.market.trades import TradeGap
from connectors.venues.coinbase.protocol import parse
from tests.connectors.builders import T0, heartbeat, received, ticker
from tests.connectors.test_protocol import recorded_lines


def why(outcome: object) -> str | None:
    """Why an event was dropped, or None."""
    return outcome.why if isinstance(outcome, Dropped) else None


def test_ticker_becomes_a_message() -> None:
    """Venue time, wall time and epoch are kept apart."""
    feed = Feed("coinbase")
    outcome = feed.apply(ticker(sequence=7, trade_id=3), received(1.5, epoch=2))

    assert isinstance(outcome, Ticker)
    assert (T0, T0 + timedelta(seconds=1.5)) == (outcome.event_time, outcome.received_at)
    assert outcome.received_at == outcome.confirmed_at
    assert (7, 2, 3) == (outcome.sequence, outcome.connection_epoch, outcome.trade_id)


def test_older_and_equal_sequences_are_dropped() -> None:
    """Within a product and connection the sequence number must grow."""
    feed = Feed("coinbase")
    feed.apply(ticker(sequence=10), received(1))

    assert "out_of_order" == why(feed.apply(ticker(sequence=9), received(2)))
    assert "out_of_order" == why(feed.apply(ticker(sequence=10), received(2)))
    assert why(feed.apply(ticker(sequence=1, product="SOL-USD"), received(2))) is None
    feed.connected()
    assert why(feed.apply(ticker(sequence=5), received(3, epoch=2))) is None


def test_quiet_product_on_a_live_connection_is_fresh() -> None:
    """During an hour without a ticker, heartbeats with the same trade id confirm it."""
    feed = Feed("coinbase")
    feed.apply(ticker(trade_id=5), received(0))
    for second in range(3600):
        feed.apply(heartbeat(5), received(second))
    known = feed.products["BTC-USD"].ticker

    assert known is not None
    assert T0 + timedelta(seconds=3599) == known.confirmed_at
    assert T0 == known.received_at
    assert not feed.stale("BTC-USD", 3600)
    assert 1.0 == feed.age_s("BTC-USD", 3600)


def test_product_without_heartbeats_is_stale() -> None:
    """Its age grows, whatever other products do."""
    feed = Feed("coinbase")
    feed.apply(ticker(trade_id=5), received(0))
    feed.apply(ticker(product="SOL-USD", trade_id=1), received(STALE_AFTER_S))
    now_s = STALE_AFTER_S + 0.1

    assert feed.stale("BTC-USD", now_s)
    assert not feed.stale("SOL-USD", now_s)
    assert feed.stale("ETH-USD", now_s)
    assert feed.age_s("ETH-USD", now_s) is None


def test_heartbeats_ahead_of_the_ticker_stop_confirming_it() -> None:
    """A newer trade for longer than two cadences means a lost ticker; the next one ends that."""
    feed = Feed("coinbase")
    feed.apply(ticker(sequence=1, trade_id=5), received(0))
    for second in range(1, int(LAG_GRACE_S) + 8):
        feed.apply(heartbeat(6), received(second))
    late_s = LAG_GRACE_S + 8

    assert feed.is_lagging("BTC-USD", late_s)
    assert feed.stale("BTC-USD", late_s)
    feed.apply(ticker(sequence=2, trade_id=6), received(late_s))
    assert not feed.is_lagging("BTC-USD", late_s)
    assert not feed.stale("BTC-USD", late_s)


def test_ticker_of_an_earlier_connection_is_confirmed_only_by_its_own_trade() -> None:
    """After a reconnect a heartbeat that names a newer trade confirms nothing."""
    feed = Feed("coinbase")
    feed.apply(ticker(trade_id=5), received(0, epoch=1))
    feed.connected()
    feed.apply(heartbeat(6), received(30, epoch=2))
    assert feed.stale("BTC-USD", 30)

    feed.apply(heartbeat(5), received(31, epoch=2))
    assert not feed.stale("BTC-USD", 31)


def test_gap_is_between_ticker_and_heartbeat() -> None:
    """There is no gap before the first ticker or after a newer one."""
    feed = Feed("coinbase")
    feed.apply(heartbeat(9), received(0))
    assert feed.gap("BTC-USD") is None

    feed.apply(ticker(sequence=1, trade_id=5), received(1))
    assert TradeGap("BTC-USD", ticker_trade_id=5, heartbeat_trade_id=9) == feed.gap("BTC-USD")
    feed.apply(ticker(sequence=2, trade_id=9), received(2))
    assert feed.gap("BTC-USD") is None


def test_ticker_fetched_by_rest_makes_the_product_fresh() -> None:
    """A fetched ticker without a sequence number is accepted unless it is older."""
    feed = Feed("coinbase")
    feed.apply(ticker("100", sequence=50, trade_id=5), received(0))
    fetched = ticker("101", sequence=0, trade_id=8)

    assert isinstance(feed.repair(fetched, received(30)), Ticker)
    assert not feed.stale("BTC-USD", 30)
    assert "stale_repair" == why(feed.repair(ticker(sequence=0, trade_id=7), received(31)))
    assert why(feed.apply(ticker("101", sequence=51, trade_id=9), received(32))) is None


@pytest.mark.parametrize(
    "bad",
    [
        ticker("0.10", sequence=2),
        ticker("100", sequence=2, bid="0.1", ask="0.2"),
        ticker("100", sequence=2, bid="101", ask="99"),
        ticker("100", sequence=2, bid="0", ask="101"),
        ticker("0.10", sequence=2, bid="99.9", ask="100.1"),
        ticker("100", sequence=2, bid="99.9999999999999999999", ask="100.1"),
    ],
    ids=["all at a thousandth", "quotes away", "crossed", "zero bid", "price away", "too fine"],
)
def test_bad_print_is_dropped(bad: TickerSeen) -> None:
    """An ETH print at 0.10 USD never becomes a price."""
    feed = Feed("coinbase")
    feed.apply(ticker("100", sequence=1), received(0))

    assert "bad_print" == why(feed.apply(bad, received(1)))
    known = feed.products["BTC-USD"].ticker
    assert known is not None
    assert Decimal(100) == known.price


def test_lasting_price_change_is_accepted() -> None:
    """Three coherent tickers in a row at the new level are accepted."""
    feed = Feed("coinbase")
    feed.apply(ticker("100", sequence=1), received(0))
    outcomes = [
        feed.apply(ticker(price, sequence=2 + n), received(n))
        for n, price in enumerate(["60", "59", "61", "60"])
    ]

    assert ["bad_print", "bad_print", None, None] == [why(outcome) for outcome in outcomes]


def test_separate_bad_prints_do_not_confirm_each_other() -> None:
    """A good ticker in between clears the suspect."""
    feed = Feed("coinbase")
    prices = ["100", "60", "100", "60", "100", "60"]
    outcomes = [feed.apply(ticker(p, sequence=n + 1), received(n)) for n, p in enumerate(prices)]

    assert 3 == sum(why(outcome) == "bad_print" for outcome in outcomes)


def test_forgotten_product_is_ignored() -> None:
    """Later frames of a delisted product change nothing until it is adopted again."""
    feed = Feed("coinbase")
    feed.apply(ticker(sequence=1), received(0))
    feed.forget("BTC-USD")

    assert feed.apply(ticker(sequence=2), received(1)) is None
    assert {} == feed.products
    feed.adopt("BTC-USD")
    assert isinstance(feed.apply(ticker(sequence=3), received(2)), Ticker)


def test_ticker_without_a_time_has_the_time_of_the_feed() -> None:
    """Without any venue time the ticker is dropped; our own clock is never used."""
    feed = Feed("coinbase")
    assert "no_venue_time" == why(feed.apply(ticker(at=None), received(0)))

    feed.apply(heartbeat(at=T0), received(1))
    outcome = feed.apply(ticker(sequence=2, at=None), received(2))
    assert isinstance(outcome, Ticker)
    assert T0 == outcome.event_time


def test_venue_clock_does_not_go_back_or_leap() -> None:
    """Late events and events a day ahead are ignored; a restart sets any time."""
    clock = VenueClock()
    for moment in (T0, T0 - timedelta(seconds=5), T0 + timedelta(days=2), None):
        clock.observe(moment)

    assert (T0, 1) == (clock.now, clock.leaps_ignored)
    clock.restart(datetime(2018, 4, 4, tzinfo=UTC))
    assert datetime(2018, 4, 4, tzinfo=UTC) == clock.now


def test_sanity_band_accepts_a_real_market(shared_recordings: Path) -> None:
    """None of 107 real tickers of thinly traded products is a bad print."""
    feed = Feed("coinbase")
    path = shared_recordings / "ws" / "cryptofeed_v2" / "COINBASE.ws.28.0.zst"
    outcomes = [feed.apply(parse(line), received(n)) for n, line in enumerate(recorded_lines(path))]

    assert 107 == sum(isinstance(outcome, Ticker) for outcome in outcomes)
    assert [] == [outcome for outcome in outcomes if isinstance(outcome, Dropped)]
