"""Checks and ends processes on this machine that are not our children.

A process is identified by its pid and start time, because pids are reused.
"""

import signal
from contextlib import suppress

import psutil

TERM_DEADLINE_S = 15.0
KILL_DEADLINE_S = 10.0
SAME_START_S = 5.0


def started_at(pid: int) -> float | None:
    """Start time of process `pid`, Unix seconds; None if it does not run."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return float(process.create_time())
    except psutil.Error:
        return None


def is_same_process(pid: int, start_time_s: float) -> bool:
    """True if `pid` is still the process that was started at that time."""
    found = started_at(pid)
    return found is not None and abs(found - start_time_s) < SAME_START_S


def kill_process(pid: int, start_time_s: float) -> None:
    """Send SIGKILL to a process that is not our child, and wait until it has ended."""
    if is_same_process(pid, start_time_s):
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            process.kill()
            process.wait(KILL_DEADLINE_S)


def end_process(pid: int, start_time_s: float, *, deadline_s: float = TERM_DEADLINE_S) -> bool:
    """End a process that is not our child: SIGTERM, then SIGKILL after a deadline.

    Returns:
        False if it was not running any more and was not signalled.
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
