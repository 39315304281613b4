"""Runs of different lengths: a common truncated is paired, other markets compare by rates."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from judge.report.compare import compare_runs
from judge.report.compare_parts import unit_of
from judge.report.compare_text import compare_lines, conclusion
from judge.report.facts import Facts, ReportOptions, make_facts
from judge.season import Season
from judge.season.types import FloatArray
from tests.judge.seasons import entry, make_season

FEW = (entry("momentum", "momentum", "small"), entry("scalper", "scalper", "small"))
LOSS, NOISE = -3e-4, 2e-4
"""What an agent loses in a period by trading, and how much that differs between periods."""


def facts(season: Season) -> Facts:
    """The facts of a season that ended as planned."""
    plan = replace(season.assumptions, planned=season.periods)
    return make_facts("run", replace(season, assumptions=plan), ReportOptions())


@cache
def other(snapshots: int, seed: int, loss: float = LOSS, interval_s: float = 300.0) -> Facts:
    """The facts of a season on a different market."""
    return facts(trading(snapshots, seed, loss, interval_s))


def trading(snapshots: int, seed: int, loss: float = LOSS, interval_s: float = 300.0) -> Season:
    """A season in which both agents lose by trading, at a rate independent of time."""
    season = make_season(snapshots=snapshots, entries=FEW, seed=seed, interval_s=interval_s)
    rng = np.random.default_rng(seed)
    equity = season.equity.copy()
    for index in (0, 1):
        steps = rng.normal(loss, NOISE, snapshots)
        equity[:, index] = 100_000.0 * np.exp(np.r_[0.0, steps.cumsum()])
    return replace(season, equity=equity)


def truncated(season: Season, snapshots: int) -> Season:
    """The season of the same agents and prices that ended earlier, at its last bids."""

    def rows(array: FloatArray) -> FloatArray:
        return np.concatenate([array[:snapshots], array[snapshots - 1 : snapshots]])

    return replace(
        season,
        equity=rows(season.equity),
        cash=rows(season.cash),
        exposure=rows(season.exposure),
        bids=rows(season.bids),
        asks=rows(season.asks),
        hold=rows(season.hold),
        times=season.times[: snapshots + 1],
        snapshot_ids=season.snapshot_ids[:snapshots],
        decisions=tuple(tuple(d for d in one if d.index < snapshots) for one in season.decisions),
    )


@pytest.fixture(scope="module")
def long() -> Season:
    """Four hundred snapshots, 33 h 20 min."""
    return trading(400, seed=7)


@pytest.fixture(scope="module")
def short(long: Season) -> Facts:
    """Its first 160 snapshots, 13 h 20 min."""
    return facts(truncated(long, 160))


def test_the_common_beginning_is_paired(long: Season, short: Facts) -> None:
    """Only the length differs: no difference is claimed, and both lengths are stated."""
    whole = facts(long)
    for found in (compare_runs(short, whole), compare_runs(whole, short)):
        text = "\n".join(compare_lines(found))
        assert found.paired
        assert {True} == {one.identical for one in found.lines}
        assert conclusion(found).startswith("Nothing changed for the mean of 2 agents")
        assert [one.before_total for one in found.lines] == [x.after_total for x in found.lines]
        assert "Paired: the first 160 snapshots are the same, at the same prices" in text
        assert {True} == {
            expected in text for expected in ("160 (13 h 20 min)", "400 (33 h 20 min)")
        }
        assert found.hold_before == found.hold_after


def test_a_change_is_found_on_the_common_beginning(long: Season, short: Facts) -> None:
    """The gain is measured on the common snapshots only."""
    equity = long.equity.copy()
    rng = np.random.default_rng(3)
    equity[:, 0] *= np.exp(np.r_[0.0, rng.normal(4e-4, 1e-4, 400).cumsum()])
    found = compare_runs(short, facts(replace(long, equity=equity)))
    (line,) = [x for x in found.lines if x.before == "momentum"]

    assert line.separated
    assert line.difference is not None
    assert 159 * 4e-4 == pytest.approx(line.difference.estimate, rel=0.1)


def test_another_market_is_compared_by_rates() -> None:
    """The same losses for longer are not worse: totals differ, returns per day do not."""
    found = compare_runs(other(160, 8), other(400, 9))
    text = "\n".join(compare_lines(found))

    assert not found.paired
    assert "day" == found.unit
    assert not any(one.separated for one in found.lines)
    for one in found.lines:
        assert LOSS * 288 == pytest.approx(one.before_total, rel=0.2)
        assert LOSS * 288 == pytest.approx(one.after_total, rel=0.2)
    assert "Lengths: 13 h 20 min before, 33 h 20 min after; returns are those of a day." in text
    assert "before, a day" in text
    assert "worse" not in text
    assert " a day would have been found in 4 seasons of 5." in conclusion(found)


def test_a_change_in_another_market_is_a_daily_rate() -> None:
    """An agent that stopped losing is better by its daily loss; both lengths are stated."""
    found = compare_runs(other(160, 8), other(400, 9, loss=0.0))

    assert found.lines[0].separated
    assert found.lines[0].difference is not None
    assert -LOSS * 288 == pytest.approx(found.lines[0].difference.estimate, rel=0.2)
    assert conclusion(found).startswith("After the change the mean of 2 agents did better: +")
    assert conclusion(found).endswith(" % a day, over 13 h 20 min before and 33 h 20 min after.")


@pytest.mark.parametrize(
    ("after", "length_s"), [((163, 9), 48_000.0), ((80, 9, 2 * LOSS, 600.0), 48_000.0)]
)
def test_seasons_of_similar_length_are_compared_by_totals(
    after: tuple[int, int], length_s: float
) -> None:
    """Extra snapshots are left out; half as many of twice the interval last equally long."""
    found = compare_runs(other(160, 8), other(*after))

    assert ("", (length_s, length_s)) == (found.unit, found.lengths_s)
    assert LOSS * 160 == pytest.approx(found.lines[-1].before_total, rel=0.2)
    assert "a day) would have been found" in conclusion(found)
    assert "Lengths" not in "\n".join(compare_lines(found))


@pytest.mark.parametrize(
    ("shorter_s", "unit"),
    [
        (40.0, "minute"),
        (1_000.0, "minute"),
        (1_800.0, "hour"),
        (40_000.0, "hour"),
        (43_200.0, "day"),
        (9e9, "day"),
    ],
)
def test_a_season_of_minutes_has_no_daily_rate(shorter_s: float, unit: str) -> None:
    """Minutes do not show what a day would bring."""
    assert unit == unit_of(shorter_s).name
