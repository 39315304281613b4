"""Fault points: places in the code where a test can kill this process, as a power failure would.

`ARENA_FAULT="after_decide:0.01"` kills the process with SIGKILL with probability 0.01 each time it
reaches that point; `any` means every point. Unset, a point costs one comparison.
"""

import os
import random
import signal

from arena.errors import UsageError

VARIABLE = "ARENA_FAULT"
ANY = "any"
POINTS = (
    "after_read",
    "after_decide",
    "sent_not_acked",
    "acked_not_replied",
    "after_check",
    "acked_no_intent",
    "during_recovery",
    "after_epoch",
)
LEDGER_POINTS = ("rows_written", "before_commit", "after_commit")


def parse_fault(text: str) -> tuple[str, float] | None:
    """Parse the point and the probability in `ARENA_FAULT`; None if it is empty.

    Raises:
        UsageError: The point is unknown, or the probability is not a number from 0 to 1.
    """
    if not text:
        return None
    name, _, chance = text.partition(":")
    if name not in (*POINTS, *LEDGER_POINTS, ANY):
        known = ", ".join((*POINTS, *LEDGER_POINTS, ANY))
        raise UsageError(
            f"{VARIABLE}={text!r} does not name a fault point", remedy=f"one of {known}"
        )
    try:
        probability = float(chance)
    except ValueError:
        probability = -1.0
    if not 0 <= probability <= 1:
        raise UsageError(
            f"{VARIABLE}={text!r} lacks a probability", remedy="such as after_read:0.1"
        )
    return name, probability


_armed = parse_fault(os.environ.get(VARIABLE, ""))
_random = random.Random()


def fault_point(name: str) -> None:
    """Kill this process here if `ARENA_FAULT` says so."""
    if _armed is not None and _armed[0] in (name, ANY) and _random.random() < _armed[1]:
        os.kill(os.getpid(), signal.SIGKILL)
