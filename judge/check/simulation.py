"""Runs the verdict on simulated seasons and counts how often it was right.

Pure except for random generators, which are seeded by market and season: the same call gives the
same counts for any number of processes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from judge.check.markets import PERIODS_PER_YEAR, MarketScenario, Truth
from judge.statistics import FloatArray, Interval, Pair, SeasonVerdict, judge_returns
from judge.statistics.columns import FamilyOptions
from judge.statistics.contrasts import level_contrasts
from judge.statistics.looks import FINISHED, Horizon
from judge.statistics.power import DAYS_PER_YEAR

CONFIDENCE = 0.90
RESAMPLES = 299

NO_SKILL_MAX = 0.05
"""A true Sharpe ratio over the season below this, in standard errors, counts as 0."""

Hits = tuple[int, int]
"""Number of intervals that hold the truth, number of printed intervals."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts from one season.

    Attributes:
        claimed: Whether any false "A beats B" was claimed at the end.
        claimed_ever: The same at any look, withdrawn or not; None if judged once.
        hits: Column of the verdict -> hits; without columns whose truth is unknown.
        pairs: Number of pairs, printed or not.
        printed: Number of pairs with a printed difference.
        found: Whether the true lead of the first agent over its rival was claimed at the end.
        detectable: Detectable difference printed for that pair, in log return; None without one.
    """

    claimed: bool
    claimed_ever: bool | None
    hits: dict[str, Hits]
    pairs: int
    printed: int
    found: bool
    detectable: float | None


def run_market(market: MarketScenario, seed: int, seasons: range) -> list[Counts]:
    """Judge some seasons of a market.

    Args:
        market: The market.
        seed: Seed of the whole check.
        seasons: Numbers of the seasons; each has its own generator.
    """
    # Seasons with a lead, a gap or looks use the same draws as those without, for comparison.
    plain = replace(market, lead=0.0, gap=None, watched="", strategies=0)
    key = [seed, *plain.name.encode()]
    truth, horizon = market.truth, horizon_of(market)
    found = []
    for number in seasons:
        season = market.season(np.random.default_rng([*key, number]))
        if market.strategies:
            found.append(count_contrasts(season, market, seed=number))
        else:
            found.append(count(judge(season, seed=number, horizon=horizon), market, truth))
    return found


def count_contrasts(log_returns: FloatArray, market: MarketScenario, *, seed: int) -> Counts:
    """Judge the contrasts of a matrix and compare them with the truth: no cell has a lead.

    Args:
        log_returns: Shape [T, N]; cell n has strategy n // models and model n % models.
        market: A market without a lead.
        seed: Seed of the resampling.
    """
    models = market.agents // market.strategies
    cells = {
        (f"strategy {n // models}", f"model {n % models}"): log_returns[:, n]
        for n in range(market.agents)
    }
    found = level_contrasts(cells, FamilyOptions(CONFIDENCE, seed, RESAMPLES))
    hits = _hits((contrast.difference, 0.0) for contrast in found)
    return Counts(
        claimed=any(contrast.separated for contrast in found),
        claimed_ever=None,
        hits={"difference": hits},
        pairs=len(found),
        printed=hits[1],
        found=False,
        detectable=found[0].detectable,
    )


def horizon_of(market: MarketScenario) -> Horizon:
    """Return the horizon with which a market's seasons are judged."""
    if not market.watched:
        return FINISHED
    return Horizon(market.periods if market.watched == "planned" else None, over=False)


def judge(
    log_returns: FloatArray, *, seed: int, days: float | None = None, horizon: Horizon = FINISHED
) -> SeasonVerdict:
    """Judge a season as the leaderboard does, with fewer resamples.

    Args:
        log_returns: Shape [T, N].
        seed: Seed of the resampling.
        days: Market time of the season; None for hourly snapshots.
        horizon: Looks of the season.
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
        horizon=horizon,
    )


def count(verdict: SeasonVerdict, market: MarketScenario, truth: Truth) -> Counts:
    """Compare a verdict with the true parameters of its market."""
    pairs = [pair for pair in verdict.pairs if max(pair.a, pair.b) < truth.counted]
    standings = verdict.standings[: truth.counted]
    annual = truth.sharpes * np.sqrt(PERIODS_PER_YEAR)
    hits = {
        "difference": _hits((p.difference, truth.totals[p.a] - truth.totals[p.b]) for p in pairs),
        "total": _hits((s.total, truth.totals[i]) for i, s in enumerate(standings)),
    }
    # With a lead the Sharpe ratio depends on the agent's own deviation, known if all have one.
    if market.kind.alike or not market.lead:
        hits["sharpe_difference"] = _hits(
            (p.sharpe_difference, annual[p.a] - annual[p.b]) for p in pairs
        )
        hits["sharpe"] = _hits((s.sharpe, annual[i]) for i, s in enumerate(standings))
    if np.abs(truth.sharpes[: truth.counted]).max() * np.sqrt(market.periods) < NO_SKILL_MAX:
        hits["psr"] = _within([s.psr for s in standings])
    if market.alike:
        hits["bradley_terry"] = _hits((s.bradley_terry, 0.0) for s in standings)
    rival = market.kind.rival % market.agents
    first = next((pair for pair in verdict.pairs if (pair.a, pair.b) == (0, rival)), None)
    return Counts(
        claimed=any(pair.separated and _is_false(pair, truth) for pair in pairs),
        claimed_ever=any(pair.claimed_at is not None and _is_false(pair, truth) for pair in pairs)
        if market.watched
        else None,
        hits=hits,
        pairs=len(pairs),
        printed=hits["difference"][1],
        found=first is not None and first.separated and _estimate(first) > 0.0,
        detectable=first.detectable if first is not None else None,
    )


def _hits(held: Iterable[tuple[Interval | None, float]]) -> Hits:
    printed = [(interval, truth) for interval, truth in held if interval is not None]
    return sum(i.low <= truth <= i.high for i, truth in printed), len(printed)


def _within(chances: Iterable[float | None]) -> Hits:
    """Count the printed PSRs between 5 % and 95 %: 90 % of them if no agent has skill."""
    printed = [chance for chance in chances if chance is not None]
    return sum(0.05 <= chance <= 0.95 for chance in printed), len(printed)


def _estimate(pair: Pair) -> float:
    return pair.difference.estimate if pair.difference is not None else 0.0


def _is_false(pair: Pair, truth: Truth) -> bool:
    """Return True if a claim about this pair, by the sign of its estimate, is false."""
    return not _estimate(pair) * (truth.totals[pair.a] - truth.totals[pair.b]) > 0.0


def typical_detectable(counts: Sequence[Counts]) -> float | None:
    """Return the median detectable difference printed for the first pair (log return)."""
    printed = [c.detectable for c in counts if c.detectable is not None]
    return float(np.median(printed)) if printed else None
