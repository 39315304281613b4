"""Every pair of agents: which can be compared at all, which is decided, and since when."""

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
    """What one look decided of a pair.

    Attributes:
        sign: Of the difference, where it is claimed; else 0.
        holds: The sign of the pair's own interval where that leaves out 0; else 0.
    """

    sign: int
    holds: int


LookDecisions = dict[tuple[int, int], PairDecision]
"""What one look decided of each pair."""
LookMemo = MutableMapping[bytes, LookDecisions]
"""By the hash of all that a look depends on: what it decided."""


@dataclass(frozen=True, slots=True)
class PairHistory:
    """What the looks so far made of a pair.

    Attributes:
        claimed_at: Periods of the first claim; None if there was none.
        withdrawn_at: Periods of the look that withdrew it; None if it holds.
    """

    claimed_at: int | None = None
    withdrawn_at: int | None = None

    def after(self, periods: int, decision: PairDecision, sign: int) -> tuple["PairHistory", int]:
        """The history with one more look, and the sign of the claim (0 where there is none)."""
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

    Pairs that cannot be resampled stay out of the family: they are never claimed, so they add no
    false claim, and they take no power from the others.

    Args:
        plan: What is judged.
        combos: The M pairs, in the order of the columns of `means.pairs`.
        means: The studentised means.
        sharpes: The Sharpe ratios.
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
    place = -1
    for column, (a, b) in enumerate(combos):
        if reasons[column]:
            found.append(_untested(plan, a, b, reasons[column]))
            continue
        place += 1
        difference = means.pairs.interval(column, confidence=plan.confidence, scale=plan.periods)
        p_adjusted = float(adjusted[place])
        found.append(
            Pair(
                a=a,
                b=b,
                difference=difference,
                p_value=float(alone[column]),
                p_adjusted=p_adjusted,
                separated=bool(p_adjusted <= level)
                and difference is not None
                and _leaves_out_zero(difference),
                identical=False,
                sharpe_difference=sharpes.pairs.get((a, b)),
                detectable=detectable_difference(float(errors[place]), critical, freedom=freedom),
                reason="" if difference is not None else TOO_FLAT,
                claim_error=float(errors[place]),
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
    """The pairs with the claims that all looks together made.

    Args:
        now: The pairs as compared after all periods.
        combos: The pairs in the same order.
        looks: The decision looks so far, oldest first.
        earlier: Computes again what a look before the present one decided.
        periods: How many there are.
    """
    decided = [(look.periods, earlier(look)) for look in looks if look.periods < periods]
    if looks and looks[-1].periods == periods:
        decided.append((periods, decisions_of(now)))
    return with_histories(now, histories(decided, combos))


def memoised(
    memo: LookMemo | None,
    asked: object,
    returns: FloatArray,
    compute: Callable[[], LookDecisions],
) -> LookDecisions:
    """What a look decided, from the memo if it holds that, else computed and kept there.

    Args:
        memo: Decisions of earlier looks; None keeps nothing.
        asked: Everything but the returns that the answer depends on; its `repr` is the key.
        returns: The rows that the look had.
        compute: Computes the answer.
    """
    if memo is None:
        return compute()
    key = sha256(repr(asked).encode() + np.ascontiguousarray(returns).tobytes()).digest()
    found = memo.get(key)
    if found is None:
        found = memo[key] = compute()
    return found


def decisions_of(pairs: Sequence[Pair]) -> LookDecisions:
    """What a look decided, by pair."""
    return {(pair.a, pair.b): _decision(pair) for pair in pairs}


def _decision(pair: Pair) -> PairDecision:
    if pair.difference is None:
        return PairDecision(0, 0)
    sign = int(np.sign(pair.difference.estimate))
    return PairDecision(
        sign if pair.separated else 0, sign if _leaves_out_zero(pair.difference) else 0
    )


def _leaves_out_zero(interval: Interval) -> bool:
    """True if an interval leaves out 0: else the pair's own noise speaks against a claim."""
    return bool(interval.low > 0.0 or interval.high < 0.0)


def histories(
    looks: Sequence[tuple[int, Mapping[tuple[int, int], PairDecision]]],
    combos: Sequence[tuple[int, int]],
) -> dict[tuple[int, int], tuple[PairHistory, int]]:
    """The claims that all looks together made: (periods, decisions) of each, oldest first.

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
    """The pairs with the claims that the looks made in the place of this moment's.

    Args:
        pairs: As compared after all periods.
        found: What the looks made of each.
    """
    changed = []
    for pair in pairs:
        history, sign = found[pair.a, pair.b]
        # Between two looks the leader may change; only the next look withdraws the claim.
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
    """Why each pair is not tested; empty if it is."""
    return [_reason(plan, a, b) for a, b in combos]


def _reason(plan: ResamplingPlan, a: int, b: int) -> str:
    gaps = plan.returns[:, a] - plan.returns[:, b]
    if not gaps.any():
        return IDENTICAL
    reason = plan.reason(gaps)
    return ALWAYS if reason == CONSTANT else reason and f"they differ too rarely: {reason}"


def _untested(plan: ResamplingPlan, a: int, b: int, reason: str) -> Pair:
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
