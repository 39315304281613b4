"""A child process that outlives nobody by accident.

The broker runs in its own session, so Ctrl-C in the terminal reaches only its parent. While it
is tied to its parent, a lifeline holds it: a shell of its own that waits on a pipe and ends the
broker when the pipe closes, which the kernel does however the parent ends, SIGKILL included.
`arena broker start` cuts the lifeline once the broker is ready; then it is a daemon.
"""

import os
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from arena.processes import KILL_DEADLINE_S, TERM_DEADLINE_S

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
