"""The long-run variance agrees with SciPy, with closed forms, and with itself."""

import numpy as np
import pytest
import scipy.fft
from hypothesis import given, settings
from hypothesis import strategies as st

from judge.statistics.types import FloatArray
from judge.statistics.variance import (
    POOLED,
    claim_cosines,
    claim_freedom,
    cosines,
    fast_cosines,
    interval_cosines,
    long_run_variance,
    pooled_variances,
)


def ar1(slope: float, periods: int, seed: int) -> FloatArray:
    """An AR(1) series with unit innovations, shape [T, 1]."""
    noise = np.random.default_rng(seed).standard_normal(periods + 100)
    for i in range(1, noise.size):
        noise[i] += slope * noise[i - 1]
    return noise[100:, None]


def test_the_coefficients_are_those_of_scipys_transform() -> None:
    """The weights are the orthonormal cosine transform of type II without its constant."""
    series = ar1(0.5, 400, 3)
    found = scipy.fft.dct(series[:, 0], type=2, norm="ortho")[1:9]

    assert 8 == claim_cosines(400)
    np.testing.assert_allclose(found, cosines(400, 8) @ series[:, 0], atol=1e-12)
    np.testing.assert_allclose((found**2).mean(), long_run_variance(series, 8)[0], rtol=1e-12)


@pytest.mark.parametrize(
    ("periods", "claims", "intervals", "fast"),
    [(60, 4, 3, 15), (384, 8, 4, 39), (1_536, 16, 8, 78), (2_000, 18, 9, 89)],
)
def test_the_number_of_cosines_depends_only_on_the_length(
    periods: int, claims: int, intervals: int, fast: int
) -> None:
    """The returns do not change it."""
    assert (claims, intervals) == (claim_cosines(periods, 2), interval_cosines(periods))
    assert (intervals, fast) == (claim_cosines(periods, 3), fast_cosines(periods))
    assert [claims, 2 * intervals, 3 * intervals] == [
        claim_freedom(periods, agents) for agents in (2, 3, 4)
    ]


def test_a_single_pair_has_its_own_variance() -> None:
    """One pair has the variance of its slow movements; many have mostly the field's ratio."""
    slow, fast = np.array([3.0, 1.0, 1.0]), np.array([1.0, 1.0, 2.0])
    nothing = np.zeros(3)
    ratios = POOLED * 4.5 / 3.0 + (1.0 - POOLED) * slow / fast

    np.testing.assert_allclose(slow[:1], pooled_variances(slow[:1], fast[:1], nothing[:1]))
    np.testing.assert_allclose(fast * ratios, pooled_variances(slow, fast, nothing))
    assert [0.0, 0.0] == pooled_variances(nothing[:2], nothing[:2], nothing[:2]).tolist()


def test_an_autoregression_has_its_closed_form() -> None:
    """An AR(1) with slope p and unit innovations has the long-run variance 1 / (1 - p)^2."""
    for slope in (-0.4, 0.0, 0.3, 0.7):
        found = long_run_variance(ar1(slope, 40_000, 5), 400)[0]

        assert abs(found * (1.0 - slope) ** 2 - 1.0) < 0.15


def test_a_constant_has_no_variance() -> None:
    """A constant column has the variance 0 and does not change another column."""
    series = np.hstack([np.full((100, 1), 0.25), ar1(0.2, 100, 1)])
    found = long_run_variance(series)

    assert 0.0 == found[0]
    np.testing.assert_allclose(long_run_variance(series[:, 1:])[0], found[1], rtol=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 999), st.floats(-10.0, 10.0), st.floats(1e-3, 1e3))
def test_a_shift_keeps_and_a_factor_squares_the_variance(
    seed: int, shift: float, scale: float
) -> None:
    """Adding a constant changes nothing; a factor enters squared."""
    series = ar1(0.3, 150, seed)
    expected = long_run_variance(series) * scale**2

    np.testing.assert_allclose(expected, long_run_variance(shift + scale * series), rtol=1e-6)
