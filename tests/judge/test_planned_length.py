"""The planned length of a season comes from its records."""

import pytest

from arena.fold_checkpoint import FoldPositions
from arena.messages import Epoch, Rules
from judge.evaluations.check_fold import TurnChecks
from judge.season.assumptions import assumption_lines
from judge.season.checkpoint_format import SeasonPacker, read_head, restore
from tests.dashboard.executor_simulation import FEE_BPS
from tests.dashboard.scenario import Scenario
from tests.judge.seasons import fold_records


def planned_in_turn(*plans: int | None) -> Scenario:
    """Executors that replace each other every three snapshots, with these plans."""
    scenario = Scenario(planned=plans[0]).run(3)
    for planned in plans[1:]:
        scenario.planned = planned
        scenario.claim(FEE_BPS)
        scenario.run(3)
    return scenario


@pytest.mark.parametrize("planned", [None, 6, 864])
def test_the_executors_plan_is_the_seasons(planned: int | None) -> None:
    """It is that of the season and of each part; an arena without an end has none."""
    builder = fold_records(planned_in_turn(planned, planned).records)

    assert [planned] * 3 == [builder.season(upto).assumptions.planned for upto in (0, 4, None)]
    assert not any("planned length" in note for note in builder.season().assumptions.notes)


@pytest.mark.parametrize(
    ("plans", "expected"),
    [
        ((864, 400), "changed midway from 864 snapshots to 400 snapshots from 20"),
        ((None, 400), "changed midway from no planned end to 400 snapshots from 20"),
        ((864, None, 864), "to no planned end from 20"),
    ],
)
def test_a_changed_plan_is_named_and_not_used(plans: tuple[int | None, ...], expected: str) -> None:
    """An operator who knows results must not choose the end: the first plan counts."""
    scenario = planned_in_turn(*plans)
    season = fold_records(scenario.records).season()

    assert plans[0] == season.assumptions.planned
    (note,) = (note for note in season.assumptions.notes if "planned length" in note)
    assert expected in note
    assert note.endswith("the looks of the judge follow the first plan.")
    assert "" == season.assumptions.rules_changed


def test_the_first_plan_survives_a_restart_of_the_judge() -> None:
    """A season from a checkpoint has the plans that were recorded before."""
    scenario = planned_in_turn(864, 400)
    middle = len(scenario.records) * 2 // 3
    packed = SeasonPacker().pack(
        fold_records(scenario.records[:middle]), FoldPositions(), TurnChecks()
    )
    assert packed is not None
    again, _, _ = restore(read_head(packed.head), [packed.segment])
    for record in scenario.records[middle:]:
        again.apply(record)

    whole = fold_records(scenario.records).season().assumptions
    assert (864, whole.notes) == (
        again.season().assumptions.planned,
        again.season().assumptions.notes,
    )


def test_a_part_of_the_plan_is_stated() -> None:
    """The text says how much of the planned season the figures are of."""
    builder = fold_records(planned_in_turn(6, 6).records)

    part = assumption_lines(builder.season(3).assumptions)
    whole = assumption_lines(builder.season().assumptions)
    assert part[1].startswith("4 of 6 planned snapshots every 60 s")
    assert whole[1].startswith("6 snapshots every 60 s")


def test_records_of_older_executors_keep_their_bytes() -> None:
    """Rules without a plan are written without that field."""
    events = [r.message() for r in Scenario().records if r.kind == "Epoch"]
    rules = next(e.rules for e in events if isinstance(e, Epoch))
    assert rules is not None

    assert b"planned" not in rules.model_dump_json().encode()
    assert rules == Rules.model_validate_json(rules.model_dump_json())
    assert (
        '"planned_snapshots":5'
        in rules.model_copy(update={"planned_snapshots": 5}).model_dump_json()
    )
