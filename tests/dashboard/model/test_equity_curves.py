"""Equity at each snapshot, in whatever order the topics were read."""

from datetime import timedelta
from decimal import Decimal

import pytest

from arena.money import SCALE, to_units
from dashboard.model import equity_curves, queries
from dashboard.model.equity_curves import (
    CurveFill,
    EquityCurve,
    Snapshots,
    max_drawdown,
    thin,
    value_before,
)
from dashboard.model.frame import build_frame
from dashboard.model.view import ArenaView
from tests.dashboard.recording import START
from tests.dashboard.scenario import Scenario
from tests.dashboard.views import view_of

CASH = 100_000 * SCALE
PRICE = Decimal("100.00")


def snapshots_at(*minutes: int, price: Decimal = PRICE) -> tuple[Snapshots, list[str]]:
    """Snapshots of one product at some minutes, and their ids."""
    scenario, found = Scenario(agents=()), Snapshots()
    scenario.prices = {"BTC-USD": price}
    for offset, minute in enumerate(minutes):
        scenario.venue = START + timedelta(minutes=minute)
        found.add(offset, scenario.snapshot())
    return found, [point.snapshot_id for point in found.points]


def fill(answers: str, minute: float, cash: int, quantity: int = SCALE) -> CurveFill:
    """A fill priced at a minute."""
    priced_ms = int((START + timedelta(minutes=minute)).timestamp() * 1000)
    return CurveFill(answers, priced_ms, "BTC-USD", quantity, 90 * SCALE, cash)


def equities(curve: EquityCurve, snapshots: Snapshots) -> list[int | None]:
    """The values alone."""
    return [value for _, value in curve.values(snapshots)]


def test_fill_counts_from_the_next_snapshot_on() -> None:
    """The snapshot an order answers shows the account before the order."""
    snapshots, ids = snapshots_at(1, 2, 3)
    curve = EquityCurve(CASH, 0)
    curve.add(fill(ids[1], 1.5, CASH - 200 * SCALE))
    bid = to_units(Decimal("99.99"))

    assert [CASH, CASH, CASH - 200 * SCALE + bid] == equities(curve, snapshots)


def test_fill_priced_after_a_snapshot_does_not_count_there() -> None:
    """A slow agent's fill counts from the time of its price."""
    snapshots, ids = snapshots_at(1, 2, 3)
    curve = EquityCurve(CASH, 0)
    curve.add(fill(ids[0], 2.5, CASH - 200 * SCALE, quantity=0))

    assert [CASH, CASH, CASH - 200 * SCALE] == equities(curve, snapshots)


def test_fill_read_late_corrects_the_curve() -> None:
    """Computing values before all topics were read leaves no trace."""
    snapshots, ids = snapshots_at(1, 2, 3)
    late, early = EquityCurve(CASH, 0), EquityCurve(CASH, 0)
    late.values(snapshots)
    for curve in (late, early):
        curve.add(fill(ids[0], 1.5, CASH - SCALE, quantity=0))

    assert equities(early, snapshots) == equities(late, snapshots)
    assert [CASH, CASH - SCALE, CASH - SCALE] == equities(late, snapshots)


def test_snapshot_read_after_its_fill_corrects_the_curve() -> None:
    """Until the snapshot that a fill answers is known, the fill counts by its price's time."""
    whole, ids = snapshots_at(1, 2, 3)
    curve, growing = EquityCurve(CASH, 0), Snapshots()
    curve.add(fill(ids[2], 0.5, CASH - SCALE, quantity=0))
    seen = []
    for point in whole.points:
        growing.add_point(point)
        seen.append(equities(curve, growing)[-1])

    assert [CASH - SCALE, CASH - SCALE, CASH] == seen
    assert [CASH, CASH, CASH] == equities(curve, growing)


