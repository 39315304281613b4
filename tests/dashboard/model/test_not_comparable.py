"""Agents that the judge cannot compare are shown without a rank, with the cause."""

from arena import topics
from arena.messages import DeadEntry
from dashboard.model.frame import Frame, build_frame
from dashboard.model.standings import standings
from dashboard.terminal.panes import ranking
from dashboard.terminal.standings_text import render_standings
from operations.commands.messages_text import standings_table
from tests.dashboard.model.test_verdict import judged
from tests.dashboard.scenario import Scenario
from tests.dashboard.views import view_of

CAUSE = "two contestants under one name: momentum@gpt until 12:03, then cash@rules"


def scenario() -> Scenario:
    """A judge that cannot compare "momentum", and an account that an operator opened."""
    one = Scenario().run(6)
    apart = DeadEntry(agent="momentum", cause=CAUSE, turns=0, code="two_contestants")
    evaluation = judged(one).model_copy(update={"apart": (apart,)})
    one.write(topics.EVALUATIONS.name, evaluation, evaluation.snapshot_id)
    return one


def frame_of(one: Scenario) -> Frame:
    """The frame at its end."""
    return build_frame(view_of(one.records), one.wall)


def test_agent_without_a_rank_comes_last() -> None:
    """The others' ranks have no gap, and it has no curve."""
    frame = frame_of(scenario())

    assert [1, 2, 3, 4, 5, 0] == [row.rank for row in frame.ranking]
    assert ("momentum", CAUSE) == (frame.ranking[-1].agent, frame.ranking[-1].not_comparable)
    assert "momentum" not in [one.agent for one in frame.series]


def test_screen_document_and_tables_name_the_cause() -> None:
    """None of them shows a rank."""
    one = scenario()
    frame, document = frame_of(one), standings(view_of(one.records), one.wall)
    agents = document["agents"]
    assert isinstance(agents, list)
    last = agents[-1]
    assert isinstance(last, dict)

    assert (None, True, CAUSE) == (last["rank"], last["alive"], last["apart"])
    assert f"not comparable: {CAUSE[:40]}" in ranking(frame, 140, 10, "")[-1].plain
    assert f"not comparable, not ranked:\n  momentum: {CAUSE}" in render_standings(frame)
    assert f"  momentum: {CAUSE}" == standings_table(document)[-1]
