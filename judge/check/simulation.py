"""Run the verdict on simulated seasons and note, for each, how often it was right.

Pure but for the random generators, which are seeded by market and season: the same call gives the
same counts, whatever the number of processes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from judge.check.markets import PERIODS_PER_YEAR, SimulatedMarket, Truth
from judge.statistics import FloatArray, Interval, Pair, SeasonVerdict, judge_returns
from judge.statistics.columns import FamilyOptions
from judge.statistics.contrasts import level_contrasts
from judge.statistics.looks import FINISHED, Horizon
from judge.statistics.power import DAYS_PER_YEAR

CONFIDENCE = 0.90
RESAMPLES = 299

NO_SKILL_MAX = 0.05
"""A true Sharpe ratio over the season, in standard errors, that is as good as 0."""

Hits = tuple[int, int]
"""Intervals that hold the truth, intervals printed."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What one season showed.

    Attributes:
        claimed: Whether any false "A beats B" was said at the end.
        claimed_ever: The same at any look, withdrawn or not; None if it was judged once.
        hits: By column of the verdict; a column without a known truth is left out.
        pairs: All pairs, printed or not.
        printed: Pairs whose difference was printed.
        found: Whether the true lead of the first agent over its rival was said at the end.
        detectable: Printed for this pair, in log return; None without one.
    """

    claimed: bool
    claimed_ever: bool | None
    hits: dict[str, Hits]
    pairs: int
    printed: int
    found: bool
    detectable: float | None


def run_market(market: SimulatedMarket, seed: int, seasons: range) -> list[Counts]:
    """Judge some seasons of a market.

    Args:
        market: Whose truth is known.
        seed: Of the whole check.
        seasons: The numbers of the seasons; each has a generator of its own.
    """
    # Seasons with a lead, a gap or a watching judge are those without, so that they compare.
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


def count_contrasts(log_returns: FloatArray, market: SimulatedMarket, *, seed: int) -> Counts:
    """Judge the contrasts of a matrix, and hold them against the truth: no cell has a lead.

    Args:
        log_returns: Shape [T, N]; cell n has strategy n // models and model n % models.
        market: Without a lead.
        seed: Of the resampling.
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


def horizon_of(market: SimulatedMarket) -> Horizon:
    """How the judge of a market sees its season."""
    if not market.watched:
        return FINISHED
    return Horizon(market.periods if market.watched == "planned" else None, over=False)


def judge(
    log_returns: FloatArray, *, seed: int, days: float | None = None, horizon: Horizon = FINISHED
) -> SeasonVerdict:
    """Judge a season as the leaderboard does, with fewer resamples.

    Args:
        log_returns: Shape [T, N].
        seed: Of the resampling.
        days: Market time of the season; hourly snapshots where None.
        horizon: Whether it is looked at while it goes.
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


def count(verdict: SeasonVerdict, market: SimulatedMarket, truth: Truth) -> Counts:
    """Hold a verdict against the truth about its market."""
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
    """How many of the printed PSR are between 5 % and 95 %: 90 % where no agent has skill."""
    printed = [chance for chance in chances if chance is not None]
    return sum(0.05 <= chance <= 0.95 for chance in printed), len(printed)


def _estimate(pair: Pair) -> float:
    return pair.difference.estimate if pair.difference is not None else 0.0


def _is_false(pair: Pair, truth: Truth) -> bool:
    """Whether a claim about this pair, made by the sign of its estimate, is false."""
    return not _estimate(pair) * (truth.totals[pair.a] - truth.totals[pair.b]) > 0.0


def typical_detectable(counts: Sequence[Counts]) -> float | None:
    """The median of what the seasons printed as detectable for the first pair (log return)."""
    printed = [c.detectable for c in counts if c.detectable is not None]
    return float(np.median(printed)) if printed else None
