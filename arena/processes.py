"""Processes of this machine that are not our children: is it still that one, and ending it.

A process is known by its pid and the time it was started: a pid alone is used again.
"""

import signal
from contextlib import suppress

import psutil

TERM_DEADLINE_S = 15.0
KILL_DEADLINE_S = 10.0
SAME_START_S = 5.0


def started_at(pid: int) -> float | None:
    """When process `pid` was started, seconds since the epoch; None where there is none."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return float(process.create_time())
    except psutil.Error:
        return None


def is_same_process(pid: int, start_time_s: float) -> bool:
    """True when `pid` still is the process that was started then, and no later one."""
    found = started_at(pid)
    return found is not None and abs(found - start_time_s) < SAME_START_S


def kill_process(pid: int, start_time_s: float) -> None:
    """SIGKILL a process that is not our child, and wait until it is gone."""
    if is_same_process(pid, start_time_s):
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            process.kill()
            process.wait(KILL_DEADLINE_S)


def end_process(pid: int, start_time_s: float, *, deadline_s: float = TERM_DEADLINE_S) -> bool:
    """End a process that is not our child: SIGTERM, a deadline, SIGKILL.

    Returns:
        False where it was not running any more (nothing was signalled).
    """
    if not is_same_process(pid, start_time_s):
        return False
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(deadline_s)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(KILL_DEADLINE_S)
    return True
