"""Dead entries have no row, no rank and no part in the statistics; their cause is listed."""

import asyncio
import json
from pathlib import Path

import pytest

from arena import topics
from arena.agent_health import DeadAgent
from arena.bus.memory import MemoryBus
from arena.errors import UsageError
from arena.exports import export_topics
from judge.leaderboard import Leaderboard, leaderboard, with_dead_of_run
from judge.leaderboard_text import render_leaderboard
from judge.metrics_conduct import hold_share
from judge.report.compare import compare_runs
from judge.report.compare_text import compare_lines
from judge.report.facts import Facts, ReportOptions, figures, make_facts, read_facts
from judge.report.matrix import make_matrix
from judge.report.page import make_page, markdown
from judge.report.plots import make_charts
from judge.report.verify import verify_report
from judge.report.write import write_report
from judge.season import Season, SeasonBuilder
from tests.dashboard.failing_scenario import ALWAYS, WRONG_KEY, FailingScenario
from tests.dashboard.scenario import Scenario
from tests.judge.seasons import fold_records

RESAMPLES = 500


def season_of(scenario: Scenario, upto: int | None = None) -> Season:
    """The season of a scenario's records."""
    return builder_of(scenario).season(upto)


def builder_of(scenario: Scenario) -> SeasonBuilder:
    """The fold of a scenario's records."""
    return fold_records(scenario.records)


def board_of(scenario: Scenario) -> Leaderboard:
    """The leaderboard of a scenario's records."""
    return leaderboard(season_of(scenario), resamples=RESAMPLES)


@pytest.fixture(scope="module")
def board() -> Leaderboard:
    """Seventy snapshots: the key of "scalper" is wrong, "random" decides nothing from 60 on."""
    fails = {"scalper": ALWAYS, "random": range(60, 100)}
    return board_of(FailingScenario(fails=fails).run(70))


def test_the_dead_have_no_row_and_are_listed_with_their_cause(board: Leaderboard) -> None:
    """An agent and a baseline, each with its number of failed turns, the code and a remedy."""
    found = board.evaluation

    assert [row.agent for row in found.rows if row.agent in ("scalper", "random")] == []
    assert [(d.agent, d.cause, d.turns, d.code, d.kind) for d in found.dead] == [
        ("scalper", WRONG_KEY, 70, "auth", "agent"),
        ("random", WRONG_KEY, 10, "auth", "baseline"),
    ]
    assert [(d.recorded_turns, d.decisions) for d in found.dead] == [(70, 0), (70, 60)]
    assert all(d.remedy and d.strategy and d.model for d in found.dead)


def test_dead_entries_do_not_change_the_statistics(board: Leaderboard) -> None:
    """Pairs, chances and rank sets are those of a contest without them."""
    alive = tuple(a for a in Scenario().agents if a[0] not in ("scalper", "random"))

    assert len(board.verdict.pairs) == len(alive) * (len(alive) - 1) // 2
    assert {s.name for s in board.verdict.standings} == {name for name, _, _ in alive}
    assert sum(row.p_best or 0 for row in board.rows) == pytest.approx(1)
    assert max(row.rank_high for row in board.rows) == len(alive)


def test_verdict_and_text_name_the_dead(board: Leaderboard) -> None:
    """They are in the last sentence of the verdict and in their own section."""
    text = render_leaderboard(board.evaluation)

    assert "2 dead agents are not ranked: scalper (401: Incorrect" in board.text
    section = text.partition("Dead, not ranked\n")[2]
    assert "  scalper  scalper x scripted  agent, 0 of 70 turns decided: 401" in section
    assert "set the right key" in section
    assert "scalper" not in text.partition("Standings")[2].partition("Dead, not ranked")[0]


def test_an_agent_that_decides_again_is_ranked() -> None:
    """An outage of twenty turns that is over leaves the agent in the ranking."""
    board = board_of(
        FailingScenario(fails={"momentum": range(30, 50)}, cause="server_error").run(70)
    )

    assert board.evaluation.dead == ()
    assert "momentum" in [row.agent for row in board.rows]


