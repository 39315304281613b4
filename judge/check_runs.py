"""Run the verdict on simulated seasons and count how often it was right.

Pure but for the random generators, which are seeded by job and season: the same call gives the
same counts, whatever the number of processes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from judge.check_markets import LAWS, PERIOD_SD, Market
from judge.statistics import FloatArray, Interval, Verdict, judge_returns
from judge.statistics.power import DAYS_PER_YEAR, Season

FALSE_CLAIMS_MAX = 0.05
"""The promise: in no market do more seasons than this hold a false "A beats B"."""

COVERAGE_LOW, COVERAGE_HIGH = 0.88, 0.92
"""The promise: the printed 90 % interval holds the truth this often."""

CONFIDENCE = 0.90
RESAMPLES = 299
PERIODS = 384
"""16 days of hourly snapshots."""

PERIODS_SHORT = 120
PERIODS_PER_YEAR = 24.0 * DAYS_PER_YEAR
FIELD = 5

MARKETS = (
    *(Market(law, 2, PERIODS) for law in (*LAWS, "spells")),
    *(Market(law, FIELD, PERIODS) for law in (*LAWS, "spells")),
    Market("normal", FIELD, PERIODS, correlation=0.95),
    *(Market(law, FIELD, PERIODS_SHORT) for law in ("fat", "ar", "spells")),
)


@dataclass(frozen=True, slots=True)
class Counts:
    """What one season showed: [intervals that hold the truth, intervals printed] by column.

    Attributes:
        claimed: Whether any "A beats B" was said.
        difference: Of the pairs' season totals.
        total: Of the agents' season totals.
        sharpe_difference: Of the pairs' Sharpe ratios.
        sharpe: Of the agents' Sharpe ratios.
        strength: Of the agents' Bradley-Terry strengths.
        pairs: All pairs, printed or not.
    """

    claimed: bool
    difference: tuple[int, int]
    total: tuple[int, int]
    sharpe_difference: tuple[int, int]
    sharpe: tuple[int, int]
    strength: tuple[int, int]
    pairs: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """A share of intervals, with the standard error that the number of seasons leaves it."""

    share: float
    error: float

    @property
    def kept(self) -> bool:
        """Whether the promise is kept."""
        return COVERAGE_LOW <= self.share <= COVERAGE_HIGH


@dataclass(frozen=True, slots=True)
class MarketCheck:
    """One market's row: false claims with their 95 % binomial interval, and coverages."""

    market: Market
    seasons: int
    false_claims: Interval
    difference: Coverage
    total: Coverage
    sharpe_difference: Coverage
    sharpe: Coverage
    strength: Coverage
    unjudged: float

    @property
    def missed(self) -> tuple[str, ...]:
        """The promises that this market broke."""
        words = [] if self.false_claims.estimate <= FALSE_CLAIMS_MAX else ["false claims"]
        coverages = {
            "difference": self.difference,
            "total": self.total,
            "Sharpe difference": self.sharpe_difference,
            "Sharpe": self.sharpe,
            "Bradley-Terry": self.strength,
        }
        missed = [name for name, found in coverages.items() if not found.kept]
        # Two agents win whole windows of a few: no rule that looks at their number can have an
        # interval between 85 % and 94 %, so that too wide is not held against it.
        if self.market.agents == 2 and self.strength.share > COVERAGE_HIGH:
            missed.remove("Bradley-Terry")
        return tuple(words + [f"coverage of {name}" for name in missed])


def run_market(market: Market, seed: int, seasons: range) -> list[Counts]:
    """Judge some seasons of a market.

    Args:
        market: Where every agent has the same law.
        seed: Of the whole check.
        seasons: The numbers of the seasons; each has a generator of its own.
    """
    found = []
    for number in seasons:
        rng = np.random.default_rng([seed, number, *market.title.encode(), market.agents])
        found.append(count(judge(market.season(rng), seed=number), market))
    return found


def judge(log_returns: FloatArray, *, seed: int, days: float | None = None) -> Verdict:
    """Judge a season as the leaderboard does, with fewer resamples.

    Args:
        log_returns: Shape [T, N].
        seed: Of the resampling.
        days: Market time of the season; hourly snapshots where None.
    """
    periods, agents = log_returns.shape
    per_year = PERIODS_PER_YEAR if days is None else periods / days * DAYS_PER_YEAR
    return judge_returns(
        log_returns,
        [f"agent {i}" for i in range(agents)],
        periods_per_year=per_year,
        confidence=CONFIDENCE,
        seed=seed,
        resamples=RESAMPLES,
    )


