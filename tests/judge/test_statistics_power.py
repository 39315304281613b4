"""How large a detectable difference is: closed forms of the power plan."""

import numpy as np
import pytest
from scipy import stats

from judge.statistics.power import HypotheticalSeason, detectable_difference, normal_critical_value


def test_a_detectable_difference_is_found_with_the_power_promised() -> None:
    """A normal estimate of that size passes its critical value in 80 % of cases."""
    difference = detectable_difference(0.3, 2.1)

    assert 0.80 == pytest.approx(stats.norm.sf(2.1 - difference / 0.3), abs=1e-12)


def test_two_agents_need_no_correction() -> None:
    """With one pair Tukey's value is the normal one, or Student's if the error is estimated."""
    assert 1.959964 == pytest.approx(normal_critical_value(2, 0.05), abs=1e-4)
    assert stats.t.isf(0.025, 8) == pytest.approx(normal_critical_value(2, 0.05, 8), rel=1e-5)


@pytest.mark.parametrize(
    ("correlation", "expected"), [(0.0, 6.75), (0.5, 4.78), (0.8, 3.02), (0.95, 1.51)]
)
def test_the_noise_of_a_sharpe_difference(correlation: float, expected: float) -> None:
    """Its standard deviation is sqrt(2 (1 - rho) / years): 16 days leave several units."""
    season = HypotheticalSeason(agents=2, days=16.0, volatility=0.5, correlation=correlation)

    assert expected == pytest.approx(season.difference_sd / 0.5 * 365.0 / 16.0, abs=0.01)


def test_simulated_totals_have_the_planned_deviation() -> None:
    """Cells of three seeds: simulated differences have the formula's standard deviation."""
    season = HypotheticalSeason(2, 16.0, 0.5, correlation=0.3, seed_correlation=0.7, repeats=3)
    rng = np.random.default_rng(1)
    sd = 0.5 * np.sqrt(16.0 / 365.0)
    common = np.sqrt(0.3) * rng.standard_normal((50_000, 1, 1))
    cell = np.sqrt(0.4) * rng.standard_normal((50_000, 2, 1))
    own = np.sqrt(0.3) * rng.standard_normal((50_000, 2, 3))
    totals = (sd * (common + cell + own)).mean(axis=2)

    assert season.difference_sd == pytest.approx((totals[:, 0] - totals[:, 1]).std(), rel=0.015)


def test_waiting_long_enough_makes_a_difference_detectable() -> None:
    """A season of the computed days detects exactly the difference earned by then."""
    season = HypotheticalSeason(6, 16.0, 0.5, correlation=0.8)
    days = season.days_for(0.05, 16.0)
    longer = HypotheticalSeason(6, days, 0.5, correlation=0.8)

    assert longer.detectable == pytest.approx(0.05 * days / 16.0)
