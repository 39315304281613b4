"""A whole search: texts are tried on the earlier snapshots, the best one on the later ones. Pure.

Only the best text of the search is tried on the held-out snapshots, so its result is not selected.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from arena.messages import Evidence, PromptProposed
from arena.prompt_versions import version_of
from judge.prompts.coach import EXPIRES_S
from judge.prompts.search.budget import CallBudget
from judge.prompts.search.candidate_scores import Ask, CandidateScores
from judge.prompts.search.edits import Edits, ReflectedEdits, TemplateEdits
from judge.prompts.search.gepa_search import Found, search_texts
from judge.prompts.search.held_out import HeldOutResult, compare_held_out
from judge.prompts.search.recorded import CutText, RecordedPrompt
from judge.prompts.search.split import SearchSplit, split_prompts
from judge.prompts.templates import template_of

POINTS_DIGITS: Final = 2


@dataclass(frozen=True, slots=True)
class SearchTools:
    """What a search asks, and how.

    Attributes:
        ask: Asks the model that plays the agent.
        reflect: Asks a model for a better text, "" for none; None for the coach's templates.
        cut: Cuts a text as the agent's prompts do.
    """

    ask: Ask
    reflect: Callable[[str], str] | None
    cut: CutText


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The result of a search.

    Attributes:
        parent: The text in force.
        text: The text that decides better; None if none was found.
        reason: Why, one sentence.
        found: What the search found.
        held_out: The result of the held-out snapshots; None if no text was better before.
        split: The snapshots.
        calls: Calls that were made, and allowed.
        failed: Calls without an answer.
    """

    parent: str
    text: str | None
    reason: str
    found: Found
    held_out: HeldOutResult | None
    split: SearchSplit
    calls: int
    budget_calls: int
    failed: int


def optimise(
    parent: str, prompts: Sequence[RecordedPrompt], budget_calls: int, tools: SearchTools
) -> SearchResult:
    """Search a better text than the one in force.

    Args:
        parent: The text in force.
        prompts: The recorded snapshots, oldest first.
        budget_calls: Most calls of all kinds.
        tools: What is asked.

    Raises:
        UsageError: There are too few snapshots or calls for a result.
        DependencyMissing: GEPA is not installed, or the model does not answer.
    """
    split = split_prompts(prompts, budget_calls)
    budget = CallBudget(budget_calls, split.calls_held_back)
    scores = CandidateScores(parent, tools.ask, tools.cut, budget)
    edits: Edits = TemplateEdits(parent)
    if tools.reflect is not None:
        edits = ReflectedEdits(parent, tools.reflect, budget)
    found = search_texts(parent, split.searched, scores, edits)
    held_out = None
    reason = f"no text was better on the {len(split.searched)} searched snapshots"
    if found.text != parent:
        budget.release()
        before = scores.scores(parent, split.held_out)
        held_out = compare_held_out(before, scores.scores(found.text, split.held_out))
        reason = held_out.reason
    return SearchResult(
        parent=parent,
        text=found.text if held_out is not None and held_out.is_better else None,
        reason=reason,
        found=found,
        held_out=held_out,
        split=split,
        calls=budget.spent,
        budget_calls=budget_calls,
        failed=scores.failed,
    )


def proposal_of(
    result: SearchResult, agent: str, *, by: str, as_of: datetime | None, at: datetime
) -> PromptProposed:
    """The proposal of a text that decides better, with the figures of the held-out snapshots.

    Args:
        result: The result of a search that found such a text.
        agent: The agent.
        by: The sender, such as "cli/<host>".
        as_of: Venue time of the newest snapshot; None without one.
        at: Wall time.
    """
    assert result.text is not None, "a text was found"
    return PromptProposed(
        agent=agent,
        version=version_of(result.text),
        text=result.text,
        parent=version_of(result.parent),
        author="optimiser",
        by=by,
        reason=f"search: {result.reason}",
        template=template_of(result.text),
        evidence=_evidence(result, "before"),
        evidence_after=_evidence(result, "after"),
        expires_s=EXPIRES_S,
        as_of=as_of,
        at=at,
    )


def _evidence(result: SearchResult, side: str) -> Evidence | None:
    held_out = result.held_out
    points = None if held_out is None else getattr(held_out, side)
    if held_out is None or points is None:
        return None
    last = result.split.held_out[-1].turn.as_of
    return Evidence(quality=round(points, POINTS_DIGITS), turns=held_out.pairs, as_of=last)


# Any: JSON values.
def result_document(result: SearchResult) -> dict[str, Any]:
    """The result as JSON; keys are only ever added."""
    held_out = None if result.held_out is None else asdict(result.held_out)
    return {
        "result": "better" if result.text is not None else "nothing better",
        "reason": result.reason,
        "in_force": version_of(result.parent),
        "candidate": None if result.text is None else version_of(result.text),
        "calls": result.calls,
        "budget_calls": result.budget_calls,
        "failed": result.failed,
        "search": {
            **_part_document(result.split.searched),
            "texts": result.found.texts,
            "rounds": result.found.rounds,
            "before": result.found.before,
            "after": result.found.after,
        },
        "held_out": {**_part_document(result.split.held_out), **(held_out or {})},
    }


# Any: JSON values.
def _part_document(prompts: Sequence[RecordedPrompt]) -> dict[str, Any]:
    first, last = prompts[0].turn.as_of, prompts[-1].turn.as_of
    return {"snapshots": len(prompts), "from": first.isoformat(), "to": last.isoformat()}
