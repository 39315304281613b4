"""Computes published evaluations of agents again from the records, for anyone who doubts them.

Reads what the judge reads, without its checkpoint; writes nothing. An evaluation uses what its
judge had read of `judge.evaluations`, which may end a little before its own record: it names the
earlier evaluations that it was compared with, the calibration, and how many turns were judged, so a
second computation takes the same ones.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from arena import topics
from arena.bus.base import Bus, Record
from arena.durations import later
from arena.messages import AgentEvaluation, JudgeCalibration, Judged, TurnJudgement
from arena.read_topic import for_each_record
from arena.wire import encode
from judge.evaluations.book import EvaluationBook
from judge.evaluations.check_fold import TurnChecks
from judge.evaluations.evaluate import DEFAULT_OPTIONS, Asked, Earlier, evaluate
from judge.evaluations.llm.rubric import shipped_rubric
from judge.season import SEASON_TOPICS, SeasonBuilder

UNREAD_MAX = 200
"""Most judgements before an evaluation's record that its judge may not have read."""


@dataclass(slots=True)
class Verified:
    """What a second computation gave.

    Attributes:
        compared: Evaluations that were computed again.
        differences: Those that differ, with the fields.
        unknown: Evaluations whose snapshot is no longer kept, or of an older method.
    """

    compared: int = 0
    differences: list[str] = field(default_factory=list)
    unknown: int = 0


async def verify_evaluations(bus: Bus) -> Verified:
    """Compute every evaluation of an agent again.

    Args:
        bus: A started bus.

    Raises:
        BrokerUnavailable: The broker stopped answering.
    """
    checks = TurnChecks()
    builder = SeasonBuilder(take_turn=checks.take)
    for name in SEASON_TOPICS:
        await for_each_record(bus, topics.spec_of(name), builder.apply)
    records: list[Record] = []
    await for_each_record(bus, topics.EVALUATIONS, records.append)
    return await bus.threads.run(lambda: recomputed(builder, checks, records))


def recomputed(
    builder: SeasonBuilder,
    checks: TurnChecks,
    records: Iterable[Record],
    only: Collection[str] | None = None,
) -> Verified:
    """Compare records with a second computation.

    Args:
        builder: The fold of the whole season.
        checks: The checks of its turns.
        records: All records of `judge.evaluations`, in their order.
        only: Ids of the evaluations to compare; None for all.
    """
    found, book = Verified(), EvaluationBook()
    calibrations: dict[str, JudgeCalibration] = {}
    for record in records:
        message = record.message_or_none()
        if (
            isinstance(message, AgentEvaluation)
            and message.evaluation_id not in book.ids
            and (only is None or message.evaluation_id in only)
        ):
            _compare(found, builder, checks, book, calibrations, record, message)
        if isinstance(message, JudgeCalibration):
            calibrations[message.calibration_id] = message
        if message is not None:
            book.take(message)
    return found


def _compare(
    found: Verified,
    builder: SeasonBuilder,
    checks: TurnChecks,
    book: EvaluationBook,
    calibrations: Mapping[str, JudgeCalibration],
    record: Record,
    stated: AgentEvaluation,
) -> None:
    index = builder.folds.market.index.get(stated.snapshot_id)
    if index is None:
        found.unknown += 1
        return
    earlier = book.earlier(stated.agent, shipped_rubric())
    earlier = as_stated(earlier, stated, calibrations)
    asked = Asked(stated.cause, stated.asked_by)
    again = evaluate(builder.folds, checks, stated.agent, index, asked, earlier, DEFAULT_OPTIONS)
    if again.evaluation_id != stated.evaluation_id:
        found.unknown += 1
        return
    found.compared += 1
    if encode(again).value != record.value:
        names = [n for n in type(again).model_fields if getattr(again, n) != getattr(stated, n)]
        where = f"{stated.agent} at {stated.as_of:%Y-%m-%d %H:%M:%S}"
        found.differences.append(f"{where}: {', '.join(names) or 'its bytes'}")


def as_stated(
    earlier: Earlier, stated: AgentEvaluation, calibrations: Mapping[str, JudgeCalibration]
) -> Earlier:
    """What a judge had read when it made an evaluation, as far as the evaluation tells.

    Args:
        earlier: What is before the evaluation's record.
        stated: The evaluation.
        calibrations: Id -> calibration, of those before the evaluation's record.
    """
    calibration = None
    if stated.judged is not None:
        calibration = calibrations.get(stated.judged.calibration_id)
    known = [one.evaluation_id for one in earlier.evaluations]
    last = stated.trend_from[-1] if stated.trend_from else ""
    count = known.index(last) + 1 if last in known else len(known)
    return replace(
        earlier,
        evaluations=earlier.evaluations[:count],
        judgements=_judged_as_stated(earlier, stated),
        calibration=calibration,
    )


def _judged_as_stated(earlier: Earlier, stated: AgentEvaluation) -> Sequence[TurnJudgement]:
    """The oldest judgements that are as many as an evaluation counted."""
    begin = later(stated.as_of, -stated.window_s)
    for unread in range(min(UNREAD_MAX, len(earlier.judgements)) + 1):
        read = earlier.judgements[: len(earlier.judgements) - unread]
        judged = replace(earlier, judgements=read).judged(begin, stated.as_of)
        if _counts(judged) == _counts(stated.judged):
            return read
    return earlier.judgements


def _counts(judged: Judged | None) -> tuple[int, int]:
    return (0, 0) if judged is None else (judged.turns, judged.failed)
