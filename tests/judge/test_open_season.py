"""A season without a planned end: who leaves it is apart, and the others are compared on."""

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
    """Three agents and two baselines, of which some have left after so many snapshots."""
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
        # A late joiner still decides where the compared part begins; one that left does not.
        ({"b": 180}, {"c": 40}, (40, 199), ["b"]),
        ({"b": 180}, {"b": 40}, (0, 199), ["b"]),
        # No agent plays any more: there is no comparison that could continue without them.
        ({"a": 180, "b": 180, "c": 180}, {}, (0, 180), []),
    ],
)
def test_who_left_is_apart_as_soon_as_it_has_left(
    left: dict[str, int], joined: dict[str, int], window: tuple[int, int], apart: list[str]
) -> None:
    """Those who play are compared up to the newest snapshot, whenever the other one left."""
    field = compared_field(season_with(left, joined), over=False)

    assert ComparedWindow(*window) == field.window
    assert apart == [one.agent for one in field.season.apart]
    assert {LEFT_EARLY} >= {one.code for one in field.season.apart}


def test_the_last_agent_is_not_alone_for_those_that_left() -> None:
    """Without anyone to compare it with, the part that all played is compared."""
    season = make_season(
        snapshots=SNAPSHOTS,
        entries=(entry("a", "a", "gpt"), replace(entry("b", "b", "gpt"), left=150)),
    )

    assert ComparedWindow(0, 150) == compared_field(season, over=False).window


@pytest.mark.parametrize(("planned", "over"), [(SNAPSHOTS, True), (400, False)])
def test_with_a_plan_who_left_late_is_compared(planned: int, over: bool) -> None:
    """A planned season compares the part in which all of them played."""
    field = compared_field(season_with({"b": 180 if over else 350}), planned=planned, over=over)

    assert () == field.season.apart


def test_the_end_of_an_open_season_moves_no_entrant() -> None:
    """The report of an arena that was stopped lists the same entrants as its live judge did."""
    season = season_with({"b": 180})
    live, ended = [compared_field(season, over=over) for over in (False, True)]

    assert ["b"] == [one.agent for one in live.season.apart]
    assert live.season.apart == ended.season.apart
    assert (ComparedWindow(0, SNAPSHOTS - 1), ComparedWindow(0, SNAPSHOTS)) == (
        live.window,
        ended.window,
    )


def test_the_verdict_names_who_left_and_continues() -> None:
    """The reason, the time and a remedy are said; the compared part is the whole season."""
    said = leaderboard(season_with({"b": 120}), resamples=200, horizon=OPEN).evaluation
    (gone,) = said.apart

    assert ("b", SNAPSHOTS - 1) == (gone.agent, said.compared)
    assert gone.cause == (
        "left after snapshot 120 of 200, 2026-11-21 10:59:00 UTC; the contest has no planned end, "
        "so it continues without this entrant"
    )
    assert gone.remedy == "start its router again, or judge it in the next contest"
    assert "1 agent is not comparable and not ranked: b (left after snapshot 120" in said.verdict
    assert "b" not in {row.agent for row in said.rows}
