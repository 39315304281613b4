"""Drawdowns of equity curves: once per peak, whatever the window still holds."""

from datetime import timedelta
from decimal import Decimal

import pytest

from dashboard.alerts.drawdowns import DrawdownFold, Peak, drawdown_text, falls
from tests.dashboard.scenario import Scenario
from tests.dashboard.views import view_of

LIMIT = Decimal("0.2")
OPENING = Peak(opened_ms=0, value=100)


def values(*equities: int | None) -> list[tuple[int, int | None]]:
    """Equities at times 1, 2, 3, ..."""
    return [*enumerate(equities, 1)]


@pytest.mark.parametrize(
    ("equities", "found"),
    [
        ((), []),
        ((100, 90, 81), []),
        ((100, 80), [(100, 80, False)]),
        ((None, 79, None), [(100, 79, False)]),
        ((80, 81), [(100, 80, True)]),
        ((200, 160, 150, 170), [(200, 150, True)]),
        ((200, 150, 201, 170), [(200, 150, True)]),
        ((200, 150, 201, 160), [(200, 150, True), (201, 160, False)]),
        ((0,), [(100, 0, False)]),
        ((-5,), [(100, -5, False)]),
    ],
)
def test_fall_below_limit_is_found_once_per_peak(
    equities: tuple[int | None, ...], found: list[tuple[int, int, bool]]
) -> None:
    """Each peak has at most one drawdown, with its lowest equity."""
    drawdowns = falls("a", OPENING, values(*equities), LIMIT)

    assert found == [(one.peak, one.low, one.is_over) for one in drawdowns]


def test_values_before_remembered_peak_do_not_count() -> None:
    """Equity before a peak is not a fall below it."""
    rising = values(50, 60, 200, 190)

    assert [] == falls("a", Peak(opened_ms=0, value=200, at_ms=3), rising, LIMIT)
    assert [] == falls("a", Peak(opened_ms=0, value=190, at_ms=4), rising, LIMIT)


def test_all_values_count_after_venue_time_went_back() -> None:
    """A venue that starts again at an earlier time does not hide a drawdown."""
    found = falls("a", Peak(opened_ms=0, value=100, at_ms=50), values(90, 70), LIMIT)

    assert [(100, 70)] == [(one.peak, one.low) for one in found]


def test_account_without_cash_has_no_drawdown() -> None:
    """A peak of zero has no share that could be lost."""
    assert [] == falls("a", Peak(opened_ms=0, value=0), values(0, 0), LIMIT)


def test_peak_that_leaves_window_is_remembered() -> None:
    """With the peaks of an earlier process, a drawdown keeps its peak, and is not another one."""
    scenario = Scenario(agents=(("momentum", "momentum", "agent"),)).run(4)
    scenario.order("momentum", "buy", "BTC-USD", Decimal(1))
    for price in (90_000, 60_000, 55_000, 54_000, 53_000, 52_000, 52_500, 52_100):
        scenario.prices["BTC-USD"] = Decimal(price)
        scenario.step()
    view = view_of(scenario.records)
    fold, now = DrawdownFold(), scenario.wall + timedelta(minutes=1)

    (first,) = fold.find(view, LIMIT, now)
    restarted = DrawdownFold(fold.peaks)
    while view.snapshots.points[0].as_of_ms <= first.peak_ms:
        view.snapshots.points.popleft()
    (again,) = restarted.find(view, LIMIT, now)

    assert (first.agent, first.peak, first.is_over) == (again.agent, again.peak, again.is_over)
    assert "momentum lost " in drawdown_text(first, LIMIT, view)
    assert "the limit is 20%" in drawdown_text(first, LIMIT, view)


def test_other_account_forgets_peak() -> None:
    """The peaks of an account that was opened at another time do not count."""
    scenario = Scenario(agents=(("momentum", "momentum", "agent"),)).run(3)
    view = view_of(scenario.records)
    fold = DrawdownFold({"momentum": Peak(opened_ms=1, value=10**15)})

    assert [] == fold.find(view, LIMIT, scenario.wall + timedelta(minutes=1))


def test_snapshots_that_are_not_settled_do_not_count() -> None:
    """A fill may be read after the snapshot at which it counts."""
    scenario = Scenario(agents=(("momentum", "momentum", "agent"),)).run(2)
    scenario.order("momentum", "buy", "BTC-USD", Decimal(1))
    scenario.step()
    scenario.prices["BTC-USD"] = Decimal(20_000)
    scenario.step()
    view = view_of(scenario.records)

    assert [] == DrawdownFold().find(view, LIMIT, scenario.wall - timedelta(seconds=5))
    assert 1 == len(DrawdownFold().find(view, LIMIT, scenario.wall + timedelta(seconds=5)))
