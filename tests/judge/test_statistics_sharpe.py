"""Probabilistic and deflated Sharpe ratios against SciPy, simulation and the authors' example."""

import numpy as np
import pytest
from scipy import signal, stats

from arena.metrics.sharpe import sharpe_ratio, sharpe_scale
from judge.statistics import judge_returns
from judge.statistics.sharpe import (
    deflated_sharpe,
    dependence,
    distinct_trials,
    expected_best_sharpe,
    probabilistic_sharpe,
    sharpe_probability,
)
from judge.statistics.types import FloatArray

TRIALS, ROOT_YEAR = 100, np.sqrt(250.0)
DAY_S = 86_400.0
WALK = np.random.default_rng(7).standard_normal((400, 4)) / 100.0


def test_the_deflated_sharpe_paper_example_is_reproduced() -> None:
    """Bailey and Lopez de Prado (2014): SR 2.5, 5 years, 100 trials of variance 1/2 give 0.9004."""
    periods = 1250
    # Their trials have a variance of 1/2 a year, 250 periods; without skill it is 1 / (T - 1).
    of_theirs = np.sqrt(0.5) / ROOT_YEAR * np.sqrt(periods - 1.0)
    benchmark = expected_best_sharpe(TRIALS, periods) * of_theirs
    found = sharpe_probability(
        2.5 / ROOT_YEAR, benchmark, periods=periods, skew=-3.0, kurtosis=10.0
    )

    assert 0.1132 == pytest.approx(benchmark, abs=5e-5)
    assert 0.9004 == pytest.approx(found, abs=5e-5)


@pytest.mark.parametrize("agents", [2, 5, 20])
def test_the_benchmark_is_the_best_ratio_without_skill(agents: int) -> None:
    """It is the mean of the best Sharpe ratio of simulated agents without skill."""
    periods, seasons = 100, 1_000
    draws = np.random.default_rng(1).standard_normal((seasons, periods, agents))
    ratios = draws.mean(axis=1) / draws.std(axis=1, ddof=1)

    # The normal quantiles are an approximation of the maximum: 8 % off for two, 2 % for twenty.
    expected = ratios.max(axis=1).mean()
    assert expected == pytest.approx(expected_best_sharpe(agents, periods), rel=0.1)


def test_one_trial_is_not_deflated() -> None:
    """With one trial, or no competing agent, the benchmark is 0: DSR is PSR."""
    assert [0.0, 0.0] == [expected_best_sharpe(trials, 100) for trials in (0, 1)]


def test_bad_agents_and_copies_do_not_change_the_benchmark() -> None:
    """Another agent's losses, and copies of an agent, leave it unchanged."""
    field = WALK[:, :3]
    burner = field.copy()
    burner[:, 2] -= 0.05
    copies = np.hstack([field, field[:, [1]], field[:, [1]] / 2 + 1e-5, field[:, [0]]])

    assert [3, 3, 3] == [distinct_trials(returns) for returns in (field, burner, copies)]


def test_baselines_and_constant_series_are_not_trials() -> None:
    """Baselines do not compete, and cash has no Sharpe ratio."""
    returns = np.hstack([WALK, np.zeros((400, 1)), np.full((400, 1), -1e-5)])
    baselines = np.array([False, True, False, False, False, False])

    assert 4 == distinct_trials(returns)
    assert 3 == distinct_trials(returns, baselines)
    assert 0 == distinct_trials(returns, np.ones(6, dtype=bool))


def test_moments_are_those_of_scipy() -> None:
    """A skewed, fat-tailed series gives the same as the formula with SciPy's moments."""
    returns = np.random.default_rng(2).exponential(size=300) - 0.9
    ratio = sharpe_ratio(returns)
    assert ratio is not None
    expected = sharpe_probability(
        ratio,
        0.0,
        periods=300,
        skew=float(stats.skew(returns)),
        kurtosis=float(stats.kurtosis(returns, fisher=False)),
        growth=dependence(returns),
    )

    assert expected == pytest.approx(probabilistic_sharpe(returns), abs=1e-12)


def test_psr_is_a_half_at_the_benchmark() -> None:
    """A ratio equal to its benchmark is as likely above the truth as below."""
    for growth in (1.0, 4.0):
        found = sharpe_probability(0.1, 0.1, periods=99, skew=-1.0, kurtosis=9.0, growth=growth)
        assert found == 0.5


