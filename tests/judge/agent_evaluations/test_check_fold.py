"""The fold of the checks: first records count, it survives a checkpoint, it is bounded."""

from datetime import timedelta
from random import Random

import pytest

from arena import topics
from arena.bus.base import Record
from arena.fold_checkpoint import FoldPositions
from judge.evaluations import check_fold
from judge.evaluations.check_fold import TurnChecks, between
from judge.season import SeasonBuilder
from judge.season.checkpoint_format import SeasonPacker, read_head, restore
from tests.dashboard.scenario import Scenario
from tests.judge.agent_evaluations.made_turns import made_turn, recorded_turns


def folded(records: list[Record], checks: TurnChecks | None = None) -> TurnChecks:
    """The checks after some records."""
    found = checks or TurnChecks()
    builder = SeasonBuilder(take_turn=found.take)
    for record in records:
        builder.apply(record)
    return found


def rows_of(checks: TurnChecks) -> dict[str, list[object]]:
    """The rows of all agents."""
    return {agent: list(checks.of(agent)) for agent in sorted(checks.rows)}


def test_a_second_record_of_a_turn_changes_nothing() -> None:
    """Nor does the order of other topics' records."""
    scenario = Scenario().run(6)
    turns = [r for r in scenario.records if r.topic == topics.TURNS.name]
    others = [r for r in scenario.records if r.topic != topics.TURNS.name]
    Random(3).shuffle(others)
    once = folded(scenario.records)

    assert rows_of(once) == rows_of(folded([*others, *turns, *turns[-5:]]))
    assert {len(rows) for rows in rows_of(once).values()} == {6}


def test_a_checkpoint_continues_with_the_same_memory() -> None:
    """Churn and repeated calls look back over the restart."""
    turns = recorded_turns()
    for cut in (3, 9, 15):
        whole, first = TurnChecks(), TurnChecks()
        for turn in turns:
            whole.take(turn)
        for turn in turns[:cut]:
            first.take(turn)
        packed = SeasonPacker().pack(SeasonBuilder(), FoldPositions(), first)
        assert packed is not None
        _, _, again = restore(read_head(packed.head), [packed.segment])
        for turn in turns[cut:]:
            again.take(turn)
        assert rows_of(whole) == rows_of(again)
        assert (whole.first, whole.newest) == (again.first, again.newest)


def test_an_aborted_turn_says_nothing() -> None:
    """Its process ended; the turn that is run again counts."""
    checks = TurnChecks()
    checks.take(made_turn("", outcome="aborted"))
    assert checks.of("alfa") == []


def test_rows_are_kept_for_a_month_of_venue_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of the first turn is kept."""
    monkeypatch.setattr(check_fold, "FORGET_EVERY", 5)
    checks = TurnChecks()
    for day in range(100):
        checks.take(made_turn("Reasoning: waiting.", number=24 * 60 * day))
    rows = checks.of("alfa")
    newest = rows[-1].as_of

    assert checks.first["alfa"] == newest - timedelta(days=99)
    assert rows[0].as_of >= newest - timedelta(days=31 + 5)
    assert len(between(rows, newest - timedelta(days=30), newest)) == 31


def test_times_never_fall() -> None:
    """A turn on a snapshot that came late has the time of the turn before it."""
    checks = TurnChecks()
    for number in (5, 3, 9):
        checks.take(made_turn("Reasoning: waiting.", number=number))
    times = [row.as_of for row in checks.of("alfa")]
    assert times == sorted(times)
