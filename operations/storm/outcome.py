"""What a storm was, what really happened, and what was found."""

from collections import Counter
from dataclasses import dataclass, field

from operations.storm.fault_injector import FaultInjector
from operations.storm.fault_plan import StormPlan
from operations.storm.verdicts import Verdicts


@dataclass
class Outcome:
    """What a storm was and what was found.

    Attributes:
        faults: With what really happened. sent: what the driver and the poisoner sent.
        unsent: Poison and halts that did not come to pass, in words.
        still_s: The longest time without a decision, while there were faults.
        phases: Seconds that each part of the storm took.
        recovery_s: From the last fault until nothing was open; None if something stayed open.
        ends: How often processes ended by themselves. open_orders: undecided after the rest.
        without: What could not be had here, in words.
    """

    plan: StormPlan
    version: str
    seconds: float
    faults: FaultInjector
    sent: Counter[str]
    unsent: list[str]
    verdicts: Verdicts
    still_s: float
    recovery_s: float | None
    ends: Counter[str]
    open_orders: int
    phases: dict[str, float]
    without: list[str] = field(default_factory=list)
