"""The long-run variance agrees with arch, with closed forms, and with itself."""

import numpy as np
from arch.covariance.kernel import QuadraticSpectral
from hypothesis import given, settings
from hypothesis import strategies as st

from judge.statistics.types import FloatArray
from judge.statistics.variance import andrews_bandwidth, long_run_variance


def ar1(slope: float, periods: int, seed: int) -> FloatArray:
    """An AR(1) series with unit innovations, shape [T, 1]."""
    noise = np.random.default_rng(seed).standard_normal(periods + 100)
    for i in range(1, noise.size):
        noise[i] += slope * noise[i - 1]
    return noise[100:, None]


def test_the_kernel_sum_is_that_of_arch() -> None:
    """Without prewhitening and at the same bandwidth arch computes the same number."""
    series = ar1(0.5, 400, 3)
    width = float(andrews_bandwidth(series - series.mean(axis=0))[0])
    expected = QuadraticSpectral(series, bandwidth=width, df_adjust=0, force_int=False)

    np.testing.assert_allclose(
        np.asarray(expected.cov.long_run),
        long_run_variance(series, prewhiten=False)[None],
        rtol=1e-9,
    )


def test_an_autoregression_has_its_closed_form() -> None:
    """An AR(1) with slope p and unit innovations has the long-run variance 1 / (1 - p)^2."""
    for slope in (-0.4, 0.0, 0.3, 0.7):
        found = long_run_variance(ar1(slope, 20_000, 5))[0]

        assert abs(found * (1.0 - slope) ** 2 - 1.0) < 0.06


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
