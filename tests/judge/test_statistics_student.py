"""Studentised statistics agree with slow loops, closed forms and the paired t-test."""

import numpy as np
import pytest
from scipy import stats

from judge.statistics.resample import Resamples, draw_circular, draw_stationary
from judge.statistics.student import (
    Studentised,
    studentise_means,
    studentise_sharpes,
    upper_quantile,
)
from judge.statistics.types import FloatArray, Interval


def series_of(periods: int, columns: int, seed: int = 0) -> FloatArray:
    """Some returns with a common part."""
    draws = np.random.default_rng(seed).standard_normal((periods, columns + 1))
    return 0.01 * (draws[:, :1] + draws[:, 1:])


def draw(periods: int, count: int, seed: int = 1) -> list[Resamples]:
    """Some seasons of blocks of mean length 3."""
    return list(draw_stationary(periods, 3.0, count, np.random.default_rng(seed)))


def test_pairs_agree_with_a_slow_loop() -> None:
    """|t*| of a difference is its error over the error of a mean of independent blocks."""
    series = series_of(80, 3)
    parts = draw(80, 40)
    found = studentise_means(series, parts, [(0, 2)]).pairs
    gaps = series[:, 0] - series[:, 2]
    (part,) = parts
    expected = []
    for season in range(40):
        picked = gaps[part.indices[season]]
        inner = part.starts[:-1][part.rows == season] - season * 80
        blocks = np.split(picked - picked.mean(), inner[1:])
        error = np.sqrt(sum(block.sum() ** 2 for block in blocks)) / 80
        expected.append(abs(picked.mean() - gaps.mean()) / error)

    np.testing.assert_allclose(expected, found.t_stars[:, 0], rtol=1e-9)


def test_independent_returns_agree_with_the_paired_t_test() -> None:
    """With single periods as blocks the p-value is close to that of scipy's paired t-test."""
    series = series_of(200, 2, seed=3)
    series[:, 0] += 0.0015
    parts = draw_stationary(200, 1.0, 4000, np.random.default_rng(2))
    found = studentise_means(series, parts, [(0, 1)]).pairs
    expected = float(stats.ttest_rel(series[:, 0], series[:, 1]).pvalue)

    assert 0.01 < expected < 0.5
    assert abs(expected - found.p_values()[0]) < 0.03


def test_resampled_sharpe_ratios_are_sharpe_ratios() -> None:
    """Each resampled ratio is mean over standard deviation of the resampled returns."""
    series = series_of(90, 2)
    (part,) = draw_circular(90, 4.0, 30, np.random.default_rng(1))
    picked = series[part.indices]

    found = studentise_sharpes(series, [part], [(0, 1)])

    np.testing.assert_allclose(picked.mean(axis=1) / picked.std(axis=1), found.stars, rtol=1e-9)
    np.testing.assert_allclose(series.mean(axis=0) / series.std(axis=0), found.agents.estimates)


def test_the_error_of_a_sharpe_ratio_has_its_closed_form() -> None:
    """For independent normal returns it is sqrt((1 + SR^2 / 2) / T) (Lo 2002)."""
    series = 0.3 + np.random.default_rng(4).standard_normal((20_000, 1))
    parts = draw_circular(20_000, 1.0, 5, np.random.default_rng(1))
    found = studentise_sharpes(series, parts, []).agents
    expected = np.sqrt((1.0 + found.estimates[0] ** 2 / 2.0) / 20_000)

    assert found.errors[0] == pytest.approx(expected, rel=0.05)


def test_the_p_value_and_the_interval_say_the_same() -> None:
    """The interval leaves out 0 exactly where the p-value is at most 10 %."""
    for seed in range(40):
        series = series_of(100, 2, seed)
        series[:, 0] += 0.002
        found = studentise_means(series, draw(100, 199, seed), [(0, 1)]).pairs
        interval = found.interval(0, confidence=0.90, scale=100.0)

        assert interval is not None
        assert (interval.low > 0.0 or interval.high < 0.0) == (found.p_values()[0] <= 0.1)


def test_resamples_without_variance_count_against_a_claim() -> None:
    """One busy period: every third season misses it, and no interval has an end."""
    series = np.zeros((90, 2))
    series[40, 0] = 1.0
    found = studentise_means(series, draw(90, 199), [(0, 1)]).pairs

    assert np.isinf(found.t_stars).mean() > 0.2
    assert found.p_values()[0] > 0.2
    assert found.interval(0, confidence=0.90, scale=1.0) is None


def test_a_constant_has_an_exact_interval() -> None:
    """A column that never moves is known exactly, whatever its size."""
    series = np.column_stack([np.zeros(90), np.full(90, 0.1), series_of(90, 1)[:, 0]])
    found = studentise_means(series, draw(90, 50), []).agents

    assert Interval(0.0, 0.0, 0.0) == found.interval(0, confidence=0.9, scale=90.0)
    exact = found.interval(1, confidence=0.9, scale=90.0)
    assert exact is not None
    assert exact.low == exact.high == pytest.approx(9.0)


def test_quantiles_are_order_statistics() -> None:
    """Of 99 values the 0.9 quantile is the 90th; beyond the last there is only the last."""
    values = np.random.default_rng(1).permutation(np.arange(1.0, 100.0))

    assert 90.0 == upper_quantile(values, 0.9)
    assert 99.0 == upper_quantile(values, 0.999)


def test_t_values_of_nothing() -> None:
    """0 / 0 is no evidence, something / 0 is all of it."""
    found = Studentised(np.array([0.0, 0.1, -4.0]), np.array([0.0, 0.0, 2.0]), np.ones((5, 3)))

    assert [0.0, np.inf, 2.0] == found.t_values.tolist()
