"""A fault waits for its target, and reports why it had no effect."""

import asyncio
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from operations.storm.fault_injector import NOT_RUNNING, PAUSE_AFTER_S, FaultInjector
from operations.storm.fault_plan import PlannedFault, StormPlan

SECONDS = 0.5


@dataclass
class Target:
    """A process that accepts signals until it has ended."""

    living: bool = True

    def signal(self, number: signal.Signals) -> bool:
        """Take a signal."""
        return self.living


class FakeProcesses:
    """One process, which can be found from the `first` query on."""

    def __init__(self, *, first: int, living: bool = True) -> None:
        """Set the number of the first query that finds it, and whether it accepts signals."""
        self.first, self.asked, self.target = first, 0, Target(living)

    def find(self, name: str) -> Target | None:
        """Return the process, if it is running by now."""
        self.asked += 1
        return self.target if self.asked >= self.first else None

    def kill(self, name: str) -> bool:
        """Kill it."""
        return self.target.living

    def given_up(self) -> list[str]:
        """Return no names."""
        return []


def storm(
    processes: FakeProcesses, *faults: PlannedFault, tmp_path: Path, since_decision_s: float = 0.0
) -> FaultInjector:
    """Run faults to their end."""
    plan = StormPlan(1, 1, False, SECONDS, faults)
    injector = FaultInjector(plan, cast(Any, processes), cast(Any, None), None, tmp_path)
    injector.since_decision_s = lambda: since_decision_s
    asyncio.run(asyncio.wait_for(injector.run(), 10))
    return injector


def test_fault_waits_for_its_target(tmp_path: Path) -> None:
    """A process that is being restarted is killed as soon as it runs."""
    injector = storm(FakeProcesses(first=2), PlannedFault(0.0, "kill", "judge"), tmp_path=tmp_path)

    assert {"judge": 1} == injector.kills
    assert not injector.not_injected


def test_fault_without_effect_is_reported(tmp_path: Path) -> None:
    """The report has its kind, target, time, and the reason."""
    gone = FakeProcesses(first=1, living=False)
    faults = [PlannedFault(0.1, "kill", "judge"), PlannedFault(0.1, "freeze", "judge", 1.0)]
    cut = PlannedFault(0.2, "link_cut", "judge", 1.0, "reset")
    injector = storm(gone, *faults, cut, tmp_path=tmp_path)

    assert not injector.kills.total() + injector.counts.total()
    assert {
        f"kill judge at 0 s: {NOT_RUNNING}",
        f"freeze judge at 0 s: {NOT_RUNNING}",
        "link_cut reset judge at 0 s: no link can be cut here",
    } == set(injector.not_injected)


def test_storm_pauses_while_no_order_is_decided(tmp_path: Path) -> None:
    """Its time stops then; faults that did not come in twice the time are reported."""
    kills = [PlannedFault(0.3, "kill", "judge")]
    slow = storm(FakeProcesses(first=1), *kills, tmp_path=tmp_path, since_decision_s=PAUSE_AFTER_S)

    assert {"judge": 1} == storm(FakeProcesses(first=1), *kills, tmp_path=tmp_path).kills
    assert not slow.kills
    assert ["kill judge at 0 s: the arena decided no orders for too long"] == slow.not_injected


@pytest.mark.parametrize("part", ["kill", "given_up"])
def test_failed_task_ends_the_storm(
    part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error in a fault, or in the restart of the supervisor, is not lost with its task."""

    def fail(*_: object) -> None:
        raise ArithmeticError("a fault of the storm")

    monkeypatch.setattr(FakeProcesses, part, fail)
    monkeypatch.setattr("operations.storm.fault_injector.GIVEN_UP_POLL_S", 0.01)

    with pytest.raises(ArithmeticError, match="a fault of the storm"):
        storm(FakeProcesses(first=1), PlannedFault(0.0, "kill", "judge"), tmp_path=tmp_path)
