"""The verdict on a season: every statistic of every agent and every pair, from one matrix.

Pure: the same returns, names and seed give the same bytes. Reads and writes nothing.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from judge.statistics import agents as of_agents
from judge.statistics import pairs as of_pairs
from judge.statistics.multiplicity import CLAIM_LEVEL, rank_sets
from judge.statistics.resample import choose_block_length, draw_stationary
from judge.statistics.student import Comparison, is_constant, studentise_means
from judge.statistics.types import FloatArray, Pair, Standing, Verdict

PERIODS_MIN = 60
"""Below so many returns nothing is said: a twelfth of it is the longest block, five periods."""

PERIODS_MAX = 2000
"""Above so many returns neighbours are summed: more marks of the same time tell nothing more."""

RETURN_MIN = 1e-12
"""A smaller log return is the rounding of a logarithm, hence zero: 0.0000001 USD of 100,000."""

RESAMPLES_MIN = 199
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
) -> Verdict:
    """Judge a season.

    Args:
        log_returns: Shape [T, N], one row per period, one column per agent; finite.
        names: The N agents.
        periods_per_year: Annualises the Sharpe ratios; 365 x 24 for hourly snapshots, 24x7.
        confidence: Of every printed interval, between 0 and 1.
        seed: Of the resampling.
        resamples: Bootstrap replications, at least 199.

    Returns:
        A verdict without a NaN in it; what cannot be known is None with a reason.

    Raises:
        ValueError: For a shape, name, value or option that cannot be judged.
    """
    returns = np.asarray(log_returns, dtype=np.float64)
    _refuse(returns, names, periods_per_year, confidence, resamples)
    periods = returns.shape[0]
    if periods < PERIODS_MIN:
        return _too_early(periods, names, confidence)
    returns, together = thinned(np.where(np.abs(returns) < RETURN_MIN, 0.0, returns))
    combos = list(combinations(range(len(names)), 2))
    block_length = _block_length(returns, combos)
    rng = np.random.default_rng([seed, 0])
    parts = draw_stationary(returns.shape[0], block_length, resamples, rng)
    means = studentise_means(returns, parts, combos)
    plan = of_agents.Plan(
        returns,
        tuple(names),
        block_length,
        confidence,
        resamples,
        seed,
        periods_per_year / together,
    )
    sharpes = of_agents.compare_sharpes(plan, combos)
    pairs = of_pairs.judge_pairs(plan, combos, means, sharpes)
    standings, reasons = _standings(plan, pairs, means, sharpes)
    reasons |= {f"{names[p.a]}|{names[p.b]}": p.reason for p in pairs if p.reason}
    detectable = _at_the_top(standings, pairs)
    if detectable is None:
        reasons["detectable"] = "no two agents that can still be first could be compared"
    return Verdict(
        standings=standings,
        pairs=pairs,
        confidence=confidence,
        claim_level=CLAIM_LEVEL,
        periods=periods,
        block_length=block_length * together,
        detectable=detectable,
        method=_method(plan, periods, together),
        reasons=reasons,
    )


def _refuse(
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


def _too_early(periods: int, names: Sequence[str], confidence: float) -> Verdict:
    reason = f"too early: {periods} periods, at least {PERIODS_MIN} are needed"
    everyone = len(names)
    return Verdict(
        standings=tuple(
            Standing(name, 1, everyone, None, None, None, None, None, None) for name in names
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
    )


def thinned(returns: FloatArray) -> tuple[FloatArray, int]:
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


def _block_length(returns: FloatArray, combos: Sequence[tuple[int, int]]) -> float:
    a, b = np.array(combos, dtype=np.int64).reshape(-1, 2).T
    series = returns[:, a] - returns[:, b] if combos else returns
    constant = is_constant(series, np.abs(returns).max())
    return 1.0 if constant.all() else choose_block_length(series[:, ~constant])


def _standings(
    plan: of_agents.Plan,
    pairs: Sequence[Pair],
    means: Comparison,
    sharpes: of_agents.Sharpes,
) -> tuple[tuple[Standing, ...], dict[str, str]]:
    wins = [
        (p.a, p.b) if p.difference.estimate > 0.0 else (p.b, p.a)
        for p in pairs
        if p.separated and p.difference is not None
    ]
    return of_agents.standings(plan, rank_sets(len(plan.names), wins), means, sharpes)


def _at_the_top(standings: Sequence[Standing], pairs: Sequence[Pair]) -> float | None:
    top = {i for i, standing in enumerate(standings) if standing.rank_low == 1}
    return max(
        (p.detectable for p in pairs if p.detectable is not None and {p.a, p.b} <= top),
        default=None,
    )


def _method(plan: of_agents.Plan, periods: int, together: int) -> tuple[str, ...]:
    summed = f", summed {together} by {together}" if together > 1 else ""
    level = f"{plan.confidence:.0%}"
    return (
        f"{periods} paired log returns per agent{summed}; totals are sums over the season.",
        f"Intervals: {level}, symmetric studentised stationary bootstrap, {plan.resamples} "
        f"resamples, mean block {plan.block_length * together:.1f} periods, seed {plan.seed}.",
        f'"A beats B": all pairs together, step-down max-t (Romano-Wolf) at {CLAIM_LEVEL:.0%}, '
        "so that a false claim stays under 5 % of seasons.",
        "Rank sets: the ranks that these decisions leave open.",
        f"Sharpe ratios: annualised with {plan.periods_per_year * together:,.0f} periods a year, "
        "risk-free rate 0; differences by Ledoit and Wolf (2008).",
        f"Deflated Sharpe: against the best of {len(plan.lively)} agents without skill.",
        "Detectable: found with 80 % power by the decision on all pairs.",
        "Bradley-Terry: Elo points over windows of the season, mean 0, one pseudo-game a pair; "
        "expanded percentile intervals.",
    )
