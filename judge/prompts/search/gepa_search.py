"""Searches texts with GEPA (https://github.com/gepa-ai/gepa), an optional package. Pure.

GEPA keeps a pool of texts, each the best on some snapshots, and changes one of them after it was
shown a few answers (Agrawal et al. 2025, arXiv 2507.19457). A changed text that is better on these
few is tried on all searched snapshots. Its own count of calls is not used: an answer is paid for
once, and the search ends before a round could cost more than is left.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final

from arena.errors import ArenaError, DependencyMissing
from judge.prompts.search.answer_checks import AnswerScore
from judge.prompts.search.candidate_scores import CandidateScores, mean_points, why_inactive
from judge.prompts.search.edits import Edits
from judge.prompts.search.recorded import RecordedPrompt

PART: Final = "strategy"
"""GEPA's name of the text that changes."""
BATCH: Final = 8
"""Snapshots on which a changed text is tried first."""
ROUNDS_MAX: Final = 200
REFLECTION_CALLS: Final = 1
PERFECT: Final = 1.0
SEED: Final = 1


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found.

    Attributes:
        text: The best text on the searched snapshots; the text in force if none was better.
        before, after: Mean points of the text in force and of the best text, 0 to 100.
        texts: Texts that were tried on all searched snapshots, without the text in force.
        rounds: Rounds of GEPA.
    """

    text: str
    before: float | None
    after: float | None
    texts: int
    rounds: int


def require_gepa() -> None:
    """Check that GEPA can be loaded.

    Raises:
        DependencyMissing: It is not installed.
    """
    try:
        import_module("gepa")
    except ImportError:
        raise DependencyMissing(
            "the search needs the package gepa, which is not installed",
            remedy="run `scripts/setup optimise`",
        ) from None


def search_texts(
    parent: str, prompts: Sequence[RecordedPrompt], scores: CandidateScores, edits: Edits
) -> Found:
    """Search a better text on recorded snapshots.

    Args:
        parent: The text in force.
        prompts: The searched snapshots, oldest first.
        scores: Tries texts, within the budget.
        edits: Makes texts.

    Raises:
        BudgetSpent: The text in force cannot be tried on all snapshots.
        DependencyMissing: GEPA is not installed, or the model does not answer.
    """
    require_gepa()
    gepa = import_module("gepa")
    search = _Search(list(prompts), scores, edits)
    gepa.optimize(
        seed_candidate={PART: parent},
        trainset=search.prompts,
        valset=search.prompts,
        adapter=search,
        acceptance_criterion=search,
        stop_callbacks=search.is_over,
        reflection_minibatch_size=min(BATCH, len(search.prompts)),
        perfect_score=PERFECT,
        logger=search,
        seed=SEED,
        raise_on_exception=True,
    )
    if search.error is not None:
        raise search.error
    return search.found(parent)


@dataclass(slots=True)
class _Search:
    """The adapter, acceptance rule, end and log that GEPA is given."""

    prompts: list[RecordedPrompt]
    scores: CandidateScores
    edits: Edits
    rounds: int = 0
    last: list[AnswerScore] = field(default_factory=list)
    error: ArenaError | None = None
    perfect: bool = False

    def evaluate(
        self,
        batch: list[RecordedPrompt],
        candidate: Mapping[str, str],
        capture_traces: bool = False,
    ) -> Any:  # Any: GEPA's type, which is loaded late
        """The scores of a text on a batch, from 0 to 1."""
        found = self.scores.scores(candidate[PART], batch)
        whole = len(batch) == len(self.prompts)
        self.perfect |= whole and all(one.share >= PERFECT for one in found)
        return import_module("gepa.core.adapter").EvaluationBatch(
            outputs=found,
            scores=[one.share for one in found],
            trajectories=found if capture_traces else None,
        )

    # Any: GEPA's types, which are loaded late.
    def make_reflective_dataset(
        self, candidate: Mapping[str, str], eval_batch: Any, components_to_update: list[str]
    ) -> dict[str, list[dict[str, str]]]:
        """Remember the scores of the batch, for `propose_new_texts`; GEPA gets their reasons."""
        self.last = list(eval_batch.outputs)
        found = [{"Feedback": "; ".join(one.reasons.values())} for one in self.last]
        return dict.fromkeys(components_to_update, found)

    def propose_new_texts(
        self,
        candidate: Mapping[str, str],
        reflective_dataset: Mapping[str, Sequence[Mapping[str, object]]],
        components_to_update: list[str],
    ) -> dict[str, str]:
        """The next text to try; empty if there is none this time."""
        try:
            changed = self.edits.edit(candidate[PART], self.last)
        except ArenaError as error:  # GEPA would ask again: the search ends instead
            self.error, changed = error, None
        return {} if changed is None else {PART: changed}

    # Any: GEPA's types, which are loaded late.
    def should_accept(self, proposal: Any, state: Any) -> bool:
        """True if a text is better on the batch, and does not stop trading."""
        before, after = proposal.eval_before.outputs, proposal.eval_after.outputs
        better = sum(one.share for one in after) > sum(one.share for one in before)
        return better and not why_inactive(after, before)

    # Any: GEPA's type, which is loaded late.
    def is_over(self, state: Any) -> bool:
        """True if a round could cost more calls than are free, or nothing can be gained."""
        self.rounds += 1
        enough = self.scores.budget.free >= len(self.prompts) + REFLECTION_CALLS
        ended = self.edits.exhausted or self.perfect or self.error is not None
        return ended or not enough or self.rounds > ROUNDS_MAX

    def log(self, message: str) -> None:
        """Print nothing: the result says what was found."""

    def found(self, parent: str) -> Found:
        """The best of the texts that were tried on all snapshots; of equal ones the first."""
        before = self.scores.scores(parent, self.prompts)
        best, after, texts = parent, mean_points(before), 0
        for text in self.scores.texts():
            if text == parent or self.scores.missing(text, self.prompts):
                continue
            texts += 1
            own = self.scores.scores(text, self.prompts)
            points = mean_points(own)
            if points is None or why_inactive(own, before):
                continue
            if after is None or points > after:
                best, after = text, points
        return Found(best, mean_points(before), after, texts, self.rounds)
