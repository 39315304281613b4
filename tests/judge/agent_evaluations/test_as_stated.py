"""A second computation takes what the first had read, as far as its evaluation tells."""

from datetime import timedelta
from typing import Any

import pytest

from arena.messages import AgentEvaluation
from judge.evaluations.evaluate import Earlier
from judge.evaluations.llm.judged import judged_of
from judge.evaluations.verify import as_stated
from tests.judge.llm_judge.judgements import RUBRIC, START, calibration, judgement


def evaluation(name: str, *, after: tuple[str, ...] = ()) -> AgentEvaluation:
    """An evaluation of the first hour that was compared with others."""
    return AgentEvaluation(
        evaluation_id=name,
        agent="momentum",
        snapshot_id="s",
        as_of=START + timedelta(hours=1),
        cause="cadence",
        window_s=3_600,
        turns=60,
        overall=50.0,
        dimensions={},
        trend_from=after,
    )


@pytest.mark.parametrize("read", range(7))
def test_judgements_that_were_not_read_are_left_out(read: int) -> None:
    """The log has them in one order, so those that were read are its beginning."""
    failed: dict[str, Any] = {"answers": (), "failure": "no answer"}
    all_of_them = [judgement(n, **(failed if n % 3 == 1 else {})) for n in range(6)]
    judged = judged_of(all_of_them[:read], None, RUBRIC)
    stated = evaluation("e").model_copy(update={"judged": judged})
    earlier = Earlier((), tuple(all_of_them), None, RUBRIC)

    found = as_stated(earlier, stated, {})
    assert judged == found.judged(START, stated.as_of)


def test_evaluations_that_were_not_read_are_left_out() -> None:
    """The newest that it names was the newest that it knew."""
    earlier = Earlier([evaluation("e1"), evaluation("e2"), evaluation("e3")])
    stated = evaluation("e4", after=("e1", "e2"))
    found = as_stated(earlier, stated, {})
    assert ["e1", "e2"] == [one.evaluation_id for one in found.evaluations]


@pytest.mark.parametrize("read", [None, "old", "new"])
def test_the_calibration_is_that_which_the_evaluation_names(read: str | None) -> None:
    """A newer one may have been published while the evaluation was computed."""
    known = {name: calibration(calibration_id=name) for name in ("old", "new")}
    first = judgement()
    judged = judged_of([first], known[read] if read else None, RUBRIC)
    stated = evaluation("e").model_copy(update={"judged": judged})
    earlier = Earlier((), (first,), known["new"], RUBRIC)

    found = as_stated(earlier, stated, known)
    assert judged == found.judged(START, stated.as_of)
