"""Results of the statistics: frozen values, all finite, None if unknown. Pure.

Totals and differences are sums of log returns over the whole season: 0.02 is about +2.02 %.
Sharpe ratios are annualised by the `periods_per_year` of the call; 1 leaves them per period.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and its confidence interval, in the same unit."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Pair:
    """Two agents compared on the same snapshots; `a < b` are their indices in the verdict.

    Attributes:
        a: Index of the first agent.
        b: Index of the second agent.
        difference: Season total of the paired log returns a - b; the interval is for this
            pair alone. None while it is too early.
        p_value: Two-sided p-value of "no difference" for this pair alone.
        p_adjusted: The same, family-wise over all pairs (step-down max-t).
        separated: Whether the family-wise decision says that one beats the other; the sign of
            `difference.estimate` says which.
        identical: Whether the two had exactly the same return in every period.
        sharpe_difference: Sharpe ratio of a minus that of b (Ledoit and Wolf).
        detectable: |True difference| that the family-wise decision finds in 80 % of seasons, in
            the unit of `difference`.
        claimed_at: Periods (snapshots of a season) after which the claim was made; None without a
            claim.
        withdrawn_at: Periods after which a later look withdrew it; None if none did. A withdrawn
            claim is not `separated`.
        claim_error: Standard error that the decision used; None if the pair was not tested.
        critical: The |t| that the decision had to exceed; None if the pair was not tested.
        reason: Why a value is None or why the pair was not tested; "" otherwise.
    """

    a: int
    b: int
    difference: Interval | None
    p_value: float | None
    p_adjusted: float | None
    separated: bool
    identical: bool
    sharpe_difference: Interval | None
    detectable: float | None
    reason: str
    claimed_at: int | None = None
    withdrawn_at: int | None = None
    claim_error: float | None = None
    critical: float | None = None


@dataclass(frozen=True, slots=True)
class AgentStatistics:
    """Statistics of one agent.

    Attributes:
        name: Name of the agent.
        rank_low: Best rank that the family-wise decisions leave open, from 1.
        rank_high: Worst rank that they leave open.
        total: Season total of log returns; the interval is for this agent alone.
        sharpe: Sharpe ratio of log returns, risk-free rate zero.
        p_best: Probability that the agent is truly the best, from shrunken estimates.
        psr: Probabilistic Sharpe ratio against 0: confidence that the true ratio is above 0.
        dsr: Deflated Sharpe ratio: the same against the best that so many agents without skill
            would show.
        bradley_terry: Strength over windows in Elo points; the field's mean is 0.
    """

    name: str
    rank_low: int
    rank_high: int
    total: Interval | None
    sharpe: Interval | None
    p_best: float | None
    psr: float | None
    dsr: float | None
    bradley_terry: Interval | None


@dataclass(frozen=True, slots=True)
class SeasonVerdict:
    """All statistics of a season.

    Attributes:
        standings: Statistics of each agent, in the order of the names.
        pairs: Every pair (a, b) with a < b, in lexicographic order.
        confidence: Confidence of every interval, e.g. 0.90.
        claim_level: Nominal family-wise level at which a pair counts as separated.
        periods: Number of returns per agent.
        block_length: Mean block length of the bootstrap, in periods; None while too early.
        detectable: Largest `Pair.detectable` among the agents that can still be first, i.e. the
            difference at the top that could have been missed. None without such a pair.
        look: Number of decision looks so far.
        looks: Total number of looks; None without a planned end.
        next_look: Periods of the next look; None after the last.
        method: Sentences about the method, to print with the figures.
        reasons: Why a value is None. The key is a column ("sharpe"), a column and an agent
            ("sharpe:cash"), or a pair ("a|b").
    """

    standings: tuple[AgentStatistics, ...]
    pairs: tuple[Pair, ...]
    confidence: float
    claim_level: float
    periods: int
    block_length: float | None
    detectable: float | None
    method: tuple[str, ...]
    reasons: Mapping[str, str]
    look: int = 0
    looks: int | None = None
    next_look: int | None = None

    @property
    def interim(self) -> bool:
        """True if further looks follow."""
        return self.next_look is not None


@dataclass(frozen=True, slots=True)
class Effect:
    """Effect of one level of a factor, or one cell's interaction, relative to the grand mean.

    Attributes:
        name: The strategy, the model, or "strategy x model".
        size: Season total log return above (+) or below the mean of the matrix; for a cell, the
            remainder after both main effects. None with a reason in `MatrixEffects.reasons`.
    """

    name: str
    size: Interval | None


@dataclass(frozen=True, slots=True)
class Contrast:
    """Two levels of a factor, compared over the levels of the other factor that both have.

    Attributes:
        factor: "strategy" or "model".
        a: A strategy or a model.
        b: The one it is compared with.
        difference: Season total of log returns, a - b; the interval is for this contrast alone.
            None with a reason.
        p_adjusted: Two-sided p-value of "no difference", over the contrasts of both factors.
        separated: Whether the family-wise decision says that one beats the other; the sign of
            `difference.estimate` says which.
        detectable: |True difference| that this decision finds in 80 % of seasons.
        reason: Why a value is None; "" otherwise.
        over: The levels of the other factor that both have, in the order of the matrix.
        missing: The levels that one of the two lacks, which are left out.
    """

    factor: Literal["strategy", "model"]
    a: str
    b: str
    difference: Interval | None
    p_adjusted: float | None
    separated: bool
    detectable: float | None
    reason: str
    over: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MatrixEffects:
    """The two-way decomposition of a model x strategy matrix.

    Attributes:
        strategies: One main effect per strategy.
        models: One main effect per model.
        interactions: One per cell, strategies slowest.
        seed_noise: Standard deviation of a season total between repeats of the same cell.
        shares: Estimated share of the variance between agents: keys "strategy", "model",
            "interaction", "seed"; they sum to 1. None without repeats.
        p_values: F tests against the seed noise, for this market path alone; keys as in `shares`
            without "seed".
        reasons: Why a value is None; under "pairings", why there are none; under "contrasts", why
            they are not decided yet.
        contrasts: Every two strategies, then every two models, decided together.
        pairings: The interactions that exceed the noise between repeats; their simultaneous
            intervals cover that noise.
    """

    strategies: tuple[Effect, ...]
    models: tuple[Effect, ...]
    interactions: tuple[Effect, ...]
    seed_noise: Interval | None
    shares: Mapping[str, float] | None
    p_values: Mapping[str, float] | None
    reasons: Mapping[str, str]
    contrasts: tuple[Contrast, ...] = ()
    pairings: tuple[Effect, ...] = ()
