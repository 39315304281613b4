"""Runs are paired if they had the same market, and only then."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from arena.errors import UsageError
from judge.report.compare import RunComparison, compare_runs
from judge.report.compare_match import match_entrants
from judge.report.compare_text import compare_lines, conclusion
from judge.report.facts import Facts, ReportOptions, make_facts
from judge.report.unpaired import LineTotal, holm, unpaired_difference
from judge.season import Season
from judge.statistics import Interval
from tests.judge.seasons import BASELINES, entry, make_season, rename

FEW = (entry("momentum", "momentum", "small"), entry("scalper", "scalper", "small"), *BASELINES)


def facts(season: Season, run: str = "run") -> Facts:
    """The facts of a season."""
    return make_facts(run, season, ReportOptions())


def lifted(season: Season, index: int, per_period: float) -> Season:
    """The season with one entry that earns a little more in every period."""
    equity = season.equity.copy()
    equity[:, index] *= np.exp(per_period * np.arange(len(equity)))
    return replace(season, equity=equity)


@pytest.fixture(scope="module")
def before() -> Facts:
    """Two agents over two hundred snapshots."""
    return facts(make_season(snapshots=200, entries=FEW), "before")


@pytest.fixture(scope="module")
def other() -> Facts:
    """The same agents in another market."""
    return facts(make_season(snapshots=200, entries=FEW, seed=8), "after")


@pytest.fixture(scope="module")
def noisy(before: Facts) -> Facts:
    """The same market with slightly different agents, one snapshot an hour."""
    noise = np.random.default_rng(3).normal(0, 3e-4, before.season.equity.shape)
    equity = before.season.equity * np.exp(noise.cumsum(axis=0))
    return facts(replace(before.season, equity=equity, interval_s=3600.0), "after")


def line(found: RunComparison, name: str) -> tuple[float, bool]:
    """Difference and decision of an agent's line."""
    (one,) = [x for x in found.lines if x.level == "agent" and x.before == name]
    assert one.difference is not None
    return one.difference.estimate, one.separated


def test_the_same_market_is_paired(before: Facts) -> None:
    """A small gain in every period is found despite the market's noise."""
    rng = np.random.default_rng(1)
    season = lifted(before.season, 0, 1e-4)
    season = replace(
        season, equity=season.equity * np.exp(rng.normal(0, 1e-5, season.equity.shape))
    )
    found = compare_runs(before, facts(season, "after"))
    gain, separated = line(found, "momentum")

    assert found.paired
    assert separated
    assert math.isclose(gain, 200 * 1e-4, rel_tol=0.05)
    assert not line(found, "scalper")[1]
    assert "Paired: the same 200 snapshots" in "\n".join(compare_lines(found))


def test_another_market_is_not_paired(before: Facts, other: Facts, noisy: Facts) -> None:
    """Other prices: the comparison is unpaired, wider and labelled."""
    unpaired = compare_runs(before, other)
    paired = compare_runs(before, noisy)

    def width(found: RunComparison) -> float:
        (one,) = [x for x in found.lines if x.before == "scalper"]
        return 0.0 if one.difference is None else one.difference.high - one.difference.low

    assert not unpaired.paired
    assert "prices differ" in unpaired.why
    assert width(unpaired) > width(paired)
    assert "Unpaired" in "\n".join(compare_lines(unpaired))


def test_other_snapshots_are_not_paired(before: Facts) -> None:
    """Equal prices at other times are another market."""
    ids = tuple(f"other-{name}" for name in before.season.snapshot_ids)
    found = compare_runs(before, facts(replace(before.season, snapshot_ids=ids), "after"))

    assert (False, "the snapshots differ, so the market's luck is in the difference") == (
        found.paired,
        found.why,
    )


def test_a_run_compared_with_itself_is_identical(before: Facts) -> None:
    """Identical returns are labelled, and no difference is claimed."""
    found = compare_runs(before, before)

    assert not any(one.separated for one in found.lines)
    assert {True} == {one.identical for one in found.lines}
    assert conclusion(found).startswith("Nothing changed for the mean of 2 agents")


def test_agents_are_matched_by_name_then_by_cell(before: Facts) -> None:
    """Equal names first, then strategy, node and seed, then pairs given by option."""
    renamed = rename(before.season, "momentum", "momentum-new")
    other_cell = replace(
        renamed, entries=(replace(renamed.entries[0], strategy="calm"), *renamed.entries[1:])
    )
    new, other = facts(renamed), facts(other_cell)

    assert [(0, 0), (1, 1)] == match_entrants(before, new, {})
    assert [(1, 1)] == match_entrants(before, other, {})
    assert [(0, 0), (1, 1)] == match_entrants(before, other, {"momentum": "momentum-new"})
    with pytest.raises(UsageError, match="no such agents"):
        match_entrants(before, new, {"nobody": "momentum-new"})
    assert ("momentum",) == compare_runs(before, other).only_before


def test_a_cell_is_compared_as_one_entrant(before: Facts) -> None:
    """Repeats have no lines of their own; a cell is compared with a single agent of that cell."""
    repeats = tuple(entry(f"momentum-{k}", "momentum", "small", seed=k) for k in (1, 2, 3))
    cells = facts(make_season(snapshots=200, entries=(*repeats, *FEW[1:])), "cells")
    found = compare_runs(before, cells)
    again = compare_runs(cells, cells)

    assert [("momentum", "momentum"), ("scalper", "scalper")] == [
        (x.before, x.after) for x in found.lines if x.level == "agent"
    ]
    assert "mean of 2 cells" == again.lines[0].before
    assert again.lines[0].identical
    with pytest.raises(UsageError, match="momentum-1 is a repeat of momentum; name the cell"):
        compare_runs(cells, cells, {"momentum-1": "momentum-2"})


