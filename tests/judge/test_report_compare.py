"""Two runs are paired where they saw the same market, and only there."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.errors import UsageError
from judge.report.compare import Comparison, compare_runs, holm, independent, match_agents
from judge.report.compare_words import compare_lines, conclusion
from judge.report.facts import Facts, Options, make_facts
from judge.season import Season
from judge.statistics import Interval
from tests.judge.seasons import BASELINES, entry, make_season, rename

FEW = (entry("momentum", "momentum", "small"), entry("scalper", "scalper", "small"), *BASELINES)


def facts(season: Season, run: str = "run") -> Facts:
    """Its facts."""
    return make_facts(run, season, Options())


def lifted(season: Season, place: int, per_period: float) -> Season:
    """The season with one entry that earned a little more in every period."""
    equity = season.equity.copy()
    equity[:, place] *= np.exp(per_period * np.arange(len(equity)))
    return replace(season, equity=equity)


@pytest.fixture(scope="module")
def before() -> Facts:
    """Two agents over two hundred snapshots."""
    return facts(make_season(snapshots=200, entries=FEW), "before")


def line(found: Comparison, name: str) -> tuple[float, bool]:
    """Difference and decision of an agent's line."""
    (one,) = [x for x in found.lines if x.level == "agent" and x.before == name]
    assert one.difference is not None
    return one.difference.estimate, one.separated


def test_the_same_market_is_paired(before: Facts) -> None:
    """A small gain in every period is seen through the market's noise."""
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


def test_another_market_is_not_paired(before: Facts) -> None:
    """Other prices: unpaired, wider, and it says so."""
    other = facts(make_season(snapshots=200, entries=FEW, seed=8), "after")
    unpaired = compare_runs(before, other)
    paired = compare_runs(before, facts(lifted(before.season, 0, 1e-5)))

    def width(found: Comparison) -> float:
        (one,) = [x for x in found.lines if x.before == "scalper"]
        return 0.0 if one.difference is None else one.difference.high - one.difference.low

    assert not unpaired.paired
    assert "prices differ" in unpaired.why
    assert width(unpaired) > width(paired)
    assert "Unpaired" in "\n".join(compare_lines(unpaired))


def test_other_snapshots_are_not_paired(before: Facts) -> None:
    """A run that was cut short is not paired."""
    found = compare_runs(before, facts(make_season(snapshots=150, entries=FEW), "after"))

    assert (False, "the snapshots differ, so the market's luck is in the difference") == (
        found.paired,
        found.why,
    )


def test_a_run_against_itself_shows_nothing(before: Facts) -> None:
    """Identical returns are called so, and nothing is separated."""
    found = compare_runs(before, before)

    assert not any(one.separated for one in found.lines)
    assert {True} == {one.identical for one in found.lines}
    assert conclusion(found).startswith("Nothing changed for the mean of 2 agents")


def test_agents_belong_together_by_name_then_by_cell(before: Facts) -> None:
    """Equal names first, then strategy, node and seed, then only what was asked for."""
    renamed = rename(before.season, "momentum", "momentum-new")
    other_cell = replace(
        renamed, entries=(replace(renamed.entries[0], strategy="calm"), *renamed.entries[1:])
    )

    assert [(0, 0), (1, 1)] == match_agents(before.season, renamed, {})
    assert [(1, 1)] == match_agents(before.season, other_cell, {})
    assert [(0, 0), (1, 1)] == match_agents(before.season, other_cell, {"momentum": "momentum-new"})
    with pytest.raises(UsageError, match="no such agents"):
        match_agents(before.season, renamed, {"nobody": "momentum-new"})
    assert ("momentum",) == compare_runs(before, facts(other_cell)).only_before


def test_too_short_a_season_gives_no_verdict() -> None:
    """Five snapshots: no difference, and the reason."""
    short = facts(make_season(snapshots=5, entries=FEW))
    found = compare_runs(short, facts(lifted(short.season, 0, 0.01)))

    assert {None} == {one.difference for one in found.lines}
    assert "too early" in conclusion(found)


def test_runs_without_a_common_agent_are_refused(before: Facts) -> None:
    """There is nothing to compare, and how to name a pair."""
    strangers = facts(make_season(snapshots=200, entries=(entry("x", "calm", "big"), *BASELINES)))

    with pytest.raises(UsageError, match="--pair OLD=NEW"):
        compare_runs(before, strangers)


def test_holm_is_the_textbook_example() -> None:
    """0.01, 0.04, 0.03 become 0.03, 0.06, 0.06; an unknown one takes no part."""
    found = holm([0.01, 0.04, None, 0.03])

    assert [0.03, 0.06, None, 0.06] == [None if p is None else round(p, 9) for p in found]


@given(st.floats(-0.1, 0.1), st.floats(1e-4, 0.1), st.floats(-0.1, 0.1), st.floats(1e-4, 0.1))
def test_independent_intervals_combine_as_squares(
    a: float, a_width: float, b: float, b_width: float
) -> None:
    """For symmetric intervals the combined half-width is the root of the sum of squares."""
    found, p_value = independent(
        Interval(a, a - a_width, a + a_width), Interval(b, b - b_width, b + b_width), 0.90
    )

    assert math.isclose(found.high - found.estimate, math.hypot(a_width, b_width), rel_tol=1e-9)
    assert math.isclose(found.estimate, b - a, abs_tol=1e-12)
    assert (p_value < 0.10) == (not found.low <= 0 <= found.high)
