"""Tries texts on recorded snapshots, each text on each snapshot once, within the budget.

Pure: the caller asks the model.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from arena.errors import DependencyMissing
from arena.messages import ChatReply, ChatRequest
from arena.prompt_versions import version_of
from judge.prompts.search.answer_checks import AnswerScore, score_answer
from judge.prompts.search.budget import CallBudget
from judge.prompts.search.recorded import CutText, RecordedPrompt

FAILURES_MAX = 5
"""Calls without an answer, in a row, after which the search ends."""

Ask = Callable[[Sequence[ChatRequest]], Sequence[ChatReply]]
"""Asks a model; the replies in the order of the requests."""


@dataclass(slots=True)
class CandidateScores:
    """The scores of texts on recorded snapshots.

    Attributes:
        parent: The text in force.
        ask: Asks the model that plays the agent.
        cut: Cuts a text as the agent's prompts do.
        budget: The calls that may be made.
        failed: Calls without an answer.
    """

    parent: str
    ask: Ask
    cut: CutText
    budget: CallBudget
    failed: int = 0
    _known: dict[tuple[str, str], AnswerScore] = field(default_factory=dict)
    _texts: dict[str, str] = field(default_factory=dict)
    _failed_run: int = 0

    def texts(self) -> list[str]:
        """The texts that were tried, the first one first."""
        return list(self._texts.values())

    def missing(self, text: str, prompts: Sequence[RecordedPrompt]) -> list[RecordedPrompt]:
        """The snapshots on which a text was not tried yet: the calls that `scores` would make.

        A batch may name a snapshot twice; it is asked about once.
        """
        version = version_of(text)
        wanted = {one.turn.turn_id: one for one in prompts}
        return [one for turn_id, one in wanted.items() if (version, turn_id) not in self._known]

    def scores(self, text: str, prompts: Sequence[RecordedPrompt]) -> list[AnswerScore]:
        """The scores of a text on snapshots, in their order.

        Raises:
            BudgetSpent: More calls are needed than are free; none was made.
            DependencyMissing: The model gave no answer several times in a row.
        """
        missing = self.missing(text, prompts)
        self.budget.take(len(missing))
        replies = self.ask([one.request(text, self.cut) for one in missing]) if missing else ()
        version = version_of(text)
        self._texts.setdefault(version, text)
        for prompt, reply in zip(missing, replies, strict=True):
            score = score_answer(prompt, text, self.parent, reply)
            self._known[version, prompt.turn.turn_id] = score
            self._note(score)
        return [self._known[version, one.turn.turn_id] for one in prompts]

    def _note(self, score: AnswerScore) -> None:
        if not score.error:
            self._failed_run = 0
            return
        self.failed += 1
        self._failed_run += 1
        if self._failed_run >= FAILURES_MAX:
            raise DependencyMissing(
                f"the chat node gave no answer {FAILURES_MAX} times in a row: {score.error}",
                remedy="read its log, then search again",
            )


def mean_points(scores: Sequence[AnswerScore]) -> float | None:
    """The mean points of the scores that have some; None without any."""
    known = [one.points for one in scores if one.points is not None]
    return sum(known) / len(known) if known else None


def order_count(scores: Sequence[AnswerScore]) -> int:
    """Buys and sells that the answers asked for."""
    return sum(one.orders for one in scores)


ACTIVE_SHARE = 0.5
"""A text must lead to this share of the orders and worded answers of the text in force, on the same
snapshots, because an agent that does nothing, or says nothing, fails no check."""


def why_inactive(scores: Sequence[AnswerScore], of_parent: Sequence[AnswerScore]) -> str:
    """Why a text leads to too few orders or words to be compared; "" if it does not."""
    orders, before = order_count(scores), order_count(of_parent)
    if orders < ACTIVE_SHARE * before:
        return f"{orders} orders instead of {before}: less than {ACTIVE_SHARE:.0%}"
    said, had = ([bool(one.words.strip()) for one in part] for part in (scores, of_parent))
    if sum(said) < ACTIVE_SHARE * sum(had):
        return f"{sum(said)} answers with words instead of {sum(had)}: less than {ACTIVE_SHARE:.0%}"
    return ""
