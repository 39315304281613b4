"""What a model said about turns enters the quality of a window's turns, and only there."""

from collections.abc import Sequence
from datetime import timedelta

from arena.messages import Message
from judge.evaluations.book import EvaluationBook
from judge.evaluations.check_fold import TurnChecks
from judge.evaluations.evaluate import DEFAULT_OPTIONS, Asked, evaluate
from judge.season import SeasonBuilder
from tests.dashboard.scenario import Scenario
from tests.judge.llm_judge.judgements import RUBRIC, calibration, judgement


def evaluated(scenario: Scenario, said: Sequence[Message]) -> tuple[object, ...]:
    """Quality, its interval, what was judged and the notes of momentum's evaluation."""
    checks, book = TurnChecks(), EvaluationBook()
    builder = SeasonBuilder(take_turn=checks.take)
    for record in scenario.records:
        builder.apply(record)
    for message in said:
        book.take(message)
    last = builder.snapshots - 1
    found = evaluate(
        builder.folds,
        checks,
        "momentum",
        last,
        Asked("demand", "request-1"),
        book.earlier("momentum", RUBRIC),
        DEFAULT_OPTIONS,
    )
    return found.dimensions["quality"].score, found.quality_interval, found.judged, found.notes


def test_judgements_count_forty_percent_and_give_an_interval() -> None:
    """Without a calibration there is no interval, and the evaluation says so."""
    scenario = Scenario().run(8)
    assert scenario.newest is not None
    as_of = scenario.newest.as_of - timedelta(minutes=1)
    good = judgement(1, as_of=as_of)
    bad = judgement(2, as_of=as_of, bad=RUBRIC.ids)
    code, interval, judged, notes = evaluated(scenario, [])
    assert (interval, judged) == (None, None)
    assert "quality: by code alone" in notes  # type: ignore[operator]

    score, interval, judged, notes = evaluated(scenario, [good, bad, bad])
    assert isinstance(code, float)
    assert score == round(0.6 * code + 0.4 * 50, 2)
    assert interval is None
    assert any("uncalibrated" in note for note in notes)  # type: ignore[attr-defined]

    score, interval, judged, notes = evaluated(scenario, [good, bad, calibration()])
    assert isinstance(interval, tuple)
    assert 0 <= interval[0] <= interval[1] <= 100


def test_planted_repeated_old_and_foreign_judgements_do_not_count() -> None:
    """Only the turns of this agent and of this window."""
    scenario = Scenario().run(8)
    assert scenario.newest is not None
    now = scenario.newest.as_of
    left_out = [
        judgement(1, as_of=now, planted="invented_price"),
        judgement(2, as_of=now, repeat=1),
        judgement(3, as_of=now + timedelta(minutes=1)),
        judgement(4, as_of=now - timedelta(days=40)),
        judgement(5, as_of=now, agent="scalper"),
    ]
    assert evaluated(scenario, left_out) == evaluated(scenario, [])
