"""Starts a set of processes, restarts those that end, and stops them all.

`tick` does what is due and returns at once; the caller calls it about ten times a second from its
own loop. Nothing here is asynchronous, so no step can be interrupted halfway.
"""

import random
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from arena.errors import ArenaError
from arena.runs import LOGS, ProcessRecord, ProcessState
from operations.processes.child import ChildProcess, ProcessSpec
from operations.processes.orphan_reaper import OrphanReaper
from operations.supervisor.restart import Finished, GiveUp, History, Restart, RestartPolicy, decide

TICK_S = 0.1
READY_DEADLINE_S = 30.0
STOP_DEADLINE_S = 8.0
STOP_LAST_DEADLINE_S = 15.0
"""A process that stops last has work to finish after SIGTERM."""
ROTATE_INTERVAL_S = 5.0
LOG_TAIL_LINES = 5
LOG_TAIL_BYTES = 4_000
LAST_LINE_CHARS_MAX = 300
LAST_LINE_LEAD = "; its last line: "


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened to a process.

    Attributes:
        name: The process. text: What happened, for the user.
    """

    name: str
    text: str


class _SupervisedProcess:
    """A process of the run and its state."""

    def __init__(self, spec: ProcessSpec, log_file: Path) -> None:
        self.spec = spec
        self.log_file = log_file
        self.child: ChildProcess | None = None
        self.state: ProcessState = "waiting"
        self.history = History()
        self.restart_at_s = 0.0
        self.starts = 0
        self.exit_code: int | None = None
        self.pid: int | None = None
        self.note = ""

    def record(self) -> ProcessRecord:
        return ProcessRecord(
            name=self.spec.name,
            command=self.spec.argv,
            log=str(self.log_file),
            pid=self.pid,
            state=self.state,
            restarts=max(0, self.starts - 1),
            exit_code=self.exit_code,
            note=self.note,
        )


class Supervisor:
    """The processes of one run.

    Args:
        specs: The processes in start order.
        directory: The directory of the run; logs go to `logs/NAME.log` in it.
        policy: Limits and waits of restarts.
        on_change: Called with each change to show to the user.
        clock: Returns monotonic seconds. jitter: Returns a number in [0, 1).
    """

    def __init__(
        self,
        specs: Sequence[ProcessSpec],
        directory: Path,
        *,
        policy: RestartPolicy | None = None,
        on_change: Callable[[Change], None] = lambda change: None,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Create the log directory; call `start` to start the processes."""
        logs = directory / LOGS
        logs.mkdir(parents=True, exist_ok=True)
        self._processes = [_SupervisedProcess(s, logs / f"{s.name}.log") for s in specs]
        self._policy = policy or RestartPolicy()
        self._on_change = on_change
        self._clock = clock
        self._jitter = jitter
        self._reaper: OrphanReaper | None = None
        self._rotated_at_s = clock()

    def start(self, stopped: Callable[[], bool] = lambda: False) -> None:
        """Start all in order; wait for a process with a port before starting the next.

        Args:
            stopped: Called during waits; if it returns True, the rest is not started.

        Raises:
            ArenaError: A process with a port did not become ready.
        """
        self._reaper = OrphanReaper()
        for process in self._processes:
            if stopped():
                return
            self._start(process)
            if process.spec.ready_port:
                self._wait_ready(process, stopped)

    def tick(self) -> None:
        """Handle exits, do due restarts, keep the logs within their limit."""
        now_s = self._clock()
        for process in self._processes:
            if process.child is not None:
                code = process.child.exit_code()
                if code is not None:
                    self._on_end(process, process.child, code, now_s)
            elif process.state == "restarting" and now_s >= process.restart_at_s:
                self._start(process)
        if now_s - self._rotated_at_s >= ROTATE_INTERVAL_S:
            self._rotated_at_s = now_s
            for process in self._processes:
                if process.child is not None:
                    process.child.rotate_log()

    def stop(
        self, deadline_s: float = STOP_DEADLINE_S, hurried: Callable[[], bool] = lambda: False
    ) -> None:
        """Send SIGTERM to all, wait, send SIGKILL to the rest; return when all have ended.

        Processes that stop last get SIGTERM when the others have ended, and have
        `STOP_LAST_DEADLINE_S`.

        Args:
            deadline_s: How long the others have.
            hurried: Called fifty times a second; True ends the wait at once.
        """
        running = [p for p in self._processes if p.child is not None]
        for process in self._processes:
            if process.state in ("waiting", "running", "restarting"):
                process.state = "stopped"
        self._end([p for p in running if not p.spec.stops_last], deadline_s, hurried)
        self._end([p for p in running if p.spec.stops_last], STOP_LAST_DEADLINE_S, hurried)
        if self._reaper is not None:
            self._reaper.close()
            self._reaper = None

    def _end(
        self, running: list[_SupervisedProcess], deadline_s: float, hurried: Callable[[], bool]
    ) -> None:
        """Send SIGTERM, wait, send SIGKILL."""
        for process in running:
            assert process.child is not None
            process.child.terminate()
        end_s = time.monotonic() + deadline_s
        while running and time.monotonic() < end_s and not hurried():
            running = [p for p in running if not self._has_ended(p)]
            time.sleep(TICK_S / 5)
        for process in running:
            assert process.child is not None
            process.child.kill()
            in_time = "at once" if hurried() else f"in {deadline_s:.0f} s"
            process.note = f"killed: it did not end {in_time}"
            self._on_change(Change(process.spec.name, process.note))
            self._has_ended(process)

    def records(self) -> tuple[ProcessRecord, ...]:
        """The state of every process, in start order."""
        return tuple(p.record() for p in self._processes)

    def log_tail(self, name: str) -> str:
        """Return the last lines of a process's log."""
        process = next(p for p in self._processes if p.spec.name == name)
        return _tail(process.log_file)

    def last_log_line(self, name: str) -> str:
        """Return the last line of a process's log, as a clause to append; "" if there is none."""
        return _last_line_clause(next(p for p in self._processes if p.spec.name == name).log_file)

    @property
    def foreground_ended(self) -> bool:
        """True if the process that owned the terminal has ended: the user quit it."""
        return any(p.spec.foreground and p.child is None and p.starts for p in self._processes)

    @property
    def all_ended(self) -> bool:
        """True if no process runs or will be restarted."""
        return all(p.state in ("finished", "given_up", "stopped") for p in self._processes)

    def _start(self, process: _SupervisedProcess) -> None:
        assert self._reaper is not None, "start was not called"
        process.child = ChildProcess(process.spec, process.log_file)
        self._reaper.add(process.child.target)
        process.pid = process.child.pid
        process.state = "running"
        process.starts += 1
        if process.starts > 1:
            self._on_change(Change(process.spec.name, f"started again (pid {process.pid})"))

    def _wait_ready(self, process: _SupervisedProcess, stopped: Callable[[], bool]) -> None:
        port = process.spec.ready_port
        end_s = time.monotonic() + READY_DEADLINE_S
        while not _answers(port):
            if stopped():
                return
            ended = process.child is None or process.child.exit_code() is not None
            if ended or time.monotonic() > end_s:
                why = "ended" if ended else f"is not ready after {READY_DEADLINE_S:.0f} s"
                raise ArenaError(
                    f"{process.spec.name} {why}: {_tail(process.log_file) or 'its log is empty'}",
                    remedy=f"read {process.log_file}",
                )
            time.sleep(TICK_S / 2)

    def _on_end(
        self, process: _SupervisedProcess, child: ChildProcess, code: int, now_s: float
    ) -> None:
        assert self._reaper is not None
        self._reaper.remove(child.target)
        process.child = None
        process.exit_code = code
        if process.spec.foreground:
            process.state = "finished"
            return
        process.history, decision = decide(
            process.history, code, now_s, self._jitter(), self._policy
        )
        match decision:
            case Finished():
                process.state = "finished"
                text = "has finished"
            case GiveUp(reason):
                process.state = "given_up"
                process.note = reason
                text = (
                    f"given up: {reason}: {process.log_file}{_last_line_clause(process.log_file)}"
                )
            case Restart(delay_s, crashes):
                process.state = "restarting"
                process.restart_at_s = now_s + delay_s
                count = f" (crash {crashes} of {self._policy.crashes_max} allowed)"
                text = (
                    f"ended with {_describe(code)}, starts again in {delay_s:.1f} s"
                    f"{count if crashes else ''}{_last_line_clause(process.log_file)}"
                )
        self._on_change(Change(process.spec.name, text))

    def _has_ended(self, process: _SupervisedProcess) -> bool:
        child = process.child
        if child is None:
            return True
        code = child.exit_code()
        if code is None:
            return False
        if self._reaper is not None:
            self._reaper.remove(child.target)
        process.exit_code = code
        process.child = None
        return True


def _describe(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code}"


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 0.5):
            return True
    except OSError:
        return False


def _last_line_clause(path: Path) -> str:
    """The line by which a process says why it ended; a JSON log line is left out."""
    line = _tail(path).rpartition("\n")[2]
    return (
        "" if not line or line.startswith("{") else f"{LAST_LINE_LEAD}{line[:LAST_LINE_CHARS_MAX]}"
    )


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - LOG_TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    return "\n".join(lines[-LOG_TAIL_LINES:])
