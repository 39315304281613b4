"""The distributions of the judge are those of `scipy.stats`."""

import numpy as np
import pytest
from scipy import stats

from judge.statistics import distributions

VALUES = np.array([-np.inf, -37.0, -2.5, -1e-9, 0.0, 0.3, 1.96, 8.0, np.inf])
SHARES = (0.0, 1e-300, 1e-12, 0.025, 0.5, 0.9, 1.0 - 1e-12, 1.0)
FREEDOMS = (1, 2, 5, 17.3, 400, 1e9)


def test_normal_functions_equal_scipys() -> None:
    """Density, both tails and quantiles are equal to the last digit."""
    np.testing.assert_array_equal(stats.norm.pdf(VALUES), distributions.normal_pdf(VALUES))
    np.testing.assert_array_equal(stats.norm.cdf(VALUES), distributions.normal_cdf(VALUES))
    np.testing.assert_array_equal(stats.norm.sf(VALUES), distributions.normal_sf(VALUES))
    np.testing.assert_array_equal(
        stats.norm.ppf(SHARES), [distributions.normal_ppf(share) for share in SHARES]
    )


@pytest.mark.parametrize("freedom", FREEDOMS)
def test_student_and_chi2_equal_scipys(freedom: float) -> None:
    """Tails and quantiles are equal to the last digit, with infinite values at 0 and 1."""
    tail = distributions.student_sf(VALUES, freedom)
    above = [distributions.student_isf(share, freedom) for share in SHARES]
    below = [distributions.student_ppf(share, freedom) for share in SHARES]
    squares = [distributions.chi2_ppf(share, freedom) for share in SHARES]

    np.testing.assert_array_equal(stats.t.sf(VALUES, freedom), tail)
    np.testing.assert_array_equal(stats.t.isf(SHARES, freedom), above)
    np.testing.assert_array_equal(stats.t.ppf(SHARES, freedom), below)
    np.testing.assert_array_equal(stats.chi2.ppf(SHARES, freedom), squares)


@pytest.mark.parametrize("freedom", [1, 3, 40])
@pytest.mark.parametrize("freedom_below", [1, 4, 500])
def test_f_equals_scipys(freedom: int, freedom_below: int) -> None:
    """The upper tail of F is equal to the last digit."""
    for ratio in (0.0, 1e-9, 0.7, 4.0, 1e9, np.inf):
        expected = stats.f.sf(ratio, freedom, freedom_below)

        assert expected == distributions.f_sf(ratio, freedom, freedom_below)
