"""What the judgements of a sample of turns say together, raw and corrected. Pure.

An answer counts for the agent if it is the good one and its quote is in the turn. The raw credit is
the mean share of such answers. A judging model is not reliable, so the credit is also corrected
(Rogan and Gladen 1978, American Journal of Epidemiology 107, 71-76), per question: if the model
misses credit in a share `q` of the turns, in a share `TP` of those with a planted fault and in a
share `FP` of their unchanged twins, the share of faults is `(q - FP) / (TP - FP)`, clipped to 0 and
1. The interval comes from draws of all three with a fixed seed.

A question whose answers do not depend on the fault says nothing: it is left out of the corrected
credit, and the note names it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from arena.messages import JudgeCalibration, Judged, QuestionRates, TurnJudgement
from judge.evaluations.llm.rates import draw_means, draw_share, interval_of
from judge.evaluations.llm.rubric import Rubric
from judge.statistics.types import FloatArray

CONFIDENCE = 0.90
DRAWS = 2_000
SEED = 18
DIFFERENCE_MIN = 0.2
"""Least difference of true and false positive rate of a question that can be corrected."""
DENOMINATOR_MIN = 0.05
DIGITS = 4
NOTE_CHARS_MAX = 1_000

UNCALIBRATED = "uncalibrated: `arena judge calibrate` measures how reliable this judge is"
SCRIPTED = "built-in rules answered, not a language model"


def judged_of(
    judgements: Sequence[TurnJudgement], calibration: JudgeCalibration | None, rubric: Rubric
) -> Judged | None:
    """Summarise the judgements of one agent's turns.

    Args:
        judgements: Of the turns of the window, in any order. Those of planted faults, repeats and
            other rubrics are left out; of several judges the one of the newest turn counts. A
            judgement that was published twice counts once.
        calibration: The judge's newest calibration; it counts only if rubric, node and model are
            those of the judgements.
        rubric: The questions.

    Returns:
        None if no turn was judged.
    """
    own = _relevant(judgements, rubric)
    if not own:
        return None
    newest = own[-1]
    answered = [one for one in own if not one.failure]
    model = next((one.model for one in reversed(answered) if one.model), newest.model)
    notes = [SCRIPTED] if newest.scripted else []
    if calibration is not None and not _is_of(calibration, newest.node, model, rubric):
        calibration = None
    judged = Judged(
        node=newest.node,
        model=model,
        scripted=newest.scripted,
        rubric=rubric.version,
        turns=len(answered),
        failed=len(own) - len(answered),
    )
    if not answered:
        notes.append(f"no usable answer; the newest failure: {newest.failure}")
        return judged.model_copy(update={"note": _note(notes)})
    rng = np.random.default_rng(SEED)
    credit_table = np.array([credits_of(one, rubric) for one in answered], dtype=np.float64)
    means = draw_means(credit_table, DRAWS, rng)
    low, high = interval_of(means.mean(axis=1), CONFIDENCE)
    figures: dict[str, float | str | None] = {
        "credit": round(float(credit_table.mean()), DIGITS),
        "credit_low": round(low, DIGITS),
        "credit_high": round(high, DIGITS),
    }
    if calibration is None:
        notes.append(UNCALIBRATED)
    else:
        figures["calibration_id"] = calibration.calibration_id
        corrected = _corrected(credit_table, means, calibration, rubric, rng)
        notes += corrected.notes
        figures |= corrected.figures
    return judged.model_copy(update={**figures, "note": _note(notes)})


def credits_of(judgement: TurnJudgement, rubric: Rubric) -> list[float]:
    """Per question of the rubric: 1 if the answer counts for the agent, else 0.

    An answer without a quote that is in the turn counts as 0, and so does a missing one.
    """
    answers = {one.question: one for one in judgement.answers}
    found = []
    for question in rubric.questions:
        answer = answers.get(question.question_id)
        usable = answer is not None and answer.found and answer.yes is not None
        good = answer is not None and usable and question.counts_for_agent(bool(answer.yes))
        found.append(1.0 if good else 0.0)
    return found


def credit_of(judgement: TurnJudgement, rubric: Rubric) -> float | None:
    """The share of a judgement's answers that count for the agent; None if it failed."""
    if judgement.failure:
        return None
    counted = credits_of(judgement, rubric)
    return round(sum(counted) / len(counted), DIGITS)


