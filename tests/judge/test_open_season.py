"""In a season without a planned end, absent entries are not compared and the others still are."""

from dataclasses import replace

import pytest

from judge.entrants import LEFT_EARLY, ComparedWindow, compared_field
from judge.leaderboard import leaderboard
from judge.season import Season
from judge.statistics.looks import Horizon
from tests.judge.seasons import BASELINES, entry, make_season

SNAPSHOTS = 200
NAMES = ("a", "b", "c")
OPEN = Horizon(None, over=False)


def season_with(left: dict[str, int], joined: dict[str, int] | None = None) -> Season:
    """Three agents and two baselines, some of which leave after a number of snapshots."""
    late = joined or {}
    entries = (*(entry(name, name, "gpt") for name in NAMES), *BASELINES[:2])
    return make_season(
        snapshots=SNAPSHOTS,
        entries=tuple(
            replace(e, left=left.get(e.name), joined=late.get(e.name, e.joined)) for e in entries
        ),
    )


@pytest.mark.parametrize(
    ("left", "joined", "window", "apart"),
    [
        ({"b": 180}, {}, (0, 199), ["b"]),
        ({"b": 120}, {}, (0, 199), ["b"]),
        ({"b": 20}, {}, (0, 199), ["b"]),
        ({"b": 180, "c": 150}, {}, (0, 199), ["b", "c"]),
        ({"cash": 180}, {}, (0, 199), ["cash"]),
        # A late joiner still decides the start of the compared part; an absent agent does not.
        ({"b": 180}, {"c": 40}, (40, 199), ["b"]),
        ({"b": 180}, {"b": 40}, (0, 199), ["b"]),
        # No agent plays any more, so no comparison can continue without them.
        ({"a": 180, "b": 180, "c": 180}, {}, (0, 180), []),
    ],
)
def test_an_absent_agent_is_not_compared(
    left: dict[str, int], joined: dict[str, int], window: tuple[int, int], apart: list[str]
) -> None:
    """The agents that play are compared up to the newest snapshot, whenever the other left."""
    field = compared_field(season_with(left, joined), over=False)

    assert ComparedWindow(*window) == field.window
    assert apart == [one.agent for one in field.season.apart]
    assert {LEFT_EARLY} >= {one.code for one in field.season.apart}


def test_a_single_remaining_agent_is_compared_with_absent_ones() -> None:
    """With no other agent left, the part that all played is compared."""
    season = make_season(
        snapshots=SNAPSHOTS,
        entries=(entry("a", "a", "gpt"), replace(entry("b", "b", "gpt"), left=150)),
    )

    assert ComparedWindow(0, 150) == compared_field(season, over=False).window


@pytest.mark.parametrize(("planned", "over"), [(SNAPSHOTS, True), (400, False)])
def test_a_planned_season_compares_an_agent_that_left_late(planned: int, over: bool) -> None:
    """A planned season compares the part that all of them played."""
    field = compared_field(season_with({"b": 180 if over else 350}), planned=planned, over=over)

    assert () == field.season.apart


def test_the_end_of_an_open_season_changes_no_entrant() -> None:
    """The report after a stop lists the same entrants as the live judge."""
    season = season_with({"b": 180})
    live, ended = [compared_field(season, over=over) for over in (False, True)]

    assert ["b"] == [one.agent for one in live.season.apart]
    assert live.season.apart == ended.season.apart
    assert (ComparedWindow(0, SNAPSHOTS - 1), ComparedWindow(0, SNAPSHOTS)) == (
        live.window,
        ended.window,
    )


def test_the_verdict_names_absent_agents() -> None:
    """It has the reason, the time and a remedy; the compared part is the whole season."""
    evaluation = leaderboard(season_with({"b": 120}), resamples=200, horizon=OPEN).evaluation
    (gone,) = evaluation.apart

    assert ("b", SNAPSHOTS - 1) == (gone.agent, evaluation.compared)
    assert gone.cause == (
        "left after snapshot 120 of 200, 2026-11-21 10:59:00 UTC; the contest has no planned end, "
        "so it continues without this entrant"
    )
    assert gone.remedy == "start its router again, or judge it in the next contest"
    assert (
        "1 agent is not comparable and not ranked: b (left after snapshot 120" in evaluation.verdict
    )
    assert "b" not in {row.agent for row in evaluation.rows}
