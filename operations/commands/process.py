"""`arena process list|start|stop|restart`: the processes that supervisors have started.

Reads `arena.heartbeats`; writes `arena.supervision`. A command names a process of one supervisor,
never a command line or an environment. It waits until the heartbeats of that supervisor say what
became of it.
"""

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated
from uuid import uuid4

import typer
from pydantic import JsonValue

from arena.command_sender import command_sender
from arena.errors import ArenaError, UsageError
from arena.messages import ProcessCommand
from arena.messages.ops import REASON_CHARS_MAX
from arena.node import run_async
from arena.options import AsJson, Prefix, Run, Servers
from arena.process_commands import (
    RunningSupervisor,
    effect_of,
    needs_yes,
    new_command,
    send_and_confirm,
    supervisor_of,
    supervisors_of,
)
from arena.run_lookup import ArenaLocation, find_arena
from arena.runs import find_run
from arena.settings import Settings
from arena.supervision import Action, SupervisedProcess
from arena.visible_text import one_line
from operations.commands.aligned_lines import aligned_lines
from operations.commands.supervisors import read_supervisors
from operations.supervisor.supervision_link import run_name

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

CONFIRM_TIMEOUT_S = 30.0
"""A process has 8 s to end, the ledger 15 s."""
HEADINGS = ("process", "kind", "state", "pid", "restarts", "since", "note")
NOTE_CHARS_MAX = 200

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="Process, as `arena process list` shows it.")
]
Host = Annotated[str | None, typer.Option("--host", help="Host of the supervisor. [any]")]
Reason = Annotated[str, typer.Option("--reason", help="Reason for the record.")]
Wait = Annotated[
    float,
    typer.Option(
        "--wait", min=0.0, max=3600.0, help="Seconds to wait for the supervisor to confirm."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Stop the executor without asking.")]


@dataclass(frozen=True, slots=True)
class Request:
    """What a user asks for.

    Attributes:
        action: What to do. process: The process to do it with.
        host: Host of the supervisor, run: its run; None for any.
        reason: Reason for the record.
        wait_s: Seconds to wait for a confirmation.
    """

    action: Action
    process: str
    host: str | None
    run: str | None
    reason: str
    wait_s: float


@app.command(name="list", epilog="Example: arena process list")
def list_processes(
    host: Host = None,
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
) -> None:
    """Show the processes of every supervisor: state, restarts, and who stopped them and why.

    Exit 1 if no supervisor runs.
    """
    with _arena(servers, prefix, run) as (location, run):
        run_async(lambda: _list(location, host, run, as_json=as_json))


@app.command(epilog='Example: arena process stop judge --reason "not needed tonight"')
def stop(
    name: Name,
    host: Host = None,
    reason: Reason = "",
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
    wait_s: Wait = CONFIRM_TIMEOUT_S,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Stop a process; it stays stopped until `arena process start`, or until its run ends.

    Exit 1 if the supervisor refuses, or does not confirm in time; 2 for an unknown process.
    """
    request = Request("stop", name, host, run, reason, wait_s)
    _send(request, servers, prefix, yes=yes, as_json=as_json)


@app.command(epilog="Example: arena process start judge")
def start(
    name: Name,
    host: Host = None,
    reason: Reason = "",
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
    wait_s: Wait = CONFIRM_TIMEOUT_S,
    as_json: AsJson = False,
) -> None:
    """Start a process that does not run, with the command line that its supervisor has planned.

    Exit 1 if the supervisor refuses, or does not confirm in time; 2 for an unknown process.
    """
    request = Request("start", name, host, run, reason, wait_s)
    _send(request, servers, prefix, yes=True, as_json=as_json)


@app.command(epilog='Example: arena process restart chat-node-rules --reason "new key"')
def restart(
    name: Name,
    host: Host = None,
    reason: Reason = "",
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
    wait_s: Wait = CONFIRM_TIMEOUT_S,
    as_json: AsJson = False,
) -> None:
    """Stop a process and start it again; its environment is the one its supervisor started with.

    Exit 1 if the supervisor refuses, or does not confirm in time; 2 for an unknown process.
    """
    request = Request("restart", name, host, run, reason, wait_s)
    _send(request, servers, prefix, yes=True, as_json=as_json)


@contextmanager
def _arena(
    servers: str | None, prefix: str | None, run: str | None
) -> Iterator[tuple[ArenaLocation, str | None]]:
    """The arena, and the name of the run that is asked for, which may be one of another host."""
    here = None
    if run is not None:
        try:
            here = find_run(Settings().home, run)
        except UsageError:
            here = None
    name = run if here is None else run_name(here[0].name)
    with find_arena(servers, prefix, run if here else None, start_broker=False) as location:
        yield location, name


def _send(
    request: Request, servers: str | None, prefix: str | None, *, yes: bool, as_json: bool
) -> None:
    if len(request.reason) > REASON_CHARS_MAX:
        raise UsageError(
            f"--reason has {len(request.reason):,} characters",
            remedy=f"give at most {REASON_CHARS_MAX}",
        )
    with _arena(servers, prefix, request.run) as (location, run):
        asked = replace(request, run=run)
        run_async(lambda: _command(location, asked, yes=yes, as_json=as_json))


async def _list(
    location: ArenaLocation, host: str | None, run: str | None, *, as_json: bool
) -> None:
    bus = location.bus("arena-process")
    await bus.start()
    try:
        found = supervisors_of(await read_supervisors(bus), host, run)
    finally:
        await bus.close()
    if as_json:
        print(json.dumps({"supervisors": [document_of(one) for one in found]}, indent=2))
    else:
        print("\n".join(process_lines(found)))


def document_of(supervisor: RunningSupervisor) -> dict[str, JsonValue]:
    """The JSON fields of a supervisor."""
    return {
        "host": supervisor.host,
        "node": supervisor.node,
        "age_s": round(supervisor.age_s, 1),
        **supervisor.report.model_dump(mode="json"),
    }


def process_lines(found: Sequence[RunningSupervisor]) -> list[str]:
    """The lines of `arena process list`: a table per supervisor."""
    lines = []
    for one in found:
        report = one.report
        pacing = ", lock-step" if report.lock_step else ""
        rows = [HEADINGS, *(_cells(process) for process in report.processes)]
        lines += [f"{one_line(one.text)}{pacing}:", *aligned_lines(rows, right={3, 4})]
        if report.left_out:
            lines.append(f"and {report.left_out} more processes, which are not reported")
    return lines


def _cells(process: SupervisedProcess) -> tuple[str, ...]:
    return (
        one_line(process.name),
        one_line(process.kind),
        process.state,
        "-" if process.pid is None else str(process.pid),
        str(process.restarts),
        f"{process.since.astimezone():%H:%M:%S}",
        one_line(process.note, NOTE_CHARS_MAX),
    )


async def _command(location: ArenaLocation, request: Request, *, yes: bool, as_json: bool) -> None:
    bus = location.bus("arena-process")
    await bus.start()
    try:
        fit = supervisors_of(await read_supervisors(bus), request.host, request.run)
        target = supervisor_of(fit, request.process)
        process = target.report.process(request.process)
        assert process is not None, "the supervisor was found by it"
        effect = effect_of(target, process, request.action)
        if needs_yes(process, request.action) and not yes:
            _ask(effect, as_json=as_json)
        began_s = asyncio.get_running_loop().time()
        outcome = await send_and_confirm(bus, target, _command_of(request, target), request.wait_s)
        took_s = asyncio.get_running_loop().time() - began_s
    finally:
        await bus.close()
    if as_json:
        document = {"host": target.host, "run": target.report.run, "confirmed_s": took_s}
        print(json.dumps(outcome.model_dump(mode="json") | document | {"effect": effect}))
    where = f"{request.process} of {one_line(target.text)}"
    if outcome.state != "done":
        raise ArenaError(f"{request.action} of {where}: {outcome.state}: {one_line(outcome.text)}")
    if not as_json:
        print(f"{request.action} of {where}: {one_line(outcome.text)}")
        if effect:
            print(effect)


def _ask(effect: str, *, as_json: bool) -> None:
    """Ask before the executor is stopped.

    Raises:
        UsageError: There is no terminal to ask on.
        ArenaError: The answer is no.
    """
    if as_json or not sys.stdin.isatty():
        raise UsageError(f"if the executor stops, {effect}", remedy="add --yes to stop it")
    print(f"If the executor stops, {effect}. `arena halt` refuses orders at once instead.")
    if not typer.confirm("Stop it?"):
        raise ArenaError("nothing was changed")


def _command_of(request: Request, target: RunningSupervisor) -> ProcessCommand:
    return new_command(
        target,
        request.process,
        request.action,
        reason=request.reason,
        by=command_sender(),
        command_id=str(uuid4()),
        at=datetime.now(UTC),
    )
