"""Many pairs at once: decisions that hold together, and the sets of ranks that follow from them.

N agents make N (N - 1) / 2 comparisons; at 5 % each, ten alike agents would "differ" somewhere in
most seasons. `arch` has SPA, StepM and MCS: they compare with one benchmark, or find the set that
holds the best, but decide no pair; so the max-t step-down of Romano and Wolf (2005, Econometrica
73, 1237-1282; p-values: 2016, Statistics and Probability Letters 113, 38-40) is done here on
resamples of `arch`. It controls the chance of one or more false claims among all pairs, whichever
of them truly differ, and uses the dependence between the pairs instead of paying Bonferroni.
"""

from collections.abc import Iterable

import numpy as np

from judge.statistics.student import upper_quantile
from judge.statistics.types import FloatArray

CLAIM_LEVEL = 0.03
"""Nominal family-wise level of "A beats B".

The promise is 5 %. In short, autocorrelated or fat-tailed seasons a bootstrap errs a little more
often than its level says; the room between the two is for that. `arena verdict-check` measures it.
"""


def step_down_p_values(t_values: FloatArray, t_stars: FloatArray) -> FloatArray:
    """Adjust p-values for all comparisons of a family.

    The k-th largest |t| is held against the maximum of |t*| over itself and all smaller ones, and
    no p-value may be below that of a larger |t|.

    Args:
        t_values: |t|, shape [M].
        t_stars: |t*|, shape [B, M].

    Returns:
        Shape [M]; a family-wise error of at most p if all at or below p are claimed.
    """
    if t_values.size == 0:
        return np.zeros(0)
    order = np.argsort(-t_values, kind="stable")
    largest = np.maximum.accumulate(t_stars[:, order[::-1]], axis=1)[:, ::-1]
    exceed = (largest >= t_values[order]).sum(axis=0)
    adjusted = np.maximum.accumulate((1.0 + exceed) / (1.0 + t_stars.shape[0]))
    p_values = np.empty_like(adjusted)
    p_values[order] = adjusted
    return p_values


def critical_value(t_stars: FloatArray, level: float) -> float:
    """The |t| that a comparison must pass at the first step, with all of the family in it."""
    return upper_quantile(t_stars.max(axis=1), 1.0 - level) if t_stars.shape[1] else np.inf


def rank_sets(agents: int, wins: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The ranks that the decisions leave open for every agent.

    Mogstad, Romano, Shaikh and Wilhelm (2024, Review of Economic Studies 91, 476-518): if the
    pairwise decisions hold together at a level, so do these sets of ranks. An agent's best rank is
    one more than the agents that beat it; its worst is N less the agents that it beats.

    Args:
        agents: N.
        wins: Pairs (winner, loser) that were separated.

    Returns:
        (best, worst) for each agent, from 1.
    """
    best, worst = [1] * agents, [agents] * agents
    for winner, loser in wins:
        best[loser] += 1
        worst[winner] -= 1
    return list(zip(best, worst, strict=True))


def chances_of_first(means: FloatArray) -> FloatArray:
    """The share of resampled seasons that each agent won; a tie is split among its winners.

    The bootstrap distribution stands for what is not known of the truth, as with a flat prior
    (Efron 2013, Science 340, 1177-1178).

    Args:
        means: Resampled means, shape [B, N].

    Returns:
        Shape [N], sums to 1.
    """
    first = means >= means.max(axis=1, keepdims=True)
    shares: FloatArray = (first / first.sum(axis=1, keepdims=True)).mean(axis=0)
    return shares
