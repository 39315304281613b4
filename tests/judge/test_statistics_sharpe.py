"""Probabilistic and deflated Sharpe ratios against scipy and the authors' own example."""

import numpy as np
import pytest
from scipy import stats

from judge.statistics.sharpe import (
    expected_best_sharpe,
    probabilistic_sharpe,
    sharpe_probability,
    sharpe_ratio,
)

TRIALS, ROOT_YEAR = 100, np.sqrt(250.0)


def test_the_example_of_the_deflated_sharpe_paper() -> None:
    """Bailey and Lopez de Prado (2014): SR 2.5, 5 years, 100 trials of variance 1/2 give 0.9004."""
    ratios = np.linspace(-1.0, 1.0, TRIALS)
    ratios *= np.sqrt(0.5) / ROOT_YEAR / ratios.std(ddof=1)
    benchmark = expected_best_sharpe(ratios)
    found = sharpe_probability(2.5 / ROOT_YEAR, benchmark, periods=1250, skew=-3.0, kurtosis=10.0)

    assert 0.1132 == pytest.approx(benchmark, abs=5e-5)
    assert 0.9004 == pytest.approx(found, abs=5e-5)


def test_the_best_of_many_without_skill() -> None:
    """The formula is close to the mean maximum of simulated normal ratios."""
    draws = np.random.default_rng(1).standard_normal((20_000, 10))
    ratios = np.linspace(-1.0, 1.0, 10)
    ratios /= ratios.std(ddof=1)

    assert draws.max(axis=1).mean() == pytest.approx(expected_best_sharpe(ratios), rel=0.03)


def test_moments_are_those_of_scipy() -> None:
    """A skewed, fat-tailed series gives the same as the formula with scipy's moments."""
    returns = np.random.default_rng(2).exponential(size=300) - 0.9
    expected = sharpe_probability(
        sharpe_ratio(returns),
        0.02,
        periods=300,
        skew=float(stats.skew(returns)),
        kurtosis=float(stats.kurtosis(returns, fisher=False)),
    )

    assert expected == pytest.approx(probabilistic_sharpe(returns, 0.02), abs=1e-12)


def test_it_is_a_half_at_the_benchmark() -> None:
    """A ratio equal to its benchmark is as likely above the truth as below."""
    returns = np.random.default_rng(3).standard_normal(100)

    assert 0.5 == probabilistic_sharpe(returns, sharpe_ratio(returns))
