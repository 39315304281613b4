"""What a coach sees: evaluations, versions of prompts with what changed, words that wait."""

from datetime import timedelta

import pytest

from arena import topics
from arena.messages import OwnerWords
from arena.prompt_versions import version_of
from arena.text_diff import COMPARED_LINES_MAX
from dashboard.model import recent_turns
from dashboard.model.agent_queries import coaching
from dashboard.model.coaching_results import (
    DIFF_LINES_MAX,
    coaching_of,
    diff_of,
    prompt_marks,
)
from dashboard.model.coaching_view import EVALUATIONS_KEPT
from dashboard.model.frame import build_frame
from dashboard.model.hidden_prompts import coaching_without_texts
from dashboard.model.queries import UnknownName, equity_curves
from tests.dashboard.coaching import (
    CAREFUL,
    FIRST,
    PROPOSED,
    coached,
    decided,
    evaluated,
    proposed,
    said,
)
from tests.dashboard.scenario import Scenario
from tests.dashboard.views import view_of

AGENT = "momentum"


@pytest.fixture
def scenario() -> Scenario:
    """An arena in which a coach worked on one agent."""
    found = Scenario().run(2)
    coached(found, AGENT)
    return found


def test_newest_evaluation_is_first_with_failed_checks_in_words(scenario: Scenario) -> None:
    """Scores, trend, checks that turns failed, and that the judging model was scripted."""
    found = coaching_of(view_of(scenario.records), AGENT)

    newest, older = found.evaluations
    assert (61.37, "D", "improving", 6.1) == (
        newest.overall,
        newest.grade,
        newest.trend,
        newest.trend_change,
    )
    assert 44.5 == older.overall
    assert {"returns": 48.21, "risk": 82.5, "quality": 55.04, "consistency": None} == (
        newest.dimensions
    )
    assert ["4 of 8 turns", "3 of 12 turns"] == [
        one.words.partition(" turns")[0] + " turns" for one in newest.failed
    ]
    assert newest.judged is not None
    assert "scripted rules" in newest.judged.words
    assert 1 == newest.judged.words.count("uncalibrated")
    assert "built-in" not in newest.judged.words
    assert ("consistency: fewer than 5 returns",) == newest.notes


def test_versions_have_author_reason_approval_and_diff(scenario: Scenario) -> None:
    """The newest is first; the proposal that waits is apart."""
    found = coaching_of(view_of(scenario.records), AGENT)

    careful, first = found.prompts
    assert ("in force", "judge", "cli/host", "it read well") == (
        careful.state,
        careful.author,
        careful.decided_by,
        careful.decided_for,
    )
    assert "replaced" == first.state
    assert found.in_force == careful.version == version_of(CAREFUL)
    assert "-Sell what falls." in careful.diff
    assert (1, 2) == (careful.added, careful.removed)
    assert () == first.diff
    assert found.waiting is not None
    assert ("pending", PROPOSED) == (found.waiting.state, found.waiting.text)
    assert ("+Keep at least 20 % in cash.",) == tuple(
        line for line in found.waiting.diff if line[0] in "+-"
    )
    assert [CAREFUL, None] == [one.text for one in found.prompts]


def test_words_wait_until_a_turn_or_an_evaluation_used_them(scenario: Scenario) -> None:
    """What a turn with a decision showed is used, with everything before it."""
    view = view_of(scenario.records)
    assert [("agent", "Take profits earlier."), ("judge", "You sold at the low.")] == [
        (one.to, one.text) for one in coaching_of(view, AGENT).feedback
    ]

    more = said(scenario, AGENT, "Hold longer.")
    started = scenario.begin_turn(AGENT)
    first = next(iter(view.coaching.owner.feedback[AGENT].values())).feedback_id
    scenario.end_turn(started, None, "held", owner=OwnerWords(feedback=(first,)))
    judge_words = next(iter(view.coaching.owner.to_judge[AGENT]))
    scenario.step()
    evaluated(scenario, AGENT, cause="feedback", asked_by=judge_words)

    assert [more.feedback_id] == [
        one.feedback_id for one in coaching_of(view_of(scenario.records), AGENT).feedback
    ]