@pytest.mark.parametrize(
    ("cause", "failed", "dead"),
    [
        ("auth", range(64, 65), True),
        ("forbidden", range(64, 65), True),
        ("model_not_found", range(64, 65), True),
        ("rate_limit", range(61, 65), False),
        ("rate_limit", range(60, 65), True),
        ("", range(60, 65), True),
    ],
)
def test_lasting_causes_are_dead_at_once_others_after_five_turns(
    cause: str, failed: range, dead: bool
) -> None:
    """The newest turns decide, as in `arena.agent_health`."""
    season = season_of(FailingScenario(fails={"momentum": failed}, cause=cause).run(65))

    assert ("momentum" in season.names) is not dead
    assert [one.agent for one in season.dead] == ["momentum"] * dead


def test_an_agent_without_decisions_is_dead_after_one_turn() -> None:
    """One failed turn and no decision: there is nothing to rank."""
    season = season_of(FailingScenario(fails={"momentum": ALWAYS}, cause="timeout").run(1))

    (dead,) = season.dead
    assert dead.cause == f"{WRONG_KEY} (its only turn was not a decision)"


@pytest.mark.parametrize(("snapshots", "dead"), [(4, False), (5, True)])
def test_an_entry_without_a_turn_is_dead_after_five_snapshots(snapshots: int, dead: bool) -> None:
    """It is on the roster and had five snapshots without a turn."""
    scenario = Scenario()
    scenario.join("late", "momentum", "agent")
    season = season_of(scenario.run(snapshots))

    assert [(d.agent, d.cause, d.turns) for d in season.dead] == [
        ("late", "no turn ran to its end", 0)
    ] * dead


def test_an_account_that_an_operator_opened_is_not_an_entry() -> None:
    """An account without a roster entry and without a turn is not a contestant."""
    scenario = Scenario(agents=(*Scenario().agents, ("operator", "", "agent")))
    scenario.agents = Scenario().agents
    scenario.run(6)
    builder = builder_of(scenario)
    builder.folds.roster.pop("operator")

    season = builder.season()

    assert "operator" in builder.folds.accounts.opened
    assert "operator" not in {*season.names, *(one.agent for one in season.dead)}


def test_dead_agents_alone_give_no_verdict() -> None:
    """Baselines alone decide nothing about agents that did not play."""
    board = board_of(
        FailingScenario(fails=dict.fromkeys(("momentum", "scalper", "brainrot"), ALWAYS)).run(70)
    )

    assert board.text.startswith("No verdict: every agent is dead. 3 dead agents are not ranked")
    assert {row.kind for row in board.rows} == {"baseline"}
    assert {(row.rank_low, row.rank_high) for row in board.rows} == {(1, 3)}


def test_later_decisions_do_not_change_an_earlier_evaluation() -> None:
    """Up to a snapshot only the decisions up to it count."""
    fails = {"scalper": range(40, 100), "momentum": range(10, 30)}
    early = season_of(FailingScenario(fails=fails).run(50), upto=45)
    late = season_of(FailingScenario(fails=fails).run(70), upto=45)
    one, two = (leaderboard(s, resamples=RESAMPLES).evaluation for s in (early, late))

    assert [d.agent for d in one.dead] == ["scalper"]
    assert one.model_dump_json() == two.model_dump_json()


def test_a_failed_turn_is_not_a_hold() -> None:
    """Of ten turns eight fail and two hold: two decisions, both holds."""
    scenario = FailingScenario(
        agents=(("cash", "cash", "agent"),), fails={"cash": range(8)}, cause="timeout"
    )
    (decisions,) = season_of(scenario.run(10)).decisions

    assert (sum(one.held for one in decisions), hold_share(decisions)) == (2, 1.0)


def facts_of(scenario: Scenario, run: str = "run") -> Facts:
    """The report facts of a scenario."""
    return make_facts(run, season_of(scenario), ReportOptions(pacing="lock-step"))


