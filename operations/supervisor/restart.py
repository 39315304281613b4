"""When a process ends: is it started again, and when. Pure.

A crash is answered by a restart after a wait that doubles with each crash in the window and is
spread by jitter, so that processes which died together don't return together. Too many crashes
in one window and the process is given up: it will not help itself.

A broker that is out of reach (exit code 3) is not a crash: the process is started again every few
seconds, so that it is back soon after its link is, and given up only after half an hour. A package
that is not installed does not come by waiting: a supervised process then ends with exit code 2.
"""

from dataclasses import dataclass
from typing import NamedTuple

from arena.errors import EXIT_DEPENDENCY, EXIT_USAGE


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """How crashes are answered.

    Attributes:
        first_delay_s: Longest wait after the first crash.
        delay_s_max: Longest wait ever.
        crashes_max: The crash that comes after so many in the window is the last.
        window_s: Older crashes are forgotten.
        outage_delay_s: Longest wait after an end because something outside was out of reach.
        outage_s_max: An outage that lasts longer ends the process for good.
        outage_gap_s: A process that runs longer between two such ends has worked meanwhile.
    """

    first_delay_s: float = 0.5
    delay_s_max: float = 30.0
    crashes_max: int = 5
    window_s: float = 120.0
    outage_delay_s: float = 4.0
    outage_s_max: float = 1800.0
    outage_gap_s: float = 180.0


@dataclass(frozen=True, slots=True)
class Restart:
    """Start it again after `delay_s` seconds.

    Attributes:
        crashes: Those in the window; 0 if it was none.
    """

    delay_s: float
    crashes: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Leave it, and say why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Finished:
    """It has done its work."""


Decision = Restart | GiveUp | Finished


class Outage(NamedTuple):
    """Ends with exit code 3 in a row: monotonic times of the first and of the newest."""

    first_s: float
    last_s: float


class History(NamedTuple):
    """How a process ended in the last minutes.

    Attributes:
        crashes: Monotonic times of those in the window, oldest first.
        outage: The newest; None before the first.
    """

    crashes: tuple[float, ...] = ()
    outage: Outage | None = None


def decide(
    history: History, exit_code: int, now_s: float, jitter: float, policy: RestartPolicy
) -> tuple[History, Decision]:
    """What follows from the end of a process that nobody asked to end.

    Args:
        history: The earlier ends, as this function returned them.
        exit_code: What it returned; negative for a signal.
        now_s: Monotonic seconds.
        jitter: In [0, 1): where in the upper half of the wait it falls.
        policy: The bounds.

    Returns:
        The history to hand in next time, and the decision.
    """
    if exit_code == 0:
        return history, Finished()
    if exit_code == EXIT_USAGE:
        return history, GiveUp("it refuses its configuration (exit 2), see its log")
    if exit_code == EXIT_DEPENDENCY:
        return _wait(history, now_s, jitter, policy)
    recent = (*(t for t in history.crashes if now_s - t < policy.window_s), now_s)
    history = history._replace(crashes=recent)
    if len(recent) > policy.crashes_max:
        return history, GiveUp(f"{len(recent)} crashes in {policy.window_s:.0f} s, see its log")
    longest = min(policy.delay_s_max, policy.first_delay_s * 2 ** (len(recent) - 1))
    return history, Restart(longest * (1 + jitter) / 2, len(recent))


def _wait(
    history: History, now_s: float, jitter: float, policy: RestartPolicy
) -> tuple[History, Decision]:
    outage = history.outage
    is_same = outage is not None and now_s - outage.last_s <= policy.outage_gap_s
    first_s = outage.first_s if outage is not None and is_same else now_s
    history = history._replace(outage=Outage(first_s, now_s))
    if now_s - first_s > policy.outage_s_max:
        minutes = policy.outage_s_max / 60
        reason = f"something it needs was out of reach for {minutes:.0f} min, see its log"
        return history, GiveUp(reason)
    return history, Restart(policy.outage_delay_s * (1 + jitter) / 2, 0)