def _relevant(judgements: Sequence[TurnJudgement], rubric: Rubric) -> list[TurnJudgement]:
    """The first record of each judgement that counts, of one node, oldest turn first."""
    first: dict[str, TurnJudgement] = {}
    for one in judgements:
        if not one.planted and one.repeat == 0 and one.rubric == rubric.version:
            first.setdefault(one.judgement_id, one)
    ordered = sorted(first.values(), key=lambda one: (one.as_of, one.turn_id, one.judgement_id))
    return [one for one in ordered if one.node == ordered[-1].node]


def _is_of(calibration: JudgeCalibration, node: str, model: str, rubric: Rubric) -> bool:
    return (
        calibration.rubric == rubric.version
        and calibration.node == node
        and (not model or calibration.model == model)
    )


@dataclass(frozen=True, slots=True)
class _Corrected:
    figures: dict[str, float]
    notes: list[str]


def _corrected(
    credit_table: FloatArray,
    means: FloatArray,
    calibration: JudgeCalibration,
    rubric: Rubric,
    rng: np.random.Generator,
) -> _Corrected:
    """The corrected credit over the questions that the judge can tell.

    Args:
        credit_table: Shape [turns, questions].
        means: Draws of their means; shape [draws, questions].
        calibration: Rates per question.
        rubric: The questions.
        rng: For the draws of the rates.
    """
    rates = {one.question: one for one in calibration.rates}
    points, draws, unable = [], [], []
    for place, name in enumerate(rubric.ids):
        rate = rates.get(name)
        # Drawn also if it is not used, so that one question does not change the others' draws.
        true, false = _rate_draws(rate, rng)
        if rate is None or not can_tell(rate):
            unable.append(name)
            continue
        missed = 1.0 - float(credit_table[:, place].mean())
        assert rate.true_positive is not None
        assert rate.false_positive is not None
        points.append(1.0 - rogan_gladen(missed, rate.true_positive, rate.false_positive))
        gap = np.maximum(true - false, DENOMINATOR_MIN)
        draws.append(1.0 - np.clip((1.0 - means[:, place] - false) / gap, 0.0, 1.0))
    if not points:
        return _Corrected({}, ["the calibration found no question that this judge can answer"])
    low, high = interval_of(np.mean(draws, axis=0), calibration.confidence)
    point = float(np.mean(points))
    notes = []
    if unable:
        notes.append(f"not corrected, because the judge cannot tell: {', '.join(unable)}")
    figures = {
        "corrected": round(point, DIGITS),
        "corrected_low": round(min(low, point), DIGITS),
        "corrected_high": round(max(high, point), DIGITS),
    }
    return _Corrected(figures, notes)


def rogan_gladen(apparent: float, true_positive: float, false_positive: float) -> float:
    """The share of faults from the apparent share, clipped to 0 and 1.

    Raises:
        ZeroDivisionError: Both rates are equal, so the apparent share says nothing.
    """
    share = (apparent - false_positive) / (true_positive - false_positive)
    return min(max(share, 0.0), 1.0)


def can_tell(rate: QuestionRates) -> bool:
    """True if a judge's answers to a question depend clearly on the fault."""
    if rate.true_positive is None or rate.false_positive is None:
        return False
    if rate.true_positive - rate.false_positive < DIFFERENCE_MIN:
        return False
    low, high = rate.true_positive_low, rate.false_positive_high
    return low is not None and high is not None and low > high


def _rate_draws(
    rate: QuestionRates | None, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    planted, twins = (0, 0) if rate is None else (rate.planted, rate.twins)
    seen = 0 if rate is None else round((rate.true_positive or 0.0) * planted)
    wrong = 0 if rate is None else round((rate.false_positive or 0.0) * twins)
    return draw_share(seen, planted, DRAWS, rng), draw_share(wrong, twins, DRAWS, rng)


def _note(notes: Sequence[str]) -> str:
    return "; ".join(notes)[:NOTE_CHARS_MAX]
