"""Decisions on pairs of agents: which can be tested, which are separated, and since when."""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np

from judge.statistics.agents import CONSTANT, TOO_FLAT, ResamplingPlan, SharpeIntervals
from judge.statistics.looks import Look
from judge.statistics.multiplicity import Family
from judge.statistics.power import detectable_difference
from judge.statistics.student import ClaimMeans
from judge.statistics.types import FloatArray, Interval, Pair
from judge.statistics.variance import claim_freedom

IDENTICAL = "identical: the same return in every period"
ALWAYS = "the same difference in every period"


@dataclass(frozen=True, slots=True)
class PairDecision:
    """What one look decided about a pair.

    Attributes:
        sign: Sign of the difference if it is claimed; else 0.
        holds: Sign of the pair's own interval if that excludes 0; else 0.
    """

    sign: int
    holds: int


LookDecisions = dict[tuple[int, int], PairDecision]
"""Pair -> what one look decided about it."""
LookMemo = MutableMapping[bytes, LookDecisions]
"""Hash of all inputs of a look -> what it decided."""


@dataclass(frozen=True, slots=True)
class PairHistory:
    """Claim history of a pair over the looks so far.

    Attributes:
        claimed_at: Periods of the first claim; None without one.
        withdrawn_at: Periods of the look that withdrew it; None if it holds.
    """

    claimed_at: int | None = None
    withdrawn_at: int | None = None

    def after(self, periods: int, decision: PairDecision, sign: int) -> tuple["PairHistory", int]:
        """Return the history with one more look, and the sign of the claim (0 without one)."""
        if self.claimed_at is None:
            return (PairHistory(periods), decision.sign) if decision.sign else (self, 0)
        if self.withdrawn_at is not None:
            return self, sign
        if decision.holds != sign:
            return PairHistory(self.claimed_at, periods), sign
        return self, sign


def judge_pairs(
    plan: ResamplingPlan,
    combos: Sequence[tuple[int, int]],
    means: ClaimMeans,
    sharpes: SharpeIntervals,
    level: float,
) -> tuple[Pair, ...]:
    """Compare all pairs as if this were the only look.

    Pairs that cannot be resampled are outside the family: they are never claimed, so they add no
    false claim, and they take no power from the others.

    Args:
        plan: Returns and resampling settings.
        combos: The M pairs, in the order of the columns of `means.pairs`.
        means: Studentised means.
        sharpes: Sharpe ratios.
        level: Nominal family-wise level of a claim.
    """
    reasons = pair_reasons(plan, combos)
    tested = np.array([not reason for reason in reasons], dtype=bool)
    freedom = claim_freedom(plan.periods, len(plan.names))
    claims = means.claims
    family = Family(claims.t_values[tested], claims.t_stars[:, tested], freedom)
    adjusted, critical = family.p_values(), family.critical_value(level)
    errors = claims.errors[tested] * plan.periods
    alone = claims.p_values()
    found = []
    index = -1
    for column, (a, b) in enumerate(combos):
        if reasons[column]:
            found.append(_untested(plan, a, b, reasons[column]))
            continue
        index += 1
        difference = means.pairs.interval(column, confidence=plan.confidence, scale=plan.periods)
        p_adjusted = float(adjusted[index])
        found.append(
            Pair(
                a=a,
                b=b,
                difference=difference,
                p_value=float(alone[column]),
                p_adjusted=p_adjusted,
                separated=bool(p_adjusted <= level)
                and difference is not None
                and _excludes_zero(difference),
                identical=False,
                sharpe_difference=sharpes.pairs.get((a, b)),
                detectable=detectable_difference(float(errors[index]), critical, freedom=freedom),
                reason="" if difference is not None else TOO_FLAT,
                claim_error=float(errors[index]),
                critical=critical,
            )
        )
    return tuple(found)


