"""Many pairs at once: decisions that hold together, and the sets of ranks that follow from them.

N agents make N (N - 1) / 2 comparisons; at 5 % each, ten alike agents would "differ" somewhere in
most seasons. `arch` has SPA, StepM and MCS: they compare with one benchmark, or find the set that
holds the best, but decide no pair; so the max-t step-down of Romano and Wolf (2005, Econometrica
73, 1237-1282; p-values: 2016, Statistics and Probability Letters 113, 38-40) is done here on
resamples of `arch`. It controls the chance of one or more false claims among all pairs, whichever
of them truly differ, and uses the dependence between the pairs instead of paying Bonferroni.

The statistics are balanced first (Beran 1988, JASA 83, 679-686; Romano and Wolf 2010, Annals of
Statistics 38, 598-633): each is divided by a quantile of its own resampled distribution. Without
that a single pair whose difference hangs on one period has the largest |t*| in most resamples, and
no other pair can pass it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from judge.statistics.student import Studentised, upper_quantile
from judge.statistics.types import BoolArray, FloatArray

CLAIM_LEVEL = 0.02
"""Nominal family-wise level of "A beats B" where a season is looked at once.

The promise is 5 %. In short, slowly moving or fat-tailed seasons a test errs more often than its
level says; the room between the two is for that. `arena verdict-check` measures it.
"""

BALANCE = 0.97
"""The quantile that makes the statistics of different pairs comparable."""

EXCEEDING_MIN = 5
"""A p-value that fewer resamples exceed is continued along the tail of Student's t."""


@dataclass(frozen=True, slots=True)
class Family:
    """M comparisons that are decided together.

    Attributes:
        t_values: |t| in units of `scales`, shape [M].
        t_stars: |t*| in units of `scales`, shape [B, M].
        scales: Each comparison's own quantile of |t*|, shape [M]; all finite.
        freedom: Degrees of freedom of each |t|: the number of cosine coefficients.
    """

    t_values: FloatArray
    t_stars: FloatArray
    scales: FloatArray
    freedom: int

    @classmethod
    def of(cls, found: Studentised, columns: BoolArray, freedom: int) -> "Family":
        """The comparisons of some columns, whose `scales_of` must be finite."""
        scales = scales_of(found)[columns]
        return cls(
            found.t_values[columns] / scales, found.t_stars[:, columns] / scales, scales, freedom
        )

    def p_values(self) -> FloatArray:
        """Adjusted p-values, shape [M]: claiming all at or below p errs with at most p.

        The k-th largest |t| is held against the maximum of |t*| over itself and all smaller ones,
        and no p-value may be below that of a larger |t|.
        """
        if self.t_values.size == 0:
            return np.zeros(0)
        order = np.argsort(-self.t_values, kind="stable")
        largest = np.maximum.accumulate(self.t_stars[:, order[::-1]], axis=1)[:, ::-1]
        steps = self._beyond(largest, self.t_values[order])
        p_values = np.empty_like(steps)
        p_values[order] = np.maximum.accumulate(steps)
        return p_values

    def critical_values(self, level: float) -> FloatArray:
        """The |t| that each comparison must pass at the first step, shape [M].

        Args:
            level: Family-wise, between 0 and 1.
        """
        if self.t_values.size == 0:
            return np.zeros(0)
        largest = self.t_stars.max(axis=1)
        least = self._tail_level
        scaled = upper_quantile(largest, 1.0 - max(level, least))
        if level < least and np.isfinite(scaled):
            share = float(stats.t.sf(scaled * self._unit, self.freedom)) * level / least
            scaled = float(stats.t.isf(share, self.freedom)) / self._unit
        found: FloatArray = self.scales * scaled
        return found

    @property
    def _tail_level(self) -> float:
        """The level from which on the tail is continued."""
        return float((1.0 + EXCEEDING_MIN) / (1.0 + self.t_stars.shape[0]))

    @property
    def _unit(self) -> float:
        """What |t| of a comparison with Student's tails is where its scaled value is 1."""
        return float(stats.t.isf((1.0 - BALANCE) / 2.0, self.freedom))

    def _beyond(self, stars: FloatArray, values: FloatArray) -> FloatArray:
        """The share of the resampled maxima [B, M] at or beyond each value [M]."""
        exceeding = (stars >= values).sum(axis=0)
        counted = (1.0 + exceeding) / (1.0 + stars.shape[0])
        place = max(stars.shape[0] - EXCEEDING_MIN - 1, 0)
        edges = np.partition(stars, place, axis=0)[place]
        tails = stats.t.sf(np.stack([values, edges]) * self._unit, self.freedom)
        continued = self._tail_level * np.divide(
            tails[0], tails[1], out=np.ones_like(values), where=np.isfinite(edges)
        )
        found: FloatArray = np.where(
            exceeding >= EXCEEDING_MIN, counted, np.minimum(continued, counted)
        )
        return found


def scales_of(found: Studentised) -> FloatArray:
    """The quantile of each comparison's own |t*|, shape [M]; infinite where it has no variance."""
    if found.t_stars.shape[1] == 0:
        return np.zeros(0)
    return np.array([upper_quantile(column, BALANCE) for column in found.t_stars.T])


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
