"""Measures a judging model: faults planted in recorded turns, and their unchanged twins. Pure.

For each question: in which share of the turns with a planted fault does the model withhold the
credit (true positives), and in which share of the twins (false positives)? An answer without a
quote that is in the turn gives no credit, so a model that misquotes has more of both. The twins may
have faults of their own, so the rate of false positives is rather too high than too low.
"""

import hashlib
import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from arena import ids
from arena.messages import JudgeCalibration, QuestionRates, Turn, TurnJudgement
from judge.evaluations.llm.blind import blind_turn, is_judgeable
from judge.evaluations.llm.faults import FAULTS, TWIN, has_filled_buy, planted
from judge.evaluations.llm.judged import CONFIDENCE, credits_of
from judge.evaluations.llm.judgement import AskedTurn
from judge.evaluations.llm.rates import exact_share
from judge.evaluations.llm.rubric import Question, Rubric
from judge.evaluations.llm.sampling import REPEAT_SHARE

REPEATED_MIN = 5


@dataclass(slots=True)
class TurnChoice:
    """Chooses turns by hash, half of them with a filled buy if there are enough.

    The choice depends on the turns alone, not on their order. At most twice `count` are kept.
    """

    count: int
    _with_buy: list[tuple[int, str, Turn]] = field(default_factory=list)
    _others: list[tuple[int, str, Turn]] = field(default_factory=list)

    def add(self, turn: Turn) -> None:
        """Consider a turn."""
        if not is_judgeable(turn):
            return
        heap = self._with_buy if has_filled_buy(turn) else self._others
        digest = hashlib.sha256(f"calibration {turn.turn_id}".encode()).digest()
        # Negated: the heap's first element is the one that is dropped, that of the largest hash.
        entry = (-int.from_bytes(digest[:8], "big"), turn.turn_id, turn)
        if any(name == turn.turn_id for _, name, _ in heap):
            return
        if len(heap) < self.count:
            heapq.heappush(heap, entry)
        else:
            heapq.heappushpop(heap, entry)

    def turns(self) -> list[Turn]:
        """The chosen turns, at most `count`."""
        buys = sorted(self._with_buy, reverse=True)
        others = sorted(self._others, reverse=True)
        wanted = max((self.count + 1) // 2, self.count - len(others))
        chosen = buys[:wanted]
        chosen += others[: self.count - len(chosen)]
        return [turn for _, _, turn in chosen]


def questions_about(turns: Sequence[Turn], rubric: Rubric, node: str) -> list[AskedTurn]:
    """What to ask for a calibration: each turn's twin, its faults, and some twins once more."""
    repeated = max(REPEATED_MIN, round(len(turns) * REPEAT_SHARE))
    found = []
    for place, turn in enumerate(turns):
        text = blind_turn(turn).text
        found.append(AskedTurn.of(turn, text, rubric, node, planted=TWIN))
        if place < repeated:
            found.append(AskedTurn.of(turn, text, rubric, node, planted=TWIN, repeat=1))
        for fault in FAULTS:
            changed = planted(turn, fault)
            if changed is not None:
                shown = blind_turn(changed).text
                found.append(AskedTurn.of(turn, shown, rubric, node, planted=fault))
    return found


def calibration_of(
    judgements: Sequence[TurnJudgement], live: Iterable[TurnJudgement], rubric: Rubric, at: datetime
) -> JudgeCalibration:
    """The rates that the judgements of a calibration give.

    Args:
        judgements: Those of the calibration, at least one.
        live: Judgements of the running arena: turns that were judged twice count for the agreement.
        rubric: The questions.
        at: Wall time.
    """
    answered = [one for one in judgements if not one.failure]
    first = (answered or list(judgements))[0]
    turn_ids = sorted({one.turn_id for one in judgements})
    retest = _retest([*answered, *live], first)
    costs = [one.cost_usd for one in judgements]
    known = [cost for cost in costs if cost is not None]
    return JudgeCalibration(
        calibration_id=ids.derive("calibration", first.rubric, first.node, first.model, *turn_ids),
        rubric=rubric.version,
        node=first.node,
        model=first.model,
        scripted=first.scripted,
        turns=len(turn_ids),
        rates=tuple(
            _rates(question, question.faults, answered, rubric) for question in rubric.questions
        ),
        faults={
            fault: _rates(question, (fault,), answered, rubric)
            for question in rubric.questions
            for fault in question.faults
        },
        retest_turns=retest[0],
        retest_agreement=retest[1],
        confidence=CONFIDENCE,
        calls=len(judgements),
        failed=len(judgements) - len(answered),
        cost_usd=sum(known, Decimal(0)) if len(known) == len(costs) else None,
        at=at,
    )


def _rates(
    question: Question, faults: Sequence[str], answered: Sequence[TurnJudgement], rubric: Rubric
) -> QuestionRates:
    place = rubric.ids.index(question.question_id)

    def without_credit(names: Sequence[str]) -> list[bool]:
        chosen = [one for one in answered if one.planted in names and one.repeat == 0]
        return [credits_of(one, rubric)[place] == 0.0 for one in chosen]

    seen, wrong = without_credit(faults), without_credit((TWIN,))
    true = exact_share(sum(seen), len(seen), CONFIDENCE)
    false = exact_share(sum(wrong), len(wrong), CONFIDENCE)
    return QuestionRates(
        question=question.question_id,
        planted=true.of,
        twins=false.of,
        true_positive=true.value,
        true_positive_low=true.low,
        true_positive_high=true.high,
        false_positive=false.value,
        false_positive_low=false.low,
        false_positive_high=false.high,
    )


def _retest(judgements: Iterable[TurnJudgement], like: TurnJudgement) -> tuple[int, float | None]:
    """How many turns were judged twice, and the share of their answers that agree."""
    pairs: dict[tuple[str, str], dict[int, TurnJudgement]] = {}
    for one in judgements:
        same = (one.rubric, one.node, one.model) == (like.rubric, like.node, like.model)
        if same and not one.failure and one.planted in ("", TWIN):
            pairs.setdefault((one.turn_id, one.planted), {}).setdefault(one.repeat, one)
    twice = [pair for pair in pairs.values() if len(pair) == 2]
    agreed = [
        a.yes == b.yes
        for pair in twice
        for a, b in zip(pair[0].answers, pair[1].answers, strict=False)
    ]
    return len(twice), round(sum(agreed) / len(agreed), 4) if agreed else None
