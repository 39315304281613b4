"""The table of processes: what supervisors report, with each process's own heartbeats. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from arena.supervision import Action, effect_text
from dashboard.model.results import Health, ProcessHealth, SupervisedResult, SupervisorResult

STARTS = "Its supervisor starts it with the command line that it has planned."
STOPS: dict[Action, str] = {
    "stop": "It stays stopped until it is started again.",
    "restart": "It ends cleanly and starts again, with the same command line and environment.",
}
ACTIONS: tuple[Action, ...] = ("start", "restart", "stop")
OUTCOMES = {"pending": "asked", "replaced": "replaced by a later command"}


@dataclass(frozen=True, slots=True)
class CommandLink:
    """A command for a process.

    Attributes:
        action: What it does.
        title: The question: "Restart judge?".
        words: What it means for the arena.
        address: Its form; programs and scripts post to the same path below /api/v1.
    """

    action: str
    title: str
    words: str
    address: str


@dataclass(frozen=True, slots=True)
class ProcessLine:
    """A line of the table.

    Attributes:
        id: Unique on the page.
        state: The state in words.
        bad: True if a person must look at it.
        since: When it got its state; None if no supervisor reports it.
        restarts: Number of restarts; None if no supervisor reports it.
        age_s: Age of its heartbeat; None without heartbeats.
        lag: Unread records; None if it does not report them.
    """

    id: str
    name: str
    kind: str
    state: str
    bad: bool
    since: datetime | None
    restarts: int | None
    age_s: float | None
    lag: int | None
    dead_letters: int
    commands: tuple[CommandLink, ...] = ()


@dataclass(frozen=True, slots=True)
class ProcessTable:
    """The processes of a supervisor, or those of none.

    Attributes:
        title: Whose processes they are; "" if there is only one table.
        left_out: Number of processes that the supervisor did not report.
    """

    title: str
    lines: tuple[ProcessLine, ...]
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A command that a supervisor received; `state` is in words."""

    id: str
    at: datetime
    process: str
    action: str
    by: str
    reason: str
    state: str
    text: str
    bad: bool


def process_tables(health: Health) -> tuple[ProcessTable, ...]:
    """A table for each supervisor, and one for the processes that none has started."""
    rows = {row.node: row for row in health.processes}
    tables = [
        ProcessTable(
            title=f"Run {one.run} on {one.host}{', lock-step' if one.lock_step else ''}; "
            f"heartbeat of its supervisor {one.age_s:.1f} s ago",
            lines=tuple(_supervised(one, process, rows) for process in one.processes),
            left_out=one.left_out,
        )
        for one in health.supervisors
    ]
    known = {node for one in health.supervisors for p in one.processes for node in p.nodes}
    known |= {one.node for one in health.supervisors}
    others = tuple(_other(row) for row in health.processes if row.node not in known)
    if others:
        title = "Processes without a supervisor that runs" if tables else ""
        tables.append(ProcessTable(title, others))
    return tuple(tables)


def _supervised(
    supervisor: SupervisorResult, process: SupervisedResult, rows: Mapping[str, ProcessHealth]
) -> ProcessLine:
    own = [rows[node] for node in process.nodes if node in rows]
    state, bad = _state(process, own)
    return ProcessLine(
        id=f"p-{supervisor.host}-{supervisor.run}-{process.name}",
        name=process.name,
        kind=process.kind,
        state=state,
        bad=bad,
        since=process.since,
        restarts=process.restarts,
        age_s=max((row.age_s for row in own), default=None),
        lag=max((row.lag for row in own if row.lag is not None), default=None),
        dead_letters=sum(row.dead_letters for row in own),
        commands=command_links(supervisor, process),
    )


def _state(process: SupervisedResult, own: Sequence[ProcessHealth]) -> tuple[str, bool]:
    """The state in words, and whether it is a bad one."""
    if process.state == "running":
        statuses = [row.status for row in own]
        if "silent" in statuses:
            return "no heartbeat", True
        return next((one for one in statuses if one != "running"), "running"), False
    bad = process.state == "failed"
    if not process.note or process.note.startswith(process.state):
        return process.note or process.state, bad
    return f"{process.state}: {process.note}", bad


def _other(row: ProcessHealth) -> ProcessLine:
    silent = row.status == "silent"
    return ProcessLine(
        id=f"p-{row.node}",
        name=row.name,
        kind=row.kind,
        state="no heartbeat" if silent else row.stopped_by or row.status,
        bad=silent,
        since=None,
        restarts=None,
        age_s=row.age_s,
        lag=row.lag,
        dead_letters=row.dead_letters,
    )


def command_links(
    supervisor: SupervisorResult, process: SupervisedResult
) -> tuple[CommandLink, ...]:
    """The commands that would change a process."""
    return tuple(
        command_link(supervisor.host, supervisor.run, process.name, process.kind, action,
                     lock_step=supervisor.lock_step)
        for action in ACTIONS
        if action in process.commands
    )  # fmt: skip


def command_link(
    host: str, run: str, process: str, kind: str, action: Action, *, lock_step: bool
) -> CommandLink:
    """A command for a process.

    Args:
        host: Host of its supervisor.
        run: Run of its supervisor.
        process: Its name.
        kind: Its kind.
        action: What to do.
        lock_step: True if the market waits for every agent.
    """
    parts = (host, run, process, action)
    return CommandLink(
        action=action,
        title=f"{action.capitalize()} {process}?",
        words=effect_words(kind, action, lock_step=lock_step),
        address="/processes/" + "/".join(quote(part, safe="") for part in parts),
    )


def effect_words(kind: str, action: Action, *, lock_step: bool) -> str:
    """What a command does, and what it means for the arena, in sentences.

    Args:
        kind: The kind of the process.
        action: The command.
        lock_step: True if the market waits for every agent.
    """
    effect = effect_text(kind, action, lock_step=lock_step)
    does = STOPS.get(action, STARTS)
    return f"{does} Meanwhile: {effect}." if effect else does


def command_lines(health: Health) -> tuple[CommandLine, ...]:
    """The newest commands that supervisors received, newest first."""
    found = [
        CommandLine(
            id=f"command-{one.command_id}",
            at=one.at,
            process=one.process,
            action=one.action,
            by=one.by,
            reason=one.reason,
            state=OUTCOMES.get(one.state, one.state),
            text=one.text,
            bad=one.state in ("refused", "failed"),
        )
        for supervisor in health.supervisors
        for one in supervisor.outcomes
    ]
    return tuple(sorted(found, key=lambda one: one.at, reverse=True))
