"""Snapshots: their content, and when one is due."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from arena import wire
from arena.ids import snapshot_id
from arena.messages import MarketSnapshot, Ticker
from arena.topics import RECORD_BYTES_MAX
from connectors.cli_markets import PRODUCTS_MAX
from connectors.market.candles import CandleBook
from connectors.market.feed import Feed
from connectors.market.snapshot import Cadence, Origin, compose
from tests.connectors.builders import T0, received, ticker
from tests.connectors.test_candles import T0_S, filled_book


def test_snapshot_has_known_and_unknown_products() -> None:
    """A product with a ticker is fresh; one without is stale and has no age."""
    feed = Feed("coinbase")
    fresh = feed.apply(ticker("100", trade_id=1), received(10))
    assert isinstance(fresh, Ticker)
    snapshot = compose(
        venue="coinbase",
        freshness=feed,
        books={"SOL-USD": CandleBook(), "BTC-USD": filled_book(T0_S)},
        published={"BTC-USD": fresh},
        terms={},
        ticker_offsets={0: 17},
        as_of=T0,
        windows_at=T0,
        now_s=10.25,
        now=T0 + timedelta(days=9),
        interval_s=60,
        origin=Origin(simulated=True, speed=60.0),
        epoch=3,
    )
    btc, sol = snapshot.products

    assert ("BTC-USD", 250, False, fresh) == (btc.product_id, btc.age_ms, btc.stale, btc.ticker)
    assert ("SOL-USD", None, True, None) == (sol.product_id, sol.age_ms, sol.stale, sol.ticker)
    assert ["15m", "5m", "1m"] == list(btc.windows)
    assert ({0: 17}, True, 60.0, 3) == (
        snapshot.ticker_offsets,
        snapshot.simulated,
        snapshot.speed,
        snapshot.connection_epoch,
    )
    encoded = wire.encode(snapshot)
    assert snapshot == wire.decode(encoded.value, encoded.headers)


def test_largest_snapshot_fits_into_a_record() -> None:
    """It has as many products as the flag allows, and every window is full of long numbers."""
    feed = Feed("coinbase")
    seen = feed.apply(ticker("12345.12345678"), received(0))
    assert isinstance(seen, Ticker)
    book = filled_book(T0_S + 24 * 60)
    for minute, bar in list(book._minutes.items()):
        long = bar.model_copy(update={"volume": Decimal("12345.123456780000001")})
        book._minutes[minute] = long
    names = [f"PRODUCT{n:03}-USD" for n in range(PRODUCTS_MAX)]
    snapshot = compose(
        venue="coinbase",
        freshness=feed,
        books=dict.fromkeys(names, book),
        published=dict.fromkeys(names, seen),
        terms={},
        ticker_offsets={0: 1},
        as_of=T0,
        windows_at=T0 + timedelta(minutes=24),
        now_s=0,
        now=T0,
        interval_s=60,
        origin=Origin(),
        epoch=1,
    )

    assert len(wire.encode(snapshot).value) < RECORD_BYTES_MAX


def test_snapshots_keep_their_schedule() -> None:
    """Each is due whole intervals after the first, however late the last one was."""
    cadence = Cadence(60.0)
    published = []
    for second in range(0, 600, 7):
        now = T0 + timedelta(seconds=second)
        if cadence.due(now, second / 60):
            published.append((cadence.take(now, second / 60) - T0).total_seconds())

    assert [0, 63, 126, 182, 245, 301, 364, 420, 483, 546] == published


def test_stopped_venue_clock_still_gives_snapshots() -> None:
    """One is due after an interval of wall time, with an `as_of` of its own."""
    cadence = Cadence(60.0)
    first = cadence.take(T0, 0.0)

    assert not cadence.due(T0, 59.0)
    assert cadence.due(T0, 60.0)
    second = cadence.take(T0, 60.0)
    assert T0 == first < second < T0 + timedelta(milliseconds=1)
    assert not cadence.due(T0, 61.0)
    assert cadence.due(T0 + timedelta(seconds=60), 61.0)


def earlier_snapshot(as_of: datetime, rewinds: int = 0) -> MarketSnapshot:
    """A snapshot that another process published."""
    return compose(
        venue="coinbase",
        freshness=Feed("coinbase"),
        books={"BTC-USD": CandleBook()},
        published={},
        terms={},
        ticker_offsets={},
        as_of=as_of,
        windows_at=as_of,
        now_s=0,
        now=T0,
        interval_s=60,
        origin=Origin(),
        epoch=1,
        rewinds=rewinds,
    )


def test_resumed_cadence_keeps_the_schedule_of_the_log() -> None:
    """The next snapshot is due an interval after the newest in the log."""
    cadence = Cadence(60.0)
    cadence.resume(earlier_snapshot(T0), 5.0)

    assert not cadence.due(T0, 5.0)
    assert not cadence.due(T0 + timedelta(seconds=59), 6.0)
    assert cadence.due(T0 + timedelta(seconds=61), 7.0)
    assert T0 + timedelta(seconds=61) == cadence.take(T0 + timedelta(seconds=61), 7.0)
    assert 0 == cadence.rewinds


@pytest.mark.parametrize("back_s", [0, 1, 59, 60])
def test_resumed_cadence_with_a_slightly_older_clock_is_still_later(back_s: int) -> None:
    """After a restart of the simulated exchange two snapshots never have the same time."""
    cadence = Cadence(60.0)
    cadence.resume(earlier_snapshot(T0), 5.0)

    assert not cadence.due(T0 - timedelta(seconds=back_s), 64.0)
    assert cadence.due(T0 - timedelta(seconds=back_s), 65.0)
    assert T0 < cadence.take(T0 - timedelta(seconds=back_s), 65.0)
    assert 0 == cadence.rewinds


def test_repeated_time_has_another_id() -> None:
    """Each time the clock goes back further than an interval, ids are new."""
    cadence, back = Cadence(60.0), T0 - timedelta(seconds=61)
    cadence.resume(earlier_snapshot(T0, rewinds=4), 5.0)

    assert cadence.due(back, 5.0)
    assert back == cadence.take(back, 5.0)
    assert 5 == cadence.rewinds
    found = {earlier_snapshot(T0, rewinds=n).snapshot_id for n in range(6)}
    assert 6 == len(found)
    assert snapshot_id("coinbase", T0, ["BTC-USD"]) in found


def test_venue_whose_clock_goes_back_is_followed() -> None:
    """A snapshot is due at once, and the next an interval later."""
    cadence = Cadence(60.0)
    cadence.take(T0, 0.0)
    past = T0 - timedelta(days=3)

    assert cadence.due(past, 0.5)
    assert past == cadence.take(past, 0.5)
    assert 1 == cadence.rewinds
    assert not cadence.due(past + timedelta(seconds=59), 1.0)
    assert cadence.due(past + timedelta(seconds=60), 1.0)


def test_every_new_venue_time_is_due_without_an_interval() -> None:
    """`--min-interval 0` publishes whenever the venue's clock has moved."""
    cadence = Cadence(0.0)
    cadence.take(T0, 0.0)

    assert not cadence.due(T0, 0.5)
    assert cadence.due(T0 + timedelta(milliseconds=1), 0.5)
