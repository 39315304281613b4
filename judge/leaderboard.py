"""The leaderboard: every figure of a season beside what it proves. Pure and deterministic.

The same season, confidence, seed and resamples give the same bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import expm1

from arena import ids
from arena.messages import DeadEntry, Estimate, Evaluation, LeaderboardRow
from arena.vitals import Dead
from judge.leaderboard_words import ALL_DEAD, all_dead, dead_words, verdict_words
from judge.metrics import Metrics, measure
from judge.metrics_returns import total_return
from judge.season.model import Entry, Season
from judge.statistics import Interval, Standing, Verdict, judge_returns
from judge.statistics.verdict import AGENTS_MAX

CONFIDENCE = 0.90
SEED = 1
RESAMPLES = 2_000
_MICRO = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """Rows, best first, and everything they were made of.

    Attributes:
        rows: In the order of rank sets, then of returns.
        metrics: Of each entry, in the order of `season.entries`.
        verdict: The statistics, in the order of `season.entries`.
        words: The verdict in words.
        confidence, seed, resamples: Of the resampling.
    """

    season: Season
    rows: tuple[LeaderboardRow, ...]
    metrics: tuple[Metrics, ...]
    verdict: Verdict
    words: str
    confidence: float
    seed: int
    resamples: int

    def evaluation(self) -> Evaluation:
        """The leaderboard as the message that is published and printed."""
        season, known = self.season, self.season.assumptions
        newest = season.snapshot_ids[-1] if season.snapshot_ids else ""
        return Evaluation(
            evaluation_id=evaluation_id(newest, self.confidence, self.seed, self.resamples),
            snapshot_id=newest,
            snapshots=season.periods,
            as_of=known.last,
            interval_s=season.interval_s,
            confidence=self.confidence,
            seed=self.seed,
            resamples=self.resamples,
            hold_return=total_return(season.hold),
            detectable=_simple(self.verdict.detectable),
            verdict=self.words,
            rows=self.rows,
            dead=season.dead,
            apart=season.apart,
            method=self.verdict.method,
            assumptions=known.lines(),
            reasons=dict(sorted(self.verdict.reasons.items())),
            ends=season.ends,
            account_digest=season.account_digest,
        )


def evaluation_id(snapshot_id: str, confidence: float, seed: int, resamples: int) -> str:
    """The id of the evaluation of a season up to a snapshot, with these settings."""
    return ids.derive("evaluation", snapshot_id, confidence, seed, resamples)


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
    words = f"{evaluation.verdict} {dead_words(found)}."
    return evaluation.model_copy(update={"dead": found, "verdict": words})


def leaderboard(
    season: Season,
    *,
    confidence: float = CONFIDENCE,
    seed: int = SEED,
    resamples: int = RESAMPLES,
) -> Leaderboard:
    """Measure every entry of a season and judge their returns against each other.

    Args:
        season: The season.
        confidence: Of every interval.
        seed: Of the resampling.
        resamples: Bootstrap replications.
    """
    verdict = _verdict(season, confidence, seed, resamples)
    metrics = tuple(measure(season, place) for place in range(len(season.entries)))
    rows = [
        _row(entry, found, standing, verdict)
        for entry, found, standing in zip(season.entries, metrics, verdict.standings, strict=True)
    ]
    rows.sort(key=_order)
    return Leaderboard(
        season=season,
        rows=tuple(rows),
        metrics=metrics,
        verdict=verdict,
        words=verdict_words(season, verdict, [row.agent for row in rows]),
        confidence=confidence,
        seed=seed,
        resamples=resamples,
    )


def _order(row: LeaderboardRow) -> tuple[float, int, int, str]:
    return -(row.total_return or 0.0), row.rank_low, row.rank_high, row.agent


def _verdict(season: Season, confidence: float, seed: int, resamples: int) -> Verdict:
    names = season.names
    if all_dead(season):
        return _no_verdict(names, confidence, ALL_DEAD)
    if not names:
        return _no_verdict(names, confidence, "there are no agents yet")
    if len(names) > AGENTS_MAX:
        reason = f"{len(names)} agents are too many to compare; at most {AGENTS_MAX} can be"
        return _no_verdict(names, confidence, reason)
    return judge_returns(
        season.log_returns(),
        names,
        periods_per_year=season.periods_per_year,
        confidence=confidence,
        seed=seed,
        resamples=resamples,
    )


def _no_verdict(names: Sequence[str], confidence: float, reason: str) -> Verdict:
    return Verdict(
        standings=tuple(
            Standing(name, 1, len(names), None, None, None, None, None, None) for name in names
        ),
        pairs=(),
        confidence=confidence,
        claim_level=0.0,
        periods=0,
        block_length=None,
        detectable=None,
        method=(reason,),
        reasons={"detectable": reason},
    )


def _row(entry: Entry, found: Metrics, standing: Standing, verdict: Verdict) -> LeaderboardRow:
    row = LeaderboardRow(
        rank_low=standing.rank_low,
        rank_high=standing.rank_high,
        agent=entry.name,
        strategy=entry.strategy,
        model=entry.model,
        node=entry.node,
        kind=entry.kind,
        scripted=entry.scripted,
        seed=entry.seed,
        equity_usd=_usd(found.equity_usd),
        total_return=found.total_return,
        return_interval=_returns(standing.total),
        excess_return=found.excess_return,
        drawdown=found.max_drawdown,
        drawdown_periods=found.drawdown_periods,
        sharpe=_estimate(standing.sharpe),
        psr=standing.psr,
        dsr=standing.dsr,
        bradley_terry=_estimate(standing.bradley_terry),
        p_best=standing.p_best,
        sortino=found.sortino,
        calmar=found.calmar,
        volatility=found.volatility,
        fees_usd=_usd(found.fees_usd),
        slippage_usd=_usd(found.slippage_usd),
        latency_usd=_usd(found.latency_usd),
        llm_usd=found.llm_usd,
        llm_paid_usd=found.llm_paid_usd,
        net_return=found.net_return,
        win_rate=found.win_rate,
        profit_factor=found.profit_factor,
        biggest_win_usd=_usd_or_none(found.biggest_win_usd),
        biggest_loss_usd=_usd_or_none(found.biggest_loss_usd),
        trades=found.trades,
        closed=found.closed,
        rejected=found.rejected,
        turnover=found.turnover,
        decisions=found.decisions,
        skipped=found.skipped,
        invalid_rate=found.invalid_rate,
        hold_share=found.hold_share,
    )
    return row.model_copy(update={"reasons": _reasons(row, found, verdict)})


_STATISTICS = {
    "return_interval": "total",
    "sharpe": "sharpe",
    "psr": "psr",
    "dsr": "dsr",
    "p_best": "p_best",
    "bradley_terry": "bradley_terry",
}
"""Column -> the name the verdict gives it."""
_MEASURED = {"drawdown": "max_drawdown"}


def _reasons(row: LeaderboardRow, found: Metrics, verdict: Verdict) -> dict[str, str]:
    """Why each column of a row that is None is so."""
    reasons: dict[str, str] = {}
    for column in LeaderboardRow.model_fields:
        if getattr(row, column) is not None or column == "seed":
            continue
        if (name := _STATISTICS.get(column)) is not None:
            own = verdict.reasons.get(f"{name}:{row.agent}")
            reason = own or verdict.reasons.get(name) or "; ".join(verdict.method)
        else:
            reason = found.reasons[_MEASURED.get(column, column)]
        reasons[column] = reason
    return reasons


def _usd(amount: float) -> Decimal:
    return Decimal(repr(amount)).quantize(_MICRO)


def _usd_or_none(amount: float | None) -> Decimal | None:
    return None if amount is None else _usd(amount)


def _simple(log_return: float | None) -> float | None:
    return None if log_return is None else expm1(log_return)


def _returns(interval: Interval | None) -> Estimate | None:
    """Log returns as simple ones: the ends of the interval go over as they are."""
    if interval is None:
        return None
    return Estimate(
        value=expm1(interval.estimate), low=expm1(interval.low), high=expm1(interval.high)
    )


def _estimate(interval: Interval | None) -> Estimate | None:
    if interval is None:
        return None
    return Estimate(value=interval.estimate, low=interval.low, high=interval.high)
