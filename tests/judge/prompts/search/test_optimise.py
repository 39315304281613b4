"""Whole searches with GEPA and a model made by hand."""

import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from arena.errors import ArenaError, DependencyMissing
from arena.prompt_versions import version_of
from judge.prompts.lint import lint
from judge.prompts.search.candidate_scores import FAILURES_MAX
from judge.prompts.search.gepa_search import require_gepa
from judge.prompts.search.optimise import (
    SearchResult,
    SearchTools,
    optimise,
    proposal_of,
    result_document,
)
from judge.prompts.search.split import BUDGET_MIN
from tests.judge.agent_evaluations.made_turns import START
from tests.judge.prompts.search.searches import (
    CAREFUL,
    ORDER,
    PLAIN,
    TEXT,
    StubModel,
    prompts,
    reply,
    uncut,
)

PROMPTS = prompts(140)


def searched(
    model: StubModel, budget: int = 300, reflect: Callable[[str], str] | None = None
) -> SearchResult:
    """A search with a model."""
    return optimise(TEXT, PROMPTS, budget, SearchTools(model, reflect, uncut))


def test_better_text_is_found_and_decided_by_later_snapshots() -> None:
    """The proposal has the figures of the held-out part, and its text may be proposed."""
    result = searched(StubModel())
    assert result.text is not None
    assert CAREFUL in result.text
    assert [] == lint(result.text, TEXT)
    assert result.held_out is not None
    assert result.held_out.before is not None
    assert 60 < result.held_out.before < 100 == result.held_out.after
    last = result.split.searched[-1].turn.as_of
    assert all(one.turn.as_of > last for one in result.split.held_out)

    proposed = proposal_of(result, "alfa", by="cli/test", as_of=START, at=START)
    assert ("optimiser", version_of(TEXT)) == (proposed.author, proposed.parent)
    before, after = proposed.evidence, proposed.evidence_after
    assert before is not None
    assert after is not None
    assert (round(result.held_out.before, 2), 100.0) == (before.quality, after.quality)
    assert (None, 60, 60) == (before.return_pct, before.turns, after.turns)
    document = result_document(result)
    assert ("better", version_of(result.text)) == (document["result"], document["candidate"])


@pytest.mark.parametrize("budget", [BUDGET_MIN, 200, 233, 300, 411, 1_000])
def test_budget_is_exact(budget: int) -> None:
    """Every call is counted, no text meets a snapshot twice, and none exceeds the budget."""
    model = StubModel()
    reflections: list[str] = []

    def reflect(prompt: str) -> str:
        reflections.append(prompt)
        return f"<text>{TEXT}Think {'very ' * len(reflections)}well.</text>"

    result = searched(model, budget, reflect)
    assert result.calls == len(model.asked) + len(reflections) <= budget
    assert reflections
    pairs = Counter(call_id for call_id, _ in model.asked)
    assert 1 == max(pairs.values())
    assert None is result.text


def test_nothing_better_is_said_without_touching_the_held_out_part() -> None:
    """A model that decides well needs no other text."""

    class Careful(StubModel):
        def answer(self, request: Any) -> Any:
            """Invent nothing."""
            return reply(PLAIN, ORDER, call_id=super().answer(request).call_id)

    model = Careful()
    result = searched(model)
    assert (None, None) == (result.text, result.held_out)
    assert len(result.split.searched) == result.calls == len(model.asked)
    assert "no text was better" in result.reason
    assert "nothing better" == result_document(result)["result"]


def test_text_that_stops_trading_is_not_found() -> None:
    """It makes no mistakes, and the search does not take it for better."""
    model = StubModel(lazy=CAREFUL)
    result = searched(model)
    assert None is result.text
    assert any(CAREFUL in system for _, system in model.asked)


def test_same_records_give_the_same_result() -> None:
    """Batches and choices follow from a fixed seed."""
    first, second = StubModel(), StubModel()
    assert result_document(searched(first)) == result_document(searched(second))
    assert first.asked == second.asked


def test_model_that_does_not_answer_ends_the_search() -> None:
    """After some failures in a row, not after the whole budget."""

    def silent(requests: Any) -> Any:
        return [reply("", outcome="failed", cause="unreachable", error="no route")] * len(requests)

    with pytest.raises(DependencyMissing, match=f"no answer {FAILURES_MAX} times .*no route"):
        optimise(TEXT, PROMPTS, 300, SearchTools(silent, None, uncut))


def test_failure_of_the_reflecting_model_ends_the_search() -> None:
    """GEPA would ask it again and again."""
    asked = []

    def reflect(prompt: str) -> str:
        asked.append(prompt)
        raise DependencyMissing("chat node writer gave no reply")

    with pytest.raises(ArenaError, match="writer gave no reply"):
        searched(StubModel(), reflect=reflect)
    assert 2 >= len(asked)


def test_missing_package_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search is optional; nothing else of the arena needs it."""
    monkeypatch.setitem(sys.modules, "gepa", None)
    with pytest.raises(DependencyMissing, match="gepa, which is not installed.*setup optimise"):
        require_gepa()