def test_no_equity_before_the_account_was_opened() -> None:
    """An agent that joined later has no past."""
    snapshots, _ = snapshots_at(1, 2)
    published_ms = snapshots.points[0].published_ms

    assert [None, None] == equities(EquityCurve(CASH, published_ms + 1), snapshots)


def test_window_and_fills_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Snapshots before the oldest kept fill have no equity."""
    monkeypatch.setattr(equity_curves, "SNAPSHOTS_WINDOW", 3)
    monkeypatch.setattr(equity_curves, "FILLS_KEPT", 1)
    snapshots, ids = snapshots_at(1, 2, 3, 4, 5)
    live = EquityCurve(CASH, 0)
    live.values(snapshots)
    for index, cash in ((0, CASH - SCALE), (1, CASH - 2 * SCALE)):
        live.add(fill(ids[index], index + 3.5, cash, quantity=0))

    assert [2, 3, 4] == [point.offset for point in snapshots.points]
    assert [None, CASH - SCALE, CASH - 2 * SCALE] == equities(live, snapshots)


def test_thinned_curve_keeps_the_same_points_as_it_grows() -> None:
    """Points are chosen by offset, so a curve does not flicker and every reader sees the same."""
    values: list[tuple[int, int | None]] = [(n, n) for n in range(100)]

    whole = thin(values, 0, 30)
    late = thin(values[10:], 10, 30)

    assert [(n, n) for n in (*range(0, 100, 4), 99)] == whole
    assert [pair for pair in whole if pair[0] >= 12] == late


def test_value_before_a_time_is_the_newest_known() -> None:
    """If all known values are newer, the oldest one is the reference."""
    values: list[tuple[int, int | None]] = [(10, None), (20, 5), (30, 6)]

    assert [5, 5, 6] == [value_before(values, ms) for ms in (10, 25, 30)]
    assert value_before([], 10) is None


def test_drawdown_is_from_the_high_of_all_snapshots() -> None:
    """A high between two shown points counts; the largest drawdown is the standing's."""
    scenario = Scenario(agents=(("buy-and-hold", "buy_and_hold", "baseline"),)).run(64)
    view = view_of(scenario.records)
    frame = build_frame(view, scenario.wall)
    (whole,) = queries.equity_curves(view, frame, 100).curves
    (thinned,) = queries.equity_curves(view, frame, 8).curves
    known = [float(value) for value in whole.values if value is not None]
    deepest = max(1 - value / max(known[: i + 1]) for i, value in enumerate(known)) * 100

    assert deepest > 0
    found = max(float(v) for v in whole.drawdowns_pct if v is not None)
    assert deepest == pytest.approx(found, abs=1e-3)
    assert set(thinned.drawdowns_pct) <= set(whole.drawdowns_pct)
    standing = queries.standing(frame, "buy-and-hold")
    assert max(v for v in whole.drawdowns_pct if v is not None) == standing.max_drawdown_pct


def test_largest_drawdown_is_a_share_of_its_own_high() -> None:
    """A smaller loss from a lower high may be the larger share; unknown values do not count."""
    values: list[tuple[int, int | None]] = [*enumerate([None, 100, 60, 1_000, 900, 950])]

    assert (40, 100) == max_drawdown(values)
    assert (0, 5) == max_drawdown([(1, 5)])
    assert max_drawdown([(1, None)]) is None
    assert (1, 1) == max_drawdown([(1, 0)])


def test_largest_drawdown_follows_snapshots_and_fills() -> None:
    """It is kept between frames, and is that of a view that was never asked before."""
    scenario = Scenario().run(40)
    view = ArenaView()
    for number, record in enumerate(scenario.records):
        view.apply(record)
        if number % 7 == 0:
            build_frame(view, scenario.wall)
    asked, fresh = (
        [row.max_drawdown for row in build_frame(one, scenario.wall).ranking]
        for one in (view, view_of(scenario.records))
    )

    assert any(found and found[0] for found in fresh)
    assert fresh == asked
