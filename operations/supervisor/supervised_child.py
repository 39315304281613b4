"""A process of a run and its state, as the supervisor keeps it."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from arena.messages import ProcessCommand
from arena.runs import ProcessRecord, ProcessState
from arena.supervision import Action, CommandOutcome, SupervisedProcess, SupervisedState
from operations.processes.child import ChildProcess, ProcessSpec
from operations.supervisor.restart import History

REPORTED: dict[ProcessState, SupervisedState] = {
    "waiting": "waiting",
    "running": "running",
    "restarting": "restarting",
    "finished": "finished",
    "given_up": "failed",
    "stopped": "stopped",
}


@dataclass(slots=True)
class Ending:
    """A process that ends because of a command.

    Attributes:
        command: The newest command about it.
        kill_at_s: Monotonic time at which it is killed if it has not ended.
        begun_s: Monotonic time of the SIGTERM.
        was_killed: True once it was killed.
    """

    command: ProcessCommand
    kill_at_s: float
    begun_s: float
    was_killed: bool = False

    @property
    def action(self) -> Action:
        """What follows its end: "restart" if it is started again, else "stop"."""
        return "stop" if self.command.action == "stop" else "restart"


class SupervisedChild:
    """A process of the run and its state.

    Attributes:
        child: The running process; None if it does not run.
        history: Its crashes, for the decision to restart it.
        restart_at_s: Monotonic time of the next start in state "restarting".
        ending: Set while it ends because of a command.
        is_held: A command stopped it; only a command starts it again.
        since: When it got its state, or was started again; wall time.
        command: The newest command that it obeyed.
    """

    def __init__(self, spec: ProcessSpec, log_file: Path, now: datetime) -> None:
        """Take what to start, its log file, and the wall time."""
        self.spec = spec
        self.log_file = log_file
        self.child: ChildProcess | None = None
        self.history = History()
        self.restart_at_s = 0.0
        self.starts = 0
        self.exit_code: int | None = None
        self.pid: int | None = None
        self.note = ""
        self.ending: Ending | None = None
        self.is_held = False
        self.since = now
        self.command: CommandOutcome | None = None
        self._state: ProcessState = "waiting"

    @property
    def state(self) -> ProcessState:
        """Its state."""
        return self._state

    def enter(self, state: ProcessState, now: datetime) -> None:
        """Change its state at a wall time; "running" is entered by every start."""
        if state != self._state or state == "running":
            self.since = now
        self._state = state

    def record(self) -> ProcessRecord:
        """Its entry in the record of the run."""
        return ProcessRecord(
            name=self.spec.name,
            command=self.spec.argv,
            log=str(self.log_file),
            pid=self.pid,
            state=self.state,
            restarts=max(0, self.starts - 1),
            exit_code=self.exit_code,
            note=self.note,
            kind=self.spec.kind,
            since=self.since,
        )

    def report(self) -> SupervisedProcess:
        """Its entry in the supervisor's heartbeats."""
        return SupervisedProcess(
            name=self.spec.name,
            kind=self.spec.kind,
            state=REPORTED[self.state],
            pid=self.pid,
            restarts=max(0, self.starts - 1),
            since=self.since,
            note=self.note,
            commandable=not self.spec.foreground,
            command=self.command,
        )
