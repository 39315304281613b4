"""Studentised statistics agree with slow loops, closed forms and Student's t."""

import numpy as np
import pytest
from scipy import stats

from judge.statistics.resample import draw_signs
from judge.statistics.student import (
    Studentised,
    studentise,
    studentise_means,
    upper_quantile,
)
from judge.statistics.types import FloatArray, Interval
from judge.statistics.variance import (
    claim_cosines,
    fast_cosines,
    interval_cosines,
    long_run_variance,
    pooled_variances,
)


def series_of(periods: int, columns: int, seed: int = 0) -> FloatArray:
    """Some returns with a common part."""
    draws = np.random.default_rng(seed).standard_normal((periods, columns + 1))
    return 0.01 * (draws[:, :1] + draws[:, 1:])


def draw(periods: int, count: int, seed: int = 1) -> list[FloatArray]:
    """Signs of blocks of mean length 3."""
    return list(draw_signs(periods, 3.0, count, np.random.default_rng(seed)))


def test_pairs_agree_with_a_slow_loop() -> None:
    """`|t*|` is the season's own statistic in a resample, centred at the season's mean."""
    series = series_of(80, 3)
    parts = draw(80, 40)
    found = studentise_means(series, parts, [(0, 2)])
    gaps = series[:, 0] - series[:, 2]
    for one, count in ((found.pairs, interval_cosines(80)), (found.claims, claim_cosines(80, 3))):
        expected = []
        for signs in parts[0]:
            turned = gaps.mean() + signs * (gaps - gaps.mean())
            error = np.sqrt(long_run_variance(turned[:, None], count)[0] / 80)
            expected.append(abs(turned.mean() - gaps.mean()) / error)

        # A single pair of three agents has no other pair to pool with.
        np.testing.assert_allclose(expected, one.t_stars[:, 0], rtol=1e-9)


def test_the_error_is_pooled_over_pairs_in_every_resample() -> None:
    """The error of a decision is pooled in each resample as it is in the season."""
    series, pairs = series_of(80, 3), [(0, 1), (0, 2), (1, 2)]
    (part,) = draw(80, 20)
    found = studentise_means(series, [part], pairs).claims
    gaps = np.stack([series[:, a] - series[:, b] for a, b in pairs], axis=1)
    counts = (claim_cosines(80, 3), fast_cosines(80))
    mean = gaps.mean(axis=0)
    for signs, expected in zip([np.ones(80), *part], [None, *found.t_stars], strict=True):
        picked = mean + signs[:, None] * (gaps - mean)
        slow, fast = (long_run_variance(picked, n) for n in counts)
        errors = np.sqrt(pooled_variances(slow, fast, np.zeros(3)) / 80)
        distances = np.abs(picked.mean(axis=0) - mean)

        if expected is None:
            np.testing.assert_allclose(errors, found.errors, rtol=1e-9)
        else:
            np.testing.assert_allclose(distances / errors, expected, rtol=1e-9)


def test_intervals_do_not_depend_on_the_decisions() -> None:
    """Leaving the decisions out changes no interval."""
    series, pairs = series_of(80, 3), [(0, 1), (1, 2)]
    (part,) = draw(80, 20)
    whole, alone = studentise_means(series, [part], pairs), studentise(series, [part], pairs)
    for one, other in ((whole.agents, alone.agents), (whole.pairs, alone.pairs)):
        np.testing.assert_allclose(one.t_stars, other.t_stars)
        np.testing.assert_allclose(one.errors, other.errors)


def test_independent_returns_have_students_tails() -> None:
    """With single periods as blocks `|t*|` has the tails of Student's t with K degrees."""
    series = series_of(200, 2, seed=3)
    parts = draw_signs(200, 1.0, 4000, np.random.default_rng(2))
    found = studentise_means(series, parts, [(0, 1)]).pairs
    for level in (0.8, 0.9, 0.95):
        expected = float(stats.t.ppf((1.0 + level) / 2.0, interval_cosines(200)))

        assert upper_quantile(found.t_stars[:, 0], level) == pytest.approx(expected, rel=0.06)


def test_p_value_and_interval_agree() -> None:
    """The interval excludes 0 exactly if the p-value is at most the 9.7 % it is built for."""
    for seed in range(40):
        series = series_of(100, 2, seed)
        series[:, 0] += 0.002
        found = studentise_means(series, draw(100, 199, seed), [(0, 1)]).pairs
        interval = found.interval(0, confidence=0.90, scale=100.0)

        assert interval is not None
        assert (interval.low > 0.0 or interval.high < 0.0) == (found.p_values()[0] <= 0.097)


def test_one_active_period_is_no_evidence() -> None:
    """Its sign is a coin: resamples flip it in half of the cases."""
    series = np.zeros((90, 2))
    series[40, 0] = 1.0
    found = studentise_means(series, draw(90, 199), [(0, 1)])

    assert found.pairs.p_values()[0] > 0.2
    assert found.claims.p_values()[0] > 0.2


def test_a_constant_has_an_exact_interval() -> None:
    """A constant column is known exactly, whatever its size."""
    series = np.column_stack([np.zeros(90), np.full(90, 0.1), series_of(90, 1)[:, 0]])
    found = studentise_means(series, draw(90, 50), []).agents

    assert Interval(0.0, 0.0, 0.0) == found.interval(0, confidence=0.9, scale=90.0)
    exact = found.interval(1, confidence=0.9, scale=90.0)
    assert exact is not None
    assert exact.low == exact.high == pytest.approx(9.0)


def test_quantiles_are_order_statistics() -> None:
    """The 0.9 quantile of 99 values is the 90th; beyond the last value it is the last."""
    values = np.random.default_rng(1).permutation(np.arange(1.0, 100.0))

    assert 90.0 == upper_quantile(values, 0.9)
    assert 99.0 == upper_quantile(values, 0.999)


def test_t_values_without_an_error() -> None:
    """0 / 0 is no evidence, any other value / 0 is certain."""
    found = Studentised(np.array([0.0, 0.1, -4.0]), np.array([0.0, 0.0, 2.0]), np.ones((5, 3)))

    assert [0.0, np.inf, 2.0] == found.t_values.tolist()
