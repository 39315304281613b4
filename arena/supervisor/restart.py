"""When a process ends: is it started again, and when. Pure.

A crash is answered by a restart after a wait that doubles with each crash in the window and is
spread by jitter, so that processes which died together don't return together. Too many crashes
in one window and the process is given up: it will not help itself.
"""

from dataclasses import dataclass

from arena.errors import EXIT_USAGE


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """How crashes are answered.

    Attributes:
        first_delay_s: Longest wait after the first crash.
        delay_s_max: Longest wait ever.
        crashes_max: The crash that comes after so many in the window is the last.
        window_s: Older crashes are forgotten.
    """

    first_delay_s: float = 0.5
    delay_s_max: float = 30.0
    crashes_max: int = 5
    window_s: float = 120.0


@dataclass(frozen=True, slots=True)
class Restart:
    """Start it again after `delay_s` seconds; `crashes` are those in the window."""

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

Crashes = tuple[float, ...]
"""Monotonic times of the crashes in the window, oldest first."""


def decide(
    crashes: Crashes, exit_code: int, now_s: float, jitter: float, policy: RestartPolicy
) -> tuple[Crashes, Decision]:
    """What follows from the end of a process that nobody asked to end.

    Args:
        crashes: The earlier ones, as this function returned them.
        exit_code: What it returned; negative for a signal.
        now_s: Monotonic seconds.
        jitter: In [0, 1): where in the upper half of the wait it falls.
        policy: The bounds.

    Returns:
        The crashes to hand in next time, and the decision.
    """
    if exit_code == 0:
        return crashes, Finished()
    if exit_code == EXIT_USAGE:
        return crashes, GiveUp("it refuses its configuration (exit 2), see its log")
    recent = (*(t for t in crashes if now_s - t < policy.window_s), now_s)
    if len(recent) > policy.crashes_max:
        return recent, GiveUp(f"{len(recent)} crashes in {policy.window_s:.0f} s, see its log")
    longest = min(policy.delay_s_max, policy.first_delay_s * 2 ** (len(recent) - 1))
    return recent, Restart(longest * (1 + jitter) / 2, len(recent))
