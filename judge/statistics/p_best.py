"""P(best): the probability that an agent is truly the best, and its calibration.

The share of resampled seasons that an agent won shows how well it did, not how good it is: the
leader was also lucky. So estimates are shrunken, as in empirical Bayes (Efron and Morris 1975, JASA
70, 311-319). True values are s times as far from the field's mean as luck would put them, with the
same dependence between agents: agents that trade alike have similar skill. Then, with
k = s^2 / (1 + s^2), the truth given the season is k x estimate + sqrt(k) x error. A season says
little about s, so the probability is averaged over the posterior of s.

A season cannot distinguish an even field with one lucky agent from a field with one good agent, so
no rule is right at every s (with two agents, none is within 8 points at s = 0, 0.1, 0.5, 1, 2 and
4). The promise is about the average: among leaders with P(best) near p, a share p is truly the
best, if fields with those six values of s are equally common. In even fields the leader's P(best)
is then too high, and too low if s is near 1. `calibration` measures both.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from judge.statistics.types import BoolArray, FloatArray

NO_SKILL_SHARE = 0.2
"""Prior probability that the agents do not differ at all (s = 0)."""

SPREADS = np.geomspace(0.03, 1000.0, 120)
"""Values of s > 0 that are averaged over; the prior is half-Cauchy with median s = 1."""

CHECKED_SPREADS = (0.0, 0.1, 0.5, 1.0, 2.0, 4.0)
"""Values of s whose equal mixture the promise is about."""

MISS_MAX = 0.03
"""Promise: among all leaders with P(best) near p, the share truly best is within this of p."""

ROUNDING = 1e-12
"""A variance below this share of its terms is rounding, and counts as zero."""

GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0
"""Multiples of it, modulo 1, fill the unit interval evenly."""


def best_probabilities(
    estimates: FloatArray, draws: FloatArray, errors: FloatArray | None = None
) -> FloatArray:
    """Return the probability that each agent is truly the best; copies share theirs.

    A constant series (cash) takes part: its return is known without error.

    Args:
        estimates: Means over the season, shape [N].
        draws: Resampled means less the estimates, shape [B, N].
        errors: Standard errors of the pairs' differences, shape [N (N - 1) / 2], in lexicographic
            order. Blocks of a short season are shorter than its dependence, so resamples vary too
            little; if the errors are larger than theirs on average, the draws are widened.

    Returns:
        Shape [N], sums to 1; 1 / N each if the agents cannot be distinguished.
    """
    agents = estimates.size
    even = np.full(agents, 1.0 / agents)
    if agents < 2:
        return even
    if errors is not None:
        draws = draws * _widening(draws, errors)
    weights = _posterior(*_excess(estimates, draws))
    ends = np.cumsum(weights[1:])
    if ends[-1] <= 0.0:
        return even
    # Each resample takes one s, and also counts with the opposite sign of its error.
    quantiles = np.arange(1, draws.shape[0] + 1) * GOLDEN % 1.0 * ends[-1]
    spreads = SPREADS[np.minimum(np.searchsorted(ends, quantiles), SPREADS.size - 1)]
    shrinkage = (spreads**2 / (1.0 + spreads**2))[:, None]
    centres, errors = shrinkage * estimates, np.sqrt(shrinkage) * draws
    won = (_won(centres + errors) + _won(centres - errors)) / 2.0
    found: FloatArray = weights[0] * even + (1.0 - weights[0]) * won
    return found


@dataclass(frozen=True, slots=True)
class Calibration:
    """Simulated seasons of one kind: their leaders' P(best), and whether they were truly best.

    Attributes:
        agents: Number of agents, N.
        spread: Standard deviation of the true values over that of their errors, s.
        correlation: Correlation between the errors of two agents.
        given: P(best) of each season's leader, shape [seasons].
        best: 1 if it was truly the best, 0 if not, a share in a tie, shape [seasons].
    """

    agents: int
    spread: float
    correlation: float
    given: FloatArray
    best: FloatArray


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """All leaders with a P(best) between `low` and `high`.

    Attributes:
        leaders: Number of leaders.
        given: Mean P(best).
        best: Share that was truly the best.
    """

    low: float
    high: float
    leaders: int
    given: float
    best: float


def calibration(
    *,
    agents: int,
    spread: float,
    correlation: float = 0.0,
    seasons: int = 1_000,
    resamples: int = 199,
    seed: int = 1,
) -> Calibration:
    """Simulate seasons and compare their leaders' P(best) with how often they are truly best.

    True values are normal. Their standard deviation is `spread` times that of the estimates'
    errors without the part that all agents share.
    """
    rng = np.random.default_rng([seed, agents, round(1000 * spread), round(1000 * correlation)])
    own, shared = np.sqrt(1.0 - correlation), np.sqrt(correlation)

    def errors(count: int) -> FloatArray:
        common = rng.standard_normal((count, 1))
        found: FloatArray = own * rng.standard_normal((count, agents)) + shared * common
        return found

    truths = spread * own * rng.standard_normal((seasons, agents))
    estimates = truths + errors(seasons)
    leaders = estimates.argmax(axis=1)
    best = truths >= truths.max(axis=1, keepdims=True)
    given = [
        best_probabilities(season, errors(resamples))[leader]
        for season, leader in zip(estimates, leaders, strict=True)
    ]
    share = best / best.sum(axis=1, keepdims=True)
    return Calibration(
        agents, spread, correlation, np.array(given), share[np.arange(seasons), leaders]
    )


def calibration_bins(found: Sequence[Calibration], bins: int = 10) -> tuple[CalibrationBin, ...]:
    """Pool the leaders of all seasons by P(best), in bins of equal width."""
    given = np.concatenate([one.given for one in found])
    best = np.concatenate([one.best for one in found])
    bin_of_leader = np.minimum((given * bins).astype(np.int64), bins - 1)
    return tuple(
        CalibrationBin(
            index / bins,
            (index + 1) / bins,
            int((bin_of_leader == index).sum()),
            float(given[bin_of_leader == index].mean()),
            float(best[bin_of_leader == index].mean()),
        )
        for index in np.unique(bin_of_leader).tolist()
    )


def _won(values: FloatArray) -> FloatArray:
    """Return the share of rows [B, N] in which each column is the largest; ties are split."""
    first = values >= values.max(axis=1, keepdims=True)
    share: FloatArray = (first / first.sum(axis=1, keepdims=True)).mean(axis=0)
    return share


def _excess(estimates: FloatArray, draws: FloatArray) -> tuple[float, float]:
    """Return how much more the agents differ than by luck, and its degrees of freedom.

    Returns:
        The mean over all pairs of (difference / its error)^2, 1 + s^2 on average; and the degrees
        of freedom of the chi-square with the same variance (Satterthwaite 1946), N - 1 if all are
        alike. Pairs without an error (copies, two kinds of cash) are left out; without any other
        pair both values are 0.
    """
    covariance, variances, alive = _pairs(draws)
    if not alive.any():
        return 0.0, 0.0
    links = np.divide(1.0, variances, out=np.zeros_like(variances), where=alive)
    laplacian = np.diag(links.sum(axis=1)) - links
    pairs = alive.sum() / 2.0
    spread = laplacian @ covariance
    centred = estimates - estimates.mean()
    return (
        max(float(centred @ laplacian @ centred / pairs), 0.0),
        float(pairs**2 / np.sum(spread * spread.T)),
    )


def _widening(draws: FloatArray, errors: FloatArray) -> float:
    """Return the factor by which the pairs' errors exceed those of the draws, at least 1."""
    _, variances, alive = _pairs(draws)
    above = np.triu_indices(draws.shape[1], 1)
    known = alive[above]
    if not known.any():
        return 1.0
    ratio = float((errors[known] ** 2 / variances[above][known]).mean())
    return float(np.sqrt(max(ratio, 1.0)))


def _pairs(draws: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Return covariances, variances of the differences, and which of these are not 0."""
    covariance: FloatArray = draws.T @ draws / draws.shape[0]
    own = np.diagonal(covariance)
    variances = own[:, None] + own - 2.0 * covariance
    alive = variances > ROUNDING * (own[:, None] + own)
    np.fill_diagonal(alive, False)
    return covariance, variances, alive


def _posterior(excess: float, freedom: float) -> FloatArray:
    """Return the posterior probabilities of s = 0 and of each of `SPREADS`."""
    prior = SPREADS / (1.0 + SPREADS**2)
    prior *= (1.0 - NO_SKILL_SHARE) / prior.sum()
    growth = 1.0 + np.append(0.0, SPREADS) ** 2
    likelihood = -0.5 * freedom * (np.log(growth) + excess / growth)
    weights = np.append(NO_SKILL_SHARE, prior) * np.exp(likelihood - likelihood.max())
    found: FloatArray = weights / weights.sum()
    return found
