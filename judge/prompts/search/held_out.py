"""Whether a text decides better than the text in force, on snapshots that no search has seen. Pure.

Both texts answered the same snapshots, so their points are compared in pairs, with the interval of
the contest's verdict (`judge.statistics`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from judge.prompts.search.answer_checks import AnswerScore
from judge.prompts.search.candidate_scores import mean_points, order_count, why_inactive
from judge.statistics.types import FloatArray, Interval
from judge.statistics.verdict import PERIODS_MIN, judge_returns

CONFIDENCE: Final = 0.90
SEED: Final = 1
RESAMPLES: Final = 2_000
TEXTS: Final = ("in force", "candidate")


@dataclass(frozen=True, slots=True)
class HeldOutResult:
    """The result of the held-out snapshots.

    Attributes:
        is_better: True if the candidate decides clearly better, and does not stop trading.
        reason: Why, one sentence.
        pairs: Compared snapshots.
        before, after: Mean points of the text in force and of the candidate; None if unknown.
        difference: Mean difference of the points, with its interval; None with too few pairs, or
            if the points differ in too few of them.
        orders_before, orders_after: Orders that their answers asked for.
    """

    is_better: bool
    reason: str
    pairs: int
    before: float | None = None
    after: float | None = None
    difference: Interval | None = None
    orders_before: int = 0
    orders_after: int = 0


def compare_held_out(before: Sequence[AnswerScore], after: Sequence[AnswerScore]) -> HeldOutResult:
    """Compare two texts.

    Args:
        before: Scores of the text in force, one per snapshot, oldest first.
        after: Scores of the candidate on the same snapshots.

    Raises:
        ValueError: They have different lengths.
    """
    pairs = [
        (old, new)
        for old, new in zip(before, after, strict=True)
        if old.points is not None and new.points is not None
    ]
    olds, news = [old for old, _ in pairs], [new for _, new in pairs]
    difference = None
    if len(pairs) >= PERIODS_MIN:
        difference = _difference(np.array([[o.points, n.points] for o, n in pairs], dtype=float))
    is_better, reason = _decide(difference, olds, news)
    return HeldOutResult(
        is_better=is_better,
        reason=reason,
        pairs=len(pairs),
        before=mean_points(olds),
        after=mean_points(news),
        difference=difference,
        orders_before=order_count(olds),
        orders_after=order_count(news),
    )


def _decide(
    difference: Interval | None, olds: Sequence[AnswerScore], news: Sequence[AnswerScore]
) -> tuple[bool, str]:
    if len(olds) < PERIODS_MIN:
        return False, f"{len(olds)} snapshots can be compared; {PERIODS_MIN} are needed"
    if difference is None:
        differing = sum(old.points != new.points for old, new in zip(olds, news, strict=True))
        return False, (
            f"too few of {len(olds)} held-out snapshots differ in their points: {differing}"
        )
    points = (
        f"decision quality {difference.estimate:+z.1f} points"
        f" [{difference.low:+z.1f}, {difference.high:+z.1f}] on {len(olds)} held-out snapshots"
    )
    if why := why_inactive(news, olds):
        return False, f"{points}, but {why}"
    if difference.low <= 0:
        return False, f"{points}: not clearly better"
    return True, f"{points}: clearly better"


def _difference(points: FloatArray) -> Interval | None:
    """Mean of the second column minus the first; None if they differ too rarely for an interval.

    Args:
        points: Shape [T, 2].
    """
    found = judge_returns(
        points,
        TEXTS,
        periods_per_year=1.0,
        confidence=CONFIDENCE,
        seed=SEED,
        resamples=RESAMPLES,
    )
    sums = found.pairs[0].difference
    if sums is None:
        return None
    count = points.shape[0]
    return Interval(-sums.estimate / count, -sums.high / count, -sums.low / count)
