"""One started process: its group, its log file, and how it is ended.

A process runs in a session of its own, so Ctrl-C in the terminal reaches only the supervisor.
One in the foreground (the dashboard) shares the supervisor's terminal instead.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from arena.command_exit import SUPERVISED_VARIABLE

LOG_BYTES_MAX = 16_000_000
"""A log that is longer is moved to NAME.log.1, which replaces the one before."""


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """A process that can be started.

    Attributes:
        name: Of its log file; unique in a run.
        argv: The command line; never holds a secret.
        environ: Added to the supervisor's environment.
        without: Variables it must not see: keys of others.
        foreground: Owns the terminal; its end ends the run.
        ready_port: A loopback port it answers on once it is ready; 0 where it has none.
        stops_last: Told to stop after the others have ended: it reads what they wrote last.
    """

    name: str
    argv: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=dict)
    without: frozenset[str] = frozenset()
    foreground: bool = False
    ready_port: int = 0
    stops_last: bool = False


class Child:
    """A process that was started; `pid` is also its group unless it is in the foreground."""

    def __init__(self, spec: ProcessSpec, log_file: Path) -> None:
        """Start it, with its output appended to the log file."""
        self.spec = spec
        self._log_file = log_file
        environ = {k: v for k, v in os.environ.items() if k not in spec.without}
        environ |= {SUPERVISED_VARIABLE: "1", **spec.environ}
        with log_file.open("ab") as log:
            self._process = subprocess.Popen(
                spec.argv,
                env=environ,
                stdin=None if spec.foreground else subprocess.DEVNULL,
                stdout=None if spec.foreground else log,
                stderr=log,
                start_new_session=not spec.foreground,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def target(self) -> int:
        """What kill(2) is given: the negative group, or the pid of a foreground process."""
        return self.pid if self.spec.foreground else -self.pid

    def exit_code(self) -> int | None:
        """What it returned, negative for a signal; None while it runs.

        What it left behind in its group ends with it.
        """
        code = self._process.poll()
        if code is not None and not self.spec.foreground:
            self._signal(signal.SIGKILL)
        return code

    def terminate(self) -> None:
        """Ask its whole group to end."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End its whole group at once, and wait for it."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def rotate_log(self, bytes_max: int = LOG_BYTES_MAX) -> None:
        """Keep the log within its bound: copy it away and cut it.

        The process keeps its open file, which is in append mode, so it goes on at the start. A
        line written between copy and cut is lost; the process never waits for a reader. On a full
        disk the copy is given up: a log that is cut makes room.
        """
        with suppress(OSError):
            if self._log_file.stat().st_size <= bytes_max:
                return
            older = self._log_file.with_suffix(".log.1")
            try:
                shutil.copyfile(self._log_file, older)
            except OSError:
                older.unlink(missing_ok=True)
            os.truncate(self._log_file, 0)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(self.target, number)
