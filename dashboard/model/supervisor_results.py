"""What supervisors report of their processes, as results. Pure."""

from collections import defaultdict
from collections.abc import Sequence

from arena.process_commands import RunningSupervisor
from arena.supervision import Action, CommandOutcome, SupervisedProcess, SupervisedState
from dashboard.model.processes import ProcessRow
from dashboard.model.results import CommandResult, SupervisedResult, SupervisorResult

ACTIONS: dict[SupervisedState, tuple[Action, ...]] = {
    "running": ("restart", "stop"),
    "waiting": ("start", "stop"),
    "restarting": ("start", "stop"),
    "finished": ("start",),
    "failed": ("start",),
    "stopped": ("start",),
}
"""State of a process -> the commands that change it."""


def supervisors(
    running: Sequence[RunningSupervisor], rows: Sequence[ProcessRow]
) -> tuple[SupervisorResult, ...]:
    """The supervisors with their processes.

    Args:
        running: The supervisors that run.
        rows: The processes with heartbeats.
    """
    nodes = defaultdict[tuple[str, str], list[str]](list)
    for row in rows:
        _, _, host, pid = row.node.rsplit("/", 3)
        nodes[host, pid].append(row.node)
    return tuple(
        SupervisorResult(
            node=one.node,
            host=one.host,
            run=one.report.run,
            lock_step=one.report.lock_step,
            age_s=round(one.age_s, 1),
            processes=tuple(
                _process(process, nodes[one.host, str(process.pid)])
                for process in one.report.processes
            ),
            outcomes=tuple(_command(outcome) for outcome in reversed(one.report.outcomes)),
            left_out=one.report.left_out,
        )
        for one in running
    )


def _process(process: SupervisedProcess, nodes: Sequence[str]) -> SupervisedResult:
    return SupervisedResult(
        name=process.name,
        kind=process.kind,
        state=process.state,
        pid=process.pid,
        since=process.since,
        restarts=process.restarts,
        note=process.note,
        commands=ACTIONS[process.state] if process.commandable else (),
        nodes=tuple(nodes),
    )


def _command(outcome: CommandOutcome) -> CommandResult:
    return CommandResult(
        command_id=outcome.command_id,
        process=outcome.process,
        action=outcome.action,
        by=outcome.by,
        reason=outcome.reason,
        state=outcome.state,
        text=outcome.text,
        at=outcome.at,
    )
