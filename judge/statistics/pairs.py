"""Every pair of agents: which can be compared at all, and which is decided."""

from collections.abc import Sequence

import numpy as np

from judge.statistics.agents import CONSTANT, TOO_FLAT, Plan, Sharpes
from judge.statistics.multiplicity import CLAIM_LEVEL, critical_value, step_down_p_values
from judge.statistics.power import detectable_difference
from judge.statistics.student import Comparison
from judge.statistics.types import Interval, Pair

IDENTICAL = "identical: the same return in every period"
ALWAYS = "the same difference in every period"


def judge_pairs(
    plan: Plan, combos: Sequence[tuple[int, int]], means: Comparison, sharpes: Sharpes
) -> tuple[Pair, ...]:
    """Decide all pairs together.

    Pairs that cannot be resampled stay out of the family: they are never claimed, so they add no
    false claim, and they take no power from the others.

    Args:
        plan: What is judged.
        combos: The M pairs, in the order of the columns of `means.pairs`.
        means: The studentised means.
        sharpes: The Sharpe ratios.
    """
    reasons = [_reason(plan, a, b) for a, b in combos]
    tested = [column for column, reason in enumerate(reasons) if not reason]
    t_stars = means.pairs.t_stars[:, tested]
    adjusted = dict(
        zip(tested, step_down_p_values(means.pairs.t_values[tested], t_stars), strict=True)
    )
    alone = means.pairs.p_values()
    critical = critical_value(t_stars, CLAIM_LEVEL)
    found = []
    for column, (a, b) in enumerate(combos):
        if reasons[column]:
            found.append(_untested(plan, a, b, reasons[column]))
            continue
        error = float(means.pairs.errors[column]) * plan.periods
        p_adjusted = float(adjusted[column])
        difference = means.pairs.interval(column, confidence=plan.confidence, scale=plan.periods)
        found.append(
            Pair(
                a=a,
                b=b,
                difference=difference,
                p_value=float(alone[column]),
                p_adjusted=p_adjusted,
                separated=p_adjusted <= CLAIM_LEVEL and difference is not None,
                identical=False,
                sharpe_difference=sharpes.pairs.get((a, b)),
                detectable=detectable_difference(error, critical) if critical < np.inf else None,
                reason="" if difference is not None else TOO_FLAT,
            )
        )
    return tuple(found)


def _reason(plan: Plan, a: int, b: int) -> str:
    """Why a pair is not tested; empty if it is."""
    gaps = plan.returns[:, a] - plan.returns[:, b]
    if not gaps.any():
        return IDENTICAL
    reason = plan.reason(gaps)
    return ALWAYS if reason == CONSTANT else reason and f"they differ too rarely: {reason}"


def _untested(plan: Plan, a: int, b: int, reason: str) -> Pair:
    """A pair outside the family: identical, always apart by the same, or too rarely different."""
    total = float((plan.returns[:, a] - plan.returns[:, b]).sum())
    exact = reason in (IDENTICAL, ALWAYS)
    return Pair(
        a=a,
        b=b,
        difference=Interval(total, total, total) if exact else None,
        p_value=None,
        p_adjusted=None,
        separated=reason == ALWAYS,
        identical=reason == IDENTICAL,
        sharpe_difference=None,
        detectable=None,
        reason=reason,
    )