def test_all_lines_are_one_family(before: Facts, other: Facts, noisy: Facts) -> None:
    """Each line is corrected for all lines, not only for those of its kind.

    If each of three levels had its own 3 %, up to 9 % of comparisons would claim a false
    difference.
    """
    paired, unpaired = compare_runs(before, noisy), compare_runs(before, other)

    assert ["all", "agent", "agent"] == [x.level for x in paired.lines]
    for one in paired.lines:
        assert one.p_value is not None
        assert one.p_adjusted is not None
        assert one.p_adjusted > 1.2 * one.p_value or one.p_adjusted > 0.5
    assert [x.p_adjusted for x in unpaired.lines] == holm([x.p_value for x in unpaired.lines])


def test_the_detectable_difference_has_a_daily_rate(
    before: Facts, other: Facts, noisy: Facts
) -> None:
    """Not separated: the difference found in 4 of 5 seasons, over the season and per day."""
    for found in (compare_runs(noisy, before), replace(compare_runs(before, other), days=8.0)):
        text = conclusion(replace(found, days=8.0))
        assert "The season cannot tell whether the mean of 2 agents changed" in text
        assert "% over 8 days (" in text
        assert "a day) would have been found in 4 seasons of 5." in text
        assert "could not" not in text
    assert 200 / 24 == pytest.approx(compare_runs(noisy, noisy).days)


def test_an_interim_run_claims_nothing_across_markets(before: Facts, other: Facts) -> None:
    """Unpaired interim runs are not decided, paired ones wait for a look, and the text says so."""
    rising = lifted(before.season, 0, 1e-3).equity
    noise = np.random.default_rng(5).normal(0, 1e-5, rising.shape).cumsum(axis=0)
    plan = replace(before.season.assumptions, planned=1000)
    running = facts(replace(before.season, equity=rising * np.exp(noise), assumptions=plan))
    paired, unpaired = compare_runs(before, running), compare_runs(other, running)

    assert paired.interim
    expected = "One of the runs has not reached its planned end"
    assert f"{expected}." in compare_lines(paired)
    assert line(paired, "momentum")[0] > 0.1
    assert not line(paired, "momentum")[1]
    assert max(abs(one.difference.estimate) for one in unpaired.lines if one.difference) > 0.1
    assert not any(one.separated for one in unpaired.lines)
    assert f"{expected}; nothing is claimed across markets." in compare_lines(unpaired)


def test_a_lost_account_is_compared_with_finite_figures(before: Facts) -> None:
    """A fall to nearly zero gives a figure or a reason, never an overflow or a nan."""
    equity = before.season.equity.copy()
    equity[100:, 0] *= 1e-7
    ruined = facts(replace(before.season, equity=equity))
    for found in (compare_runs(before, ruined), compare_runs(ruined, before)):
        text = "\n".join(compare_lines(found))
        assert "nan" not in text
        assert "inf" not in text


def test_too_short_a_season_gives_no_verdict() -> None:
    """Five snapshots: no decision and a reason."""
    short = facts(make_season(snapshots=5, entries=FEW))
    found = compare_runs(short, facts(lifted(short.season, 0, 0.01)))

    assert {None} == {one.difference for one in found.lines}
    assert "too early" in conclusion(found)


def test_runs_without_a_common_agent_are_refused(before: Facts) -> None:
    """The error says how to name a pair."""
    strangers = facts(make_season(snapshots=200, entries=(entry("x", "calm", "big"), *BASELINES)))

    with pytest.raises(UsageError, match="--pair OLD=NEW"):
        compare_runs(before, strangers)


def test_holm_matches_the_textbook_example() -> None:
    """0.01, 0.04, 0.03 become 0.03, 0.06, 0.06; an unknown one takes no part."""
    found = holm([0.01, 0.04, None, 0.03])

    assert [0.03, 0.06, None, 0.06] == [None if p is None else round(p, 9) for p in found]


@given(st.floats(-0.1, 0.1), st.floats(1e-4, 0.1), st.floats(-0.1, 0.1), st.floats(1e-4, 0.1))
def test_unpaired_intervals_combine_by_sum_of_squares(
    a: float, a_width: float, b: float, b_width: float
) -> None:
    """For symmetric intervals the half-width is the root of the sum of squares."""
    found, p_value, error, freedom = unpaired_difference(
        LineTotal(Interval(a, a - a_width, a + a_width), a_width / 2, 8),
        LineTotal(Interval(b, b - b_width, b + b_width), b_width / 2, 8),
    )
    expected = stats.ttest_ind_from_stats(b, b_width / 2 * 3, 9, a, a_width / 2 * 3, 9, False)

    assert math.isclose(found.high - found.estimate, math.hypot(a_width, b_width), rel_tol=1e-9)
    assert math.isclose(found.estimate, b - a, abs_tol=1e-12)
    assert math.isclose(error, math.hypot(a_width, b_width) / 2, rel_tol=1e-9)
    assert 8 <= freedom + 1e-9
    assert freedom <= 16 + 1e-9
    assert math.isclose(p_value, expected.pvalue, rel_tol=1e-6)
