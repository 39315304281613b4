"""A season whose rules changed says so, and its figures use the rules of the time."""

from decimal import Decimal

import numpy as np
import pytest

from arena.bus.base import Record
from arena.fold_checkpoint import FoldPositions
from judge.leaderboard import leaderboard
from judge.season import Season, SeasonBuilder
from judge.season.assumptions import assumption_lines
from judge.season.checkpoint_format import SeasonPacker, read_head, restore
from tests.dashboard.executor_simulation import FEE_BPS
from tests.dashboard.scenario import Scenario

RESAMPLES = 199
CHANGED_AT = 20
CHANGED = "the rules changed midway: taker fee 60 bps from "


def build(records: list[Record]) -> SeasonBuilder:
    """The fold of records."""
    builder = SeasonBuilder()
    for record in records:
        builder.apply(record)
    return builder


@pytest.fixture(scope="module")
def changed() -> Scenario:
    """Forty snapshots; from the twentieth on an executor with another fee decides."""
    scenario = Scenario().run(CHANGED_AT)
    scenario.claim(Decimal("12.5"))
    return scenario.run(CHANGED_AT)


def hold_of(season: Season, count: int) -> list[float]:
    """The first values of the equal-weight market."""
    return [float(value) for value in season.hold[:count]]


def test_verdict_and_assumptions_say_that_the_rules_changed(changed: Scenario) -> None:
    """Both sets are named with their times; the equal-weight market pays the first fee."""
    season = build(changed.records).season()
    before = build(Scenario().run(CHANGED_AT).records).season()
    verdict = leaderboard(season, resamples=RESAMPLES).evaluation.verdict
    known = season.assumptions

    assert known.rules_changed.startswith(CHANGED)
    assert "; taker fee 12.5 bps from " in known.rules_changed
    assert known.rules_changed[1:] in verdict
    assert FEE_BPS == known.fee_bps
    assert any(
        "the equal-weight market pays what was charged first" in line
        for line in assumption_lines(known)
    )
    assert np.allclose(hold_of(before, CHANGED_AT), hold_of(season, CHANGED_AT))


def test_a_part_before_the_change_does_not_know_of_it(changed: Scenario) -> None:
    """The season up to a snapshot is the one that ended there."""
    builder = build(changed.records)

    assert "" == builder.season(CHANGED_AT - 2).assumptions.rules_changed
    assert builder.season(2 * CHANGED_AT - 1).assumptions.rules_changed


@pytest.mark.parametrize("fee", ["60", "60.0"])
def test_a_restart_with_the_same_rules_is_no_change(fee: str) -> None:
    """Every claim states the rules; only different ones are told."""
    scenario = Scenario().run(3)
    scenario.claim(Decimal(fee))
    scenario.run(3)

    assert "" == build(scenario.records).season().assumptions.rules_changed


def test_a_claim_without_an_order_changes_nothing() -> None:
    """An executor that decided nothing under its rules charged nobody."""
    scenario = Scenario().run(3)
    scenario.claim(Decimal(1))
    scenario.claim(FEE_BPS)
    scenario.run(3)

    assert "" == build(scenario.records).season().assumptions.rules_changed


def test_what_changed_outlives_a_restart_of_the_judge(changed: Scenario) -> None:
    """A kept season knows the rules that were used, and those in force."""
    middle = len(changed.records) * 2 // 3
    builder = build(changed.records[:middle])
    packed = SeasonPacker().pack(builder, FoldPositions())
    assert packed is not None
    again, _ = restore(read_head(packed.head), [packed.segment])
    for record in changed.records[middle:]:
        again.apply(record)

    whole = build(changed.records).season().assumptions
    assert whole.rules_changed == again.season().assumptions.rules_changed
