"""A calibration: the choice of turns, what is asked, and the exact rates that come of it."""

from decimal import Decimal
from typing import Any

import pytest
from scipy.stats import binomtest

from arena.messages import JudgeCalibration, Turn, TurnJudgement
from judge.evaluations.llm.calibration import TurnChoice, calibration_of, questions_about
from judge.evaluations.llm.calibration_text import calibration_remarks, calibration_rows
from judge.evaluations.llm.faults import FAULTS, TWIN, has_filled_buy
from tests.judge.llm_judge.judgements import RUBRIC, START, calibration, judgement, rates
from tests.judge.llm_judge.recorded import recorded_turns
from tests.judge.llm_judge.running import many_turns


def chosen(turns: list[Turn], count: int) -> list[Turn]:
    """The turns that are chosen of some."""
    choice = TurnChoice(count)
    for turn in turns:
        choice.add(turn)
    return choice.turns()


def test_choice_depends_on_the_turns_alone() -> None:
    """Half of them have a buy, whatever the order, and however often a turn is read."""
    turns = many_turns(60)
    found = chosen(turns, 10)

    assert found == chosen(turns[::-1] + turns, 10)
    assert (10, 10) == (len(found), len({turn.turn_id for turn in found}))
    assert 5 == sum(map(has_filled_buy, found))
    assert 3 == len(chosen(turns[:3], 10))
    without = [turn for turn in turns if not has_filled_buy(turn)]
    assert 10 == len(chosen(without, 10))
    assert [] == chosen([turns[0].model_copy(update={"outcome": "failed"})], 10)


def test_each_turn_is_asked_about_with_every_fault_that_fits() -> None:
    """And unchanged; a few twins twice. No two questions share a call."""
    turns = chosen(list(recorded_turns()), 8)
    asked = questions_about(turns, RUBRIC, "judge")

    assert len({one.call_id for one in asked}) == len(asked)
    assert {*FAULTS, TWIN} == {one.planted for one in asked}
    assert 8 == sum(one.planted == TWIN and one.repeat == 0 for one in asked)
    assert 5 == sum(one.repeat == 1 for one in asked)
    assert 8 == sum(one.planted == "hindsight" for one in asked)
    assert asked == questions_about(turns, RUBRIC, "judge")


def found_in(fault: str, seen: int, of: int, **changes: Any) -> list[TurnJudgement]:
    """Judgements of planted turns, of which the first ones are seen."""
    question = RUBRIC.question_of_fault(fault).question_id
    return [
        judgement(n, bad=(question,) if n < seen else (), planted=fault, **changes)
        for n in range(of)
    ]


def test_rates_are_shares_of_planted_turns_and_twins() -> None:
    """With exact intervals; failures are counted and left out."""
    twins = [judgement(n, bad=("reason_stated",) if n < 2 else (), planted=TWIN) for n in range(9)]
    failed = judgement(77, planted="hindsight", failure="no JSON", answers=())
    judgements = [*found_in("hindsight", 6, 8), *found_in("no_reason", 7, 7), *twins, failed]
    found = calibration_of(judgements, [], RUBRIC, START)

    rate = found.faults["hindsight"]
    assert (8, 6 / 8, 9, 0.0) == (
        rate.planted,
        rate.true_positive,
        rate.twins,
        rate.false_positive,
    )
    exact = binomtest(6, 8).proportion_ci(0.9, method="exact")
    assert (rate.true_positive_low, rate.true_positive_high) == pytest.approx(tuple(exact))
    assert 2 / 9 == found.faults["no_reason"].false_positive
    assert (len(judgements), 1) == (found.calls, found.failed)
    unasked = found.faults["size_times_ten"]
    assert (0, None, 9) == (unasked.planted, unasked.true_positive, unasked.twins)
    assert RUBRIC.ids == tuple(one.question for one in found.rates)


def test_answer_without_a_quote_counts_as_no_credit_on_both_sides() -> None:
    """A judge that quotes nothing has both rates at 100 %, and can tell nothing."""
    mute = [
        one.model_copy(
            update={"answers": tuple(a.model_copy(update={"found": False}) for a in one.answers)}
        )
        for one in [*found_in("hindsight", 4, 4), *(judgement(n, planted=TWIN) for n in range(4))]
    ]
    found = calibration_of(mute, [], RUBRIC, START)

    rate = found.faults["hindsight"]
    assert (1.0, 1.0) == (rate.true_positive, rate.false_positive)
    assert all(row[-1] == "no" for row in calibration_rows(found))


def test_agreement_is_that_of_turns_that_were_judged_twice() -> None:
    """Twins of the calibration, and turns of the running arena; by the same model only."""
    one, two = judgement(1, planted=TWIN), judgement(1, planted=TWIN, repeat=1)
    live = [judgement(5), judgement(5, repeat=1, bad=RUBRIC.ids[:2]), judgement(6)]
    other = [judgement(7, model="x"), judgement(7, model="x", repeat=1)]
    found = calibration_of([one, two], [*live, *other], RUBRIC, START)

    assert 2 == found.retest_turns
    assert pytest.approx(12 / 14, abs=1e-4) == found.retest_agreement
    assert calibration_of([one], [], RUBRIC, START).retest_agreement is None


def test_cost_is_known_only_if_every_cost_is() -> None:
    """One unknown price makes the sum unknown."""
    paid = [judgement(n, planted=TWIN, cost_usd=Decimal("0.002")) for n in range(3)]
    unknown = judgement(4, planted=TWIN)

    assert Decimal("0.006") == calibration_of(paid, [], RUBRIC, START).cost_usd
    assert calibration_of([*paid, unknown], [], RUBRIC, START).cost_usd is None


def test_table_has_a_row_per_fault_and_says_what_it_cannot_tell() -> None:
    """Shares with intervals; a scripted judge is called one."""
    by_fault = {
        fault: rates(RUBRIC.question_of_fault(fault).question_id, 18, 20, 1, 20) for fault in FAULTS
    }
    found = calibration(faults=by_fault)
    rows = calibration_rows(found)
    text = " ".join(calibration_remarks(found))

    assert list(FAULTS) == [row[1] for row in rows]
    assert "90 % [72, 98]" == rows[0][3]
    assert "5 % [0, 22]" == rows[0][5]
    assert "scripted rules, not an LLM" in text
    assert "no turn was judged twice" in text
    blind = tuple(rates(name, 1, 20, 1, 20) for name in RUBRIC.ids[:1])
    unable = " ".join(calibration_remarks(calibration(rates=blind, scripted=False)))
    assert "because the judge cannot tell: figures_shown" in unable
    assert JudgeCalibration.model_validate_json(found.model_dump_json()) == found
