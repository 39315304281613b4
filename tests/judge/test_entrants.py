"""Which entries are compared, as which entrants, and on which part of the season."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from arena.agent_health import DeadAgent
from arena.messages import DeadEntry
from judge.entrants import (
    JOINED_LATE,
    LEFT_EARLY,
    ComparedWindow,
    compared_field,
    entrant_returns,
    entrants_of,
    played_window,
    with_entries,
)
from judge.leaderboard import leaderboard
from judge.leaderboard_text import render_leaderboard
from judge.season import Entry, Season
from judge.season.absences import absences, left_index
from judge.season.dead_entries import unranked_entry
from judge.season.market_fold import SnapshotQuotes
from tests.dashboard.scenario import Scenario
from tests.judge.seasons import BASELINES, MATRIX, START, entry, fold_records, make_season

SNAPSHOTS = 200
NAMES = ("a", "b", "c", "d")
POINT = SnapshotQuotes(0, 0, "", START, START, {})
DECISION = make_season(snapshots=1).decisions[0][0]


def season_with(
    played: Sequence[tuple[int, int | None]], snapshots: int = SNAPSHOTS, cadence: int = 1
) -> Season:
    """A season of agents a, b, ... that played from the first number to the second."""
    entries = tuple(
        replace(entry(name, name, "gpt"), joined=joined, left=left, cadence=cadence)
        for name, (joined, left) in zip(NAMES, played, strict=False)
    )
    return make_season(snapshots=snapshots, entries=entries)


def test_repeats_of_a_cell_are_one_entrant() -> None:
    """Twelve agents in six cells and three baselines are nine entrants; cells are named by stem."""
    found = entrants_of(MATRIX + BASELINES)

    assert [(e.name, e.places) for e in found[:2]] == [
        ("brainrot-large", (0, 1)),
        ("brainrot-small", (2, 3)),
    ]
    assert 9 == len(found)
    assert ["buy_and_hold", "cash", "random"] == [e.name for e in found[6:]]
    assert {None} == {e.seed for e in found}


REPEAT = replace(entry("x-1", "momentum", "gpt", seed=1), setup="full")


@pytest.mark.parametrize(
    ("other", "names"),
    [
        (replace(REPEAT, name="x-2", seed=2), ["x"]),
        (replace(REPEAT, name="y-2", seed=2), ["momentum x gpt"]),
        (replace(REPEAT, name="x-12", seed=12), ["x"]),
        (replace(REPEAT, name="x-2", seed=1), ["x-1", "x-2"]),
        (replace(REPEAT, name="x-2", seed=None), ["x-1", "x-2"]),
        (replace(REPEAT, name="x-2", seed=2, model="other"), ["x-1", "x-2"]),
        (replace(REPEAT, name="x-2", seed=2, node="other"), ["x-1", "x-2"]),
        (replace(REPEAT, name="x-2", seed=2, strategy="other"), ["x-1", "x-2"]),
        (replace(REPEAT, name="x-2", seed=2, setup="tiny"), ["x-1", "x-2"]),
        (replace(REPEAT, name="x-2", seed=2, setup=""), ["x"]),
        (replace(REPEAT, name="x-2", seed=2, kind="baseline"), ["x-1", "x-2"]),
    ],
)
def test_only_another_seed_makes_a_repeat(other: Entry, names: list[str]) -> None:
    """An agent that differs in anything else, or has no seed, is its own entrant."""
    assert names == [one.name for one in entrants_of((REPEAT, other))]


def test_cell_names_are_unique() -> None:
    """An agent named like a stem keeps its name; a second cell with that stem is renamed."""
    repeats = [replace(REPEAT, name=f"x-{k}", seed=k) for k in (1, 2)]
    others = [replace(e, name=f"y{e.name}", model="other") for e in repeats]
    mixed = [replace(e, name=f"{k}z", setup="s") for k, e in enumerate(repeats)]
    found = entrants_of((*repeats, replace(REPEAT, name="x", seed=None), *others, *mixed))

    names = [one.name for one in found]
    assert ["momentum x gpt", "x", "yx"] == names[:3]
    assert len(set(names)) == len(names) == 4


def gone(one: Entry, code: str = "auth") -> DeadEntry:
    """An entry that is listed without a rank."""
    return unranked_entry(DeadAgent(one.name, "401", 9, code, ""), one, ())


@pytest.mark.parametrize(
    ("other", "names"),
    [
        (gone(replace(REPEAT, name="x-2", seed=2)), ["x"]),
        (gone(replace(REPEAT, name="y-2", seed=2)), ["momentum x gpt"]),
        (gone(replace(REPEAT, name="x-2", seed=2, model="")), ["x"]),
        (gone(replace(REPEAT, name="x-2", seed=2), LEFT_EARLY), ["x"]),
        (gone(replace(REPEAT, name="x-2", seed=1)), ["x-1"]),
        (gone(replace(REPEAT, name="x-2", seed=None)), ["x-1"]),
        (gone(replace(REPEAT, name="x-2", seed=2, model="other")), ["x-1"]),
        (gone(replace(REPEAT, name="x-2", seed=2, strategy="other")), ["x-1"]),
        (gone(replace(REPEAT, name="x-2", seed=2, setup="tiny")), ["x-1"]),
        (gone(replace(REPEAT, name="x-2", seed=2, setup="")), ["x"]),
    ],
)
def test_a_cell_keeps_its_name_when_one_repeat_is_left(other: DeadEntry, names: list[str]) -> None:
    """Dead and absent entries count as repeats by the same rule as compared ones."""
    (found,) = entrants_of((REPEAT,), (other,))

    assert names == [found.name]
    assert found.is_cell == (found.gone == (other.agent,)) == (names != ["x-1"])
    assert (None if found.is_cell else 1) == found.seed


def test_a_dead_repeat_belongs_to_the_cell_of_its_stem() -> None:
    """Two cells differ only by their prompt, and the dead entry's is not on the roster."""
    cells = [replace(REPEAT, name=f"{n}-1", setup=n) for n in ("x", "y")]
    found = entrants_of(cells, (gone(replace(REPEAT, name="y-2", seed=2, setup="")),))

    assert [("x-1", ()), ("y", ("y-2",))] == [(one.name, one.gone) for one in found]


