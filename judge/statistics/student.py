"""Studentised bootstrap: how far the estimate lies from the truth, in standard errors.

A resample's error is divided by a standard error computed in that same resample, so its
distribution hardly depends on variance, tails or dependence (Hall 1992; for blocks Goetze and
Kuensch 1996, Annals of Statistics 24, 1914-1933; Ledoit and Wolf 2008). The blocks of a resample
are drawn independently, so the variance of its mean is that of a ratio of sums over blocks:
sum over blocks of (block sum - mean x block length)^2 / T^2. The observed standard error is
sqrt(long-run variance / T). Intervals are symmetric: estimate +- q x standard error, with q the
quantile of |t*|; of percentile, equal-tailed and symmetric it was the one that kept its coverage.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from judge.statistics.resample import Resamples
from judge.statistics.types import BoolArray, FloatArray, Interval
from judge.statistics.variance import long_run_variance

ROUNDING = 1e-12
"""A variance below this share of what it was computed from is rounding, hence zero."""


@dataclass(frozen=True, slots=True)
class Studentised:
    """M estimates with the bootstrap distribution of their studentised errors.

    Attributes:
        estimates: Shape [M].
        errors: Standard errors, shape [M], in the unit of the estimates.
        t_stars: |t*|, shape [B, M]; infinite where a resample had no variance at all.
    """

    estimates: FloatArray
    errors: FloatArray
    t_stars: FloatArray

    @property
    def t_values(self) -> FloatArray:
        """|estimate| / error, shape [M]; 0 where both are 0, infinite where only the error is."""
        distances = np.abs(self.estimates)
        whole = np.where(distances > 0.0, np.inf, 0.0)
        return np.divide(distances, self.errors, out=whole, where=self.errors > 0.0)

    def p_values(self) -> FloatArray:
        """Two-sided p-value of every estimate alone: (1 + #{|t*| >= |t|}) / (1 + B)."""
        exceed = (self.t_stars >= self.t_values).sum(axis=0)
        p_values: FloatArray = (1.0 + exceed) / (1.0 + self.t_stars.shape[0])
        return p_values

    def interval(self, column: int, *, confidence: float, scale: float) -> Interval | None:
        """The symmetric interval of one estimate, multiplied by `scale`.

        Returns:
            None where so many resamples had no variance that the interval has no end.
        """
        estimate = float(self.estimates[column]) * scale
        error = float(self.errors[column]) * scale
        if error == 0.0:
            return Interval(estimate, estimate, estimate)
        reach = upper_quantile(self.t_stars[:, column], confidence) * error
        return Interval(estimate, estimate - reach, estimate + reach) if reach < np.inf else None


def upper_quantile(values: FloatArray, level: float) -> float:
    """The smallest order statistic with at least `level` (B + 1) values at or below it."""
    rank = min(int(np.ceil(level * (values.size + 1))), values.size)
    return float(np.partition(values, rank - 1)[rank - 1])


@dataclass(frozen=True, slots=True)
class Comparison:
    """The agents and the pairs of them, studentised on the same resamples.

    Attributes:
        agents: One column per agent.
        pairs: One column per pair, a - b.
        stars: The agents' resampled estimates, shape [B, N].
    """

    agents: Studentised
    pairs: Studentised
    stars: FloatArray


def studentise_means(
    series: FloatArray, parts: Iterable[Resamples], pairs: Sequence[tuple[int, int]]
) -> Comparison:
    """Studentise the mean of every column, and the difference of means of every pair.

    Args:
        series: Shape [T, N].
        parts: Seasons of T periods.
        pairs: M pairs of columns (a, b).
    """
    fold = _Fold(series.mean(axis=0), series, pairs)
    for part in parts:
        sums = part.block_sums(series)
        means = sums.sum(axis=1) / series.shape[0]
        sums -= means[:, None, :] * part.lengths[:, :, None]
        fold.add(means, sums)
    return fold.comparison()


def studentise_sharpes(
    series: FloatArray, parts: Iterable[Resamples], pairs: Sequence[tuple[int, int]]
) -> Comparison:
    """Studentise the Sharpe ratio of every column, and its difference for every pair.

    Ledoit and Wolf (2008, Journal of Empirical Finance 15, 850-859): the ratio is a smooth
    function of the means of x and x^2, so its error is, to first order, the mean of an influence
    series (the delta method), whose variance is estimated as that of any mean.

    Args:
        series: Shape [T, N], no constant column.
        parts: Seasons of T periods, of the circular block bootstrap in their paper.
        pairs: M pairs of columns (a, b).

    Returns:
        Ratios per period, not annualised.
    """
    periods, agents = series.shape
    scaled = series / series.std(axis=0)
    first, second = scaled.mean(axis=0), (scaled**2).mean(axis=0)
    by_first, by_second, ratios = _sharpe_gradient(first, second)
    influence = by_first * (scaled - first) + by_second * (scaled**2 - second)
    fold = _Fold(ratios, influence, pairs)
    for part in parts:
        sums = part.block_sums(np.hstack([scaled, scaled**2]))
        moments = sums.sum(axis=1) / periods
        sums -= moments[:, None, :] * part.lengths[:, :, None]
        by_first, by_second, stars = _sharpe_gradient(moments[:, :agents], moments[:, agents:])
        fold.add(
            stars,
            by_first[:, None] * sums[:, :, :agents] + by_second[:, None] * sums[:, :, agents:],
        )
    return fold.comparison()


def _sharpe_gradient(
    first: FloatArray, second: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The ratio m / sqrt(s - m^2) of the moments m and s, after its slopes by m and by s.

    All three are 0 where there is no variance.
    """
    variance = second - first**2
    alive = variance > ROUNDING * second
    variance = np.where(alive, variance, 1.0)
    by_first = np.where(alive, second / variance**1.5, 0.0)
    by_second = np.where(alive, -first / (2.0 * variance**1.5), 0.0)
    return by_first, by_second, np.where(alive, first / np.sqrt(variance), 0.0)


class _Fold:
    """Gathers the parts of the resamples; influence is [T, N], its mean's variance is wanted."""

    def __init__(
        self, estimates: FloatArray, influence: FloatArray, pairs: Sequence[tuple[int, int]]
    ) -> None:
        self._estimates, self._influence = estimates, influence
        self._a, self._b = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
        self._gaps = estimates[self._a] - estimates[self._b]
        self._stars: list[FloatArray] = []
        self._agent_t: list[FloatArray] = []
        self._pair_t: list[FloatArray] = []

    def add(self, stars: FloatArray, blocks: FloatArray) -> None:
        """Take resampled estimates [b, N] and the influence summed over blocks [b, R, N]."""
        a, b = self._a, self._b
        products = np.matmul(blocks.transpose(0, 2, 1), blocks) / self._influence.shape[0] ** 2
        variances = np.diagonal(products, axis1=1, axis2=2)
        whole = variances[:, a] + variances[:, b]
        self._stars.append(stars)
        self._agent_t.append(_t_stars(stars - self._estimates, variances, variances))
        self._pair_t.append(
            _t_stars(stars[:, a] - stars[:, b] - self._gaps, whole - 2 * products[:, a, b], whole)
        )

    def comparison(self) -> Comparison:
        """The columns and the pairs, after the last part."""
        series, a, b = self._influence, self._a, self._b
        size = np.abs(series).max(axis=0)
        agents = Studentised(self._estimates, _errors(series, size), np.vstack(self._agent_t))
        errors = _errors(series[:, a] - series[:, b], np.maximum(size[a], size[b]))
        pairs = Studentised(self._gaps, errors, np.vstack(self._pair_t))
        return Comparison(agents, pairs, np.vstack(self._stars))


def _errors(series: FloatArray, size: FloatArray) -> FloatArray:
    """Standard errors of means [M]; a spread that is rounding beside `size` [M] counts as 0."""
    if series.shape[1] == 0:
        return np.zeros(0)
    return np.where(
        is_constant(series, size), 0.0, np.sqrt(long_run_variance(series) / series.shape[0])
    )


def is_constant(series: FloatArray, size: FloatArray | float) -> BoolArray:
    """Whether each column [T, M] varies by no more than the rounding of values as large as size."""
    constant: BoolArray = np.ptp(series, axis=0) <= ROUNDING * size
    return constant


def _t_stars(distances: FloatArray, variances: FloatArray, whole: FloatArray) -> FloatArray:
    """|t*|; infinite where the variance is rounding beside the whole it was computed from."""
    alive = variances > ROUNDING * whole
    return np.where(alive, np.abs(distances) / np.sqrt(np.where(alive, variances, 1.0)), np.inf)
