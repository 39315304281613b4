"""One agent at a time: total, Sharpe ratio, chances, strength; `None` with a reason otherwise."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from judge.statistics.bradley_terry import strengths
from judge.statistics.p_best import best_probabilities
from judge.statistics.resample import BLOCKS_MIN, draw_circular
from judge.statistics.sharpe import (
    deflated_sharpe,
    distinct_trials,
    probabilistic_sharpe,
)
from judge.statistics.student import (
    ROUNDING,
    Comparison,
    Studentised,
    is_constant,
    studentise_sharpes,
)
from judge.statistics.types import FloatArray, Interval, Standing

SHARPE_BLOCKS, SHARPE_MISSES = 32.0, 0.8
DIFFERENCE_BLOCKS, DIFFERENCE_MISSES = 16.0, 0.9
"""Shortest blocks of a Sharpe ratio and of a difference of two, and what their intervals aim at. A
spell in the market, or a cluster of volatility, makes the variance depend for that long, which the
returns do not show; the rest of what it does to the ratio is in the aim."""

STRETCHES_MIN = 10
"""Something that happened in fewer separate blocks of time than this cannot be resampled."""

COLUMNS = ("total", "sharpe", "p_best", "psr", "dsr", "bradley_terry")
CONSTANT = "the return is the same in every period"
TOO_FLAT = "too many resamples have no variance"
ALONE = "there is no other agent to compare with"


@dataclass(frozen=True)
class Plan:
    """What is judged and how: the arguments of `judge_returns`, checked and thinned.

    Attributes:
        returns: Shape [T, N], thinned.
        whole: Shape [T', N], as it was given.
        squares: Shape [T, N], the squares of `whole`, thinned alike.
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
    squares: FloatArray
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

    @cached_property
    def lively(self) -> tuple[int, ...]:
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
class Sharpes:
    """Annualised Sharpe ratios.

    Attributes:
        agents: By agent, where the agent is lively.
        pairs: By pair, where both are lively and differ.
    """

    agents: dict[int, Interval | None]
    pairs: dict[tuple[int, int], Interval | None]


def compare_sharpes(plan: Plan, combos: Sequence[tuple[int, int]]) -> Sharpes:
    """Studentise the Sharpe ratios of all lively agents and of the pairs among them."""
    place = {agent: column for column, agent in enumerate(plan.lively)}
    if not place:
        return Sharpes({}, {})
    kept = [pair for pair in combos if pair[0] in place and pair[1] in place]
    columns = [(place[a], place[b]) for a, b in kept]
    longest = plan.periods / BLOCKS_MIN
    of_agents, of_pairs = (
        _studentised(plan, max(plan.block_length, min(blocks, longest)), chosen)
        for blocks, chosen in ((SHARPE_BLOCKS, []), (DIFFERENCE_BLOCKS, columns))
    )
    # The spread of a Sharpe ratio has n - 1 in its denominator.
    count = plan.whole.shape[0]
    scale = float(np.sqrt(plan.periods_per_year * (count - 1) / count))

    def interval(source: Studentised, column: int, misses: float) -> Interval | None:
        return source.interval(column, confidence=plan.confidence, scale=scale, misses=misses)

    return Sharpes(
        {
            agent: interval(of_agents.agents, column, SHARPE_MISSES)
            for agent, column in place.items()
        },
        {
            pair: interval(of_pairs.pairs, column, DIFFERENCE_MISSES)
            for column, pair in enumerate(kept)
        },
    )


def _studentised(plan: Plan, block_length: float, pairs: Sequence[tuple[int, int]]) -> Comparison:
    """The Sharpe ratios of the lively agents and of pairs of their columns."""
    rng = np.random.default_rng([plan.seed, 1])
    parts = draw_circular(plan.periods, block_length, plan.resamples, rng)
    # Means over the thinned rows that are those over all periods.
    share = plan.periods / plan.whole.shape[0]
    returns, squares = plan.returns[:, plan.lively], plan.squares[:, plan.lively]
    return studentise_sharpes(returns * share, squares * share, parts, pairs)


def standings(
    plan: Plan, ranks: Sequence[tuple[int, int]], means: Comparison, sharpes: Sharpes
) -> tuple[tuple[Standing, ...], dict[str, str]]:
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
            Standing(
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


def _strengths(plan: Plan) -> tuple[Sequence[Interval | None], dict[str, str]]:
    if len(plan.names) < 2:
        return [None] * len(plan.names), {"bradley_terry": ALONE}
    found = strengths(plan.returns, block_length=plan.block_length, confidence=plan.confidence)
    return found, {}
