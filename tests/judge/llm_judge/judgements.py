"""Judgements and calibrations for tests."""

from datetime import UTC, datetime, timedelta
from typing import Any

from arena import ids
from arena.messages import JudgeCalibration, JudgedAnswer, QuestionRates, TurnJudgement
from judge.evaluations.llm.rates import exact_share
from judge.evaluations.llm.rubric import Rubric, shipped_rubric

START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
RUBRIC = shipped_rubric()


def judgement(
    number: int = 0, *, bad: tuple[str, ...] = (), rubric: Rubric = RUBRIC, **changes: Any
) -> TurnJudgement:
    """The judgement of the turn of a number, in which only some answers are against the agent."""
    turn_id = ids.derive("turn", number)
    answers = tuple(
        JudgedAnswer(
            question=one.question_id,
            yes=(one.good == "yes") != (one.question_id in bad),
            quote="waiting",
            found=True,
        )
        for one in rubric.questions
    )
    values: dict[str, Any] = {
        "judgement_id": ids.derive("judgement", turn_id),
        "agent": "momentum",
        "turn_id": turn_id,
        "snapshot_id": ids.derive("snapshot", number),
        "as_of": START + timedelta(minutes=number),
        "rubric": rubric.version,
        "node": "judge",
        "model": "scripted",
        "scripted": True,
        "call_id": ids.derive("call", turn_id),
        "answers": answers,
        "at": START + timedelta(minutes=number, seconds=7),
    }
    return TurnJudgement(**values | changes)


def rates(question: str, seen: int, planted: int, wrong: int, twins: int) -> QuestionRates:
    """Rates with their exact intervals."""
    true, false = exact_share(seen, planted, 0.9), exact_share(wrong, twins, 0.9)
    return QuestionRates(
        question=question,
        planted=planted,
        twins=twins,
        true_positive=true.value,
        true_positive_low=true.low,
        true_positive_high=true.high,
        false_positive=false.value,
        false_positive_low=false.low,
        false_positive_high=false.high,
    )


def calibration(*, rubric: Rubric = RUBRIC, **changes: Any) -> JudgeCalibration:
    """A calibration in which every question sees 18 of 20 faults, and one in 20 twins."""
    values: dict[str, Any] = {
        "calibration_id": ids.derive("calibration", 1),
        "rubric": rubric.version,
        "node": "judge",
        "model": "scripted",
        "scripted": True,
        "turns": 20,
        "rates": tuple(rates(name, 18, 20, 1, 20) for name in rubric.ids),
        "at": START,
    }
    return JudgeCalibration(**values | changes)
