"""The claims of a season, from the decisions of its looks. Pure.

A look decides once, on the snapshots and among the entrants of its time. If the field changes
later, because an entrant joins, leaves or dies, the look is not decided again. So a claim never has
the date of a look that did not make it, and no claim disappears. A claim holds until a look
withdraws it. A withdrawal for lost evidence is final; if one of the two was not compared for a
while, a later look can claim it again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from judge.statistics import Pair
from judge.statistics.pairs import PairDecision

HELD_ZERO = "its interval then held zero"
"""Reason of a withdrawal for lost evidence."""


@dataclass(frozen=True, slots=True)
class LookResult:
    """Decisions of one look.

    Attributes:
        snapshots: Length of the season at the look.
        names: Names of the compared entrants.
        decided: (a, b) -> decision on a less b.
    """

    snapshots: int
    names: frozenset[str]
    decided: Mapping[tuple[str, str], PairDecision]


@dataclass(frozen=True, slots=True)
class ClaimRecord:
    """A claim and its withdrawal, if any.

    Attributes:
        snapshots: Length of the season when it was made.
        withdrawn: Length of the season when a look withdrew it; None if it holds.
        why: Reason of the withdrawal.
    """

    winner: str
    loser: str
    snapshots: int
    withdrawn: int | None = None
    why: str = ""

    @property
    def holds(self) -> bool:
        """True if it is not withdrawn."""
        return self.withdrawn is None


def claims_over(looks: Iterable[LookResult]) -> tuple[ClaimRecord, ...]:
    """Return the claims of successive looks, in the order in which they were made."""
    newest: dict[tuple[str, str], ClaimRecord] = {}
    older: list[ClaimRecord] = []
    for look in looks:
        for key, one in newest.items():
            if one.holds and (why := _why_withdrawn(one, look)):
                newest[key] = replace(one, withdrawn=look.snapshots, why=why)
        for (a, b), decision in look.decided.items():
            if not decision.sign:
                continue
            key = (a, b) if decision.sign > 0 else (b, a)
            known = newest.get(key)
            if known is not None and (known.holds or known.why == HELD_ZERO):
                continue
            older += [] if known is None else [known]
            newest[key] = ClaimRecord(*key, snapshots=look.snapshots)
    found = [*older, *newest.values()]
    return tuple(sorted(found, key=lambda one: (one.snapshots, one.winner, one.loser)))


def _why_withdrawn(claim: ClaimRecord, look: LookResult) -> str:
    """Return why a look withdraws a claim; "" if it does not."""
    gone = [name for name in (claim.winner, claim.loser) if name not in look.names]
    if gone:
        return f"{' and '.join(gone)} {'is' if len(gone) == 1 else 'are'} no longer compared"
    pair, sign = (claim.winner, claim.loser), 1
    if pair not in look.decided:
        pair, sign = (claim.loser, claim.winner), -1
    decision = look.decided.get(pair)
    return "" if decision is None or decision.holds == sign else HELD_ZERO


def with_claims(
    pairs: Sequence[Pair], names: Sequence[str], records: Iterable[ClaimRecord]
) -> tuple[Pair, ...]:
    """Return the pairs, separated by the claims that hold.

    Between two looks the leader of a pair can change: the pair is then not separated, and its claim
    holds until the next look.

    Args:
        pairs: The pairs as compared now.
        names: Names of the entrants.
        records: All claims of the season.
    """
    holds = {(one.winner, one.loser): one for one in records if one.holds}
    found = []
    for pair in pairs:
        ahead = 0.0 if pair.difference is None else float(np.sign(pair.difference.estimate))
        a, b = names[pair.a], names[pair.b]
        one = holds.get((a, b) if ahead > 0 else (b, a)) if ahead else None
        found.append(
            replace(
                pair,
                separated=one is not None,
                claimed_at=None if one is None else one.snapshots,
                withdrawn_at=None,
            )
        )
    return tuple(found)
