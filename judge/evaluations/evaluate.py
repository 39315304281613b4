"""Makes an `AgentEvaluation` from the folds. Pure.

Two judges with the same options that evaluate an agent at the same snapshot, with the same earlier
records of `judge.evaluations`, write the same bytes.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from arena import ids
from arena.durations import later
from arena.messages import (
    AgentEvaluation,
    Dimension,
    EvaluatedFor,
    JudgeCalibration,
    Judged,
    TurnJudgement,
)
from judge.evaluations.account_track import AccountTrack, account_track
from judge.evaluations.cadence import FIRST_AFTER_S, next_after_s, trend_of
from judge.evaluations.check_fold import (
    TurnChecks,
    between,
    count_checks,
    failed_turns,
    of_newest_version,
)
from judge.evaluations.dimensions import (
    AccountFigures,
    consistency_dimension,
    figures_of,
    grade_of,
    overall_of,
    quality_dimension,
    quality_interval,
    returns_dimension,
    risk_dimension,
)
from judge.evaluations.llm.judged import judged_of
from judge.evaluations.llm.rubric import Rubric
from judge.season.assemble import SeasonFolds
from judge.season.market_fold import SnapshotQuotes

METHOD = 1
"""Version of formulas and checks: part of every evaluation's id; raise it with every change."""
WINDOW_DAYS = 30.0
AMOUNT_UNITS = "with several currencies, equity is a wealth index"


@dataclass(frozen=True, slots=True)
class EvaluationOptions:
    """Options of evaluations; judges with the same ones write the same.

    Attributes:
        first_after_s: Seconds of market from an agent's first turn to its first evaluation.
        window_days: Days that an evaluation looks back at most.
    """

    first_after_s: float = FIRST_AFTER_S
    window_days: float = WINDOW_DAYS


DEFAULT_OPTIONS = EvaluationOptions()


@dataclass(frozen=True, slots=True)
class Asked:
    """Why an evaluation is made, and the request or feedback that asked for it."""

    cause: EvaluatedFor
    asked_by: str = ""


@dataclass(frozen=True, slots=True)
class Earlier:
    """What `judge.evaluations` says about the agent.

    Attributes:
        evaluations: Its earlier evaluations, oldest first.
        judgements: What language models said about its turns.
        calibration: The newest calibration of the model that judged the newest turn.
        rubric: The questions that the model is asked; None counts no judgement.
    """

    evaluations: Sequence[AgentEvaluation] = ()
    judgements: Sequence[TurnJudgement] = ()
    calibration: JudgeCalibration | None = None
    rubric: Rubric | None = None

    def judged(self, begin: datetime, end: datetime) -> Judged | None:
        """What a language model said about the turns of a window; None if none was asked."""
        if self.rubric is None:
            return None
        inside = [one for one in self.judgements if begin <= one.as_of <= end]
        return judged_of(inside, self.calibration, self.rubric)


def evaluation_id(agent: str, snapshot_id: str, asked: Asked, options: EvaluationOptions) -> str:
    """The id of an evaluation.

    One that was asked for is known by who asked, so that two judges answer it once.
    """
    why = (asked.cause, asked.asked_by) if asked.asked_by else (asked.cause, snapshot_id)
    return ids.derive("agent-evaluation", METHOD, agent, *why, options.window_days)


def window_start(
    snapshots: Sequence[SnapshotQuotes],
    first_turn: datetime | None,
    last: int,
    window_days: float,
) -> int:
    """The index of the window's first snapshot: the agent's first turn, or `window_days` back."""
    as_of = snapshots[last].as_of
    begin = later(as_of, -window_days * 86_400)
    if first_turn is not None:
        begin = max(begin, first_turn)
    return min(bisect_left(snapshots, begin, key=_time), last)


def evaluate(
    folds: SeasonFolds,
    checks: TurnChecks,
    agent: str,
    last: int,
    asked: Asked,
    earlier: Earlier,
    options: EvaluationOptions,
) -> AgentEvaluation:
    """Evaluate an agent at a snapshot.

    Args:
        folds: The folds of the season, read at least up to the agent's turn on the snapshot.
        checks: The fold of the checks, read as far.
        agent: Name of the agent.
        last: Index of the snapshot.
        asked: Why it is made.
        earlier: Earlier evaluations, and what a model said.
        options: Options of the judge.
    """
    snapshots, rows = folds.market.snapshots, checks.of(agent)
    first = window_start(snapshots, checks.first.get(agent), last, options.window_days)
    begin, end = snapshots[first].as_of, snapshots[last].as_of
    track = account_track(folds, agent, last)
    account = figures_of(track.equity[first:], track.cash, track.largest)
    own = between(rows, begin, end)
    newest = of_newest_version(own)
    counts, judged = count_checks(own), earlier.judged(begin, end)
    dimensions = _dimensions(account, quality_dimension(counts, judged))
    overall = overall_of(dimensions)
    before = [one for one in earlier.evaluations if one.as_of < end]
    trend = trend_of(overall, before)
    return AgentEvaluation(
        evaluation_id=evaluation_id(agent, snapshots[last].snapshot_id, asked, options),
        agent=agent,
        snapshot_id=snapshots[last].snapshot_id,
        as_of=end,
        cause=asked.cause,
        asked_by=asked.asked_by,
        window_s=(end - begin).total_seconds(),
        turns=len(own),
        version=own[-1].version if own else "",
        version_turns=len(newest),
        version_orders=sum(row.ordered for row in newest),
        version_quality=quality_dimension(count_checks(newest), None).score,
        overall=overall,
        grade=grade_of(overall),
        dimensions=dimensions,
        trend=trend.trend,
        trend_change=trend.change,
        trend_from=trend.compared,
        checks=counts,
        failed_turns=failed_turns(own),
        judged=judged,
        quality_interval=quality_interval(dimensions["quality"], judged),
        return_pct=account.return_pct,
        drawdown_pct=account.drawdown_pct,
        equity=track.amount,
        next_at=later(end, next_after_s(overall)),
        notes=_notes(dimensions, track, judged),
    )


def _dimensions(account: AccountFigures, quality: Dimension) -> dict[str, Dimension]:
    return {
        "returns": returns_dimension(account),
        "risk": risk_dimension(account),
        "quality": quality,
        "consistency": consistency_dimension(account),
    }


def _notes(
    dimensions: dict[str, Dimension], track: AccountTrack, judged: Judged | None
) -> tuple[str, ...]:
    notes = [f"{name}: {one.note}" for name, one in dimensions.items() if one.note]
    if missing := [name for name, one in dimensions.items() if one.score is None]:
        notes.append(f"the weight of {', '.join(missing)} is shared by the others")
    if track.amount is None:
        notes.append(AMOUNT_UNITS)
    if judged is not None and judged.note:
        notes.append(f"judged: {judged.note}")
    return tuple(notes)


def _time(snapshot: SnapshotQuotes) -> datetime:
    return snapshot.as_of
