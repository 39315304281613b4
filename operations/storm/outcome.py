"""The outcome of a storm: its plan, the injected faults, and the results of the checks."""

from collections import Counter
from dataclasses import dataclass, field

from operations.storm.fault_injector import FaultInjector
from operations.storm.fault_plan import StormPlan
from operations.storm.verdicts import Verdicts


@dataclass
class Outcome:
    """The outcome of a storm.

    Attributes:
        faults: The faults that took effect. sent: Counts of the order and the poison sender.
        not_injected: Poison and halts that did not take effect, as text.
        verdicts: The results of the checks.
        decision_gap_s: The longest time without a decision during the faults.
        phases: Phase of the storm -> seconds.
        recovery_s: Seconds from the last fault until no order was open; None if some stayed open.
        ends: How often processes ended by themselves. open_orders: Undecided orders at the end.
        without: What this machine could not provide, as text.
    """

    plan: StormPlan
    version: str
    seconds: float
    faults: FaultInjector
    sent: Counter[str]
    not_injected: list[str]
    verdicts: Verdicts
    decision_gap_s: float
    recovery_s: float | None
    ends: Counter[str]
    open_orders: int
    phases: dict[str, float]
    without: list[str] = field(default_factory=list)
