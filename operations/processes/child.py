"""One started process: its group, its log file, and how it is ended.

A process runs in a session of its own, so Ctrl-C in the terminal reaches only its parent. One in
the foreground (the dashboard) shares its parent's terminal instead. A process that is tied to its
parent is also known to an `OrphanReaper`, which ends it if the parent is killed.
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
from arena.processes import KILL_DEADLINE_S, TERM_DEADLINE_S

LOG_BYTES_MAX = 16_000_000
"""A longer log is moved to NAME.log.1, which replaces the one before."""


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """A process that can be started.

    Attributes:
        name: Name of its log file; unique in a run.
        argv: The command line; never holds a secret.
        kind: The kind in `arena.process_kinds`; "" for a process outside of a run.
        environ: Variables added to the parent's environment.
        without: Variables that are removed: keys of other processes.
        cwd: The working directory; None for the parent's.
        foreground: It owns the terminal; its end ends the run.
        ready_port: A loopback port it answers on once it is ready; 0 if it has none.
        stops_last: It is stopped after the others have ended, because it reads what they wrote.
    """

    name: str
    argv: tuple[str, ...]
    kind: str = field(default="", kw_only=True)
    environ: Mapping[str, str] = field(default_factory=dict)
    without: frozenset[str] = frozenset()
    cwd: Path | None = None
    foreground: bool = False
    ready_port: int = 0
    stops_last: bool = False


class ChildProcess:
    """A process that was started; `pid` is also its group unless it is in the foreground.

    Args:
        spec: What to start.
        log_file: Where its output goes.
        append: Keep what an earlier process wrote to the log file.
    """

    def __init__(self, spec: ProcessSpec, log_file: Path, *, append: bool = True) -> None:
        """Start the process."""
        self.spec = spec
        self._log_file = log_file
        self._has_ended = False
        environ = {k: v for k, v in os.environ.items() if k not in spec.without}
        environ |= {SUPERVISED_VARIABLE: "1", **spec.environ}
        if not append:
            log_file.unlink(missing_ok=True)
        with log_file.open("ab") as log:
            self._process = subprocess.Popen(
                spec.argv,
                cwd=spec.cwd,
                env=environ,
                stdin=None if spec.foreground else subprocess.DEVNULL,
                stdout=None if spec.foreground else log,
                stderr=log,
                start_new_session=not spec.foreground,
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def target(self) -> int:
        """The argument for kill(2): the negative group, or the pid of a foreground process."""
        return self.pid if self.spec.foreground else -self.pid

    def exit_code(self) -> int | None:
        """The exit code, negative for a signal; None while it runs.

        Whatever is left of its group then ends with it: once, because its pid may be used again.
        """
        code = self._process.poll()
        if code is not None and not self._has_ended:
            if not self.spec.foreground:
                self._signal(signal.SIGKILL)
            self._has_ended = True
        return code

    def terminate(self) -> None:
        """Send SIGTERM to the whole group."""
        self._signal(signal.SIGTERM)

    def stop(self, deadline_s: float = TERM_DEADLINE_S) -> None:
        """Send SIGTERM, wait, and send SIGKILL after the deadline."""
        if self._process.poll() is None:
            self.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(deadline_s)
        self.kill()

    def kill(self) -> None:
        """Send SIGKILL to the whole group, and wait until the kernel has freed its ports."""
        if self.exit_code() is None:
            self._signal(signal.SIGKILL)
            self._process.wait(KILL_DEADLINE_S)
            self._has_ended = True

    def rotate_log(self, bytes_max: int = LOG_BYTES_MAX) -> None:
        """Keep the log within its bound: copy it and truncate it.

        The process keeps its open file, which is in append mode, so it continues at the start. A
        line written between copy and truncation is lost; the process never waits for a reader. On
        a full disk there is no copy: truncating the log frees space.
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
        if self._has_ended:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.kill(self.target, number)
