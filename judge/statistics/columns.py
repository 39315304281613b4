"""Decides chosen pairs of columns together, as the verdict decides pairs of agents.

`judge_returns` decides all pairs of agents. The marginal means of a matrix and adjusted returns are
decided in the same way, at the same looks and levels, as separate families.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from judge.statistics.agents import CONSTANT, ResamplingPlan, SharpeIntervals
from judge.statistics.looks import FINISHED, Horizon, Look
from judge.statistics.pairs import (
    LookDecisions,
    LookMemo,
    decide_over_looks,
    decisions_of,
    judge_pairs,
    memoised,
)
from judge.statistics.resample import pairs_block_length
from judge.statistics.student import ClaimMeans, studentise_means
from judge.statistics.types import FloatArray, Interval, Pair
from judge.statistics.verdict import PERIODS_MIN, RETURN_MIN, aggregated, too_early

Combos = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class ComparedColumns:
    """Comparison of columns.

    Attributes:
        pairs: The requested pairs, in order; `a` and `b` are column numbers.
        totals: Sum of each column; None if it cannot be resampled.
        reason: Why nothing was compared; "" otherwise.
    """

    pairs: tuple[Pair, ...]
    totals: tuple[Interval | None, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FamilyOptions:
    """Settings of the comparison of a family of pairs.

    Attributes:
        confidence: Confidence of the intervals.
        seed: Seed of the resampling.
        resamples: Number of bootstrap replications.
        horizon: Planned length of the season, and whether it is over.
    """

    confidence: float = 0.90
    seed: int = 1
    resamples: int = 2000
    horizon: Horizon = FINISHED


def compare_columns(
    series: FloatArray, combos: Combos, options: FamilyOptions, memo: LookMemo | None = None
) -> ComparedColumns:
    """Compare pairs of columns, all of them as one family.

    Args:
        series: Shape [T, M], log returns; finite.
        combos: Pairs (a, b) of columns; the difference a - b is compared.
        options: Settings of the comparison.
        memo: Cache of earlier looks' decisions; it does not change the result.
    """
    periods, columns = series.shape
    if periods < PERIODS_MIN:
        reason = too_early(periods)
        early = tuple(_too_early_pair(a, b, reason) for a, b in combos)
        return ComparedColumns(early, (None,) * columns, reason)
    series = np.where(np.abs(series) < RETURN_MIN, 0.0, series)
    looks = options.horizon.looks(periods)
    plan, means, now = _look(series, combos, options, options.horizon.level_at(periods))

    def earlier(look: Look) -> LookDecisions:
        rows = series[: look.periods]
        arguments = "columns", look.level, list(combos), options.confidence, options.seed
        return memoised(
            memo,
            (*arguments, options.resamples),
            rows,
            lambda: decisions_of(_look(rows, combos, options, look.level)[2]),
        )

    pairs = decide_over_looks(now, combos, looks, earlier, periods)
    return ComparedColumns(pairs, tuple(_total(plan, means, column) for column in range(columns)))


def _look(
    series: FloatArray, combos: Combos, options: FamilyOptions, level: float
) -> tuple[ResamplingPlan, ClaimMeans, tuple[Pair, ...]]:
    """Return the resampling plan, the means and the pairs of one look."""
    thin, _ = aggregated(series)
    # The degrees of freedom of a decision depend on the number of names in the plan.
    plan = ResamplingPlan(
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
        judge_pairs(plan, combos, means, SharpeIntervals({}, {}), level),
    )


def _independent(columns: int, combos: Combos) -> int:
    """Return the number of independent differences: columns less groups that pairs connect."""
    groups = list(range(columns))
    for a, b in combos:
        old, new = groups[a], groups[b]
        groups = [new if group == old else group for group in groups]
    return columns - len(set(groups))


def _total(plan: ResamplingPlan, means: ClaimMeans, column: int) -> Interval | None:
    reason = plan.untestable_reason(plan.returns[:, column])
    if reason and reason != CONSTANT:
        return None
    return means.agents.interval(column, confidence=plan.confidence, scale=plan.periods)


def _too_early_pair(a: int, b: int, reason: str) -> Pair:
    return Pair(a, b, None, None, None, False, False, None, None, reason)
