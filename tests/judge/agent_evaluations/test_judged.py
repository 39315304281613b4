"""What a model said about turns enters the quality of a window's turns, and only there."""

from collections.abc import Sequence
from datetime import timedelta

from arena import topics
from arena.messages import Message
from arena.wire import encode
from judge.evaluations.book import EvaluationBook
from judge.evaluations.check_fold import TurnChecks
from judge.evaluations.evaluate import DEFAULT_OPTIONS, Asked, evaluate
from judge.evaluations.verify import recomputed
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


def test_an_evaluation_may_lack_judgements_that_came_while_it_was_computed() -> None:
    """It is verified all the same; one that claims another credit is not."""
    scenario, checks = Scenario().run(8), TurnChecks()
    builder = SeasonBuilder(take_turn=checks.take)
    for record in scenario.records:
        builder.apply(record)
    assert scenario.newest is not None
    said = [
        judgement(n, as_of=scenario.newest.as_of, bad=RUBRIC.ids[:n], agent="momentum")
        for n in range(3)
    ]
    book, begun = EvaluationBook(), len(scenario.records)
    book.take(said[0])
    found = evaluate(
        builder.folds,
        checks,
        "momentum",
        builder.snapshots - 1,
        Asked("demand", "request-1"),
        book.earlier("momentum", RUBRIC),
        DEFAULT_OPTIONS,
    )
    for message in (*said, found):
        scenario.write(topics.EVALUATIONS.name, message, "momentum")
    records = scenario.records[begun:]
    verified = recomputed(builder, checks, records)
    assert (verified.compared, verified.differences) == (1, [])

    assert found.judged is not None
    other = found.model_copy(update={"judged": found.judged.model_copy(update={"turns": 9})})
    forged = [*records[:-1], records[-1]._replace(value=encode(other).value)]
    [difference] = recomputed(builder, checks, forged).differences
    assert "judged" in difference
