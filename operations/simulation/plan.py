"""The faults of one run, drawn from its seed."""

from dataclasses import dataclass
from random import Random

KINDS = (
    "crash",
    "power",
    "freeze",
    "cut",
    "leader",
    "rebalance",
    "evict",
    "clock",
    "full",
    "rot",
    "halt",
)
COUNTS = (0, 3, 8, 16, 30)
STEPS_MAX = 40
STEP_S_MAX = 30.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes:
        at: Number of appends after which it comes.
        steps: Number of steps of the loop after these.
        kind: One of `KINDS`.
        target: Draws which process, partition or group it hits, from 0 to 1.
        seconds: How long it lasts; for "clock" by how much the clock is set.
        keeps: For "leader": the new leader has the records that were not committed.
    """

    at: int
    steps: int
    kind: str
    target: float
    seconds: float
    keeps: bool

    def __str__(self) -> str:
        """Words for people."""
        return (
            f"{self.kind} of {self.target:.3f} for {self.seconds:.2f} s"
            f" after {self.at} appends and {self.steps} steps"
        )


def skew_s_max(faults: tuple[Fault, ...]) -> float:
    """By how many seconds the hosts' clocks are wrong at the start."""
    return 0.0 if any(fault.kind == "halt" for fault in faults) else 2.0


def drawn_faults(random: Random, appends: int) -> tuple[Fault, ...]:
    """Draw the faults of a run, oldest first.

    Every run has some of the kinds only: a run that crashes all the time hides what one that only
    delays would show.

    Args:
        random: The source of the draws.
        appends: About how many records the run appends.
    """
    kinds = [kind for kind in KINDS if random.random() < 0.4] or ["crash"]
    if "halt" in kinds:  # The audit compares the times of halts and fills.
        kinds = [kind for kind in kinds if kind != "clock"]
    found = []
    for _ in range(random.choice(COUNTS)):
        kind = random.choice(kinds)
        found.append(
            Fault(
                at=random.randrange(appends),
                steps=random.randrange(STEPS_MAX) if random.random() < 0.7 else 0,
                kind=kind,
                target=random.random(),
                seconds=_seconds(kind, random),
                keeps=random.random() < 0.5,
            )
        )
    return tuple(sorted(found, key=lambda fault: (fault.at, fault.steps)))


def _seconds(kind: str, random: Random) -> float:
    share = random.random()
    if kind in ("crash", "power"):
        return random.choice((0.0, 0.5, 5.0, 20.0)) * share
    if kind in ("freeze", "cut"):
        return random.choice((0.5, 3.0, 14.0, 30.0)) * share
    if kind == "leader":
        return random.choice((0.05, 1.0, 4.0)) * share
    if kind == "clock":
        return (2.0 * share - 1.0) * STEP_S_MAX
    return 20.0 * share
