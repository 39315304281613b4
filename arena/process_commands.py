"""Commands to supervisors, for `arena process` and the page: which supervisor, and what it answers.

Writes `arena.supervision`; reads `arena.heartbeats`. Two supervisors may have processes of one
name: on two hosts, or in two runs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from arena import topics
from arena.bus.base import LATEST, Bus, LogReader
from arena.errors import ArenaError, UsageError
from arena.liveness import is_alive, parse_heartbeat
from arena.messages import Heartbeat, ProcessCommand
from arena.supervision import (
    COMMAND_AGE_S_MAX,
    EXECUTOR,
    Action,
    CommandOutcome,
    Supervised,
    SupervisedProcess,
    effect_text,
    supervised_of,
)
from arena.unknown_names import listed, unknown_name
from arena.visible_text import one_line

START_ONE = "start one with `arena up ARENA.toml`"
READ_S = 0.2


class NotConfirmed(ArenaError):
    """A command was sent, and its supervisor did not report an outcome in time."""


@dataclass(frozen=True, slots=True)
class RunningSupervisor:
    """A supervisor that runs.

    Attributes:
        node: Its node id.
        host: Its host.
        age_s: Age of the heartbeat with the report, by the broker's clock.
        report: What it supervises.
    """

    node: str
    host: str
    age_s: float
    report: Supervised

    @property
    def text(self) -> str:
        """Its run and host, for people."""
        return f"run {self.report.run} on {self.host}"


def running_supervisors(beats: Iterable[Heartbeat], now: datetime) -> list[RunningSupervisor]:
    """The supervisors among these newest heartbeats that run and receive commands.

    Args:
        beats: The newest heartbeat of each process, with the broker's times.
        now: Time by the broker's clock.
    """
    found = [
        RunningSupervisor(beat.node, beat.host, max(0.0, (now - beat.at).total_seconds()), report)
        for beat in beats
        if beat.status == "running"
        and is_alive(beat, now)
        and (report := supervised_of(beat)) is not None
    ]
    return sorted(found, key=lambda one: (one.host, one.report.run))


def supervisors_of(
    found: Sequence[RunningSupervisor], host: str | None, run: str | None
) -> list[RunningSupervisor]:
    """The supervisors of a host and of a run.

    Args:
        found: Those that run.
        host: Name of the host; None for every host.
        run: Name of the run, or the start of it; None for every run.

    Raises:
        ArenaError: No supervisor runs.
        UsageError: None of them fits.
    """
    if not found:
        raise ArenaError("no supervisor runs in this arena", remedy=START_ONE)
    fit = [one for one in found if host in (None, one.host)]
    if run is not None:
        fit = [one for one in fit if one.report.run == run] or [
            one for one in fit if one.report.run.startswith(run)
        ]
    if not fit:
        asked = " ".join(
            text for text in (run and f"of run {run!r}", host and f"on host {host!r}") if text
        )
        known = listed(one.text for one in found)
        raise UsageError(f"no supervisor {asked} runs", remedy=f"those that run: {known}")
    return fit


def supervisor_of(fit: Sequence[RunningSupervisor], process: str) -> RunningSupervisor:
    """The one supervisor that has a process.

    Args:
        fit: The supervisors that were asked for.
        process: Name of the process.

    Raises:
        UsageError: None has it, or several have it.
    """
    having = [one for one in fit if one.report.process(process) is not None]
    if not having:
        names = (p.name for one in fit for p in one.report.processes)
        raise unknown_name("process", process, names, plural="processes")
    if len(having) > 1:
        raise UsageError(
            f"{len(having)} supervisors have a process {process!r}: "
            f"{listed(one.text for one in having)}",
            remedy="choose one with --host or --run",
        )
    return having[0]


def effect_of(target: RunningSupervisor, process: SupervisedProcess, action: Action) -> str:
    """What a command means for the arena, for people; "" if nothing is to be said."""
    return effect_text(process.kind, action, lock_step=target.report.lock_step)


def needs_yes(process: SupervisedProcess, action: Action) -> bool:
    """True if a command must be confirmed before it is sent: it stops all orders."""
    return process.kind == EXECUTOR and action == "stop"


def new_command(
    target: RunningSupervisor,
    process: str,
    action: Action,
    *,
    reason: str,
    by: str,
    command_id: str,
    at: datetime,
) -> ProcessCommand:
    """A command to a supervisor.

    Args:
        target: The supervisor.
        process: Name of the process.
        action: What to do with it.
        reason: Reason for people.
        by: The sender, such as "cli/<host>".
        command_id: A new id.
        at: Time of this moment.
    """
    return ProcessCommand(
        command_id=command_id,
        host=target.host,
        run=target.report.run,
        process=process,
        action=action,
        reason=reason,
        by=by,
        issued_at=at,
    )


async def send_command(bus: Bus, target: RunningSupervisor, command: ProcessCommand) -> None:
    """Append a command, and return when the broker has it.

    Args:
        bus: Connected.
        target: The supervisor that the command is for.
        command: The command; it gets the time of this moment.
    """
    command = command.model_copy(update={"issued_at": bus.clock.now()})
    await bus.append(topics.SUPERVISION.name, command, key=target.host)


async def send_and_confirm(
    bus: Bus, target: RunningSupervisor, command: ProcessCommand, wait_s: float
) -> CommandOutcome:
    """Append a command and wait until its supervisor reports the final outcome.

    Args:
        bus: Connected.
        target: The supervisor that the command is for.
        command: The command; it gets the time of this moment.
        wait_s: Seconds to wait.

    Raises:
        NotConfirmed: The supervisor did not report it in time.
        ArenaError: It has ended.
    """
    beats = await bus.log_reader(topics.HEARTBEATS.name, start=LATEST)
    seen: list[CommandOutcome] = []
    try:
        await send_command(bus, target, command)
        async with bus.clock.timeout(wait_s):
            return await _outcome(beats, target.node, command.command_id, seen)
    except TimeoutError:
        so_far = seen[-1].text if seen else "its supervisor has not answered"
        raise NotConfirmed(
            f"the {command.action} of {command.process} was not confirmed within "
            f"{wait_s:g} s: {one_line(so_far)}",
            remedy=f"`arena process list` shows its state; a supervisor that reads the command "
            f"more than {COMMAND_AGE_S_MAX:.0f} s after it was sent does not obey it",
        ) from None
    finally:
        await beats.close()


async def _outcome(
    beats: LogReader, node: str, command_id: str, seen: list[CommandOutcome]
) -> CommandOutcome:
    """Read heartbeats until one has the final outcome; earlier ones are added to `seen`."""
    while True:
        for record in await beats.read(timeout_s=READ_S):
            beat = parse_heartbeat(record)
            if beat is None or beat.node != node:
                continue
            report = supervised_of(beat)
            outcome = None if report is None else report.outcome(command_id)
            if outcome is not None and outcome.state != "pending":
                return outcome
            if outcome is not None:
                seen.append(outcome)
            if beat.status == "stopping":
                raise ArenaError("its supervisor has ended, and with it all its processes")
