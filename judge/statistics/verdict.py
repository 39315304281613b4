"""The verdict on a season: every statistic of every agent and every pair, from one matrix.

Pure: the same returns, names and seed give the same bytes. Reads and writes nothing.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np

from judge.statistics import agents as of_agents
from judge.statistics import pairs as of_pairs
from judge.statistics.looks import ERROR_SPENT, FINISHED, PERIODS_FIRST, Horizon, Look
from judge.statistics.multiplicity import CLAIM_LEVEL, rank_sets
from judge.statistics.pairs import LookDecisions, LookMemo
from judge.statistics.resample import pairs_block_length
from judge.statistics.student import ClaimMeans, studentise_means
from judge.statistics.types import AgentStatistics, FloatArray, Pair, SeasonVerdict
from judge.statistics.variance import claim_cosines, interval_cosines

PERIODS_MIN = PERIODS_FIRST
"""Below so many returns nothing is said: a twelfth of it is the longest block, five periods."""

PERIODS_MAX = 2000
"""Above so many returns neighbours are summed: more marks of the same time tell nothing more."""

RETURN_MIN = 1e-12
"""A smaller log return is the rounding of a logarithm, hence zero: 0.0000001 USD of 100,000."""

RESAMPLES_MIN = 199

SeparatePairs = Callable[[tuple[Pair, ...]], tuple[Pair, ...]]
"""Takes the pairs as compared now, and says which are separated."""

AGENTS_MAX = 64
"""64 agents make 2,016 pairs, the most that a verdict decides at once."""


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
        names: The N agents.
        periods_per_year: Annualises the Sharpe ratios; 365 x 24 for hourly snapshots, 24x7. With
            1 they are those of one period.
        confidence: Of every printed interval, between 0 and 1.
        seed: Of the resampling.
        resamples: Bootstrap replications, at least 199.
        horizon: How long the season is to be: it says at which looks claims may be made. What
            earlier looks decided is computed again from the first rows.
        baselines: The names that do not compete; no trials of the deflated Sharpe ratio.
        memo: What earlier looks decided, to save their computation; the answer is the same.
        settle: Says which pairs are separated, where that depends on more than these returns.

    Returns:
        A verdict without a NaN in it; what cannot be known is None with a reason.

    Raises:
        ValueError: For a shape, name, value or option that cannot be judged.
    """
    returns = np.asarray(log_returns, dtype=np.float64)
    _check_arguments(returns, names, periods_per_year, confidence, resamples)
    periods = returns.shape[0]
    if periods < PERIODS_MIN:
        return _too_early(periods, names, confidence, horizon)
    returns = np.where(np.abs(returns) < RETURN_MIN, 0.0, returns)
    options = _ReturnsOptions(tuple(names), confidence, seed, resamples, periods_per_year)
    combos = list(combinations(range(len(names)), 2))
    plan, together = _plan(returns, options, combos, frozenset(baselines))
    means = _means(plan, combos)
    sharpes = of_agents.compare_sharpes(plan, combos)
    looks = horizon.looks(periods)
    now = horizon.level_at(periods)
    alone = of_pairs.judge_pairs(plan, combos, means, sharpes, now)
    earlier = partial(_decided, returns, options, combos, memo)
    pairs = of_pairs.decide_over_looks(alone, combos, looks, earlier, periods)
    pairs = pairs if separate_pairs is None else separate_pairs(pairs)
    standings, reasons = _standings(plan, pairs, means, sharpes)
    detectable = _at_the_top(standings, pairs)
    return SeasonVerdict(
        standings=standings,
        pairs=pairs,
        confidence=confidence,
        claim_level=now,
        periods=periods,
        block_length=plan.block_length * together,
        detectable=detectable,
        method=_method(plan, periods, together, horizon),
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
    """What one look decides of every pair: as `judge_returns` does, and nothing besides.

    Args:
        log_returns: Shape [T, N]; finite.
        names: The N agents.
        level: Nominal family-wise level of a claim.
        confidence: Of the pairs' own intervals.
        seed: Of the resampling.
        resamples: Bootstrap replications.
        memo: What earlier looks decided.

    Returns:
        Empty if there are too few periods or agents, or too many agents.
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
    """What is asked, but for the returns."""

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
) -> tuple[of_agents.ResamplingPlan, int]:
    """The plan for some returns, and how many periods were put together in it."""
    thin, together = aggregated(returns)
    plan = of_agents.ResamplingPlan(
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
    return plan, together


def _means(plan: of_agents.ResamplingPlan, combos: Sequence[tuple[int, int]]) -> ClaimMeans:
    return studentise_means(plan.returns, plan.signs(), combos)


def _decided(
    returns: FloatArray,
    options: _ReturnsOptions,
    combos: Sequence[tuple[int, int]],
    memo: LookMemo | None,
    look: Look,
) -> LookDecisions:
    """What an earlier look decided, from the rows that it had."""
    returns = returns[: look.periods]
    asked = look, options.names, options.confidence, options.seed, options.resamples

    def compute() -> LookDecisions:
        plan, _ = _plan(returns, options, combos)
        nothing = of_agents.SharpeIntervals({}, {})
        pairs = of_pairs.judge_pairs(plan, combos, _means(plan, combos), nothing, look.level)
        return of_pairs.decisions_of(pairs)

    return of_pairs.memoised(memo, asked, returns, compute)


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
    """Why so few periods tell nothing."""
    count = f"{periods} period{'s' * (periods != 1)}"
    return f"too early: {count}, at least {PERIODS_MIN} are needed"


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
        reasons=dict.fromkeys((*of_agents.COLUMNS, "pairs", "detectable"), reason),
        looks=horizon.count(periods),
        next_look=horizon.next_look(periods),
    )


def aggregated(returns: FloatArray) -> tuple[FloatArray, int]:
    """Sum so many neighbouring periods that no more than `PERIODS_MAX` are left.

    Returns:
        The sums, and how many periods were put together (1: nothing was done).
    """
    periods = returns.shape[0]
    together = -(-periods // PERIODS_MAX)
    # The first group takes what is left over, so that every other one is whole.
    starts = np.maximum(np.arange(periods % together - together, periods, together), 0)
    starts = np.unique(starts if periods % together else np.arange(0, periods, together))
    summed: FloatArray = np.add.reduceat(returns, starts, axis=0)
    return summed, together


def _standings(
    plan: of_agents.ResamplingPlan,
    pairs: Sequence[Pair],
    means: ClaimMeans,
    sharpes: of_agents.SharpeIntervals,
) -> tuple[tuple[AgentStatistics, ...], dict[str, str]]:
    wins = [
        (p.a, p.b) if p.difference.estimate > 0.0 else (p.b, p.a)
        for p in pairs
        if p.separated and p.difference is not None
    ]
    return of_agents.standings(plan, rank_sets(len(plan.names), wins), means, sharpes)


def _at_the_top(standings: Sequence[AgentStatistics], pairs: Sequence[Pair]) -> float | None:
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
    plan: of_agents.ResamplingPlan, periods: int, together: int, horizon: Horizon
) -> tuple[str, ...]:
    summed = f", summed {together} by {together}" if together > 1 else ""
    level = f"{plan.confidence:.0%}"
    agents = len(plan.names)
    of_intervals, of_claims = interval_cosines(plan.periods), claim_cosines(plan.periods, agents)
    year = plan.periods_per_year
    unit = "per period" if year == 1.0 else f"annualised with {year:,.0f} periods a year"
    return (
        f"{periods} paired log returns per agent{summed}; totals are sums over the season.",
        f"Intervals: {level}, symmetric studentised wild bootstrap, {plan.resamples} "
        f"resamples, mean block {plan.block_length * together:.1f} periods, seed {plan.seed}; "
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
    """When claims are made, and what is promised of them, in one sentence."""
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
