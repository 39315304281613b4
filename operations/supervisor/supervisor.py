"""Starts a set of processes, restarts those that end, obeys commands, and stops them all.

`tick` does what is due and returns at once; the caller calls it about ten times a second from its
own loop. Nothing here is asynchronous, so no step can be interrupted halfway.
"""

import random
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from arena.errors import ArenaError
from arena.messages import ProcessCommand
from arena.runs import LOGS, ProcessRecord
from arena.supervision import (
    OUTCOMES_MAX,
    PROCESSES_MAX,
    CommandOutcome,
    OutcomeState,
    Supervised,
    outcome_of,
    stopped_by,
)
from arena.unknown_names import closest_first, listed
from arena.visible_text import one_line
from operations.processes.child import ChildProcess, ProcessSpec
from operations.processes.orphan_reaper import OrphanReaper
from operations.supervisor.command_steps import choose_step
from operations.supervisor.log_tail import last_line_clause, log_tail
from operations.supervisor.restart import Finished, GiveUp, History, Restart, RestartPolicy, decide
from operations.supervisor.supervised_child import Ending, SupervisedChild

TICK_S = 0.1
READY_DEADLINE_S = 30.0
STOP_DEADLINE_S = 8.0
STOP_LAST_DEADLINE_S = 15.0
"""A process that stops last has work to finish after SIGTERM."""
ROTATE_INTERVAL_S = 5.0


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened to a process.

    Attributes:
        name: The process. text: What happened, for the user.
    """

    name: str
    text: str


class Supervisor:
    """The processes of one run.

    Args:
        specs: The processes in start order.
        directory: The directory of the run; logs go to `logs/NAME.log` in it.
        policy: Limits and waits of restarts.
        on_change: Called with each change to show to the user.
        clock: Returns monotonic seconds. jitter: Returns a number in [0, 1).
        now: Returns the wall time, aware, UTC.
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
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Create the log directory; call `start` to start the processes."""
        logs = directory / LOGS
        logs.mkdir(parents=True, exist_ok=True)
        self._now = now
        self._processes = [SupervisedChild(s, logs / f"{s.name}.log", now()) for s in specs]
        self._by_name = {process.spec.name: process for process in self._processes}
        self._outcomes: deque[CommandOutcome] = deque(maxlen=OUTCOMES_MAX)
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
                self._check(process, process.child, now_s)
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
                process.enter("stopped", self._now())
            process.ending = None
        self._end([p for p in running if not p.spec.stops_last], deadline_s, hurried)
        self._end([p for p in running if p.spec.stops_last], STOP_LAST_DEADLINE_S, hurried)
        if self._reaper is not None:
            self._reaper.close()
            self._reaper = None

    def _end(
        self, running: list[SupervisedChild], deadline_s: float, hurried: Callable[[], bool]
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

    def obey(self, command: ProcessCommand) -> None:
        """Start to carry out a command; the outcome is in `report`, at once or after some ticks.

        A process that is stopped has the time of a usual stop before it is killed. It stays stopped
        until a command starts it. A start by a command forgets earlier crashes.
        """
        process = self._by_name.get(command.process)
        if process is None:
            names = listed(closest_first(command.process, self._by_name))
            self.refuse(command, f"this run has no process {command.process!r}; it has {names}")
            return
        if process.spec.foreground:
            self.refuse(command, "it owns the terminal, and its end would end the run")
            return
        ending = process.ending
        order = None if ending is None else ending.action
        step = choose_step(command.action, process.state, ending=order)
        if ending is not None:
            self._note_outcome(ending.command, "replaced", f"{command.by} sent a later command")
            process.ending = Ending(command, ending.kill_at_s, ending.begun_s, ending.was_killed)
            self._note_pending(process, command)
        elif step.step == "nothing":
            self._note_outcome(command, "done", step.text)
        elif step.step == "start":
            self._start_by_command(process, command)
        elif process.child is None:
            self._hold(process, command, "its restart was cancelled")
        else:
            now_s = self._clock()
            limit_s = STOP_LAST_DEADLINE_S if process.spec.stops_last else STOP_DEADLINE_S
            process.ending = Ending(command, now_s + limit_s, now_s)
            process.child.terminate()
            self._note_pending(process, command)

    def refuse(self, command: ProcessCommand, why: str) -> None:
        """Report that a command is not obeyed."""
        self._note_outcome(command, "refused", why)

    def report(self, run: str, *, lock_step: bool = False) -> Supervised:
        """What the supervisor's heartbeats say.

        Args:
            run: Name of the run.
            lock_step: True if the market waits for every agent.
        """
        return Supervised(
            run=run,
            lock_step=lock_step,
            processes=tuple(p.report() for p in self._processes[:PROCESSES_MAX]),
            outcomes=tuple(self._outcomes),
            left_out=max(0, len(self._processes) - PROCESSES_MAX),
        )

    def records(self) -> tuple[ProcessRecord, ...]:
        """The state of every process, in start order."""
        return tuple(p.record() for p in self._processes)

    def log_tail(self, name: str) -> str:
        """Return the last lines of a process's log."""
        process = next(p for p in self._processes if p.spec.name == name)
        return log_tail(process.log_file)

    def last_log_line(self, name: str) -> str:
        """Return the last line of a process's log, as a clause to append; "" if there is none."""
        return last_line_clause(next(p for p in self._processes if p.spec.name == name).log_file)

    @property
    def foreground_ended(self) -> bool:
        """True if the process that owned the terminal has ended: the user quit it."""
        return any(p.spec.foreground and p.child is None and p.starts for p in self._processes)

    @property
    def all_ended(self) -> bool:
        """True if no process runs or will be restarted, and none is stopped by a command."""
        ended = ("finished", "given_up", "stopped")
        return all(p.state in ended and not p.is_held for p in self._processes)

    def _start(self, process: SupervisedChild) -> None:
        assert self._reaper is not None, "start was not called"
        process.child = ChildProcess(process.spec, process.log_file)
        self._reaper.add(process.child.target)
        process.pid = process.child.pid
        process.is_held, process.note = False, ""
        process.enter("running", self._now())
        process.starts += 1
        if process.starts > 1:
            self._on_change(Change(process.spec.name, f"started again (pid {process.pid})"))

    def _start_by_command(self, process: SupervisedChild, command: ProcessCommand) -> None:
        process.history = History()
        try:
            self._start(process)
        except OSError as error:
            process.is_held, process.note = False, f"it could not be started: {error}"
            process.enter("given_up", self._now())
            self._note_outcome(command, "failed", process.note)
        else:
            self._note_outcome(command, "done", f"started, pid {process.pid}")

    def _hold(self, process: SupervisedChild, command: ProcessCommand, how: str) -> None:
        """Note that a process has stopped because of a command."""
        process.is_held, process.note = True, stopped_by(command)
        process.enter("stopped", self._now())
        self._note_outcome(command, "done", how)

    def _note_pending(self, process: SupervisedChild, command: ProcessCommand) -> None:
        self._note_outcome(command, "pending", f"pid {process.pid} has SIGTERM, and is ending")

    def _note_outcome(self, command: ProcessCommand, state: OutcomeState, text: str) -> None:
        """Report what became of a command; a process keeps the newest one that it obeyed."""
        outcome = outcome_of(command, state, text, self._now())
        earlier = [o for o in self._outcomes if o.command_id != command.command_id]
        self._outcomes = deque([*earlier, outcome], maxlen=OUTCOMES_MAX)
        process = self._by_name.get(command.process)
        if process is not None and state in ("done", "failed", "pending"):
            process.command = outcome
        why = f" ({outcome.reason})" if outcome.reason else ""
        self._on_change(
            Change(
                one_line(command.process),
                f"{command.action} from {outcome.by}{why}: {state}: {outcome.text}",
            )
        )

    def _wait_ready(self, process: SupervisedChild, stopped: Callable[[], bool]) -> None:
        port = process.spec.ready_port
        end_s = time.monotonic() + READY_DEADLINE_S
        while not _answers(port):
            if stopped():
                return
            ended = process.child is None or process.child.exit_code() is not None
            if ended or time.monotonic() > end_s:
                why = "ended" if ended else f"is not ready after {READY_DEADLINE_S:.0f} s"
                log = log_tail(process.log_file) or "its log is empty"
                raise ArenaError(
                    f"{process.spec.name} {why}: {log}",
                    remedy=f"read {process.log_file}",
                )
            time.sleep(TICK_S / 2)

    def _check(self, process: SupervisedChild, child: ChildProcess, now_s: float) -> None:
        """Handle the end of a process that runs, or is ending because of a command."""
        code, ending = child.exit_code(), process.ending
        if code is None and ending is not None and now_s >= ending.kill_at_s:
            child.kill()
            code, ending.was_killed = child.exit_code(), True
        if code is None:
            return
        if ending is None:
            self._on_end(process, child, code, now_s)
        else:
            self._on_ordered_end(process, ending, now_s)

    def _on_ordered_end(self, process: SupervisedChild, ending: Ending, now_s: float) -> None:
        assert self._has_ended(process)
        process.ending = None
        took = f"after {now_s - ending.begun_s:.1f} s"
        how = f"killed, because it did not end {took}" if ending.was_killed else f"ended {took}"
        if ending.action == "stop":
            self._hold(process, ending.command, how)
        else:
            self._on_change(Change(process.spec.name, how))
            self._start_by_command(process, ending.command)

    def _on_end(
        self, process: SupervisedChild, child: ChildProcess, code: int, now_s: float
    ) -> None:
        assert self._reaper is not None
        self._reaper.remove(child.target)
        process.child = None
        process.exit_code = code
        if process.spec.foreground:
            process.enter("finished", self._now())
            return
        process.history, decision = decide(
            process.history, code, now_s, self._jitter(), self._policy
        )
        match decision:
            case Finished():
                process.enter("finished", self._now())
                text = "has finished"
            case GiveUp(reason):
                process.enter("given_up", self._now())
                process.note = reason
                text = f"given up: {reason}: {process.log_file}{last_line_clause(process.log_file)}"
            case Restart(delay_s, crashes):
                process.enter("restarting", self._now())
                process.restart_at_s = now_s + delay_s
                count = f" (crash {crashes} of {self._policy.crashes_max} allowed)"
                text = (
                    f"ended with {_describe(code)}, starts again in {delay_s:.1f} s"
                    f"{count if crashes else ''}{last_line_clause(process.log_file)}"
                )
        self._on_change(Change(process.spec.name, text))

    def _has_ended(self, process: SupervisedChild) -> bool:
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
