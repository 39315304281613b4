"""Long-run variance: the uncertainty of a mean whose observations depend on each other.

The variance of a mean of T dependent observations is omega / T, where omega is the sum of all
autocovariances: 2 pi times the spectral density at frequency 0. It is estimated as the mean square
of the K lowest cosine coefficients of the series (equal-weighted cosines: Mueller 2007, Journal of
Econometrics 141, 1331-1352; Lazarus, Lewis, Stock and Watson 2018, Journal of Business and
Economic Statistics 36, 541-559). A coefficient of frequency j is about normal with variance
omega, whatever the dependence, if the spectrum is flat up to j / (2 T) cycles a period. So a mean
over its error follows Student's t with K degrees of freedom, and no model of the dependence is
needed: an autoregression, or noise that hides a slow component, are treated alike.

K is a trade: few coefficients look only at slow movements and leave wide intervals, many take fast
movements for slow ones. The rules below were chosen by `arena verdict-check`, in whose hardest
promised market a component of half-life 14 periods holds 5 % of the variance.
"""

from functools import lru_cache
from math import sqrt

import numpy as np

from judge.statistics.types import FloatArray

CLAIM_COSINES, INTERVAL_COSINES = 0.4, 0.25
"""Coefficients per sqrt(T); never fewer than six and five. A claim answers for false claims alone;
an interval must hold the truth neither too seldom nor too often, so it looks at slower movements.
"""


def claim_cosines(periods: int) -> int:
    """K of the decisions: 0.4 sqrt(T), rounded, at least 6; 8 of 384 periods."""
    return max(6, round(CLAIM_COSINES * sqrt(periods)))


def interval_cosines(periods: int) -> int:
    """K of the intervals: sqrt(T) / 4, rounded, at least 5; 5 of 384 periods."""
    return max(5, round(INTERVAL_COSINES * sqrt(periods)))


@lru_cache(maxsize=64)
def cosines(periods: int, count: int) -> FloatArray:
    """The weights sqrt(2 / T) cos(pi j (t + 1/2) / T) for j = 1..K; each row sums to 0.

    Args:
        periods: T.
        count: K.

    Returns:
        Shape [K, T], read-only.
    """
    angles = np.pi * np.outer(np.arange(1, count + 1), np.arange(periods) + 0.5) / periods
    weights: FloatArray = np.sqrt(2.0 / periods) * np.cos(angles)
    weights.flags.writeable = False
    return weights


def long_run_variance(series: FloatArray, count: int | None = None) -> FloatArray:
    """Estimate the long-run variance of every column.

    Args:
        series: Shape [T, M], T > K; their means do not matter.
        count: K; `interval_cosines(T)` if it is not given.

    Returns:
        Shape [M], in squared units of the series per period; 0 for a constant column.
    """
    periods = series.shape[0]
    weights = cosines(periods, interval_cosines(periods) if count is None else count)
    # The means are taken out for the rounding alone.
    found: FloatArray = ((weights @ (series - series.mean(axis=0))) ** 2).mean(axis=0)
    return found
