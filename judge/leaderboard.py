"""The leaderboard: every figure of a season beside what it proves. Pure and deterministic.

The same season, confidence, seed and resamples give the same bytes. Entrants are judged, not
entries: the repeats of a cell are one entrant (`judge.entrants`), on the part of the season in
which all entrants played. Claims follow the looks of the season's plan (`judge.statistics.looks`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from arena.agent_health import Dead
from arena.messages import DeadEntry, Evaluation, LeaderboardRow
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
from judge.statistics.sharpe import sharpe_scale
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
    """Rows, best first, and everything they were made of.

    Attributes:
        season: What was judged, without the entries that are apart or dead.
        entrants: Who was judged, in the order of the season's entries.
        window: The compared part of the season: rows of its returns.
        horizon: How long that part is to be.
        rows: One for each entrant, by return over the compared part.
        metrics: Of each entry, in the order of `season.entries`.
        verdict: The statistics, in the order of `entrants`.
        alpha: Its pairs for the returns beyond what market exposure explains; () without any.
        words: The verdict in words.
        confidence, seed, resamples: Of the resampling.
        said: All of it as the message that is published and printed.
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
    said: Evaluation

    @property
    def words(self) -> str:
        """The verdict in words."""
        return self.said.verdict

    def evaluation(self) -> Evaluation:
        """The leaderboard as the message that is published and printed."""
        return self.said


def with_dead_of_run(evaluation: Evaluation, dead: Sequence[Dead]) -> Evaluation:
    """An evaluation without a snapshot, with the dead that the run's own record lists.

    A contest whose agents could not begin has no record from which a judge could see why.
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
    words = f"{evaluation.verdict} {dead_text(found)}."
    return evaluation.model_copy(update={"dead": found, "verdict": words})


def horizon_of(season: Season, *, open_ended: bool = False) -> Horizon:
    """How long a season is to be, as far as its records say.

    Args:
        season: All of it, or its beginning.
        open_ended: What a season without a plan is: True if snapshots may still come, as in an
            arena that runs; False if it has been ended.
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
        confidence: Of every interval.
        seed: Of the resampling.
        resamples: Bootstrap replications.
        horizon: How long the season is to be; None takes it from the season, and one without a
            plan as ended.
        beginning: The season as it was after so many snapshots, to look at it as it was looked at
            then; cut out of the season if it is not given.
        memo: What earlier looks decided, to save their computation; the answer is the same.
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
    metrics = tuple(measure(field.season, place) for place in range(len(field.season.entries)))
    places = sorted(range(len(field.entrants)), key=lambda n: _sort_key(n, totals, verdict))
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
        for n in places
    )
    found = SeasonStatistics(field, rows, places, verdict, alpha, history.returns, history.alpha)
    said = make_evaluation(found, options)
    words = verdict_text(said, rules_changed=season.assumptions.rules_changed)
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
        said=said.model_copy(update={"verdict": words}),
    )


def _window_horizon(field: ComparedField, horizon: Horizon) -> Horizon:
    """The horizon of the compared part, which may begin after the season."""
    if horizon.planned is None:
        return horizon
    return Horizon(max(horizon.planned - field.window.begin, 1), horizon.over)


def _sort_key(
    place: int, totals: Sequence[float], verdict: SeasonVerdict
) -> tuple[float, int, int, str]:
    standing = verdict.standings[place]
    return -totals[place], standing.rank_low, standing.rank_high, standing.name


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
    """A verdict of a season whose plan is too short for any claim."""
    reason = f"{planned:,} snapshots were planned; claims need a plan of at least {PERIODS_MIN}"
    return replace(
        found,
        pairs=tuple(replace(pair, detectable=None) for pair in found.pairs),
        detectable=None,
        reasons={**found.reasons, "detectable": reason},
    )


def _all_dead(season: Season) -> bool:
    """True if agents took part and every one of them is dead."""
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
