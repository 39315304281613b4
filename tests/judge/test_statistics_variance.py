"""The long-run variance agrees with scipy, with closed forms, and with itself."""

import numpy as np
import pytest
import scipy.fft
from hypothesis import given, settings
from hypothesis import strategies as st

from judge.statistics.types import FloatArray
from judge.statistics.variance import (
    claim_cosines,
    cosines,
    interval_cosines,
    long_run_variance,
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
    ("periods", "claims", "intervals"), [(60, 6, 5), (384, 8, 5), (1_536, 16, 10), (2_000, 18, 11)]
)
def test_the_number_of_cosines_is_a_rule_of_the_length(
    periods: int, claims: int, intervals: int
) -> None:
    """Nothing about the returns chooses it."""
    assert (claims, intervals) == (claim_cosines(periods), interval_cosines(periods))


def test_an_autoregression_has_its_closed_form() -> None:
    """An AR(1) with slope p and unit innovations has the long-run variance 1 / (1 - p)^2."""
    for slope in (-0.4, 0.0, 0.3, 0.7):
        found = long_run_variance(ar1(slope, 40_000, 5), 400)[0]

        assert abs(found * (1.0 - slope) ** 2 - 1.0) < 0.15


def test_a_constant_has_none() -> None:
    """A constant column has the variance 0 and disturbs no other column."""
    series = np.hstack([np.full((100, 1), 0.25), ar1(0.2, 100, 1)])
    found = long_run_variance(series)

    assert 0.0 == found[0]
    np.testing.assert_allclose(long_run_variance(series[:, 1:])[0], found[1], rtol=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 999), st.floats(-10.0, 10.0), st.floats(1e-3, 1e3))
def test_shift_and_scale(seed: int, shift: float, scale: float) -> None:
    """A shift changes nothing, a factor comes out squared."""
    series = ar1(0.3, 150, seed)
    expected = long_run_variance(series) * scale**2

    np.testing.assert_allclose(expected, long_run_variance(shift + scale * series), rtol=1e-6)
