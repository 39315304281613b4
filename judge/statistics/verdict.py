"""The verdict on a season: every statistic of every agent and pair, from one matrix of returns.

Pure: the same returns, names and seed give the same result. Reads and writes nothing.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np

from arena.plural import counted
from judge.statistics.agents import (
    COLUMNS,
    ResamplingPlan,
    SharpeIntervals,
    agent_statistics,
    sharpe_intervals,
)
from judge.statistics.looks import ERROR_SPENT, FINISHED, PERIODS_FIRST, Horizon, Look
from judge.statistics.multiplicity import CLAIM_LEVEL, rank_sets
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
from judge.statistics.types import AgentStatistics, FloatArray, Pair, SeasonVerdict
from judge.statistics.variance import claim_cosines, interval_cosines

PERIODS_MIN = PERIODS_FIRST
"""Fewer returns give no verdict: the longest block, a twelfth of them, would be under 5 periods."""

PERIODS_MAX = 2000
"""Above this many returns neighbours are summed: more marks of the same time add no information."""

RETURN_MIN = 1e-12
"""A smaller log return is rounding, and counts as zero: 0.0000001 USD of 100,000."""

RESAMPLES_MIN = 199

SeparatePairs = Callable[[tuple[Pair, ...]], tuple[Pair, ...]]
"""Function that sets which of the compared pairs are separated."""

AGENTS_MAX = 64
"""Most agents of a verdict: they make 2,016 pairs."""


def judge_returns(
    log_returns: FloatArray,
    names: Sequence[str],
    *,
    periods_per_year: float,
    confidence: float = 0.90,
    seed: int = 1,
    resamples: int = 2000,
    horizon: Horizon = FINISHED,
    baselines: Collection[str] = (),
    memo: LookMemo | None = None,
    separate_pairs: SeparatePairs | None = None,
) -> SeasonVerdict:
    """Judge a season.

    Args:
        log_returns: Shape [T, N], one row per period, one column per agent; finite.
        names: Names of the N agents.
        periods_per_year: Annualises the Sharpe ratios; 365 x 24 for hourly snapshots. With 1 they
            are per period.
        confidence: Confidence of every printed interval, between 0 and 1.
        seed: Seed of the resampling.
        resamples: Number of bootstrap replications, at least 199.
        horizon: Planned length of the season, which determines the looks at which claims can be
            made. Decisions of earlier looks are computed again from the first rows.
        baselines: Names that do not compete; they are no trials of the deflated Sharpe ratio.
        memo: Cache of earlier looks' decisions; it does not change the result.
        separate_pairs: Sets which pairs are separated, if that depends on more than these returns.

    Returns:
        A verdict without NaN; unknown values are None with a reason.

    Raises:
        ValueError: A shape, name, value or option is invalid.
    """
    returns = np.asarray(log_returns, dtype=np.float64)
    _check_arguments(returns, names, periods_per_year, confidence, resamples)
    periods = returns.shape[0]
    if periods < PERIODS_MIN:
        return _too_early(periods, names, confidence, horizon)
    returns = np.where(np.abs(returns) < RETURN_MIN, 0.0, returns)
    options = _ReturnsOptions(tuple(names), confidence, seed, resamples, periods_per_year)
    combos = list(combinations(range(len(names)), 2))
    plan, group_size = _plan(returns, options, combos, frozenset(baselines))
    means = _means(plan, combos)
    sharpes = sharpe_intervals(plan, combos)
    looks = horizon.looks(periods)
    now = horizon.level_at(periods)
    alone = judge_pairs(plan, combos, means, sharpes, now)
    earlier = partial(_decided, returns, options, combos, memo)
    pairs = decide_over_looks(alone, combos, looks, earlier, periods)
    pairs = pairs if separate_pairs is None else separate_pairs(pairs)
    standings, reasons = _standings(plan, pairs, means, sharpes)
    detectable = _detectable_at_the_top(standings, pairs)
    return SeasonVerdict(
        standings=standings,
        pairs=pairs,
        confidence=confidence,
        claim_level=now,
        periods=periods,
        block_length=plan.block_length * group_size,
        detectable=detectable,
        method=_method(plan, periods, group_size, horizon),
        reasons={**reasons, **_pair_reasons(names, pairs, detectable)},
        look=len(looks),
        looks=horizon.count(periods),
        next_look=horizon.next_look(periods),
    )


def decide_returns(
    log_returns: FloatArray,
    names: Sequence[str],
    *,
    level: float,
    confidence: float,
    seed: int,
    resamples: int,
    memo: LookMemo | None = None,
) -> LookDecisions:
    """Return only what one look decides about every pair, as `judge_returns` does.

    Args:
        log_returns: Shape [T, N]; finite.
        names: Names of the N agents.
        level: Nominal family-wise level of a claim.
        confidence: Confidence of the pairs' own intervals.
        seed: Seed of the resampling.
        resamples: Number of bootstrap replications.
        memo: Cache of earlier looks' decisions.

    Returns:
        Decisions by pair; empty with too few periods or agents, or too many agents.
    """
    returns = np.asarray(log_returns, dtype=np.float64)
    if returns.shape[0] < PERIODS_MIN or not 2 <= len(names) <= AGENTS_MAX:
        return {}
    returns = np.where(np.abs(returns) < RETURN_MIN, 0.0, returns)
    options = _ReturnsOptions(tuple(names), confidence, seed, resamples, periods_per_year=1.0)
    combos = list(combinations(range(len(names)), 2))
    return _decided(returns, options, combos, memo, Look(returns.shape[0], level))


@dataclass(frozen=True, slots=True)
class _ReturnsOptions:
    """Arguments of `judge_returns` other than the returns."""

    names: tuple[str, ...]
    confidence: float
    seed: int
    resamples: int
    periods_per_year: float


def _plan(
    returns: FloatArray,
    options: _ReturnsOptions,
    combos: Sequence[tuple[int, int]],
    baselines: frozenset[str] = frozenset(),
) -> tuple[ResamplingPlan, int]:
    """Return the resampling plan for returns, and the number of periods per aggregated row."""
    thin, group_size = aggregated(returns)
    plan = ResamplingPlan(
        returns=thin,
        whole=returns,
        names=options.names,
        baselines=baselines,
        block_length=pairs_block_length(thin, combos),
        confidence=options.confidence,
        resamples=options.resamples,
        seed=options.seed,
        periods_per_year=options.periods_per_year,
    )
    return plan, group_size


def _means(plan: ResamplingPlan, combos: Sequence[tuple[int, int]]) -> ClaimMeans:
    return studentise_means(plan.returns, plan.signs(), combos)


def _decided(
    returns: FloatArray,
    options: _ReturnsOptions,
    combos: Sequence[tuple[int, int]],
    memo: LookMemo | None,
    look: Look,
) -> LookDecisions:
    """Return what an earlier look decided, from the rows that it had."""
    returns = returns[: look.periods]
    arguments = look, options.names, options.confidence, options.seed, options.resamples

    def compute() -> LookDecisions:
        plan, _ = _plan(returns, options, combos)
        nothing = SharpeIntervals({}, {})
        pairs = judge_pairs(plan, combos, _means(plan, combos), nothing, look.level)
        return decisions_of(pairs)

    return memoised(memo, arguments, returns, compute)


def _check_arguments(
    returns: FloatArray,
    names: Sequence[str],
    periods_per_year: float,
    confidence: float,
    resamples: int,
) -> None:
    if returns.ndim != 2 or returns.shape[1] != len(names):
        raise ValueError(
            f"log_returns had shape {returns.shape} for {len(names)} names; send [T, N]"
        )
    if not 1 <= len(names) <= AGENTS_MAX or len(set(names)) != len(names):
        raise ValueError(f"names were {list(names)}; send 1 to {AGENTS_MAX} different names")
    if not np.isfinite(returns).all():
        period, agent = np.argwhere(~np.isfinite(returns))[0]
        raise ValueError(
            f"the log return of {names[agent]} in period {period} was {returns[period, agent]}; "
            "an equity of zero or less has no log return"
        )
    if not 0.5 <= confidence <= 0.99:
        raise ValueError(f"confidence was {confidence}; send 0.5 to 0.99, such as 0.90")
    if not periods_per_year > 0.0:
        raise ValueError(f"periods_per_year was {periods_per_year}; send a positive number")
    if resamples < RESAMPLES_MIN:
        raise ValueError(f"resamples was {resamples}; send at least {RESAMPLES_MIN}")


def too_early(periods: int) -> str:
    """Return the reason for a verdict without figures."""
    return f"too early: {counted(periods, 'period')}, at least {PERIODS_MIN} are needed"


def _too_early(
    periods: int, names: Sequence[str], confidence: float, horizon: Horizon
) -> SeasonVerdict:
    reason = too_early(periods)
    everyone = len(names)
    return SeasonVerdict(
        standings=tuple(
            AgentStatistics(name, 1, everyone, None, None, None, None, None, None) for name in names
        ),
        pairs=tuple(
            Pair(a, b, None, None, None, False, False, None, None, reason)
            for a, b in combinations(range(everyone), 2)
        ),
        confidence=confidence,
        claim_level=CLAIM_LEVEL,
        periods=periods,
        block_length=None,
        detectable=None,
        method=(reason,),
        reasons=dict.fromkeys((*COLUMNS, "pairs", "detectable"), reason),
        looks=horizon.count(periods),
        next_look=horizon.next_look(periods),
    )


def aggregated(returns: FloatArray) -> tuple[FloatArray, int]:
    """Sum groups of neighbouring periods so that at most `PERIODS_MAX` rows are left.

    Returns:
        The sums, and the number of periods per group (1 if nothing was summed).
    """
    periods = returns.shape[0]
    group_size = -(-periods // PERIODS_MAX)
    # The first group takes the remainder, so that every other one is complete.
    starts = np.maximum(np.arange(periods % group_size - group_size, periods, group_size), 0)
    starts = np.unique(starts if periods % group_size else np.arange(0, periods, group_size))
    summed: FloatArray = np.add.reduceat(returns, starts, axis=0)
    return summed, group_size


def _standings(
    plan: ResamplingPlan,
    pairs: Sequence[Pair],
    means: ClaimMeans,
    sharpes: SharpeIntervals,
) -> tuple[tuple[AgentStatistics, ...], dict[str, str]]:
    wins = [
        (p.a, p.b) if p.difference.estimate > 0.0 else (p.b, p.a)
        for p in pairs
        if p.separated and p.difference is not None
    ]
    return agent_statistics(plan, rank_sets(len(plan.names), wins), means, sharpes)


def _detectable_at_the_top(
    standings: Sequence[AgentStatistics], pairs: Sequence[Pair]
) -> float | None:
    top = {i for i, standing in enumerate(standings) if standing.rank_low == 1}
    return max(
        (p.detectable for p in pairs if p.detectable is not None and {p.a, p.b} <= top),
        default=None,
    )


def _pair_reasons(
    names: Sequence[str], pairs: Sequence[Pair], detectable: float | None
) -> dict[str, str]:
    found = {f"{names[p.a]}|{names[p.b]}": p.reason for p in pairs if p.reason}
    if detectable is None:
        found["detectable"] = "no two agents that can still be first could be compared"
    return found


def _method(
    plan: ResamplingPlan, periods: int, group_size: int, horizon: Horizon
) -> tuple[str, ...]:
    summed = f", summed {group_size} by {group_size}" if group_size > 1 else ""
    level = f"{plan.confidence:.0%}"
    agents = len(plan.names)
    of_intervals, of_claims = interval_cosines(plan.periods), claim_cosines(plan.periods, agents)
    year = plan.periods_per_year
    unit = "per period" if year == 1.0 else f"annualised with {year:,.0f} periods a year"
    return (
        f"{periods} paired log returns per agent{summed}; totals are sums over the season.",
        f"Intervals: {level}, symmetric studentised wild bootstrap, {plan.resamples} "
        f"resamples, mean block {plan.block_length * group_size:.1f} periods, seed {plan.seed}; "
        f"errors from {of_intervals} cosines, for this moment alone.",
        f'"A beats B": all pairs together, step-down max-t (Romano-Wolf), '
        f"errors from {of_claims} cosines{_pooled_text(agents)}.",
        looks_text(horizon),
        "Rank sets: the ranks that these decisions leave open.",
        f"Sharpe ratios: of log returns, {unit}, risk-free rate 0; errors of the mean alone.",
        "Deflated Sharpe: against the best of as many distinct agents without skill.",
        "P(best): from totals shrunken towards each other by as much as their errors explain.",
        "Detectable: a true difference that the decision on all pairs finds in 4 seasons of 5.",
        "Bradley-Terry: Elo points over windows of the season, mean 0, one pseudo-game a pair.",
    )


def _pooled_text(agents: int) -> str:
    return ", their ratio to faster ones mostly the field's" if agents > 2 else ""


def looks_text(horizon: Horizon) -> str:
    """Return when claims are made and the promise about them, in one sentence."""
    promise = "so that a false claim comes in fewer than 5 % of seasons"
    if horizon.planned is not None:
        return (
            f"Claims are made at eighths of the plan ({horizon.planned:,}), from its half on, at "
            f"O'Brien-Fleming levels that spend {ERROR_SPENT:.1%} in all, {promise}, at any look."
        )
    if horizon.once:
        return f"Claims are made at one look, at {horizon.level:.1%}, {promise}."
    return (
        f"Without a planned end claims hold at every time (a confidence sequence at "
        f"{ERROR_SPENT:.1%}), {promise}, however often it is looked at."
    )