def decide_over_looks(
    now: Sequence[Pair],
    combos: Sequence[tuple[int, int]],
    looks: Sequence[Look],
    earlier: Callable[[Look], LookDecisions],
    periods: int,
) -> tuple[Pair, ...]:
    """Return the pairs with the claims of all looks.

    Args:
        now: The pairs as compared after all periods.
        combos: The pairs in the same order.
        looks: The decision looks so far, oldest first.
        earlier: Computes the decisions of an earlier look again.
        periods: Number of periods so far.
    """
    decided = [(look.periods, earlier(look)) for look in looks if look.periods < periods]
    if looks and looks[-1].periods == periods:
        decided.append((periods, decisions_of(now)))
    return with_histories(now, histories(decided, combos))


def memoised(
    memo: LookMemo | None,
    arguments: object,
    returns: FloatArray,
    compute: Callable[[], LookDecisions],
) -> LookDecisions:
    """Return what a look decided, from the memo or else computed and stored there.

    Args:
        memo: Cache of earlier looks' decisions; None for no cache.
        arguments: All inputs of the decision other than the returns; their `repr` is in the key.
        returns: The rows that the look had.
        compute: Computes the decisions.
    """
    if memo is None:
        return compute()
    key = sha256(repr(arguments).encode() + np.ascontiguousarray(returns).tobytes()).digest()
    found = memo.get(key)
    if found is None:
        found = memo[key] = compute()
    return found


def decisions_of(pairs: Sequence[Pair]) -> LookDecisions:
    """Return what a look decided about each pair."""
    return {(pair.a, pair.b): _decision(pair) for pair in pairs}


def _decision(pair: Pair) -> PairDecision:
    if pair.difference is None:
        return PairDecision(0, 0)
    sign = int(np.sign(pair.difference.estimate))
    return PairDecision(
        sign if pair.separated else 0, sign if _excludes_zero(pair.difference) else 0
    )


def _excludes_zero(interval: Interval) -> bool:
    """Return True if an interval excludes 0, which a claim needs."""
    return bool(interval.low > 0.0 or interval.high < 0.0)


def histories(
    looks: Sequence[tuple[int, Mapping[tuple[int, int], PairDecision]]],
    combos: Sequence[tuple[int, int]],
) -> dict[tuple[int, int], tuple[PairHistory, int]]:
    """Return the claims of all looks.

    Args:
        looks: Periods and decisions of each look, oldest first.
        combos: The pairs.

    Returns:
        Pair -> its history and the sign of its claim.
    """
    found = {}
    for pair in combos:
        history, sign = PairHistory(), 0
        for periods, decisions in looks:
            history, sign = history.after(periods, decisions[pair], sign)
        found[pair] = (history, sign)
    return found


def with_histories(
    pairs: Sequence[Pair],
    found: Mapping[tuple[int, int], tuple[PairHistory, int]],
) -> tuple[Pair, ...]:
    """Return the pairs with the claims of the looks instead of those of this moment.

    Args:
        pairs: The pairs as compared after all periods.
        found: Claim history and sign of each pair.
    """
    changed = []
    for pair in pairs:
        history, sign = found[pair.a, pair.b]
        # Between two looks the leader can change; only the next look withdraws the claim.
        ahead = 0 if pair.difference is None else np.sign(pair.difference.estimate)
        holds = history.claimed_at is not None and history.withdrawn_at is None
        changed.append(
            replace(
                pair,
                separated=bool(holds and ahead == sign),
                claimed_at=history.claimed_at,
                withdrawn_at=history.withdrawn_at,
            )
        )
    return tuple(changed)


def pair_reasons(plan: ResamplingPlan, combos: Sequence[tuple[int, int]]) -> list[str]:
    """Return why each pair is not tested; "" if it is."""
    return [_reason(plan, a, b) for a, b in combos]


def _reason(plan: ResamplingPlan, a: int, b: int) -> str:
    gaps = plan.returns[:, a] - plan.returns[:, b]
    if not gaps.any():
        return IDENTICAL
    reason = plan.untestable_reason(gaps)
    return ALWAYS if reason == CONSTANT else reason and f"they differ too rarely: {reason}"


def _untested(plan: ResamplingPlan, a: int, b: int, reason: str) -> Pair:
    """Return an untested pair: identical, with a constant difference, or too rarely different."""
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
