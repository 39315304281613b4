"""Parts of an evaluation besides its figures: warnings, method and design."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from arena.messages import Evaluation
from judge.leaderboard import leaderboard
from judge.leaderboard_text import render_leaderboard
from judge.season import Season
from tests.dashboard.scenario import Scenario
from tests.judge.seasons import BASELINES, entry, fold_records, make_season

CELL = tuple(
    replace(entry(f"momentum-gpt-{k}", "momentum", "gpt-x", seed=k), cutoff="2026-06")
    for k in (1, 2)
)
OTHER = replace(entry("scalper", "scalper", "gpt-x"), cutoff="2026-06")


def judged(season: Season) -> Evaluation:
    """The evaluation of a season."""
    return leaderboard(season, resamples=199).evaluation


def at(season: Season, first: datetime, *, simulated: bool, recorded: bool) -> Season:
    """The season with other dates and another kind of prices."""
    known = replace(
        season.assumptions,
        first=first,
        last=first.replace(day=28),
        simulated=simulated,
        recorded=recorded,
    )
    return replace(season, assumptions=known)


@pytest.mark.parametrize(
    ("month", "kind", "warned"),
    [
        (6, {"simulated": True, "recorded": True}, True),
        (6, {"simulated": False, "recorded": False}, True),
        (6, {"simulated": True, "recorded": False}, False),
        (7, {"simulated": True, "recorded": True}, False),
    ],
)
def test_a_model_that_may_know_the_prices_has_a_warning(
    month: int, kind: dict[str, bool], warned: bool
) -> None:
    """One warning for each model, only for real prices that are not after its cut-off."""
    season = make_season(snapshots=60, entries=(*CELL, OTHER, *BASELINES))
    found = judged(at(season, datetime(2026, month, 1, tzinfo=UTC), **kind))
    warnings = [one for one in found.warnings if "gpt-x was trained on data up to 2026-06" in one]

    assert int(warned) == len(warnings)
    assert {"2026-06", ""} == {row.cutoff for row in found.rows}
    labels = {row.agent: row.contaminated for row in found.rows if row.contaminated}
    entrants = {row.agent for row in found.rows if row.cutoff}
    assert labels == (dict.fromkeys(entrants, "contaminated") if warned else {})
    text = render_leaderboard(found)
    assert warned == ("may be memory" in text)
    assert warned == any(line.split()[:4:3] == ["rank", "data"] for line in text.splitlines())


def test_the_method_names_cells_and_the_adjustment() -> None:
    """The method says what was averaged and adjusted; the design says what repeats saved."""
    season = make_season(snapshots=80, entries=(*CELL, OTHER, *BASELINES))
    found = judged(season)
    single = judged(make_season(snapshots=80, entries=(CELL[0], OTHER, *BASELINES)))

    assert any(line.startswith("Repeats of a cell are one entrant") for line in found.method)
    assert not any("Repeats of a cell" in line for line in single.method)
    assert any("Adjusted difference" in line for line in found.method)
    assert found.design
    assert all(line.endswith(".") for line in (*found.design, *found.warnings))


def test_a_season_that_is_too_short_has_no_design() -> None:
    """Before a verdict there is no design text and no claim."""
    found = judged(make_season(snapshots=30, entries=(*CELL, OTHER, *BASELINES)))

    assert ((), (), ()) == (found.design, found.claims, found.detectables)
    assert (30, False) == (found.compared, found.interim)


def test_records_of_a_late_and_a_lost_agent_give_their_notes() -> None:
    """One agent joined at snapshot 31, one left after 80, one joined at 101."""
    everyone = Scenario().agents
    scenario = Scenario().run(30)
    scenario.join("late", "momentum", "agent")
    scenario.agents = (*everyone, ("late", "momentum", "agent"))
    scenario.run(50)
    scenario.agents = tuple(one for one in scenario.agents if one[0] != "brainrot")
    scenario.run(20)
    scenario.join("last", "momentum", "agent")
    scenario.agents = (*scenario.agents, ("last", "momentum", "agent"))
    scenario.run(20)
    builder = fold_records(scenario.records)
    found = judged(builder.season())

    assert {"last": "joined_late", "brainrot": "left_early"} == {
        one.agent: one.code for one in found.apart
    }
    assert (30, 90) == (found.compared_from, found.compared)
    assert any("late joined at snapshot 31 of 120" in one for one in found.warnings)
    assert "late" in {row.agent for row in found.rows}
    early = judged(builder.season(59))
    assert (["late"], 0, 60) == (
        [a.agent for a in early.apart],
        early.compared_from,
        early.compared,
    )
