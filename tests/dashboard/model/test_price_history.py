"""Bars of the bids at the kept snapshots."""

import pytest

from arena.money import price_text
from dashboard.model.price_history import price_history, products
from dashboard.model.queries import UnknownName
from dashboard.model.view import ArenaView
from tests.dashboard.scenario import Scenario
from tests.dashboard.views import view_of


def test_bars_cover_every_snapshot_and_join() -> None:
    """A bar opens at the close before it; extremes and the last close are those of the bids."""
    view = view_of(Scenario().run(50).records)
    bids = [float(price_text(point.bids["BTC-USD"])) for point in view.snapshots.points]
    bars = price_history(view, "BTC-USD", bars=10).bars

    assert 5 <= len(bars) <= 11
    assert [bar.close for bar in bars[:-1]] == [bar.open for bar in bars[1:]]
    assert (min(bids), max(bids)) == (
        min(float(bar.low) for bar in bars),
        max(float(bar.high) for bar in bars),
    )
    assert bids[-1] == float(bars[-1].close)


def test_single_snapshot_is_one_flat_bar() -> None:
    """One snapshot gives one bar that opens and closes at its bid."""
    view = view_of(Scenario().run(1).records)
    (bar,) = price_history(view, "ETH-USD").bars

    assert bar.open == bar.high == bar.low == bar.close


def test_unknown_product_is_refused_with_the_known_ones() -> None:
    """The error lists the products."""
    view = view_of(Scenario().run(1).records)
    with pytest.raises(UnknownName) as refused:
        price_history(view, "DOGE-USD")

    assert "BTC-USD, ETH-USD, SOL-USD" in refused.value.remedy
    assert ("BTC-USD", "ETH-USD", "SOL-USD") == products(view)
    assert () == products(ArenaView())