def test_missing_repeats_are_named_in_a_warning() -> None:
    """A cell with one repeat left keeps its row of repeats."""
    repeats = [replace(REPEAT, name=f"x-{k}", seed=k) for k in (1, 2, 3, 4)]
    season = make_season(snapshots=80, entries=(repeats[3], *BASELINES))
    season = replace(season, dead=tuple(gone(one) for one in repeats[:3]))
    board = leaderboard(season, resamples=199)
    (row,) = (row for row in board.rows if row.kind == "agent")

    assert ("x", ["x-4"]) == (row.agent, [one.agent for one in row.repeats])
    assert (
        "x is compared by 1 of its 4 repeats, without x-1, x-2 and x-3."
        == board.evaluation.warnings[0]
    )
    assert "x (1 repeat)" in render_leaderboard(board.evaluation)


def test_a_late_repeat_does_not_rename_the_first_agent() -> None:
    """The first agent keeps its name while it is compared alone."""
    late = replace(REPEAT, name="x-2", seed=2, joined=70)
    found = compared_field(make_season(snapshots=80, entries=(REPEAT, late, *BASELINES)))

    assert ("x-1", (JOINED_LATE,)) == (
        found.entrants[0].name,
        tuple(one.code for one in found.season.apart),
    )


def test_the_return_of_a_cell_is_the_mean_of_its_repeats() -> None:
    """Log returns are averaged, and a single entry keeps its own."""
    season = make_season(snapshots=80, entries=MATRIX[:4] + BASELINES[:1])
    field = compared_field(season)
    returns, found = season.log_returns(), entrant_returns(field)

    assert (80, 3) == found.shape
    assert np.array_equal(returns[:, :2].mean(axis=1), found[:, 0])
    assert np.array_equal(returns[:, 4], found[:, 2])


