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

Many comparisons of one season ask for far tails, and with few degrees of freedom those are far out.
But how much more the slow movements weigh than the fast ones is much the same in all pairs of a
field. So where there are several pairs, the variance of one is measured at many coefficients, and
the ratio of slow to fast is taken mostly from all pairs together (`pooled_variances`).
"""

from functools import lru_cache
from math import sqrt

import numpy as np

from judge.statistics.types import FloatArray

POOLED = 0.85
"""Weight of the field in the ratio of slow to fast movements; the rest is the pair's own."""


def interval_cosines(periods: int) -> int:
    """K of an interval: sqrt(T) / 5, rounded, at least 3; 4 of 384 periods."""
    return max(3, round(0.2 * sqrt(periods)))


def claim_cosines(periods: int, agents: int = 2) -> int:
    """K of a decision: 8 of 384 periods between two agents, 4 among more.

    Two agents have no field to lean on: 0.4 sqrt(T), rounded, at least 4. It is enough where the
    only promise is that a claim is not false.
    """
    return max(4, round(0.4 * sqrt(periods))) if agents <= 2 else interval_cosines(periods)


def claim_freedom(periods: int, agents: int) -> int:
    """Degrees of freedom of a decision's error: every further agent of the field adds some."""
    independent = max(agents - 1, 1)
    return min(claim_cosines(periods, agents) * independent, fast_cosines(periods))


def fast_cosines(periods: int) -> int:
    """Coefficients of the variance that is not only of slow movements: 39 of 384 periods."""
    return max(12, round(2.0 * sqrt(periods)))


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


def pooled_variances(slow: FloatArray, fast: FloatArray, floors: FloatArray) -> FloatArray:
    """Long-run variances of pairs that lean on each other.

    Args:
        slow: Mean square of each pair's lowest coefficients, shape [..., M].
        fast: The same of more of them, shape [..., M].
        floors: Variances up to these are rounding, broadcast to the same shape.

    Returns:
        Shape [..., M]: fast x (0.85 of the mean ratio slow / fast of all pairs + 0.15 of the own);
        for a single pair that is `slow` itself.
    """
    alive = fast > floors
    ratios = np.divide(slow, fast, out=np.zeros_like(slow), where=alive)
    count = np.maximum(alive.sum(axis=-1, keepdims=True), 1)
    together = ratios.sum(axis=-1, keepdims=True) / count
    found: FloatArray = fast * (POOLED * together + (1.0 - POOLED) * ratios)
    return found