def count(verdict: Verdict, market: Market) -> Counts:
    """Hold a verdict against the truth that all agents have the same law."""

    def hits(intervals: Sequence[Interval | None], truth: float) -> tuple[int, int]:
        printed = [interval for interval in intervals if interval is not None]
        return sum(i.low <= truth <= i.high for i in printed), len(printed)

    annual_sharpe = market.true_sharpe * float(np.sqrt(PERIODS_PER_YEAR))
    return Counts(
        claimed=any(pair.separated for pair in verdict.pairs),
        difference=hits([pair.difference for pair in verdict.pairs], 0.0),
        total=hits([standing.total for standing in verdict.standings], market.true_total),
        sharpe_difference=hits([pair.sharpe_difference for pair in verdict.pairs], 0.0),
        sharpe=hits([standing.sharpe for standing in verdict.standings], annual_sharpe),
        strength=hits([standing.bradley_terry for standing in verdict.standings], 0.0),
        pairs=len(verdict.pairs),
    )


def summarise(market: Market, counts: Sequence[Counts]) -> MarketCheck:
    """One row of all seasons of a market."""
    claims = stats.binomtest(sum(c.claimed for c in counts), len(counts))
    bounds = claims.proportion_ci(0.95, method="exact")
    pairs = sum(c.pairs for c in counts)
    printed = sum(c.difference[1] for c in counts)
    return MarketCheck(
        market=market,
        seasons=len(counts),
        false_claims=Interval(claims.statistic, float(bounds.low), float(bounds.high)),
        difference=_coverage([c.difference for c in counts]),
        total=_coverage([c.total for c in counts]),
        sharpe_difference=_coverage([c.sharpe_difference for c in counts]),
        sharpe=_coverage([c.sharpe for c in counts]),
        strength=_coverage([c.strength for c in counts]),
        unjudged=1.0 - printed / pairs,
    )


def _coverage(hits: Sequence[tuple[int, int]]) -> Coverage:
    """The share over all seasons; intervals of one season depend, so the error is by season."""
    table = np.array(hits, dtype=np.float64)
    printed = table[:, 1].sum()
    if printed == 0.0:
        return Coverage(0.0, 0.0)
    share = table[:, 0].sum() / printed
    residual = table[:, 0] - share * table[:, 1]
    return Coverage(float(share), float(np.sqrt((residual**2).sum()) / printed))


@dataclass(frozen=True, slots=True)
class PowerJob:
    """Seasons in which one agent truly beats another by a multiple of what is detectable."""

    agents: int
    correlation: float
    multiple: float

    @property
    def paper(self) -> Season:
        """The same season on paper."""
        volatility = PERIOD_SD * float(np.sqrt(PERIODS_PER_YEAR))
        return Season(self.agents, PERIODS / 24.0, volatility, self.correlation)


@dataclass(frozen=True, slots=True)
class PowerCheck:
    """How often the difference was found, and what the verdicts called detectable on average."""

    job: PowerJob
    seasons: int
    found: Interval
    detectable: float


POWER_MULTIPLES = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
POWER_JOBS = tuple(
    PowerJob(agents, correlation, multiple)
    for agents, correlation in ((2, 0.8), (FIELD, 0.5))
    for multiple in POWER_MULTIPLES
)


def run_power(job: PowerJob, seed: int, seasons: range) -> list[tuple[bool, float]]:
    """For each season: whether the better agent was found, and the printed detectable effect."""
    market = Market("normal", job.agents, PERIODS, job.correlation)
    found = []
    for number in seasons:
        # The same seasons for every multiple: the curve is smoother than its points' errors.
        season = market.season(np.random.default_rng([seed, number, job.agents]))
        season[:, 0] += job.multiple * job.paper.detectable / PERIODS
        pair = judge(season, seed=number).pairs[0]
        ahead = pair.difference is not None and pair.difference.estimate > 0.0
        found.append((pair.separated and ahead, pair.detectable or np.nan))
    return found


def summarise_power(job: PowerJob, results: Sequence[tuple[bool, float]]) -> PowerCheck:
    """One point of a power curve."""
    found = stats.binomtest(sum(hit for hit, _ in results), len(results))
    bounds = found.proportion_ci(0.95, method="exact")
    return PowerCheck(
        job,
        len(results),
        Interval(found.statistic, float(bounds.low), float(bounds.high)),
        float(np.mean([detectable for _, detectable in results])),
    )
