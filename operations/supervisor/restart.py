"""Decides whether a process that ended is started again, and when. Pure.

After a crash a process is restarted. The wait before it doubles with each crash in the window and
has jitter, so that processes that crashed together do not restart together. After too many crashes
in one window the process is given up.

An unreachable broker (exit code 3) is not a crash: the process is restarted every few seconds, so
that it runs soon after the broker is back, and is given up after half an hour. Waiting does not
install a missing package: a supervised process then ends with exit code 2.
"""

from dataclasses import dataclass
from typing import NamedTuple

from arena.errors import EXIT_DEPENDENCY, EXIT_USAGE


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """Limits and waits of restarts.

    Attributes:
        first_delay_s: Longest wait after the first crash.
        delay_s_max: Longest wait ever.
        crashes_max: Crashes in the window after which one more ends the process for good.
        window_s: Older crashes are forgotten.
        outage_delay_s: Longest wait after an exit because a dependency could not be reached.
        outage_s_max: An outage that lasts longer ends the process for good.
        outage_gap_s: After a longer run between two such exits, a new outage begins.
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
        crashes: Crashes in the window; 0 if it did not crash.
    """

    delay_s: float
    crashes: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Do not start it again, for this reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class Finished:
    """It ended with exit code 0: do not start it again."""


Decision = Restart | GiveUp | Finished


class Outage(NamedTuple):
    """Exits with code 3 in a row: monotonic times of the first and of the newest."""

    first_s: float
    last_s: float


class History(NamedTuple):
    """How a process ended in the last minutes.

    Attributes:
        crashes: Monotonic times of the crashes in the window, oldest first.
        outage: The newest outage; None before the first.
    """

    crashes: tuple[float, ...] = ()
    outage: Outage | None = None


def decide(
    history: History, exit_code: int, now_s: float, jitter: float, policy: RestartPolicy
) -> tuple[History, Decision]:
    """Decide what to do after a process ended without being asked to.

    Args:
        history: The earlier ends, as this function returned them.
        exit_code: Its exit code; negative for a signal.
        now_s: Monotonic seconds.
        jitter: In [0, 1): 0 is half of the longest wait, 1 all of it.
        policy: The limits.

    Returns:
        The history for the next call, and the decision.
    """
    if exit_code == 0:
        return history, Finished()
    if exit_code == EXIT_USAGE:
        return history, GiveUp("it refused its configuration (exit 2), see its log")
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
        reason = f"it could not reach something it needs for {minutes:.0f} min, see its log"
        return history, GiveUp(reason)
    return history, Restart(policy.outage_delay_s * (1 + jitter) / 2, 0)
