"""Simultaneous decisions on many pairs, and the rank sets that follow from them.

N agents make N (N - 1) / 2 comparisons; at 5 % each, ten equal agents would "differ" somewhere in
most seasons. SPA, StepM and MCS of `arch` compare with one benchmark, or find the set that contains
the best, but decide no pair. So the max-t step-down of Romano and Wolf (2005, Econometrica 73,
1237-1282; p-values: 2016, Statistics and Probability Letters 113, 38-40) is implemented here. It
controls the probability of one or more false claims among all pairs, whichever of them truly
differ, and uses the dependence between the pairs, so it has more power than Bonferroni.

A pair whose difference depends on one period takes no power from the others: its deviations stay in
place and only change sign (`judge.statistics.resample`), so its |t*| is near its own |t| in every
resample. If blocks were drawn again it would have the largest |t*| in most resamples, and no other
pair could exceed it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from judge.statistics.distributions import student_isf, student_sf
from judge.statistics.student import upper_quantile
from judge.statistics.types import FloatArray

CLAIM_LEVEL = 0.0115
"""Nominal family-wise level of "A beats B" for a season with a single look.

The promise is 5 %. In short, slowly moving or fat-tailed seasons a test errs more often than its
nominal level; the margin between the two covers that. `arena verdict-check` measures it.
"""

EXCEEDING_MIN = 5
"""A p-value with fewer exceeding resamples is extrapolated along the tail of Student's t."""


@dataclass(frozen=True, slots=True)
class Family:
    """M comparisons that are decided together.

    Attributes:
        t_values: |t|, shape [M].
        t_stars: Resampled |t*|, shape [B, M].
        freedom: Degrees of freedom of the tail of each |t|.
    """

    t_values: FloatArray
    t_stars: FloatArray
    freedom: int

    def p_values(self) -> FloatArray:
        """Return adjusted p-values, shape [M]: claiming all at or below p errs with at most p.

        The k-th largest |t| is compared with the maximum of |t*| over itself and all smaller ones,
        and no p-value is below that of a larger |t|.
        """
        if self.t_values.size == 0:
            return np.zeros(0)
        order = np.argsort(-self.t_values, kind="stable")
        largest = np.maximum.accumulate(self.t_stars[:, order[::-1]], axis=1)[:, ::-1]
        steps = self._beyond(largest, self.t_values[order])
        p_values = np.empty_like(steps)
        p_values[order] = np.maximum.accumulate(steps)
        return p_values

    def critical_value(self, level: float) -> float:
        """Return the |t| that a comparison must exceed at the first step; infinite without any.

        Args:
            level: Family-wise level, between 0 and 1.
        """
        if self.t_values.size == 0:
            return np.inf
        least = self._tail_level
        found = upper_quantile(self.t_stars.max(axis=1), 1.0 - max(level, least))
        if level >= least or not np.isfinite(found):
            return found
        share = float(student_sf(found, self.freedom)) * level / least
        return student_isf(share, self.freedom)

    @property
    def _tail_level(self) -> float:
        """Level below which the tail is extrapolated."""
        return float((1.0 + EXCEEDING_MIN) / (1.0 + self.t_stars.shape[0]))

    def _beyond(self, stars: FloatArray, values: FloatArray) -> FloatArray:
        """Return the share of the resampled maxima [B, M] at or beyond each value [M]."""
        exceeding = (stars >= values).sum(axis=0)
        counted = (1.0 + exceeding) / (1.0 + stars.shape[0])
        index = max(stars.shape[0] - EXCEEDING_MIN - 1, 0)
        edges = np.partition(stars, index, axis=0)[index]
        tails = student_sf(np.stack([values, edges]), self.freedom)
        continued = self._tail_level * np.divide(
            tails[0], tails[1], out=np.ones_like(values), where=np.isfinite(edges)
        )
        found: FloatArray = np.where(
            exceeding >= EXCEEDING_MIN, counted, np.minimum(continued, counted)
        )
        return found


def rank_sets(agents: int, wins: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the ranks that the decisions leave open for every agent.

    Mogstad, Romano, Shaikh and Wilhelm (2024, Review of Economic Studies 91, 476-518): if the
    pairwise decisions hold together at a level, so do these sets of ranks. An agent's best rank is
    one more than the agents that beat it; its worst is N less the agents that it beats.

    Args:
        agents: Number of agents, N.
        wins: Separated pairs (winner, loser).

    Returns:
        (best, worst) for each agent, from 1.
    """
    best, worst = [1] * agents, [agents] * agents
    for winner, loser in wins:
        best[loser] += 1
        worst[winner] -= 1
    return list(zip(best, worst, strict=True))