def test_dependent_returns_are_less_evidence() -> None:
    """Returns in runs of eight count as an eighth of their number; others in full."""
    rng = np.random.default_rng(12)
    runs = np.repeat(rng.standard_normal((500, 30)), 8, axis=0)
    turning = np.tile([0.02, -0.01], 300)

    assert np.mean([dependence(one) for one in runs.T]) == pytest.approx(8.0, rel=0.2)
    assert dependence(turning) == 1.0
    assert dependence(rng.standard_normal(3)) == 1.0


@pytest.mark.parametrize("value", [0.0, -1e-5, 1e-300])
def test_a_constant_series_has_no_ratio(value: float) -> None:
    """Cash, and a cost equal in every period, vary only by rounding."""
    returns = np.full(100, value)

    assert sharpe_ratio(returns) is None
    assert sharpe_ratio(returns[:1]) is None
    with pytest.raises(ValueError, match="never vary"):
        probabilistic_sharpe(returns)


@pytest.mark.parametrize(
    ("interval_s", "periods", "unit", "scale"),
    [
        (DAY_S, 30, "year", np.sqrt(365.0)),
        (DAY_S, 29, "period", 1.0),
        (900.0, 2_880, "year", np.sqrt(365.0 * 96)),
        (900.0, 2_879, "period", 1.0),
        (0.0, 0, "period", 1.0),
    ],
)
def test_a_short_season_is_not_annualised(
    interval_s: float, periods: int, unit: str, scale: float
) -> None:
    """Under 30 days a ratio is per period; from 30 days on, for a year of 365 days."""
    found, named = sharpe_scale(interval_s, periods)

    assert found == pytest.approx(scale)
    assert unit == named


def field_with(*more: FloatArray) -> dict[str, float | None]:
    """The deflated Sharpe ratios of three agents and some others."""
    returns = np.hstack([WALK[:, :3] + [0.0015, 0.0, 0.0], *more])
    names = [f"agent-{n}" for n in range(returns.shape[1])]
    verdict = judge_returns(returns, names, periods_per_year=1.0, resamples=199)
    return {one.name: one.dsr for one in verdict.standings[:3]}


def test_only_the_number_of_other_agents_moves_a_deflated_ratio() -> None:
    """It is equal to the last bit for copies and for any other agents."""
    rng = np.random.default_rng(11)
    burner = [rng.standard_normal((400, 1)) * size - loss for size, loss in ((1, 0), (0.1, 0.05))]
    alone = field_with()

    assert None not in alone.values()
    assert alone == field_with(*[WALK[:, [1]]] * 5)
    assert field_with(burner[0] / 100.0) == field_with(burner[1])


def without_skill(law: str, shape: tuple[int, int], rng: np.random.Generator) -> FloatArray:
    """Returns [T, N] with a mean of 0."""
    if law == "t":
        return rng.standard_t(4, shape)
    noise = rng.standard_normal(shape)
    if law == "slow":
        # White noise and a slow component of the same variance.
        steps = rng.standard_normal((shape[0] + 100, shape[1])) * 0.6
        slow = signal.lfilter([1.0], [1.0, -0.8], steps, axis=0)[100:]
        return np.asarray(noise + slow, dtype=np.float64)
    return noise


@pytest.mark.parametrize(("law", "most"), [("normal", 0.05), ("t", 0.05), ("slow", 0.09)])
def test_agents_without_skill_seldom_pass(law: str, most: float) -> None:
    """PSR passes 95 % in about 5 % of seasons, and so does DSR for the best of six.

    Without a correction for dependence they would pass in 24 % and 45 % of the slow ones.
    """
    returns = without_skill(law, (384, 1_200), np.random.default_rng(4))
    psr = np.array([probabilistic_sharpe(one) for one in returns.T])
    dsr = np.array([deflated_sharpe(one, 6) for one in returns.T]).reshape(-1, 6).max(axis=1)

    # One standard error of 1,200 agents is 0.6 %, of 200 seasons 1.6 %.
    assert 0.02 < (psr > 0.95).mean() < most + 0.015
    assert (dsr > 0.95).mean() < most + 0.03
