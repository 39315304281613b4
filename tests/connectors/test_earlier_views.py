"""Rows of the newest snapshot in the log, for products that a new process has no price of."""

from datetime import timedelta

from arena.messages import MarketSnapshot, Ticker
from connectors.market.earlier_views import EarlierViews
from connectors.market.feed import Feed
from connectors.market.snapshot import FreshnessOfAll, Origin, compose
from tests.connectors.builders import T0, received, ticker
from tests.connectors.test_candles import T0_S, filled_book

BTC, SOL = "BTC-USD", "SOL-USD"
NOON = T0 + timedelta(minutes=24)


def snapshot_at(minutes: int) -> MarketSnapshot:
    """A snapshot with a product whose price is four seconds old, and one without a price."""
    feed = Feed("coinbase")
    seen = feed.apply(ticker("100", trade_id=1), received(0))
    assert isinstance(seen, Ticker)
    book = filled_book(T0_S + 24 * 60)
    made = compose(
        venue="coinbase",
        freshness=feed,
        books={BTC: book, SOL: book},
        published={BTC: seen},
        terms={},
        ticker_offsets={0: 17},
        as_of=NOON + timedelta(minutes=minutes),
        windows_at=NOON + timedelta(minutes=minutes),
        now_s=4.0,
        now=T0 + timedelta(seconds=4),
        interval_s=60,
        origin=Origin(),
        epoch=1,
    )
    first = made.products[0].model_copy(update={"modes": ("cancel_only",)})
    return made.model_copy(update={"products": (first, *made.products[1:])})


def compose_later(earlier: EarlierViews, minutes: int, now_s: float) -> MarketSnapshot:
    """A snapshot of the earlier rows alone."""
    return compose(
        venue="coinbase",
        freshness=FreshnessOfAll([Feed("coinbase")], earlier),
        books=earlier.books,
        published=earlier.tickers,
        terms=earlier.views,
        ticker_offsets=earlier.ticker_offsets,
        as_of=NOON + timedelta(minutes=minutes),
        windows_at=NOON + timedelta(minutes=minutes),
        now_s=now_s,
        now=T0,
        interval_s=60,
        origin=Origin(),
        epoch=1,
    )


def test_rows_are_those_of_a_venue_that_became_silent() -> None:
    """Ticker, candles of any later window, status and modes are the same; the price is stale."""
    newest = snapshot_at(0)
    earlier = EarlierViews(newest, {BTC, SOL}, now=newest.published_at, now_s=100.0)

    for minutes in (0, 1, 7, 40):
        silent = snapshot_at(minutes)
        later = compose_later(earlier, minutes, 100.0)
        for before, after in zip(silent.products, later.products, strict=True):
            assert before.windows == after.windows
            assert (before.ticker, before.modes) == (after.ticker, after.modes)
            assert after.stale
    assert {0: 17} == later.ticker_offsets


def test_ages_include_the_time_between_the_processes_and_grow() -> None:
    """A price without an age keeps none; a clock that went back makes no price younger."""
    newest = snapshot_at(0)
    restarted = newest.published_at + timedelta(seconds=30)
    earlier = EarlierViews(newest, {BTC, SOL}, now=restarted, now_s=100.0)
    wrong = EarlierViews(newest, {BTC}, now=T0 - timedelta(hours=1), now_s=100.0)

    ages = [compose_later(earlier, 0, now_s).products for now_s in (100.0, 160.0)]
    assert [34_000, 94_000] == [products[0].age_ms for products in ages]
    assert [None, None] == [products[1].age_ms for products in ages]
    assert 4.0 == wrong.age_s(BTC, 100.0)


def test_only_configured_products_without_a_new_price_are_kept() -> None:
    """A product that is not configured any more, or has a price again, is left out."""
    newest = snapshot_at(0)
    earlier = EarlierViews(newest, {SOL}, now=T0, now_s=0.0)

    assert [SOL] == [view.product_id for view in compose_later(earlier, 0, 0.0).products]
    earlier.drop([SOL, BTC])
    assert () == compose_later(earlier, 0, 0.0).products
    assert () == compose_later(EarlierViews(), 0, 0.0).products
