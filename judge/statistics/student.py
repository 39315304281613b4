"""Studentised bootstrap: the distance of an estimate from the truth, in standard errors.

A resample's error is divided by a standard error computed in that resample in the same way as in
the season, from the lowest cosine coefficients (`judge.statistics.variance`). So t* has the tails
of Student's t with K degrees of freedom, combined with those of the returns (the naive bootstrap:
Goncalves and Vogelsang 2011, Econometric Theory 27, 745-791). Intervals are symmetric: estimate +-
q x standard error, with q a quantile of |t*|; of percentile, equal-tailed and symmetric intervals
only the symmetric one kept its coverage.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from judge.statistics.types import BoolArray, FloatArray, Interval
from judge.statistics.variance import (
    claim_cosines,
    cosines,
    fast_cosines,
    interval_cosines,
    long_run_variance,
    pooled_variances,
)

ROUNDING = 1e-12
"""A variance below this share of its terms is rounding, and counts as zero."""

MISSES_AIMED = 0.97
"""An interval with a nominal error of 10 % aims at 9.7 %: if noise hides a slow component the error
is then up to 12 %, else slightly below 10 %."""


@dataclass(frozen=True, slots=True)
class Studentised:
    """M estimates with the bootstrap distribution of their studentised errors.

    Attributes:
        estimates: Shape [M].
        errors: Standard errors, shape [M], in the unit of the estimates.
        t_stars: |t*|, shape [B, M]; infinite if a resample had no variance.
    """

    estimates: FloatArray
    errors: FloatArray
    t_stars: FloatArray

    @property
    def t_values(self) -> FloatArray:
        """|estimate| / error, shape [M]; 0 if both are 0, infinite if only the error is."""
        distances = np.abs(self.estimates)
        whole = np.where(distances > 0.0, np.inf, 0.0)
        return np.divide(distances, self.errors, out=whole, where=self.errors > 0.0)

    def p_values(self) -> FloatArray:
        """Return the two-sided p-value of each estimate: (1 + #{|t*| >= |t|}) / (1 + B)."""
        exceed = (self.t_stars >= self.t_values).sum(axis=0)
        p_values: FloatArray = (1.0 + exceed) / (1.0 + self.t_stars.shape[0])
        return p_values

    def interval(self, column: int, *, confidence: float, scale: float) -> Interval | None:
        """Return the symmetric interval of one estimate, multiplied by `scale`.

        Args:
            column: Column of the estimate.
            confidence: Nominal coverage.
            scale: Factor on estimate and interval.

        Returns:
            None if so many resamples had no variance that the interval is infinite.
        """
        estimate = float(self.estimates[column]) * scale
        error = float(self.errors[column]) * scale
        if error == 0.0:
            return Interval(estimate, estimate, estimate)
        aimed = 1.0 - MISSES_AIMED * (1.0 - confidence)
        reach = upper_quantile(self.t_stars[:, column], aimed) * error
        return Interval(estimate, estimate - reach, estimate + reach) if reach < np.inf else None


def upper_quantile(values: FloatArray, level: float) -> float:
    """Return the smallest order statistic with at least `level` (B + 1) values up to it."""
    rank = min(int(np.ceil(level * (values.size + 1))), values.size)
    return float(np.partition(values, rank - 1)[rank - 1])


@dataclass(frozen=True, slots=True)
class StudentisedMeans:
    """Agents and their pairs, studentised on the same resamples.

    Attributes:
        agents: One column per agent, for intervals.
        pairs: One column per pair, a - b, for intervals.
        stars: The agents' resampled estimates, shape [B, N].
    """

    agents: Studentised
    pairs: Studentised
    stars: FloatArray


@dataclass(frozen=True, slots=True)
class ClaimMeans(StudentisedMeans):
    """Studentised means, with the pairs' statistics for decisions.

    Attributes:
        claims: The pairs with the standard errors that decisions use.
    """

    claims: Studentised


def studentise_means(
    series: FloatArray, signs: Iterable[FloatArray], pairs: Sequence[tuple[int, int]]
) -> ClaimMeans:
    """Studentise the mean of every column, and the difference of means of every pair.

    Args:
        series: Shape [T, N].
        signs: Signs of the deviations (`judge.statistics.resample.draw_signs`), in parts of
            shape [b, T].
        pairs: M pairs of columns (a, b).
    """
    return _folded(_ClaimFold(series.mean(axis=0), series, pairs), series, signs).means()


def studentise(
    series: FloatArray, signs: Iterable[FloatArray], pairs: Sequence[tuple[int, int]]
) -> StudentisedMeans:
    """Like `studentise_means`, without the statistics for decisions."""
    return _folded(_ResampleFold(series.mean(axis=0), series, pairs), series, signs).comparison()


class _ResampleFold:
    """Collects the parts of the resamples; `influence` [T, N] has the mean to studentise."""

    def __init__(
        self, estimates: FloatArray, influence: FloatArray, pairs: Sequence[tuple[int, int]]
    ) -> None:
        self._estimates, self._influence = estimates, influence
        self._periods = influence.shape[0]
        self._a, self._b = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
        self._gaps = estimates[self._a] - estimates[self._b]
        size = np.abs(influence - influence.mean(axis=0)).max(axis=0)
        self._floors = (ROUNDING * size) ** 2 / self._periods
        self._count = interval_cosines(self._periods)
        self.weights = cosines(self._periods, self._count)
        self._stars: list[FloatArray] = []
        self._agent_t: list[FloatArray] = []
        self._pair_t: list[FloatArray] = []

    def add(self, stars: FloatArray, found: FloatArray) -> None:
        """Add resampled estimates [b, N] and cosine coefficients of the influence [b, K, N]."""
        products = self._products(found, self._count)
        variances = np.diagonal(products, axis1=1, axis2=2)
        self._stars.append(stars)
        self._agent_t.append(_t_stars(stars - self._estimates, variances, self._floors))
        self._pair_t.append(_t_stars(self._distances(stars), *self._of_pairs(products)))

    def _distances(self, stars: FloatArray) -> FloatArray:
        """Return each pair's resampled difference less the season's, [b, M]."""
        gaps: FloatArray = stars[:, self._a] - stars[:, self._b]
        return gaps - self._gaps

    def _of_pairs(self, products: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the pairs' variances [b, M], and the floors up to which they count as 0."""
        a, b = self._a, self._b
        variances = np.diagonal(products, axis1=1, axis2=2)
        whole = variances[:, a] + variances[:, b]
        floors = np.maximum(ROUNDING * whole, np.maximum(self._floors[a], self._floors[b]))
        return whole - 2 * products[:, a, b], floors

    def _products(self, found: FloatArray, count: int) -> FloatArray:
        """Return the agents' covariances in each resample, shape [b, N, N]."""
        lowest = found[:, :count]
        products: FloatArray = np.matmul(lowest.transpose(0, 2, 1), lowest)
        products /= count * self._periods
        return products

    def _pair_series(self) -> tuple[FloatArray, FloatArray]:
        """Return the pairs' differences [T, M], and the magnitude [M] of their terms."""
        size = np.abs(self._influence).max(axis=0)
        gaps = self._influence[:, self._a] - self._influence[:, self._b]
        return gaps, np.maximum(size[self._a], size[self._b])

    def comparison(self) -> StudentisedMeans:
        """Return the result after the last part."""
        series = self._influence
        errors = _errors(series, np.abs(series).max(axis=0), self._count)
        return StudentisedMeans(
            Studentised(self._estimates, errors, np.vstack(self._agent_t)),
            Studentised(
                self._gaps, _errors(*self._pair_series(), self._count), np.vstack(self._pair_t)
            ),
            np.vstack(self._stars),
        )


class _ClaimFold(_ResampleFold):
    """Also collects the statistics that decisions use."""

    def __init__(
        self, estimates: FloatArray, influence: FloatArray, pairs: Sequence[tuple[int, int]]
    ) -> None:
        super().__init__(estimates, influence, pairs)
        self._slow = claim_cosines(self._periods, influence.shape[1])
        self._fast = fast_cosines(self._periods)
        self.weights = cosines(self._periods, max(self._slow, self._fast))
        self._claim_t: list[FloatArray] = []

    def add(self, stars: FloatArray, found: FloatArray) -> None:
        """Add a part for intervals and for decisions."""
        super().add(stars, found)
        slow, _ = self._of_pairs(self._products(found, self._slow))
        fast, floors = self._of_pairs(self._products(found, self._fast))
        variances = pooled_variances(slow, fast, floors)
        self._claim_t.append(_t_stars(self._distances(stars), variances, floors))

    def means(self) -> ClaimMeans:
        """Return the result after the last part."""
        found = self.comparison()
        claims = Studentised(self._gaps, self._claim_errors(), np.vstack(self._claim_t))
        return ClaimMeans(found.agents, found.pairs, found.stars, claims)

    def _claim_errors(self) -> FloatArray:
        gaps, size = self._pair_series()
        if gaps.shape[1] == 0:
            return np.zeros(0)
        slow, fast = (long_run_variance(gaps, n) for n in (self._slow, self._fast))
        constant = is_constant(gaps, size)
        variances = pooled_variances(slow, fast, np.where(constant, np.inf, 0.0))
        return np.where(constant, 0.0, np.sqrt(variances / self._periods))


Fold = TypeVar("Fold", bound=_ResampleFold)


def _folded(fold: Fold, series: FloatArray, signs: Iterable[FloatArray]) -> Fold:
    """Return the fold after adding every resample."""
    mean = series.mean(axis=0)
    centred = series - mean
    for part in signs:
        found = (fold.weights * part[:, None, :]) @ centred
        fold.add(part @ centred / series.shape[0] + mean, found)
    return fold


def _errors(series: FloatArray, size: FloatArray, count: int) -> FloatArray:
    """Return standard errors of means [M]; 0 if a spread is rounding compared with `size` [M]."""
    if series.shape[1] == 0:
        return np.zeros(0)
    errors = np.sqrt(long_run_variance(series, count) / series.shape[0])
    return np.where(is_constant(series, size), 0.0, errors)


def is_constant(series: FloatArray, size: FloatArray | float) -> BoolArray:
    """Return which columns [T, M] vary by no more than the rounding of values of this size."""
    constant: BoolArray = np.ptp(series, axis=0) <= ROUNDING * size
    return constant


def _t_stars(distances: FloatArray, variances: FloatArray, floors: FloatArray) -> FloatArray:
    """Return |t*|; infinite if the variance is only rounding."""
    alive = variances > floors
    return np.where(alive, np.abs(distances) / np.sqrt(np.where(alive, variances, 1.0)), np.inf)