def test_the_report_lists_dead_entries_separately(board: Leaderboard) -> None:
    """They have a section with cause and remedy, a flag in figures.json, no bar and no curve."""
    facts = facts_of(FailingScenario(fails={"scalper": ALWAYS}).run(66))
    page, charts = make_page(facts, make_matrix(facts)), make_charts(facts, make_matrix(facts))

    assert [row.cells[0].text for row in page.dead.rows] == ["scalper"]
    assert page.dead.rows[0].cells[3].text == f"dead: {WRONG_KEY}"
    assert ("dead", "Dead, not ranked") in page.contents
    assert [one["agent"] for one in figures(facts)["dead"]] == ["scalper"]
    assert not [name for chart in charts.values() for name in chart.head if name == "scalper"]
    assert "## Dead, not ranked" in markdown(facts)
    assert "scalper" not in markdown(facts).partition("## Who beats whom")[2]


def test_a_matrix_cell_of_dead_agents_is_marked() -> None:
    """It has no figure and no colour; the other cells keep theirs."""
    facts = facts_of(FailingScenario(fails={"scalper": ALWAYS}).run(66))
    matrix = make_matrix(facts)
    assert matrix is not None
    row = matrix.strategies.index("scalper")

    assert matrix.cells[row] == (None,)
    assert matrix.dead == {(row, 0)}
    assert ("scalper", "dead") in make_charts(facts, matrix)["matrix"].rows


def test_dead_entries_are_not_compared_between_runs() -> None:
    """They are named, and the error for a pair with a dead agent says so."""
    before = facts_of(Scenario().run(66), "one")
    after = facts_of(FailingScenario(fails={"scalper": ALWAYS}).run(66), "two")

    lines = compare_lines(compare_runs(before, after))

    assert f"Dead in two, not compared: scalper ({WRONG_KEY})." in lines
    with pytest.raises(UsageError, match="scalper is dead"):
        compare_runs(before, after, {"scalper": "scalper"})


@pytest.mark.parametrize("everyone", [False, True])
def test_a_report_with_dead_agents_verifies(tmp_path: Path, everyone: bool) -> None:
    """The written report matches the records, also if no entry is ranked."""
    names = [name for name, _, _ in Scenario().agents] if everyone else ["scalper"]
    scenario = FailingScenario(fails=dict.fromkeys(names, ALWAYS)).run(20)
    asyncio.run(_export(scenario, tmp_path / "records"))
    write_report(read_facts(tmp_path, ReportOptions()), tmp_path / "report")

    found = verify_report(tmp_path, tmp_path / "report")

    assert found.differences == ()
    assert len(json.loads((tmp_path / "report/figures.json").read_text())["dead"]) == len(names)


async def _export(scenario: Scenario, folder: Path) -> None:
    bus = MemoryBus()
    await bus.start()
    await bus.ensure_topics(topics.fixed_topics())
    for record in scenario.records:
        assert record.value is not None
        headers = tuple(record.headers.items())
        bus.cluster.append(record.topic, record.partition, record.key, record.value, headers)
    await export_topics(bus, folder, [t.name for t in topics.fixed_topics()])


def test_a_contest_without_snapshots_lists_the_dead_of_its_run() -> None:
    """Without a snapshot the list is the run record's; with one, it is from the records."""
    dead = (DeadAgent("gpt", WRONG_KEY, 0, code="auth", remedy="set the key"),)
    empty = leaderboard(SeasonBuilder().season(), resamples=RESAMPLES).evaluation
    played = board_of(Scenario().run(2)).evaluation

    found = with_dead_of_run(empty, dead)

    assert [(d.agent, d.cause, d.turns, d.code) for d in found.dead] == [
        ("gpt", WRONG_KEY, 0, "auth")
    ]
    assert found.verdict.endswith(f"1 dead agent is not ranked: gpt ({WRONG_KEY}).")
    assert with_dead_of_run(played, dead) == played
