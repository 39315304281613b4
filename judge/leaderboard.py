"""The leaderboard: all figures of a season, with their statistics. Pure and deterministic.

The same season, confidence, seed and resamples give the same bytes. Entrants are judged, not
entries: the repeats of a cell are one entrant (`judge.entrants`), on the part of the season in
which all entrants played. Claims follow the looks of the season's plan (`judge.statistics.looks`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from arena.agent_health import DeadAgent
from arena.messages import DeadEntry, Evaluation, LeaderboardRow
from arena.metrics.sharpe import sharpe_scale
from judge.claim_history import ClaimHistory, SeasonAfter, alpha_of, truncated
from judge.entrants import ComparedField, ComparedWindow, Entrant, compared_field, entrant_returns
from judge.evaluation import SeasonStatistics, StatisticsOptions, evaluation_id, make_evaluation
from judge.leaderboard_rows import row_of
from judge.lost_accounts import drop_unknown_p_best
from judge.metrics import Metrics, measure
from judge.season.types import FloatArray, Season
from judge.simple_returns import deciding_periods
from judge.statistics import AgentStatistics, Pair, SeasonVerdict, judge_returns
from judge.statistics.adjusted import Alpha
from judge.statistics.looks import Horizon, single_look
from judge.statistics.pairs import LookMemo
from judge.statistics.verdict import AGENTS_MAX, PERIODS_MIN, looks_text
from judge.verdict_text import ALL_DEAD, dead_text, verdict_text

__all__ = [
    "CONFIDENCE",
    "RESAMPLES",
    "SEED",
    "Leaderboard",
    "evaluation_id",
    "horizon_of",
    "leaderboard",
    "with_dead_of_run",
]

CONFIDENCE = 0.90
SEED = 1
RESAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """Rows, best first, and everything they come from.

    Attributes:
        season: The season; unranked entries are only in its `dead` and `apart`.
        entrants: The entrants, in the order of the season's entries.
        window: The compared window.
        horizon: Planned length of the window, and whether it is over.
        rows: One row per entrant, by return over the compared window.
        metrics: Metrics of each entry, in the order of `season.entries`.
        verdict: The statistics, in the order of `entrants`.
        alpha: Pairs for the returns beyond market exposure; () without a verdict.
        confidence, seed, resamples: Settings of the resampling.
        evaluation: The message that is published and printed.
    """

    season: Season
    entrants: tuple[Entrant, ...]
    window: ComparedWindow
    horizon: Horizon
    rows: tuple[LeaderboardRow, ...]
    metrics: tuple[Metrics, ...]
    verdict: SeasonVerdict
    alpha: tuple[Pair, ...]
    confidence: float
    seed: int
    resamples: int
    evaluation: Evaluation

    @property
    def text(self) -> str:
        """The verdict as sentences."""
        return self.evaluation.verdict


def with_dead_of_run(evaluation: Evaluation, dead: Sequence[DeadAgent]) -> Evaluation:
    """Return an evaluation without a snapshot with the dead agents that the run recorded.

    If no agent of a contest could start, the topics have no record that shows the reason.
    """
    if evaluation.snapshots or not dead:
        return evaluation
    known = {one.agent for one in evaluation.dead}
    listed = [
        DeadEntry(
            agent=one.agent, cause=one.cause, turns=one.turns, code=one.code, remedy=one.remedy
        )
        for one in dead
        if one.agent not in known
    ]
    found = (*evaluation.dead, *listed)
    text = f"{evaluation.verdict} {dead_text(found)}."
    return evaluation.model_copy(update={"dead": found, "verdict": text})


def horizon_of(season: Season, *, open_ended: bool = False) -> Horizon:
    """Return the planned length of a season according to its records.

    Args:
        season: The season, or its first snapshots.
        open_ended: For a season without a plan: True if snapshots can still be added, as in a
            running arena; False if it has ended.
    """
    planned = season.assumptions.planned
    if planned is None:
        return Horizon(None, over=not open_ended)
    return Horizon(planned, over=season.periods >= planned)


def leaderboard(
    season: Season,
    *,
    confidence: float = CONFIDENCE,
    seed: int = SEED,
    resamples: int = RESAMPLES,
    horizon: Horizon | None = None,
    season_after: SeasonAfter | None = None,
    memo: LookMemo | None = None,
) -> Leaderboard:
    """Measure every entry of a season and judge the returns of its entrants against each other.

    Args:
        season: The season.
        confidence: Confidence of every interval.
        seed: Seed of the resampling.
        resamples: Number of bootstrap replications.
        horizon: Planned length; None takes it from the season, which has ended if it has no plan.
        season_after: Returns the season as it was after a number of snapshots, to repeat earlier
            looks; by default it is cut out of the season.
        memo: Cache of earlier looks' decisions; it does not change the result.
    """
    horizon = horizon or horizon_of(season)
    field = compared_field(season, planned=horizon.planned, over=horizon.over)
    options = StatisticsOptions(confidence, seed, resamples, horizon, memo)
    history = ClaimHistory(season, options, season_after or partial(truncated, season))
    returns = entrant_returns(field)
    totals = [round(float(total), 12) for total in returns.sum(axis=0)]
    market = field.window.cut(field.season.hold_log_returns())
    verdict = drop_unknown_p_best(_verdict(field, returns, options, history), returns, market)
    alpha = _alpha(field, returns, verdict, options, history)
    metrics = tuple(measure(field.season, index) for index in range(len(field.season.entries)))
    order = sorted(range(len(field.entrants)), key=lambda n: _sort_key(n, totals, verdict))
    rows = tuple(
        row_of(
            field.season,
            field.entrants[n],
            metrics,
            verdict.standings[n],
            verdict,
            part=field.shown,
            periods=deciding_periods(returns[:, n]),
        )
        for n in order
    )
    found = SeasonStatistics(field, rows, order, verdict, alpha, history.returns, history.alpha)
    evaluation = make_evaluation(found, options)
    text = verdict_text(evaluation, rules_changed=season.assumptions.rules_changed)
    return Leaderboard(
        season=field.season,
        entrants=field.entrants,
        window=field.window,
        horizon=_window_horizon(field, horizon),
        rows=rows,
        metrics=metrics,
        verdict=verdict,
        alpha=() if alpha is None else alpha.pairs,
        confidence=confidence,
        seed=seed,
        resamples=resamples,
        evaluation=evaluation.model_copy(update={"verdict": text}),
    )


def _window_horizon(field: ComparedField, horizon: Horizon) -> Horizon:
    """Return the horizon of the compared window, which can start after the season."""
    if horizon.planned is None:
        return horizon
    return Horizon(max(horizon.planned - field.window.begin, 1), horizon.over)


def _sort_key(
    index: int, totals: Sequence[float], verdict: SeasonVerdict
) -> tuple[float, int, int, str]:
    standing = verdict.standings[index]
    return -totals[index], standing.rank_low, standing.rank_high, standing.name


def _verdict(
    field: ComparedField, returns: FloatArray, options: StatisticsOptions, history: ClaimHistory
) -> SeasonVerdict:
    names = [one.name for one in field.entrants]
    if _all_dead(field.season):
        return _no_verdict(names, options, ALL_DEAD)
    if not names:
        return _no_verdict(names, options, "no agent has joined yet")
    if len(names) > AGENTS_MAX:
        reason = f"{len(names)} agents are too many to compare; at most {AGENTS_MAX} can be"
        return _no_verdict(names, options, reason)
    scale, _ = sharpe_scale(field.season.interval_s, field.season.periods)
    horizon, count = options.horizon, field.season.periods
    now = single_look(horizon.level_at(count))
    found = judge_returns(
        returns,
        names,
        periods_per_year=scale**2,
        confidence=options.confidence,
        seed=options.seed,
        resamples=options.resamples,
        horizon=now,
        baselines=[one.name for one in field.entrants if one.kind == "baseline"],
        separate_pairs=lambda pairs: history.apply_return_claims(pairs, names),
    )
    if horizon.planned is not None and horizon.count(count) == 0:
        found = _without_looks(found, horizon.planned)
    return replace(
        found,
        look=len(horizon.looks(count)),
        looks=horizon.count(count),
        next_look=horizon.next_look(count),
        method=tuple(
            looks_text(horizon) if line == looks_text(now) else line for line in found.method
        ),
    )


def _without_looks(found: SeasonVerdict, planned: int) -> SeasonVerdict:
    """Return a verdict for a season whose plan is too short for any claim."""
    reason = f"{planned:,} snapshots were planned; claims need a plan of at least {PERIODS_MIN}"
    return replace(
        found,
        pairs=tuple(replace(pair, detectable=None) for pair in found.pairs),
        detectable=None,
        reasons={**found.reasons, "detectable": reason},
    )


def _all_dead(season: Season) -> bool:
    """Return True if agents took part and all of them are dead."""
    alive = any(entry.kind == "agent" for entry in season.entries)
    return not alive and any(one.kind == "agent" for one in season.dead)


def _no_verdict(names: Sequence[str], options: StatisticsOptions, reason: str) -> SeasonVerdict:
    return SeasonVerdict(
        standings=tuple(
            AgentStatistics(name, 1, len(names), None, None, None, None, None, None)
            for name in names
        ),
        pairs=(),
        confidence=options.confidence,
        claim_level=0.0,
        periods=0,
        block_length=None,
        detectable=None,
        method=(reason,),
        reasons={"detectable": reason},
    )


def _alpha(
    field: ComparedField,
    returns: FloatArray,
    verdict: SeasonVerdict,
    options: StatisticsOptions,
    history: ClaimHistory,
) -> Alpha | None:
    if len(verdict.pairs) == 0 or verdict.periods < PERIODS_MIN:
        return None
    now = single_look(options.horizon.level_at(field.season.periods))
    found = alpha_of(field, returns, options, now)
    names = [one.name for one in field.entrants]
    return replace(found, pairs=history.apply_alpha_claims(found.pairs, names))
