"""Statistics of judgements: exact rates, the correction, its coverage, and what does not count."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binomtest

from judge.evaluations.llm.judged import (
    SCRIPTED,
    UNCALIBRATED,
    credit_of,
    credits_of,
    judged_of,
    rogan_gladen,
)
from judge.evaluations.llm.rates import draw_means, draw_share, exact_share, interval_of
from judge.evaluations.llm.rubric import Question, Rubric
from tests.judge.llm_judge.judgements import RUBRIC, calibration, judgement, rates

ONE = Rubric("one", (Question("q", "?", "yes", "no", "yes", ("fault",)),))


@pytest.mark.parametrize(("count", "of"), [(0, 1), (0, 20), (1, 20), (7, 9), (19, 20), (20, 20)])
@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.95])
def test_intervals_of_rates_are_the_exact_ones(count: int, of: int, confidence: float) -> None:
    """Clopper and Pearson's, as scipy computes them."""
    found = exact_share(count, of, confidence)
    exact = binomtest(count, of).proportion_ci(confidence, method="exact")

    assert found.value == count / of
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=1e-12)


def test_no_case_has_no_share() -> None:
    """Without a case there is neither a share nor an interval."""
    found = exact_share(0, 0, 0.9)

    assert (None, None, None) == (found.value, found.low, found.high)


def test_draws_are_jeffreys_posterior() -> None:
    """Also those of means over turns, for one question: half a turn of each extreme is added."""
    rng = np.random.default_rng(1)
    exact = beta.ppf([0.05, 0.95], 3.5, 17.5)
    credit_table = np.array([[1.0]] * 3 + [[0.0]] * 17)

    assert interval_of(draw_share(3, 20, 200_000, rng), 0.9) == pytest.approx(exact, abs=0.004)
    assert interval_of(draw_means(credit_table, 100_000, rng)[:, 0], 0.9) == pytest.approx(
        exact, abs=0.004
    )


def test_correction_is_the_formula_of_rogan_and_gladen() -> None:
    """A judge that sees 9 of 10 faults and 1 of 10 that are not there."""
    assert 0.25 == pytest.approx(rogan_gladen(0.25 * 0.9 + 0.75 * 0.1, 0.9, 0.1))
    assert (0.0, 1.0) == (rogan_gladen(0.05, 0.9, 0.1), rogan_gladen(0.95, 0.9, 0.1))


def test_interval_of_the_correction_covers_the_truth() -> None:
    """In at least 85 of 100 simulated seasons of a 90 % interval, and it is not trivially wide."""
    rng = np.random.default_rng(7)
    true_positive, false_positive, faults = 0.85, 0.10, 0.30
    hits, widths = 0, []
    for _ in range(200):
        bad = rng.random(40) < faults
        seen = rng.random(40) < np.where(bad, true_positive, false_positive)
        turns = [
            judgement(n, bad=("q",) if fault else (), rubric=ONE) for n, fault in enumerate(seen)
        ]
        found, wrong = rng.binomial(30, true_positive), rng.binomial(30, false_positive)
        measured = calibration(rubric=ONE, rates=(rates("q", int(found), 30, int(wrong), 30),))
        judged = judged_of(turns, measured, ONE)
        assert judged is not None
        assert judged.corrected_low is not None
        assert judged.corrected_high is not None
        hits += judged.corrected_low <= 1 - faults <= judged.corrected_high
        widths.append(judged.corrected_high - judged.corrected_low)

    assert 170 <= hits
    assert 0.5 > float(np.mean(widths))


def test_raw_credit_alone_would_be_wrong() -> None:
    """The corrected credit is nearer to the truth than the raw one for a judge that sees ghosts."""
    turns = [judgement(n, bad=RUBRIC.ids if n < 8 else (), rubric=RUBRIC) for n in range(40)]
    measured = calibration(rates=tuple(rates(name, 40, 40, 8, 40) for name in RUBRIC.ids))
    judged = judged_of(turns, measured, RUBRIC)

    assert judged is not None
    assert (0.8, 1.0) == (judged.credit, judged.corrected)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sets(st.sampled_from(RUBRIC.ids)), min_size=1, max_size=12), st.booleans())