@pytest.mark.parametrize(
    ("played", "window", "apart"),
    [
        ([(0, None), (0, None)], (0, 200), {}),
        ([(0, None), (5, None)], (0, 200), {}),
        ([(0, None), (6, None)], (6, 200), {}),
        ([(0, None), (100, None)], (100, 200), {}),
        ([(0, None), (101, None)], (0, 200), {"b": JOINED_LATE}),
        ([(0, None), (0, 100)], (0, 100), {}),
        ([(0, None), (0, 99)], (0, 200), {"b": LEFT_EARLY}),
        ([(0, None), (200, None)], (0, 200), {"b": JOINED_LATE}),
        ([(0, None), (40, None), (0, 180)], (40, 180), {}),
        # Each could be compared with `a`, but they could not be compared with each other.
        ([(0, None), (70, None), (0, 130)], (70, 200), {"c": LEFT_EARLY}),
        ([(0, None), (60, None), (70, None), (0, 130)], (70, 200), {"d": LEFT_EARLY}),
        # The market existed before the contest, so no entry missed a part.
        ([(90, None), (90, None)], (90, 200), {}),
        ([(80, None), (90, None)], (90, 200), {}),
        # A short presence does not decide what is compared.
        ([(0, 20), (150, None), (150, None)], (150, 200), {"a": LEFT_EARLY}),
    ],
)
def test_the_compared_part_is_what_all_entrants_played(
    played: list[tuple[int, int | None]], window: tuple[int, int], apart: dict[str, str]
) -> None:
    """An entry that would remove more than half of it is not compared."""
    season = season_with(played)
    field = compared_field(season, planned=season.periods)

    assert ComparedWindow(*window) == field.window
    assert apart == {one.agent: one.code for one in field.season.apart}
    assert len(played) - len(apart) == len(field.season.entries) == field.season.equity.shape[1]


@pytest.mark.parametrize(("joined", "apart"), [(10, False), (40, False), (41, True)])
def test_an_entry_that_leaves_under_sixty_periods_is_not_compared(joined: int, apart: bool) -> None:
    """Half of a short season is not enough for a verdict: 60 periods are needed."""
    field = compared_field(season_with([(0, None), (joined, None)], snapshots=100))

    assert apart == bool(field.season.apart)


@pytest.mark.parametrize(
    ("joined", "cadence", "begin"), [(5, 1, 0), (6, 1, 6), (30, 15, 0), (31, 15, 31), (0, 1, 0)]
)
def test_a_normal_start_is_not_late(joined: int, cadence: int, begin: int) -> None:
    """Five snapshots, or two turns at the agent's own interval, are a normal start."""
    one = replace(entry("a", "a", "gpt"), joined=joined, cadence=cadence)

    assert ComparedWindow(begin, 200) == played_window(one, 200, 200)


@pytest.mark.parametrize(
    ("joined", "apart"), [(100, False), (432, False), (433, True), (500, True)]
)
def test_a_planned_season_judges_a_late_joiner_by_its_plan(joined: int, apart: bool) -> None:
    """Whether the late joiner is compared does not change during the season."""
    for snapshots in (joined + 1, joined + 70, 864):
        season = season_with([(0, None), (joined, None)], snapshots=snapshots)
        field = compared_field(season, planned=864, over=snapshots == 864)

        assert apart == bool(field.season.apart)


def test_the_last_row_counts_after_the_season() -> None:
    """In a running season the last row is the cost of the last orders, not a whole period."""
    season = season_with([(0, None), (0, None)])

    assert ComparedWindow(0, 199) == compared_field(season, planned=864, over=False).window
    assert ComparedWindow(0, 199) == compared_field(season, over=False).window
    assert ComparedWindow(0, 200) == compared_field(season, over=True).window


