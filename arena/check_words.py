"""What failing a check by code means, in words. Pure."""

from collections.abc import Mapping

from arena.messages import CheckCount
from arena.plural import counted

CHECK_WORDS: Mapping[str, str] = {
    "valid": "gave no usable decision, or arguments that could not be read",
    "figures": "quoted figures that were not shown",
    "intent": "did other than the words said",
    "own_rules": "broke a rule of the strategy's own text",
    "size": "sent an order that was cut or refused for its size",
    "cost": "bought for a move that does not pay its costs",
    "refused": "sent a refused call again",
    "churn": "sold what was just bought, for little more than the costs",
}
"""Check of `judge.evaluations.checks` -> what a turn that fails it did."""


def failed_words(check: str, count: CheckCount) -> str:
    """How many turns failed a check: "3 of 12 turns quoted figures that were not shown"."""
    of = counted(count.passed + count.failed, "turn")
    return f"{count.failed:,} of {of} {CHECK_WORDS.get(check, 'failed it')}"
