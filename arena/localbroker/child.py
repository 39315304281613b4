"""A child process that outlives nobody by accident.

The broker runs in its own session, so Ctrl-C in the terminal reaches only its parent. While it
is tied to its parent, a lifeline holds it: a shell of its own that waits on a pipe and ends the
broker when the pipe closes, which the kernel does however the parent ends, SIGKILL included.
`arena broker start` cuts the lifeline once the broker is ready; then it is a daemon.
"""

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

TERM_DEADLINE_S = 15.0
KILL_DEADLINE_S = 10.0
SAME_START_S = 5.0

# $1 is the process to end. `read` returns when every writer of the pipe is gone.
LIFELINE_SCRIPT = (
    'trap "" INT; read -r _; kill -TERM "$1" 2>/dev/null || exit 0; '
    'for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$1" 2>/dev/null || exit 0; sleep 1; done; '
    'kill -KILL "$1" 2>/dev/null'
)


class Child:
    """One started process, its log file and its lifeline."""

    def __init__(
        self,
        command: list[str],
        *,
        cwd: Path,
        console_log: Path,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Start `command` in its own session, both output streams into `console_log`."""
        with console_log.open("wb") as console:
            self._process = subprocess.Popen(
                command,
                cwd=cwd,
                env=None if environ is None else {**os.environ, **environ},
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._lifeline: subprocess.Popen[bytes] | None = None
        try:
            self._lifeline = subprocess.Popen(
                ["/bin/sh", "-c", LIFELINE_SCRIPT, "arena-lifeline", str(self.pid)],
                cwd="/",
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except BaseException:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """What it returned, negative for a signal; None while it runs."""
        return self._process.poll()

    def stop(self, deadline_s: float = TERM_DEADLINE_S) -> None:
        """SIGTERM, wait, and SIGKILL where that did not help."""
        if self._process.poll() is None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(deadline_s)
        self.kill()

    def kill(self) -> None:
        """SIGKILL, and wait until the kernel has let go of its ports and locks."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(KILL_DEADLINE_S)
        self.detach()

    def detach(self) -> None:
        """Cut the lifeline: from now on the process lives until somebody stops it."""
        lifeline, self._lifeline = self._lifeline, None
        if lifeline is not None:
            lifeline.kill()
            lifeline.wait(KILL_DEADLINE_S)
            if lifeline.stdin is not None:
                lifeline.stdin.close()


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
