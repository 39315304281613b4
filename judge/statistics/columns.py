"""Chosen pairs of columns, decided together: the verdict's decision on series of any meaning.

`judge_returns` decides all pairs of agents. The marginal means of a matrix and adjusted returns are
decided in the same way, at the same looks and levels, as families of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from judge.statistics import agents as of_agents
from judge.statistics import pairs as of_pairs
from judge.statistics.looks import FINISHED, Horizon, Look
from judge.statistics.pairs import LookDecisions, LookMemo
from judge.statistics.resample import pairs_block_length
from judge.statistics.student import ClaimMeans, studentise_means
from judge.statistics.types import FloatArray, Interval, Pair
from judge.statistics.verdict import PERIODS_MIN, RETURN_MIN, aggregated, too_early

Combos = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Compared:
    """Columns and pairs of them.

    Attributes:
        pairs: In the order asked for; their names are numbers of columns.
        totals: Sum of each column; None where it cannot be resampled.
        reason: Why nothing was compared; empty otherwise.
    """

    pairs: tuple[Pair, ...]
    totals: tuple[Interval | None, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FamilyOptions:
    """How columns are compared.

    Attributes:
        confidence: Of the intervals.
        seed: Of the resampling.
        resamples: Bootstrap replications.
        horizon: How long the season is to be, and whether it is over.
    """

    confidence: float = 0.90
    seed: int = 1
    resamples: int = 2000
    horizon: Horizon = FINISHED


def compare_columns(
    series: FloatArray, combos: Combos, options: FamilyOptions, memo: LookMemo | None = None
) -> Compared:
    """Compare pairs of columns, all of them as one family.

    Args:
        series: Shape [T, M], log returns; finite.
        combos: The pairs (a, b) of columns; a - b is what is compared.
        options: How.
        memo: What earlier looks decided, to save their computation; the answer is the same.
    """
    periods, columns = series.shape
    if periods < PERIODS_MIN:
        reason = too_early(periods)
        early = tuple(_untold(a, b, reason) for a, b in combos)
        return Compared(early, (None,) * columns, reason)
    series = np.where(np.abs(series) < RETURN_MIN, 0.0, series)
    looks = options.horizon.looks(periods)
    plan, means, now = _look(series, combos, options, options.horizon.level_at(periods))

    def earlier(look: Look) -> LookDecisions:
        rows = series[: look.periods]
        asked = "columns", look.level, list(combos), options.confidence, options.seed
        return of_pairs.memoised(
            memo,
            (*asked, options.resamples),
            rows,
            lambda: of_pairs.decisions_of(_look(rows, combos, options, look.level)[2]),
        )

    pairs = of_pairs.decide_over_looks(now, combos, looks, earlier, periods)
    return Compared(pairs, tuple(_total(plan, means, column) for column in range(columns)))


def _look(
    series: FloatArray, combos: Combos, options: FamilyOptions, level: float
) -> tuple[of_agents.ResamplingPlan, ClaimMeans, tuple[Pair, ...]]:
    """The pairs as one look sees them."""
    thin, _ = aggregated(series)
    # A decision's degrees of freedom grow with the field, which names alone tell a plan.
    plan = of_agents.ResamplingPlan(
        returns=thin,
        whole=series,
        names=("",) * (_independent(series.shape[1], combos) + 1),
        baselines=frozenset(),
        block_length=pairs_block_length(thin, combos),
        confidence=options.confidence,
        resamples=options.resamples,
        seed=options.seed,
        periods_per_year=1.0,
    )
    means = studentise_means(plan.returns, plan.signs(), combos)
    return (
        plan,
        means,
        of_pairs.judge_pairs(plan, combos, means, of_agents.SharpeIntervals({}, {}), level),
    )


def _independent(columns: int, combos: Combos) -> int:
    """How many of the differences are independent: columns less groups that no pair connects."""
    groups = list(range(columns))
    for a, b in combos:
        old, new = groups[a], groups[b]
        groups = [new if group == old else group for group in groups]
    return columns - len(set(groups))


def _total(plan: of_agents.ResamplingPlan, means: ClaimMeans, column: int) -> Interval | None:
    reason = plan.reason(plan.returns[:, column])
    if reason and reason != of_agents.CONSTANT:
        return None
    return means.agents.interval(column, confidence=plan.confidence, scale=plan.periods)


def _untold(a: int, b: int, reason: str) -> Pair:
    return Pair(a, b, None, None, None, False, False, None, None, reason)
