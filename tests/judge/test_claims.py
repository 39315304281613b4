"""Claims over looks: made once, dated, withdrawn with a sentence, and not made again."""

import pytest

from judge.claim_text import claim_lines, claims_held, claims_in_doubt
from judge.claims import HELD_ZERO, ClaimRecord, LookResult, claims_over, with_claims
from judge.statistics import Interval, Pair
from judge.statistics.pairs import PairDecision
from judge.verdict_text import verdict_text
from tests.judge.evaluations import claim, judged

CLAIM, EXCLUDES_ZERO, CONTAINS_ZERO = PairDecision(1, 1), PairDecision(0, 1), PairDecision(0, 0)
CONTRARY = PairDecision(-1, -1)


def look(snapshots: int, names: str = "abc", **decided: PairDecision) -> LookResult:
    """A look; the keyword "ab" is the decision on a minus b."""
    pairs = {(key[0], key[1]): decision for key, decision in decided.items()}
    return LookResult(snapshots, frozenset(names), pairs)


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ([look(60, ab=CONTAINS_ZERO), look(80, ab=EXCLUDES_ZERO)], []),
        ([look(60, ab=CLAIM), look(80, ab=EXCLUDES_ZERO)], [ClaimRecord("a", "b", 60)]),
        ([look(60, ab=CLAIM), look(80, ba=PairDecision(0, -1))], [ClaimRecord("a", "b", 60)]),
        (
            [look(60, ab=CLAIM), look(80, ab=CONTAINS_ZERO), look(90, ab=CLAIM)],
            [ClaimRecord("a", "b", 60, 80, HELD_ZERO)],
        ),
        (
            [look(60, ab=CLAIM), look(80, ab=CONTRARY)],
            [ClaimRecord("a", "b", 60, 80, HELD_ZERO), ClaimRecord("b", "a", 80)],
        ),
        (
            [look(60, ab=CLAIM, ac=CLAIM), look(80, "ac", ac=EXCLUDES_ZERO)],
            [ClaimRecord("a", "b", 60, 80, "b is no longer compared"), ClaimRecord("a", "c", 60)],
        ),
        (
            [look(60, ab=CLAIM), look(80, "c")],
            [ClaimRecord("a", "b", 60, 80, "a and b are no longer compared")],
        ),
        ([look(60, ab=CLAIM), look(80)], [ClaimRecord("a", "b", 60)]),
        (
            [look(60, ab=CLAIM), look(80, "a"), look(90, ab=CLAIM), look(95, ab=EXCLUDES_ZERO)],
            [
                ClaimRecord("a", "b", 60, 80, "b is no longer compared"),
                ClaimRecord("a", "b", 90),
            ],
        ),
    ],
)
def test_looks_make_and_withdraw_claims(
    looks: list[LookResult], expected: list[ClaimRecord]
) -> None:
    """A claim keeps the date of its look, only a look withdraws it, and it is not made again."""
    assert expected == list(claims_over(looks))


def pair(a: int, b: int, estimate: float) -> Pair:
    """A pair that a test of this pair alone would separate."""
    whole = Interval(estimate, estimate - 0.1, estimate + 0.1)
    return Pair(a, b, whole, 0.01, 0.01, True, False, None, None, "")


def test_only_a_claim_separates_a_pair() -> None:
    """A pair is not separated without a claim, or while the loser of its claim is ahead."""
    records = [ClaimRecord("a", "b", 60), ClaimRecord("b", "c", 60, 80, HELD_ZERO)]
    ahead, behind = pair(0, 1, 0.5), pair(0, 1, -0.5)
    found = with_claims([ahead, behind, pair(1, 2, 0.5)], "abc", records)

    assert [True, False, False] == [one.separated for one in found]
    assert [60, None, None] == [one.claimed_at for one in found]


def test_a_claim_whose_loser_is_ahead_is_in_doubt() -> None:
    """It is not among the active claims, and its text says that the next look decides."""
    doubt = "momentum is not ahead now; the next look decides"
    one = claim("momentum", "scalper", 60).model_copy(update={"why": doubt})
    evaluation = judged(claims=(one,))
    sentence = f"Claimed since snapshot 60: momentum beats scalper; but {doubt}."

    assert [] == claims_held(evaluation)
    assert [one] == claims_in_doubt(evaluation)
    assert sentence in claim_lines(evaluation)
    assert sentence in verdict_text(evaluation)
