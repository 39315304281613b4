"""What a supervisor reports in its heartbeats: its processes, and the commands it received. Pure.

A supervisor is `arena up`, `arena demo` or `arena compete run`. Its heartbeats have the kind
"supervisor", and the name of its run as their name.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, NamedTuple

from pydantic import Field, JsonValue, ValidationError

from arena.messages import Heartbeat, MessagePart, ProcessCommand, Utc
from arena.messages.ops import NAME
from arena.visible_text import one_line

SUPERVISOR = "supervisor"
"""Kind of a supervisor in its heartbeats, and its account of a secure broker."""
SUPERVISED = "supervised"
"""The detail of a supervisor's heartbeat with its report."""
EXECUTOR = "executor"
"""Kind of the process that decides orders."""
PROCESSES_MAX = 512
"""Most processes in a report; `left_out` counts the others."""
REPORT_BYTES_MAX = 500_000
"""Most bytes of a report: half of what a record may have."""
OUTCOMES_MAX = 16
"""Newest outcomes of commands in a report."""
TEXT_CHARS_MAX = 400
COMMAND_AGE_S_MAX = 60.0
"""An older command is not obeyed: it was not meant for what runs now."""

Action = Literal["start", "stop", "restart"]
SupervisedState = Literal["waiting", "running", "restarting", "finished", "failed", "stopped"]
OutcomeState = Literal["pending", "done", "refused", "failed", "replaced"]


class CommandOutcome(MessagePart):
    """What became of a command.

    Attributes:
        action: What was asked for. by: Who asked. reason: Why, in the sender's words.
        state: "pending" while a process is still ending; "done" if the process is as was asked
            for; "refused" if nothing was done; "failed" if it could not be started; "replaced" if
            a later command for the same process came before it was done.
        text: What happened, in words.
        at: When this was decided, by the supervisor's clock.
    """

    command_id: str
    process: str
    action: Action
    by: str
    reason: str
    state: OutcomeState
    text: str = Field(max_length=TEXT_CHARS_MAX)
    at: Utc


class SupervisedProcess(MessagePart):
    """A process that a supervisor started, or could start.

    Attributes:
        name: Unique in the run; a command names it.
        kind: The kind in `arena.process_kinds`.
        state: "stopped" after a command or at the end of the run; "failed" if it is not restarted.
        pid: Process id of the newest start; None before the first.
        since: When it got its state, or was started again, by the supervisor's clock.
        note: Why it failed or was killed; "" otherwise.
        commandable: False if no command can stop it, because it owns the terminal.
        command: The newest command that it obeyed; None before the first.
    """

    name: str = Field(pattern=NAME)
    kind: str
    state: SupervisedState
    pid: int | None = None
    restarts: int = 0
    since: Utc
    note: str = ""
    commandable: bool = True
    command: CommandOutcome | None = None

    @property
    def is_stopped_by_command(self) -> bool:
        """True if a command stopped it, and no later one started it."""
        stopped = self.command is not None and self.command.action == "stop"
        return stopped and self.state == "stopped"


