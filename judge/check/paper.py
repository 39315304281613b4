"""What a contest of given length, field and correlation can detect, by closed forms.

Uses the closed forms of `judge.statistics.power`, which `arena verdict-check` compares with
simulations. Only the effect of more frequent marks is simulated here. Pure: seeded generators.
"""

from dataclasses import dataclass, replace

import numpy as np

from judge.check.markets import MarketScenario
from judge.check.return_laws import PERIOD_SD
from judge.check.simulation import judge
from judge.statistics.multiplicity import CLAIM_LEVEL
from judge.statistics.power import DAYS_PER_YEAR, HypotheticalSeason
from judge.statistics.variance import claim_freedom
from judge.statistics.verdict import PERIODS_MAX

DAYS = 16.0
HOURS_PER_DAY = 24
VOLATILITY = 0.5
"""Annualised volatility of an agent mostly in the market; differences are proportional to it."""

FIELDS = (2, 6, 12)
FIELD = 6
CORRELATIONS = (0.0, 0.5, 0.8, 0.95)
RETURNS = (0.01, 0.02, 0.05, 0.10, 0.20)
SHARPES = (1.0, 2.0, 5.0)
REPEATS = (1, 3, 10, 30)
CELL_CORRELATION = 0.8
SEED_CORRELATIONS = (0.80, 0.90, 0.95, 0.99)
MARKS_PER_DAY = (6, 24, 144)
MARKED_SEASONS = 40


@dataclass(frozen=True, slots=True)
class PaperTables:
    """The figures of `arena verdict-check --paper`.

    Attributes:
        days: Length of the season.
        volatility: Annualised volatility.
        field: Number of agents or cells unless stated otherwise.
        correlations: Columns of `seasons` and `waits`.
        seasons: Number of agents -> one season per correlation.
        waits: True difference -> days until it is found, per correlation.
        cell_correlation: Correlation between cells in `seeds`.
        seed_levels: Correlations between repeats of a cell: columns of `seeds`.
        seeds: Seeds per cell -> detectable difference (log return).
        marked_seasons: Number of simulated seasons per line of `marks`.
        marks: Snapshots, "one every", mean printed detectable difference (log return).
    """

    days: float
    volatility: float
    field: int
    correlations: tuple[float, ...]
    seasons: dict[int, list[HypotheticalSeason]]
    waits: dict[str, list[float]]
    cell_correlation: float
    seed_levels: tuple[float, ...]
    seeds: dict[int, list[float]]
    marked_seasons: int
    marks: list[tuple[int, str, float]]


def season_on_paper(seed: int) -> PaperTables:
    """Compute every table.

    Args:
        seed: Seed of the simulated seasons.
    """
    hours = round(DAYS * HOURS_PER_DAY)
    base = _season(FIELD, hours)
    fields = {n: [replace(_season(n, hours), correlation=c) for c in CORRELATIONS] for n in FIELDS}
    # A difference that takes a long season has the standard errors of a long season.
    long = [replace(_season(FIELD, PERIODS_MAX), correlation=c) for c in CORRELATIONS]
    waits = {
        f"{gain:.0%} return": [s.days_for(float(np.log1p(gain)), DAYS) for s in long]
        for gain in RETURNS
    }
    waits |= {
        f"{gain:.0f} Sharpe": [s.days_for(gain * VOLATILITY, DAYS_PER_YEAR) for s in long]
        for gain in SHARPES
    }
    cells = replace(base, correlation=CELL_CORRELATION)
    seeds = {
        k: [replace(cells, repeats=k, seed_correlation=c).detectable for c in SEED_CORRELATIONS]
        for k in REPEATS
    }
    return PaperTables(
        DAYS,
        VOLATILITY,
        FIELD,
        CORRELATIONS,
        fields,
        waits,
        CELL_CORRELATION,
        SEED_CORRELATIONS,
        seeds,
        MARKED_SEASONS,
        _marks(seed),
    )


def _season(agents: int, periods: int) -> HypotheticalSeason:
    """Return uncorrelated agents, with the degrees of freedom of this number of periods."""
    freedom = claim_freedom(periods, agents)
    return HypotheticalSeason(agents, DAYS, VOLATILITY, 0.0, level=CLAIM_LEVEL, freedom=freedom)


def _marks(seed: int) -> list[tuple[int, str, float]]:
    """Judge the same seasons with rare and with frequent marks."""
    finest = max(MARKS_PER_DAY)
    market = MarketScenario("normal", FIELD, int(DAYS * finest))
    scale = VOLATILITY / np.sqrt(finest * DAYS_PER_YEAR) / PERIOD_SD
    printed: dict[int, list[float]] = {marks: [] for marks in MARKS_PER_DAY}
    for number in range(MARKED_SEASONS):
        fine = market.season(np.random.default_rng([seed, number, finest])) * scale
        for marks in MARKS_PER_DAY:
            season = fine.reshape(int(DAYS * marks), finest // marks, FIELD).sum(axis=1)
            pair = judge(season, seed=number, days=DAYS).pairs[0]
            printed[marks].append(pair.detectable or np.nan)
    return [
        (int(DAYS * marks), f"{1440 // marks} min", float(np.mean(printed[marks])))
        for marks in MARKS_PER_DAY
    ]
