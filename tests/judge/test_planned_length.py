"""A season knows from the records how long it was planned to be."""

import pytest

from arena.bus.base import Record
from arena.fold_checkpoint import FoldPositions
from arena.messages import Epoch, Rules
from judge.season import SeasonBuilder
from judge.season.assumptions import assumption_lines
from judge.season.checkpoint_format import SeasonPacker, read_head, restore
from tests.dashboard.executor_simulation import FEE_BPS
from tests.dashboard.scenario import Scenario


def build(records: list[Record]) -> SeasonBuilder:
    """The fold of records."""
    builder = SeasonBuilder()
    for record in records:
        builder.apply(record)
    return builder


def planned_in_turn(*plans: int | None) -> Scenario:
    """Executors that take over from each other, three snapshots each, with these plans."""
    scenario = Scenario(planned=plans[0]).run(3)
    for planned in plans[1:]:
        scenario.planned = planned
        scenario.claim(FEE_BPS)
        scenario.run(3)
    return scenario


@pytest.mark.parametrize("planned", [None, 6, 864])
def test_the_plan_of_the_executor_is_that_of_the_season(planned: int | None) -> None:
    """Of the whole season and of each part of it; an arena without an end has none."""
    builder = build(planned_in_turn(planned, planned).records)

    assert [planned] * 3 == [builder.season(upto).assumptions.planned for upto in (0, 4, None)]
    assert not any("planned length" in note for note in builder.season().assumptions.notes)


@pytest.mark.parametrize(
    ("plans", "words"),
    [
        ((864, 400), "changed midway from 864 snapshots to 400 snapshots from 20"),
        ((None, 400), "changed midway from no planned end to 400 snapshots from 20"),
        ((864, None, 864), "to no planned end from 20"),
    ],
)
def test_a_plan_that_changes_midway_is_named_and_changes_nothing(
    plans: tuple[int | None, ...], words: str
) -> None:
    """Who has seen results must not choose when the season ends: what it began with counts."""
    scenario = planned_in_turn(*plans)
    season = build(scenario.records).season()

    assert plans[0] == season.assumptions.planned
    (note,) = (note for note in season.assumptions.notes if "planned length" in note)
    assert words in note
    assert note.endswith("the looks of the judge follow the first plan.")
    assert "" == season.assumptions.rules_changed


def test_the_first_plan_outlives_a_restart_of_the_judge() -> None:
    """A kept season knows the plans that were stated before."""
    scenario = planned_in_turn(864, 400)
    middle = len(scenario.records) * 2 // 3
    packed = SeasonPacker().pack(build(scenario.records[:middle]), FoldPositions())
    assert packed is not None
    again, _ = restore(read_head(packed.head), [packed.segment])
    for record in scenario.records[middle:]:
        again.apply(record)

    whole = build(scenario.records).season().assumptions
    assert (864, whole.notes) == (
        again.season().assumptions.planned,
        again.season().assumptions.notes,
    )


def test_a_part_of_the_planned_length_says_so() -> None:
    """A reader sees beside the figures how much of the season they are of."""
    builder = build(planned_in_turn(6, 6).records)

    part = assumption_lines(builder.season(3).assumptions)
    whole = assumption_lines(builder.season().assumptions)
    assert part[1].startswith("4 of 6 planned snapshots every 60 s")
    assert whole[1].startswith("6 snapshots every 60 s")


def test_records_of_older_executors_are_read_and_written_as_they_were() -> None:
    """Rules without a plan have no such field on the wire, so their bytes stay the same."""
    events = [r.message() for r in Scenario().records if r.kind == "Epoch"]
    rules = next(e.rules for e in events if isinstance(e, Epoch))
    assert rules is not None

    assert b"planned" not in rules.model_dump_json().encode()
    assert rules == Rules.model_validate_json(rules.model_dump_json())
    assert (
        '"planned_snapshots":5'
        in rules.model_copy(update={"planned_snapshots": 5}).model_dump_json()
    )
