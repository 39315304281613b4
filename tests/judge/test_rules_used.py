"""A season whose rules changed names the change, and its figures use the rules of the time."""

from decimal import Decimal

import numpy as np
import pytest

from arena.fold_checkpoint import FoldPositions
from judge.evaluations.check_fold import TurnChecks
from judge.leaderboard import leaderboard
from judge.season import Season
from judge.season.assumptions import assumption_lines
from judge.season.checkpoint_format import SeasonPacker, read_head, restore
from tests.dashboard.executor_simulation import FEE_BPS
from tests.dashboard.scenario import Scenario
from tests.judge.seasons import fold_records

RESAMPLES = 199
CHANGED_AT = 20
CHANGED = "the rules changed midway: taker fee 60 bps from "


@pytest.fixture(scope="module")
def changed() -> Scenario:
    """Forty snapshots; from the twentieth on an executor with another fee decides."""
    scenario = Scenario().run(CHANGED_AT)
    scenario.claim(Decimal("12.5"))
    return scenario.run(CHANGED_AT)


def hold_of(season: Season, count: int) -> list[float]:
    """The first values of the equal-weight market."""
    return [float(value) for value in season.hold[:count]]


def test_verdict_and_assumptions_name_changed_rules(changed: Scenario) -> None:
    """Both sets are named with their times; the equal-weight market pays the first fee."""
    season = fold_records(changed.records).season()
    before = fold_records(Scenario().run(CHANGED_AT).records).season()
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


def test_a_part_before_the_change_has_one_set_of_rules(changed: Scenario) -> None:
    """The season up to a snapshot equals the season that ended there."""
    builder = fold_records(changed.records)

    assert "" == builder.season(CHANGED_AT - 2).assumptions.rules_changed
    assert builder.season(2 * CHANGED_AT - 1).assumptions.rules_changed


@pytest.mark.parametrize("fee", ["60", "60.0"])
def test_a_restart_with_the_same_rules_is_no_change(fee: str) -> None:
    """Every claim of the topic states the rules; only different rules are a change."""
    scenario = Scenario().run(3)
    scenario.claim(Decimal(fee))
    scenario.run(3)

    assert "" == fold_records(scenario.records).season().assumptions.rules_changed


def test_rules_without_an_order_are_not_used() -> None:
    """An executor that decided no order charged no fee under its rules."""
    scenario = Scenario().run(3)
    scenario.claim(Decimal(1))
    scenario.claim(FEE_BPS)
    scenario.run(3)

    assert "" == fold_records(scenario.records).season().assumptions.rules_changed


def test_changed_rules_survive_a_restart_of_the_judge(changed: Scenario) -> None:
    """A season from a checkpoint has the rules that were used and those in force."""
    middle = len(changed.records) * 2 // 3
    builder = fold_records(changed.records[:middle])
    packed = SeasonPacker().pack(builder, FoldPositions(), TurnChecks())
    assert packed is not None
    again, _, _ = restore(read_head(packed.head), [packed.segment])
    for record in changed.records[middle:]:
        again.apply(record)

    whole = fold_records(changed.records).season().assumptions
    assert whole.rules_changed == again.season().assumptions.rules_changed
