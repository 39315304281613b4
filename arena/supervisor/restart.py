"""When a process ends: is it started again, and when. Pure.

A crash is answered by a restart after a wait that doubles with each crash in the window and is
spread by jitter, so that processes which died together don't return together. Too many crashes
in one window and the process is given up: it will not help itself.

A broker that is out of reach (exit code 3) is not a crash: the process is started again every few
seconds, so that it is back soon after its link is, and given up only after many minutes.
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
        outages_max: So many of those in the window of `outage_window_s` are answered.
    """

    first_delay_s: float = 0.5
    delay_s_max: float = 30.0
    crashes_max: int = 5
    window_s: float = 120.0
    outage_delay_s: float = 4.0
    outages_max: int = 60
    outage_window_s: float = 600.0


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


class History(NamedTuple):
    """How a process ended in the last minutes: monotonic times, oldest first.

    Attributes:
        crashes: Of those in the window. outages: likewise, of ends with exit code 3.
    """

    crashes: tuple[float, ...] = ()
    outages: tuple[float, ...] = ()


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
    recent = (*(t for t in history.outages if now_s - t < policy.outage_window_s), now_s)
    history = history._replace(outages=recent)
    if len(recent) > policy.outages_max:
        minutes = policy.outage_window_s / 60
        what = "something it needs was out of reach"
        return history, GiveUp(f"{what} {len(recent)} times in {minutes:.0f} min, see its log")
    return history, Restart(policy.outage_delay_s * (1 + jitter) / 2, 0)
