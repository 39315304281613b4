"""Dead agents are listed last, without a rank, marked by text as well as by colour."""

import pytest

from arena.fold_checkpoint import FoldPositions
from arena.messages import Usage
from dashboard.model.agent_results import dead_agents
from dashboard.model.frame import Frame, build_frame
from dashboard.model.recent_turns import TURNS_KEPT
from dashboard.model.standings import standings
from dashboard.model.view_checkpoint import pack_view, unpack_view
from dashboard.terminal.agent_screen import transcript
from dashboard.terminal.palette import ALARM, WARNING
from dashboard.terminal.panes import ranking, thinking
from dashboard.terminal.screen import render
from dashboard.terminal.standings_text import progress_line, render_standings
from dashboard.terminal.ui import Ui
from tests.dashboard.failing_scenario import ALWAYS, WRONG_KEY, FailingScenario
from tests.dashboard.scenario import Scenario
from tests.dashboard.views import view_of

DEAD = FailingScenario(fails={"scalper": ALWAYS}).run(12)


def frame_of(scenario: Scenario, agent: str = "") -> Frame:
    """The frame at its end."""
    return build_frame(view_of(scenario.records), scenario.wall, agent=agent)


def test_dead_agents_come_last_without_a_rank() -> None:
    """The others' ranks have no gap; dead agents have no curve."""
    frame = frame_of(DEAD)
    alive = frame.ranking[:-1]

    assert [row.rank for row in frame.ranking] == [1, 2, 3, 4, 5, 0]
    assert (frame.ranking[-1].agent, [row.dead for row in alive]) == ("scalper", [None] * 5)
    assert "scalper" not in [one.agent for one in frame.series]


def test_dead_agent_has_the_time_of_its_first_failed_turn() -> None:
    """It stays when more turns fail than are kept whole, and is the same from a checkpoint."""
    scenario = FailingScenario(fails={"scalper": range(3, 10_000)}).run(4)
    first = scenario.wall
    scenario.run(TURNS_KEPT + 10)
    view = view_of(scenario.records)
    packed = pack_view(view, FoldPositions())
    assert packed is not None
    (dead,) = dead_agents(build_frame(view, scenario.wall))
    assert dead.since is not None

    assert abs((dead.since - first).total_seconds()) < 1
    (again,) = dead_agents(build_frame(unpack_view(packed)[0], scenario.wall))
    assert dead.since == again.since


def test_ranking_pane_shows_the_cause_of_death() -> None:
    """The cause replaces the figures, in red; the width is kept."""
    *_, line = ranking(frame_of(DEAD), 110, 10, "")

    assert line.plain.startswith(" -  scalper") or line.plain.startswith(" - scalper")
    assert f"dead: {WRONG_KEY}" in line.plain
    assert (line.cell_len, ALARM in [str(span.style) for span in line.spans]) == (110, True)


@pytest.mark.parametrize(
    ("cause", "word", "style"), [("auth", "dead, failed: 401", ALARM), ("", "failed: 401", WARNING)]
)
def test_failed_turn_is_coloured_in_the_thinking_pane(cause: str, word: str, style: str) -> None:
    """It is amber, or red if the agent is dead; the error is shown."""
    frame = frame_of(FailingScenario(fails={"scalper": range(11, 12)}, cause=cause).run(12))
    lines = thinking(frame, 120, 12, 0)
    line = next(one for one in lines if one.plain.startswith("scalper"))

    assert word in line.plain
    assert style in [str(span.style) for span in line.spans]


def test_agent_screen_shows_the_error_of_each_turn() -> None:
    """The error is in the figures, in the list of turns and in the transcript."""
    frame = frame_of(DEAD, "scalper")
    shown = "\n".join(
        line.plain for line in render(frame, Ui(screen="agent", agent="scalper"), 160, 40).lines
    )
    words = [line.plain for line in transcript(frame.turns[-1], 100)]

    assert f"dead: {WRONG_KEY}" in shown
    assert shown.count(WRONG_KEY[:20]) > 5
    assert any(WRONG_KEY in line for line in words)


def test_document_lists_dead_agents() -> None:
    """It has cause and turns, without a rank; the plain text has lines for them."""
    document = standings(view_of(DEAD.records), DEAD.wall)
    dead, agents = document["dead"], document["agents"]
    assert isinstance(dead, list)
    assert isinstance(agents, list)
    (one,) = dead
    assert isinstance(one, dict)
    rows = {row["agent"]: row for row in agents if isinstance(row, dict)}

    assert (one["agent"], one["cause"], one["turns"]) == ("scalper", WRONG_KEY, 12)
    assert (rows["scalper"]["alive"], rows["scalper"]["rank"]) == (False, None)
    assert all(rows[name]["alive"] for name in rows if name != "scalper")
    assert f"dead, not ranked:\n  scalper: {WRONG_KEY}" in render_standings(frame_of(DEAD))
    assert "1 DEAD: scalper" in progress_line(frame_of(DEAD))


def test_agent_that_decides_again_is_ranked_again() -> None:
    """One decision after twenty failed turns is enough."""
    scenario = FailingScenario(fails={"scalper": range(2, 22)}, cause="timeout").run(22)
    before = frame_of(scenario).row("scalper")
    after = frame_of(scenario.run(1)).row("scalper")

    assert before is not None
    assert after is not None
    assert before.dead is not None
    assert (before.dead.turns, after.dead, after.rank > 0) == (20, None, True)


def test_checkpoint_keeps_dead_agents() -> None:
    """A restored view shows the same ranking."""
    packed = pack_view(view_of(DEAD.records), FoldPositions())
    assert packed is not None
    again, _ = unpack_view(packed)
    again.roster = view_of(DEAD.records).roster

    assert build_frame(again, DEAD.wall).ranking[-1] == frame_of(DEAD).ranking[-1]


def test_operators_account_is_not_in_the_ranking() -> None:
    """It has cash, but neither an entry on the roster nor a turn."""
    scenario = Scenario()
    scenario.join("operator", "", "agent")
    view = view_of(scenario.run(3).records)
    del view.roster["operator"]

    assert "operator" in view.accounts.by_agent
    assert "operator" not in [row.agent for row in build_frame(view, scenario.wall).ranking]


def test_estimated_tokens_have_a_tilde() -> None:
    """The ranking and the thinking pane show it."""
    scenario = Scenario(agents=(("solo", "momentum", "agent"),), scripted=False).run(1)
    started = scenario.begin_turn("solo")
    usage = Usage(prompt_tokens=900, completion_tokens=100, estimated=True)
    scenario.llm_call(started, usage=usage, call_id="estimated")
    scenario.end_turn(started, None, "flat", usage=usage)
    frame = frame_of(scenario)

    assert frame.ranking[0].estimated
    assert "~1.0k tok" in thinking(frame, 120, 4, 0)[0].plain
    assert "~" in ranking(frame, 300, 4, "")[-1].plain
