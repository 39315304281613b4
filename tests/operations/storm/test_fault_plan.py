"""The plan of a storm: the same for the same seed, with every kind of fault."""

from collections import Counter

import pytest

from operations.storm.fault_plan import (
    KIND_OF,
    LINK_CUT_VARIANTS,
    SUPERVISED,
    SUPERVISED_KILLS_MAX,
    SUPERVISED_WINDOW_S,
    SUPERVISOR,
    StormPlan,
    make_plan,
)

SEEDS = range(12)


@pytest.mark.parametrize("seed", SEEDS)
def test_seed_always_gives_the_same_plan(seed: int) -> None:
    """The same faults twice, sorted by time, all within the storm."""
    plan = make_plan(seed, 3)

    assert plan == make_plan(seed, 3)
    assert plan != make_plan(seed + 1, 3)
    times = [fault.at_s for fault in plan.faults]
    assert times == sorted(times)
    assert all(fault.at_s + fault.seconds <= plan.seconds for fault in plan.faults)


@pytest.mark.parametrize("seed", SEEDS)
def test_long_plan_has_every_kind_of_fault(seed: int) -> None:
    """Every process is killed, and every kind of fault is planned."""
    plan = make_plan(seed, 5, brokers=1)

    killed = {fault.target for fault in plan.faults if fault.kind == "kill"}
    assert set(KIND_OF) == killed
    kinds = {"kill", "freeze", "broker_kill", "link_cut", "full_disk", "clock_jump"}
    assert kinds == {fault.kind for fault in plan.faults}
    assert set(LINK_CUT_VARIANTS) == {
        fault.variant for fault in plan.faults if fault.kind == "link_cut"
    }
    assert len(plan.poison) > 100
    planned = plan.planned()
    assert len(plan.faults) == sum(planned[kind] for kind in kinds)
    assert planned["kill"] == sum(planned[f"kill {kind}"] for kind in set(KIND_OF.values()))


@pytest.mark.parametrize("seed", SEEDS)
def test_two_minutes_are_enough_to_kill_every_kind(seed: int) -> None:
    """A process that cannot be killed yet is killed first when it can be."""
    planned = make_plan(seed, 2).planned()

    assert all(planned[f"kill {kind}"] for kind in KIND_OF.values())


@pytest.mark.parametrize("seed", SEEDS)
def test_supervised_processes_are_not_killed_too_often(seed: int) -> None:
    """No process is killed so often that its supervisor gives it up."""
    killed: dict[str, list[float]] = {name: [] for name in SUPERVISED}
    for fault in make_plan(seed, 8).faults:
        if fault.kind != "kill":
            continue
        if fault.target == SUPERVISOR:
            killed = {name: [] for name in SUPERVISED}
        elif fault.target in killed:
            killed[fault.target].append(fault.at_s)
            recent = [t for t in killed[fault.target] if fault.at_s - t < SUPERVISED_WINDOW_S]
            assert len(recent) <= SUPERVISED_KILLS_MAX


@pytest.mark.parametrize("seed", SEEDS)
def test_frozen_process_is_not_killed(seed: int) -> None:
    """A frozen process is not killed before it continues."""
    faults = make_plan(seed, 8).faults
    kills = [fault for fault in faults if fault.kind == "kill"]
    for freeze in (fault for fault in faults if fault.kind == "freeze"):
        during = {
            kill.target
            for kill in kills
            if freeze.at_s <= kill.at_s <= freeze.at_s + freeze.seconds
        }
        ends = {freeze.target, SUPERVISOR} if freeze.target in SUPERVISED else {freeze.target}
        assert not ends & during


def test_seeds_draw_every_kind_of_brokers() -> None:
    """One or three, plain or secure, unless it is given."""
    drawn = Counter(make_plan(seed, 1).summary() for seed in range(40))
    pinned: StormPlan = make_plan(7, 1, brokers=3, secure=True)

    assert 4 == len(drawn)
    assert "3 brokers, secure" == pinned.summary()
    assert any(fault.kind == "leader_kill" for fault in make_plan(7, 2, brokers=3).faults)