def test_words_that_a_forgotten_turn_used_do_not_wait(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two decisions without words: nothing waited, though the turn that used it is not kept."""
    monkeypatch.setattr(recent_turns, "TURNS_WINDOW", 60)
    view = view_of(scenario.records)
    words = next(iter(view.coaching.owner.feedback[AGENT].values()))
    started = scenario.begin_turn(AGENT)
    scenario.end_turn(started, None, "held", owner=OwnerWords(feedback=(words.feedback_id,)))
    scenario.run(40)

    found = view_of(scenario.records)

    assert words.feedback_id not in found.turns.agents[AGENT].used_feedback()
    assert ["judge"] == [one.to for one in coaching_of(found, AGENT).feedback]


def test_curves_mark_changes_but_not_the_first_text(scenario: Scenario) -> None:
    """One change by approval; a version that was not confirmed in time is another one."""
    view = view_of(scenario.records)
    frame = build_frame(view, scenario.wall, agent=AGENT)

    (mark,) = prompt_marks(view, AGENT)
    assert version_of(CAREFUL) == mark.version
    curve = next(one for one in equity_curves(view, frame).curves if one.agent == AGENT)
    assert (mark,) == curve.prompts
    series = next(one for one in frame.series if one.agent == AGENT)
    assert (int(mark.at.timestamp() * 1000),) == series.marks

    decided(scenario, AGENT, PROPOSED, "reject")
    bold = CAREFUL + "Be bold.\n"
    proposed(scenario, AGENT, bold, CAREFUL, expires_s=120.0)
    decided(scenario, AGENT, bold)
    scenario.run(3)
    view = view_of(scenario.records)

    assert [version_of(one) for one in (CAREFUL, bold, CAREFUL)] == [
        one.version for one in prompt_marks(view, AGENT)
    ]
    assert (
        timedelta(seconds=120) == prompt_marks(view, AGENT)[2].at - prompt_marks(view, AGENT)[1].at
    )
    states = {one.version: one.state for one in coaching_of(view, AGENT).prompts}
    assert {CAREFUL: "in force", bold: "expired", PROPOSED: "rejected", FIRST: "replaced"} == {
        text: states[version_of(text)] for text in (CAREFUL, bold, PROPOSED, FIRST)
    }


def test_hidden_prompts_leave_out_texts_diffs_and_words(scenario: Scenario) -> None:
    """No word of a prompt or of the owner is left; the scores are."""
    shown = coaching_without_texts(coaching_of(view_of(scenario.records), AGENT))

    words = shown.model_dump_json()
    assert shown.hidden
    assert 2 == len(shown.evaluations)
    for secret in ("what rises", "what falls", "20 % in cash", "profits", "at the low"):
        assert secret not in words


def test_agents_without_a_coach_have_nothing(scenario: Scenario) -> None:
    """An agent that nobody coached is empty, an unknown name an error."""
    view = view_of(scenario.records)
    frame = build_frame(view, scenario.wall)

    found = coaching(view, frame, "brainrot")

    assert ((), (), None, (), None, "") == (
        found.evaluations,
        found.prompts,
        found.waiting,
        found.feedback,
        found.preferences,
        found.frozen,
    )
    with pytest.raises(UnknownName, match="nobody"):
        coaching(view, frame, "nobody")


def test_everything_kept_is_bounded(scenario: Scenario) -> None:
    """Evaluations, and the lines of a diff."""
    for _ in range(EVALUATIONS_KEPT + 5):
        scenario.step()
        evaluated(scenario, AGENT)
    kept = view_of(scenario.records).coaching.evaluations[AGENT].newest
    long = "\n".join(f"line {n}" for n in range(COMPARED_LINES_MAX))

    assert EVALUATIONS_KEPT == len(kept)
    lines, added, removed = diff_of("", long)
    assert DIFF_LINES_MAX + 1 == len(lines)
    assert (COMPARED_LINES_MAX, 0) == (added, removed)
    assert 1 == len(diff_of("", long + "\none more")[0])


def test_an_evaluation_that_was_written_twice_counts_once(scenario: Scenario) -> None:
    """The first record of an id counts, as for the judge."""
    first = evaluated(scenario, AGENT)
    evaluated(scenario, AGENT, overall=1.0)

    newest = coaching_of(view_of(scenario.records), AGENT).evaluations[0]

    assert (first.evaluation_id, first.overall) == (newest.evaluation_id, newest.overall)


def test_records_on_other_topics_count_for_nothing(scenario: Scenario) -> None:
    """An evaluation on another topic is not one."""
    found = evaluated(scenario, "scalper")
    scenario.records.pop()
    scenario.write(topics.TURNS.name, found, "scalper")

    assert "scalper" not in view_of(scenario.records).coaching.evaluations
