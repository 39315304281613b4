"""Finds a short plan of faults that still fails. Pure, but for the runs that its caller makes."""

from collections.abc import Callable

from operations.simulation.plan import Fault

RUNS_MAX = 80

Faults = tuple[Fault, ...]


def kind_of(reasons: tuple[str, ...]) -> str:
    """The kind of a failure: two runs with the same kind probably have the same cause."""
    return reasons[0].split(":", 1)[0] if reasons else ""


def shortest(faults: Faults, fails: Callable[[Faults], bool], runs_max: int = RUNS_MAX) -> Faults:
    """Drop faults as long as the run fails: first from the end, by halves, then one by one.

    Args:
        faults: A plan that fails.
        fails: Runs a plan.
        runs_max: Most runs.
    """
    runs = 0

    def still(plan: Faults) -> bool:
        nonlocal runs
        runs += 1
        return runs <= runs_max and fails(plan)

    size = len(faults)
    while size:
        size = (size + 1) // 2
        while len(faults) >= size and still(faults[:-size]):
            faults = faults[:-size]
        if size == 1:
            break
    for fault in reversed(faults):
        without = tuple(one for one in faults if one is not fault)
        if still(without):
            faults = without
    return faults