def test_figures_are_bounded_and_ordered(bad: list[set[str]], calibrated: bool) -> None:
    """0 <= low <= value <= high <= 1 for every pattern of answers."""
    turns = [judgement(n, bad=tuple(one)) for n, one in enumerate(bad)]
    judged = judged_of(turns, calibration() if calibrated else None, RUBRIC)

    assert judged is not None
    assert len(bad) == judged.turns
    assert judged.credit is not None
    assert judged.credit_low is not None
    assert judged.credit_high is not None
    assert 0 <= judged.credit_low <= judged.credit_high <= 1
    assert 0 <= judged.credit <= 1
    if not calibrated:
        assert judged.corrected is None
        assert UNCALIBRATED in judged.note
        return
    assert judged.corrected_low is not None
    assert judged.corrected is not None
    assert judged.corrected_high is not None
    assert 0 <= judged.corrected_low <= judged.corrected <= judged.corrected_high <= 1


def test_order_and_repetition_of_records_change_nothing() -> None:
    """The same figures from any order, and from a judgement that two judges published."""
    turns = [judgement(n, bad=RUBRIC.ids[: n % 3]) for n in range(9)]
    again = turns[3].model_copy(update={"answers": (), "node": "judge"})

    assert judged_of(turns, calibration(), RUBRIC) == judged_of(
        [*turns[::-1], again], calibration(), RUBRIC
    )


def test_planted_faults_repeats_and_other_rubrics_do_not_count() -> None:
    """Nor do twins, and the judgements of a node that was replaced."""
    others = [
        judgement(1, planted="hindsight"),
        judgement(2, planted="twin"),
        judgement(3, repeat=1),
        judgement(4).model_copy(update={"rubric": "older"}),
    ]

    assert judged_of(others, None, RUBRIC) is None
    assert judged_of([], None, RUBRIC) is None
    judged = judged_of([*others, judgement(5, node="old"), judgement(6)], None, RUBRIC)
    assert judged is not None
    assert ("judge", 1) == (judged.node, judged.turns)


def test_quote_that_is_not_in_the_turn_gives_no_credit() -> None:
    """Neither does a missing answer."""
    one = judgement()
    lost = one.answers[0].model_copy(update={"found": False})
    open_ = one.answers[1].model_copy(update={"yes": None})
    cut = one.model_copy(update={"answers": (lost, open_, *one.answers[2:-1])})

    assert [0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0] == credits_of(cut, RUBRIC)
    assert pytest.approx(4 / 7, abs=1e-4) == credit_of(cut, RUBRIC)
    assert credit_of(judgement(failure="the model refused"), RUBRIC) is None


def test_calibration_of_another_judge_does_not_count() -> None:
    """Rubric, node and model must be the same: else the judge is uncalibrated."""
    turns = [judgement(n) for n in range(3)]
    for changes in ({"node": "other"}, {"model": "gpt"}, {"rubric": ONE}):
        judged = judged_of(turns, calibration(**changes), RUBRIC)
        assert judged is not None
        assert (None, "") == (judged.corrected, judged.calibration_id)
        assert f"{SCRIPTED}; {UNCALIBRATED}" == judged.note


def test_question_that_the_judge_cannot_answer_is_named() -> None:
    """It is left out of the corrected credit; without any other there is none."""
    blind = tuple(rates(name, 10, 20, 10, 20) for name in RUBRIC.ids)
    seeing = calibration().rates
    turns = [judgement(n) for n in range(5)]
    partly = judged_of(turns, calibration(rates=(blind[0], *seeing[1:])), RUBRIC)
    wholly = judged_of(turns, calibration(rates=blind), RUBRIC)

    assert partly is not None
    assert wholly is not None
    assert f"not corrected, because the judge cannot tell: {RUBRIC.ids[0]}" in partly.note
    assert partly.corrected == 1.0
    assert wholly.corrected is None
    assert "no question that this judge can answer" in wholly.note


def test_failures_are_counted_and_explained() -> None:
    """A judge that never answers gives no credit figure."""
    judged = judged_of(
        [judgement(n, failure="no JSON", answers=()) for n in range(4)], None, RUBRIC
    )

    assert judged is not None
    assert (0, 4, None) == (judged.turns, judged.failed, judged.credit)
    assert "no JSON" in judged.note