class Supervised(MessagePart):
    """A supervisor's report.

    Attributes:
        run: Name of the run's folder.
        lock_step: True if the market waits for every agent.
        processes: In the order in which they are started.
        outcomes: Of the newest commands, oldest first, also of those that were refused.
        left_out: Number of processes that did not fit in the report.
    """

    run: str = Field(pattern=NAME)
    lock_step: bool = False
    processes: tuple[SupervisedProcess, ...] = Field(default=(), max_length=PROCESSES_MAX)
    outcomes: tuple[CommandOutcome, ...] = Field(default=(), max_length=OUTCOMES_MAX)
    left_out: int = 0

    def detail(self) -> JsonValue:
        """The report as JSON, for the detail of a heartbeat."""
        found: JsonValue = self.model_dump(mode="json", exclude_defaults=True)
        return found

    def fitted(self) -> "Supervised":
        """The report with as many of its first processes as a heartbeat can have."""
        report = self
        while len(report.model_dump_json().encode()) > REPORT_BYTES_MAX and report.processes:
            kept = report.processes[: len(report.processes) // 2]
            cut = len(report.processes) - len(kept)
            report = report.model_copy(
                update={"processes": kept, "left_out": report.left_out + cut}
            )
        return report

    def process(self, name: str) -> SupervisedProcess | None:
        """The process of a name; None if there is none."""
        return next((one for one in self.processes if one.name == name), None)

    def outcome(self, command_id: str) -> CommandOutcome | None:
        """The outcome of a command; None if it is not known, or not any more."""
        return next((one for one in self.outcomes if one.command_id == command_id), None)


class ProcessAddress(NamedTuple):
    """A process of a host, as heartbeats name it."""

    host: str
    pid: int


def outcome_of(
    command: ProcessCommand, state: OutcomeState, text: str, at: datetime
) -> CommandOutcome:
    """The outcome of a command, with its texts on one line each."""
    return CommandOutcome(
        command_id=command.command_id,
        process=command.process,
        action=command.action,
        by=one_line(command.by),
        reason=one_line(command.reason),
        state=state,
        text=one_line(text, TEXT_CHARS_MAX),
        at=at,
    )


def supervised_of(beat: Heartbeat) -> Supervised | None:
    """The report in a supervisor's heartbeat; None if it has none that can be read."""
    detail = beat.details.get(SUPERVISED)
    if beat.kind != SUPERVISOR or detail is None:
        return None
    try:
        return Supervised.model_validate(detail)
    except ValidationError:
        return None


def supervised_processes(beats: Iterable[Heartbeat]) -> dict[ProcessAddress, SupervisedProcess]:
    """The processes that supervisors have started, by where they run.

    Args:
        beats: The newest heartbeats of an arena.
    """
    found = {}
    for beat in beats:
        report = supervised_of(beat)
        for process in report.processes if report is not None else ():
            if process.pid is not None:
                found[ProcessAddress(beat.host, process.pid)] = process
    return found


def stopped_processes(beats: Iterable[Heartbeat]) -> dict[ProcessAddress, str]:
    """The processes that commands have stopped: why each does not run.

    Args:
        beats: The newest heartbeats of an arena.
    """
    return {
        address: stop_text(process)
        for address, process in supervised_processes(beats).items()
        if process.is_stopped_by_command
    }


def stop_text(process: SupervisedProcess) -> str:
    """Who stopped a process, and why: "stopped by cli/alpha: new key"."""
    command = process.command
    assert command is not None, "no command stopped it"
    return stopped_by(command)


def stopped_by(command: CommandOutcome | ProcessCommand) -> str:
    """Who stops a process, and why, on one line."""
    reason = one_line(command.reason)
    return f"stopped by {one_line(command.by)}{f': {reason}' if reason else ''}"


def effect_text(kind: str, action: Action, *, lock_step: bool) -> str:
    """What it means for the arena that a process stops, for people; "" if nothing is to be said.

    Args:
        kind: The kind of the process, as in `arena.process_kinds`.
        action: "stop" or "restart"; a start has no such text.
        lock_step: True if the market waits for every agent.
    """
    if action == "start":
        return ""
    text = (EFFECTS | LOCK_STEP_EFFECTS if lock_step else EFFECTS).get(kind, "")
    until = "until it is started" if action == "stop" else "until it runs again"
    return text.format(until=until)


EFFECTS = {
    "exchange": "the market has no prices {until}; its time continues where it stopped",
    "connector": "no snapshots are published {until}, so no agent decides",
    EXECUTOR: "unless another executor takes over, no order of any agent is decided {until}, and "
    "orders whose deadline passes meanwhile are refused",
    "tools": "calls of stateless tools wait {until}",
    "chat-node": "turns of its agents wait for the model {until}, and fail at their deadline",
    "router": "its agents skip every snapshot {until}; the interrupted turn is recorded as aborted",
    "ledger": "the books fall behind {until}, and catch up then",
    "judge": "no evaluations are published {until}",
    "web": "the page does not answer {until}",
    "alerts": "no alert is sent {until}; what holds then is sent then",
}
"""Kind -> what it means that its process stops."""
LOCK_STEP_EFFECTS = {
    "connector": "the contest pauses {until}, and continues at the same snapshot",
    EXECUTOR: "unless another executor takes over, no order of any agent is decided {until}, and "
    "the market waits for each turn until its deadline",
    "chat-node": "turns of its agents wait for the model {until}, and the market for them, at most "
    "until the deadline of each turn",
    "router": "the market waits for its agents {until}, for each snapshot at most until the "
    "deadline of a turn",
}
"""The same if the market waits for every agent."""
