"""Which pairs of turns are compared, and what the comparisons say. Pure.

Only decisions on the same snapshot are compared, each pair in both orders. What both orders call
better is better; everything else is a tie, because many models prefer the answer that they read
first. The interval is for the share of the pairs with a winner (Clopper and Pearson). It is too
narrow, because decisions on neighbouring snapshots are alike.
"""

import hashlib
import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from arena.messages import PairwiseComparison, Turn
from judge.evaluations.llm.rates import exact_share
from judge.evaluations.llm.reply import better_of_pair
from judge.evaluations.llm.request import Better

CONFIDENCE: Final = 0.90

Winner = Literal["a", "b", "cannot tell"]


def chosen_snapshots(a: Iterable[str], b: Iterable[str], count: int) -> frozenset[str]:
    """The snapshots to compare on, spread evenly over the whole time.

    They are those with the smallest SHA-256, so the same records give the same pairs.

    Args:
        a: Ids of the snapshots on which one agent decided.
        b: The same of the other.
        count: Most snapshots.
    """
    return frozenset(heapq.nsmallest(count, set(a) & set(b), key=_rank))


def is_comparable(turn: Turn) -> bool:
    """True if a turn was completed, so there is a decision to compare."""
    return turn.outcome == "completed"


def _rank(snapshot_id: str) -> str:
    return hashlib.sha256(snapshot_id.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class PairCounts:
    """What a model answered about pairs.

    Attributes:
        a, b: Pairs in which both orders call this agent's decision better.
        ties: Pairs that both orders call equal, or on which they disagree.
        first_place: Of the ties, those in which both orders prefer the answer that is first.
        failed: Pairs of which an answer is missing or cannot be read; they are in no other count.
    """

    a: int
    b: int
    ties: int
    first_place: int
    failed: int


def count_pairs(answers: Sequence[tuple[Better | None, Better | None]]) -> PairCounts:
    """Count the answers to pairs.

    Args:
        answers: Per pair the answer with A first, and the one with B first; None for none.
    """
    whole = [(one, two) for one, two in answers if one is not None and two is not None]
    better = [better_of_pair(*pair) for pair in whole]
    return PairCounts(
        a=better.count("a"),
        b=better.count("b"),
        ties=better.count("tie"),
        first_place=whole.count(("first", "first")),
        failed=len(answers) - len(whole),
    )


def share_of_b(counts: PairCounts) -> tuple[float, float, float] | None:
    """Share of B among the pairs with a winner, with its interval; None without a winner."""
    share = exact_share(counts.b, counts.a + counts.b, CONFIDENCE)
    if share.value is None or share.low is None or share.high is None:
        return None
    return share.value, share.low, share.high


def winner_of(found: PairwiseComparison) -> Winner:
    """Which agent decided better: the one whose interval is beyond one half."""
    if found.share_b is None:
        return "cannot tell"
    _, low, high = found.share_b
    return "b" if low > 0.5 else "a" if high < 0.5 else "cannot tell"
