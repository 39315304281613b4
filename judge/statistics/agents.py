"""Statistics of single agents: total, Sharpe ratio, P(best), strength; None with a reason."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from judge.statistics.bradley_terry import strengths
from judge.statistics.p_best import best_probabilities
from judge.statistics.resample import draw_signs
from judge.statistics.sharpe import (
    deflated_sharpe,
    distinct_trials,
    probabilistic_sharpe,
)
from judge.statistics.student import (
    ROUNDING,
    Studentised,
    StudentisedMeans,
    is_constant,
    studentise,
)
from judge.statistics.types import AgentStatistics, FloatArray, Interval

STRETCHES_MIN = 10
"""A series with activity in fewer separate blocks of time cannot be resampled."""

COLUMNS = ("total", "sharpe", "p_best", "psr", "dsr", "bradley_terry")
CONSTANT = "the return is the same in every period"
TOO_FLAT = "too many resamples have no variance"
ALONE = "a single agent cannot be compared"


@dataclass(frozen=True)
class ResamplingPlan:
    """Returns and resampling settings of one verdict.

    Attributes:
        returns: Aggregated log returns, shape [T, N].
        whole: Log returns before aggregation, shape [T', N].
        names: Names of the N agents.
        baselines: Names of the agents that do not compete.
        block_length: Mean block length in periods.
        confidence: Confidence of the intervals.
        resamples: Number of bootstrap replications, B.
        seed: Seed of the resampling.
        periods_per_year: Rows of `whole` per year.
    """

    returns: FloatArray
    whole: FloatArray
    names: tuple[str, ...]
    baselines: frozenset[str]
    block_length: float
    confidence: float
    resamples: int
    seed: int
    periods_per_year: float

    @property
    def periods(self) -> int:
        """Number of aggregated periods, T."""
        return int(self.returns.shape[0])

    def signs(self) -> Iterator[FloatArray]:
        """Return the signs of the deviations in every resample; the same ones at every call."""
        rng = np.random.default_rng([self.seed, 0])
        return draw_signs(self.periods, self.block_length, self.resamples, rng)

    @cached_property
    def testable(self) -> tuple[int, ...]:
        """Indices of the agents with enough activity to estimate a Sharpe ratio's error."""
        return tuple(
            i for i in range(len(self.names)) if not self.untestable_reason(self.returns[:, i])
        )

    def untestable_reason(self, series: FloatArray) -> str:
        """Return why a series [T] cannot be resampled; "" if it can."""
        size = float(np.abs(self.returns).max())
        if is_constant(series[:, None], size)[0]:
            return CONSTANT
        # The median is an agent's usual return: 0, or a constant gap to another agent.
        unusual = np.abs(series - np.median(series)) > ROUNDING * size
        blocks = np.logical_or.reduceat(
            unusual, np.arange(0, series.size, int(np.ceil(self.block_length)))
        )
        active = int(np.count_nonzero(blocks))
        if active >= STRETCHES_MIN:
            return ""
        return f"something happened in {active} separate stretches; {STRETCHES_MIN} are needed"


@dataclass(frozen=True, slots=True)
class SharpeIntervals:
    """Annualised Sharpe ratios with their intervals.

    Attributes:
        agents: Agent -> ratio, for testable agents.
        pairs: Pair -> difference of the ratios, for pairs of testable agents.
    """

    agents: dict[int, Interval | None]
    pairs: dict[tuple[int, int], Interval | None]


def sharpe_intervals(plan: ResamplingPlan, combos: Sequence[tuple[int, int]]) -> SharpeIntervals:
    """Return the Sharpe ratios of all testable agents, and the differences of their pairs.

    A ratio is the mean of the returns over their standard deviation, so it is studentised like the
    mean of returns with standard deviation 1, with the same signs as the totals. The error of the
    standard deviation is ignored: to first order (the delta method; Lo 2002, Financial Analysts
    Journal 58, 36-52) it adds SR^2 / 2 to a variance of 1, which is negligible.
    """
    index = {agent: column for column, agent in enumerate(plan.testable)}
    if not index:
        return SharpeIntervals({}, {})
    testable = [pair for pair in combos if pair[0] in index and pair[1] in index]
    # Scales the mean over aggregated rows to the mean over all periods.
    scale_down = plan.periods / plan.whole.shape[0]
    spread = plan.whole[:, plan.testable].std(axis=0, ddof=1)
    found = studentise(
        plan.returns[:, plan.testable] * scale_down / spread,
        plan.signs(),
        [(index[a], index[b]) for a, b in testable],
    )
    scale = float(np.sqrt(plan.periods_per_year))

    def interval(source: Studentised, column: int) -> Interval | None:
        return source.interval(column, confidence=plan.confidence, scale=scale)

    return SharpeIntervals(
        {agent: interval(found.agents, column) for agent, column in index.items()},
        {pair: interval(found.pairs, column) for column, pair in enumerate(testable)},
    )


def agent_statistics(
    plan: ResamplingPlan,
    ranks: Sequence[tuple[int, int]],
    means: StudentisedMeans,
    sharpes: SharpeIntervals,
) -> tuple[tuple[AgentStatistics, ...], dict[str, str]]:
    """Return the statistics of each agent, and the reasons of values that are None."""
    several = len(plan.names) > 1
    estimates = means.agents.estimates
    errors = means.pairs.errors
    chances = best_probabilities(estimates, means.stars - estimates, errors) if several else None
    powers, reasons = _strengths(plan)
    baselines = np.array([name in plan.baselines for name in plan.names])
    trials = distinct_trials(plan.whole, baselines)
    if not several:
        reasons["p_best"] = ALONE
    found = []
    for i, name in enumerate(plan.names):
        why = plan.untestable_reason(plan.returns[:, i])
        total = means.agents.interval(i, confidence=plan.confidence, scale=plan.periods)
        if why and why != CONSTANT:
            total = None
        if why:
            reasons |= {f"{column}:{name}": why for column in ("sharpe", "psr", "dsr")}
        elif sharpes.agents[i] is None:
            reasons[f"sharpe:{name}"] = TOO_FLAT
        if total is None:
            reasons[f"total:{name}"] = why or TOO_FLAT
        found.append(
            AgentStatistics(
                name=name,
                rank_low=ranks[i][0],
                rank_high=ranks[i][1],
                total=total,
                sharpe=sharpes.agents.get(i),
                p_best=None if chances is None else float(chances[i]),
                psr=None if why else probabilistic_sharpe(plan.whole[:, i]),
                dsr=None if why else deflated_sharpe(plan.whole[:, i], trials),
                bradley_terry=powers[i],
            )
        )
    return tuple(found), reasons


def _strengths(plan: ResamplingPlan) -> tuple[Sequence[Interval | None], dict[str, str]]:
    if len(plan.names) < 2:
        return [None] * len(plan.names), {"bradley_terry": ALONE}
    found = strengths(plan.returns, block_length=plan.block_length, confidence=plan.confidence)
    return found, {}
