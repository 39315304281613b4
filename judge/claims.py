"""What a season claims: the decisions of its looks, each with the field of its own time. Pure.

A look decides once, on the snapshots and among the entrants of its time. A field that changes
later, because an entrant joined, left or died, does not decide it again: so a claim never appears
with the date of a look that did not make it, and none vanishes. It holds until a look withdraws it.
If its own evidence was lost, it does not come back; if one of the two was not compared for a while,
a later look may claim it again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from judge.statistics import Pair
from judge.statistics.pairs import PairDecision

HELD_ZERO = "its interval then held zero"


@dataclass(frozen=True, slots=True)
class LookResult:
    """What a look decided.

    Attributes:
        snapshots: Of the season then.
        names: The entrants that were compared.
        decided: (a, b) -> the decision on a less b.
    """

    snapshots: int
    names: frozenset[str]
    decided: Mapping[tuple[str, str], PairDecision]


@dataclass(frozen=True, slots=True)
class ClaimRecord:
    """A claim, and what became of it.

    Attributes:
        snapshots: Of the season when it was made.
        withdrawn: Of the season when a look withdrew it; None if it holds. why: in words.
    """

    winner: str
    loser: str
    snapshots: int
    withdrawn: int | None = None
    why: str = ""

    @property
    def holds(self) -> bool:
        """True if no look has withdrawn it."""
        return self.withdrawn is None


def claims_over(looks: Iterable[LookResult]) -> tuple[ClaimRecord, ...]:
    """The claims that looks made one after the other, in the order in which they were made."""
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
    """Why a look withdraws a claim; "" if it does not."""
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
    """The pairs as the claims that hold separate them.

    Between two looks the leader of a pair may change: it then is not separated, and its claim holds
    until the next look.

    Args:
        pairs: As compared now.
        names: Of the entrants.
        records: Every claim of the season.
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
