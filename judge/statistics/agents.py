"""One agent at a time: total, Sharpe ratio, chances, strength; `None` with a reason otherwise."""

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
"""Something that happened in fewer separate blocks of time than this cannot be resampled."""

COLUMNS = ("total", "sharpe", "p_best", "psr", "dsr", "bradley_terry")
CONSTANT = "the return is the same in every period"
TOO_FLAT = "too many resamples have no variance"
ALONE = "a single agent cannot be compared"


@dataclass(frozen=True)
class ResamplingPlan:
    """What is judged and how: the arguments of `judge_returns`, checked and thinned.

    Attributes:
        returns: Shape [T, N], thinned.
        whole: Shape [T', N], as it was given.
        names: The N agents.
        baselines: Those of them that do not compete.
        block_length: Mean block length in periods.
        confidence: Of the intervals.
        resamples: B.
        seed: Of the resampling.
        periods_per_year: Of the rows of `whole`.
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
        """T."""
        return int(self.returns.shape[0])

    def signs(self) -> Iterator[FloatArray]:
        """The signs of the deviations in every resample; the same ones each time."""
        rng = np.random.default_rng([self.seed, 0])
        return draw_signs(self.periods, self.block_length, self.resamples, rng)

    @cached_property
    def testable(self) -> tuple[int, ...]:
        """The agents with enough activity for a Sharpe ratio to have an error."""
        return tuple(i for i in range(len(self.names)) if not self.reason(self.returns[:, i]))

    def reason(self, series: FloatArray) -> str:
        """Why a series [T] cannot be resampled; empty if it can."""
        size = float(np.abs(self.returns).max())
        if is_constant(series[:, None], size)[0]:
            return CONSTANT
        # What an agent mostly earns is nothing, or what a constant gap to another leaves.
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
    """Annualised Sharpe ratios.

    Attributes:
        agents: By agent, where the agent is lively.
        pairs: By pair, where both are lively and differ.
    """

    agents: dict[int, Interval | None]
    pairs: dict[tuple[int, int], Interval | None]


def compare_sharpes(plan: ResamplingPlan, combos: Sequence[tuple[int, int]]) -> SharpeIntervals:
    """The Sharpe ratios of all lively agents, and the differences of the pairs among them.

    A ratio is the mean of the returns over their spread, so it is studentised as the mean of
    returns that have the spread 1, with the same signs as the totals. What the spread itself may
    err is left out: to first order (the delta method; Lo 2002, Financial Analysts Journal 58,
    36-52) it adds SR^2 / 2 to a variance of 1, nothing beside what a mean may err.
    """
    place = {agent: column for column, agent in enumerate(plan.testable)}
    if not place:
        return SharpeIntervals({}, {})
    kept = [pair for pair in combos if pair[0] in place and pair[1] in place]
    # A mean over the thinned rows that is the mean over all periods.
    share = plan.periods / plan.whole.shape[0]
    spread = plan.whole[:, plan.testable].std(axis=0, ddof=1)
    found = studentise(
        plan.returns[:, plan.testable] * share / spread,
        plan.signs(),
        [(place[a], place[b]) for a, b in kept],
    )
    scale = float(np.sqrt(plan.periods_per_year))

    def interval(source: Studentised, column: int) -> Interval | None:
        return source.interval(column, confidence=plan.confidence, scale=scale)

    return SharpeIntervals(
        {agent: interval(found.agents, column) for agent, column in place.items()},
        {pair: interval(found.pairs, column) for column, pair in enumerate(kept)},
    )


def standings(
    plan: ResamplingPlan,
    ranks: Sequence[tuple[int, int]],
    means: StudentisedMeans,
    sharpes: SharpeIntervals,
) -> tuple[tuple[AgentStatistics, ...], dict[str, str]]:
    """One standing per agent, and the reasons of what is None in them."""
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
        why = plan.reason(plan.returns[:, i])
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
