"""Shares with intervals: exact ones for rates, and draws that stay inside 0 and 1. Pure.

Intervals: Clopper and Pearson (1934, Biometrika 26, 404-413), which cover at least as often as
stated for every true share. Draws: Jeffreys' posterior, Beta(k + 1/2, n - k + 1/2), and for means
over turns the Bayesian bootstrap (Rubin 1981, Annals of Statistics 9, 130-134) with half a turn of
each extreme added, so that a sample without a single fault is not taken for certainty.
"""

from dataclasses import dataclass

import numpy as np

from judge.statistics.types import FloatArray

PRIOR = 0.5
"""Weight of the added turn of each extreme; for one question the draws are Jeffreys' posterior."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share of `of` cases, from 0 to 1, with an interval; None without a case."""

    count: int
    of: int
    value: float | None
    low: float | None
    high: float | None


def exact_share(count: int, of: int, confidence: float) -> Share:
    """Return a share with its Clopper-Pearson interval.

    Args:
        count: Cases that count, from 0 to `of`.
        of: All cases.
        confidence: Of the two-sided interval, such as 0.9.
    """
    if not of:
        return Share(0, 0, None, None, None)
    from scipy.special import betaincinv

    tail = (1.0 - confidence) / 2.0
    low = float(betaincinv(count, of - count + 1, tail)) if count else 0.0
    high = float(betaincinv(count + 1, of - count, 1.0 - tail)) if count < of else 1.0
    return Share(count, of, count / of, low, high)


def draw_share(count: int, of: int, draws: int, rng: np.random.Generator) -> FloatArray:
    """Draw a share from Jeffreys' posterior; shape [draws]."""
    return rng.beta(count + PRIOR, of - count + PRIOR, draws)


def draw_means(values: FloatArray, draws: int, rng: np.random.Generator) -> FloatArray:
    """Draw means over turns.

    Args:
        values: Shape [turns, questions], from 0 to 1; questions of a turn keep together.
        draws: Number of draws.
        rng: The same state gives the same draws.

    Returns:
        Shape [draws, questions].
    """
    turns, questions = values.shape
    weights = rng.standard_gamma(1.0, (draws, turns))
    extremes = rng.standard_gamma(PRIOR, (draws, 2))
    total = weights.sum(axis=1) + extremes.sum(axis=1)
    ones = np.ones(questions)
    found: FloatArray = (weights @ values + np.outer(extremes[:, 0], ones)) / total[:, None]
    return found


def interval_of(draws: FloatArray, confidence: float) -> tuple[float, float]:
    """Return the equal-tailed interval of draws."""
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(draws, (tail, 1.0 - tail))
    return float(low), float(high)