def test_causes_and_notes_say_when_and_how_much() -> None:
    """Entries that are not compared have a cause; late ones that are compared have a note."""
    season = season_with([(0, None), (150, None), (0, 60), (40, None)])
    field = compared_field(season, planned=season.periods)
    causes = {one.agent: one.cause for one in field.season.apart}

    assert causes["b"] == (
        "joined at snapshot 151 of 200, 2026-11-21 11:30:00 UTC:"
        " only 25 % of the season could be compared"
    )
    assert causes["c"].startswith("left at snapshot 60 of 200, 2026-11-21 09:59:00 UTC: only 10 %")
    assert field.notes == (
        "d joined at snapshot 41 of 200, 2026-11-21 09:40:00 UTC: compared are snapshots 41 to"
        " 200, in which every entrant played.",
    )
    assert all(one.remedy and one.recorded_turns for one in field.season.apart)


def test_a_late_repeat_is_removed_from_its_cell() -> None:
    """A cell is present while its repeats are; a repeat that is too late is listed by name."""
    repeats = [entry(f"x-{k}", "x", "gpt", seed=k) for k in (1, 2, 3)]
    late = [replace(repeats[0], joined=30), repeats[1], replace(repeats[2], joined=150)]
    field = compared_field(make_season(snapshots=200, entries=(*late, *BASELINES)))

    assert ["x-3"] == [one.agent for one in field.season.apart]
    assert ("x", (0, 1)) == (field.entrants[0].name, field.entrants[0].places)
    assert ComparedWindow(30, 200) == field.window


def test_a_season_without_some_entries_is_consistent() -> None:
    """Every array and every list lose the same entries."""
    season = make_season(snapshots=10)
    fewer = with_entries(season, [2, 13])

    assert [season.names[2], season.names[13]] == list(fewer.names)
    assert np.array_equal(season.equity[:, [2, 13]], fewer.equity)
    assert np.array_equal(season.exposure[:, [2, 13]], fewer.exposure)
    assert (season.fills[2], season.llm[13]) == (fewer.fills[0], fewer.llm[1])
    assert [2, 2, 2] == [len(fewer.rejections), len(fewer.decisions), len(fewer.cash[0])]


def test_joining_and_leaving_come_from_the_records() -> None:
    """An agent on the roster joins with its first decision and has left when it is absent."""
    scenario = Scenario(agents=(("early", "momentum", "agent"), ("gone", "momentum", "agent")))
    scenario.run(10)
    scenario.join("late", "scalper", "agent")
    scenario.agents = (("early", "momentum", "agent"), ("late", "scalper", "agent"))
    scenario.run(20)
    builder = fold_records(scenario.records)
    found = {e.name: (e.joined, e.left) for e in builder.season().entries}

    assert {"early": (0, None), "gone": (0, 10), "late": (10, None)} == found
    assert {"early", "gone"} == set(builder.season(9).names)
    assert {None} == {e.left for e in builder.season(13).entries}


def test_every_entry_is_compared_before_the_first_decision() -> None:
    """A season of a few snapshots without turns has all of its entries."""
    season = season_with([(1, None), (0, None)], snapshots=1)

    assert ((), ComparedWindow(0, 1)) == (
        compared_field(season).season.apart,
        compared_field(season).window,
    )


@pytest.mark.parametrize(
    ("gone", "away", "turn_ms"),
    [((20, 30), ((20, 30),), 0), ((20, 24), (), 0), ((20, 30), (), 12 * 60_000), ((20, 90), (), 0)],
)
def test_a_long_pause_has_a_note(
    gone: tuple[int, int], away: tuple[tuple[int, int], ...], turn_ms: float
) -> None:
    """A short pause, the time of a turn, and a pause without a return have none."""
    points = [replace(POINT, published_at=START + timedelta(minutes=n)) for n in range(60)]
    decisions = [
        replace(DECISION, index=n, total_ms=turn_ms if n == 19 else 900.0)
        for n in range(60)
        if not gone[0] <= n < gone[1]
    ]

    assert away == absences(decisions, 1, points)
    assert (20 if gone[1] > 60 else None) == left_index(decisions, 1, points)
    season = season_with([(0, None), (0, None)])
    one = replace(season.entries[0], away=away)
    notes = compared_field(replace(season, entries=(one, season.entries[1]))).notes
    assert bool(away) == any("a had no turn on snapshots 21 to 30" in note for note in notes)
