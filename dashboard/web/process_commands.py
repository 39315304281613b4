"""Start, stop and restart of processes, by the rules and code of `arena process`.

Writes `arena.supervision`; the supervisor's heartbeats say what became of a command. A command
names a process and an action only. Each has an address for programs, and one for a form.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Body, Depends, Path, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from arena.errors import ArenaError, UsageError
from arena.messages.ops import NAME, REASON_CHARS_MAX
from arena.process_commands import (
    NotConfirmed,
    RunningSupervisor,
    effect_of,
    needs_yes,
    new_command,
    running_supervisors,
    send_and_confirm,
    send_command,
    supervisor_of,
    supervisors_of,
)
from arena.supervision import Action, ProcessAddress, SupervisedProcess
from dashboard.model.queries import UnknownName
from dashboard.web.errors import RUNS, Busy, Conflict
from dashboard.web.login import form_fields
from dashboard.web.page.supervision import command_link
from dashboard.web.page_answers import COMMON, bars, page_answer
from dashboard.web.state import Web, WebState
from dashboard.web.token_file import new_nonce

WAIT_S = 30.0
"""A process has 8 s to end, the ledger 15 s."""
HOST = r"^[!-.0-~]{1,255}$"
PATH = "/processes/{host}/{run}/{process}/{action}"
OWN = "this is the process of this page, which answers again when it has been started"

router = APIRouter()
HostPath = Annotated[str, Path(pattern=HOST, description="Host of the supervisor.")]
RunPath = Annotated[str, Path(pattern=NAME, description="Its run.")]
ProcessPath = Annotated[str, Path(pattern=NAME, description="Process, as health lists it.")]


class ProcessRequest(BaseModel):
    """Why a process is started, stopped or restarted.

    Attributes:
        reason: Reason for the record.
        yes: Must be true to stop the executor.
    """

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(max_length=REASON_CHARS_MAX)] = ""
    yes: bool = False


class ProcessAnswer(BaseModel):
    """What became of a command.

    Attributes:
        state: "done", or "sent" if the supervisor has not reported an outcome yet.
        text: What happened, in words.
        effect: What it means for the arena that the process stops; "" for nothing.
        confirmed_s: Seconds until the supervisor reported the outcome; null if it did not.
    """

    command_id: str
    host: str
    run: str
    process: str
    action: Action
    state: Literal["done", "sent"]
    text: str
    effect: str
    confirmed_s: float | None


@dataclass(frozen=True, slots=True)
class Target:
    """A process and what is to be done with it."""

    supervisor: RunningSupervisor
    process: SupervisedProcess
    action: Action

    @property
    def effect(self) -> str:
        """What it means for the arena."""
        return effect_of(self.supervisor, self.process, self.action)

    @property
    def address(self) -> ProcessAddress | None:
        """Where the process runs; None before its first start."""
        pid = self.process.pid
        return None if pid is None else ProcessAddress(self.supervisor.host, pid)


async def _target(
    web: WebState, host: HostPath, run: RunPath, process: ProcessPath, action: Action
) -> Target:
    """The process that a command is for, after the heartbeats that existed at the start.

    Raises:
        NotReady: They are not read yet.
        Conflict: The run has ended, or no supervisor runs.
        UnknownName: The supervisor or the process does not exist.
    """
    if web.reader.run.ended:
        raise Conflict("this run has ended: its processes do not run", remedy=RUNS)
    await web.moment()
    beats = web.reader.view.processes.newest.values()
    running = running_supervisors(beats, web.reader.now())
    try:
        fit = [one for one in supervisors_of(running, host, run) if one.report.run == run]
        supervisor = supervisor_of(fit, process)
    except UsageError as error:
        raise UnknownName(str(error.args[0]), remedy=error.remedy) from None
    except ArenaError as error:
        raise Conflict(str(error.args[0]), remedy=error.remedy) from None
    found = supervisor.report.process(process)
    assert found is not None, "the supervisor was found by it"
    return Target(supervisor, found, action)


TargetPath = Annotated[Target, Depends(_target)]


@router.post("/api/v1" + PATH, responses={202: {"description": "Sent, and not confirmed yet"}})
async def command_process(
    web: WebState,
    answer: Response,
    target: TargetPath,
    body: Annotated[ProcessRequest, Body()],
) -> ProcessAnswer:
    """Start, stop or restart a process of a supervisor, and wait for its answer.

    202 if the supervisor does not confirm within 30 s, or if the process is that of this page; 409
    if it refuses or fails, if no supervisor runs, or if the executor is stopped without `yes`.
    """
    found = await _command(web, target, body)
    answer.status_code = 200 if found.state == "done" else 202
    return found


@router.get(PATH, include_in_schema=False, response_class=HTMLResponse)
async def command_page(
    request: Request,
    web: WebState,
    target: TargetPath,
) -> HTMLResponse:
    """The form of a command: what it means, and the reason."""
    return _page(request, web, target)


@router.post(PATH, include_in_schema=False, response_class=HTMLResponse)
async def command_by_form(
    request: Request,
    web: WebState,
    target: TargetPath,
) -> HTMLResponse:
    """Obey the form, and say what became of it."""
    reason = form_fields(await request.body()).get("reason", "")[:REASON_CHARS_MAX]
    try:
        found = await _command(web, target, ProcessRequest(reason=reason, yes=True))
    except ArenaError as error:
        words = "; ".join(word for word in (str(error.args[0]), error.remedy) if word)
        return _page(request, web, target, error=words, status=409)
    return _page(request, web, target, outcome=f"{found.state.capitalize()}: {found.text}.")


def _page(
    request: Request,
    web: Web,
    target: Target,
    *,
    outcome: str = "",
    error: str = "",
    status: int = 200,
) -> HTMLResponse:
    supervisor, process = target.supervisor, target.process
    context = {
        "command": command_link(
            supervisor.host,
            supervisor.report.run,
            process.name,
            process.kind,
            target.action,
            lock_step=supervisor.report.lock_step,
        ),
        "process": process,
        "where": supervisor.text,
        "outcome": outcome,
        "error": error,
        "reason_chars_max": REASON_CHARS_MAX,
    }
    given = bars(web, web.reader.moment()) | context
    return page_answer("command", request, web, given, COMMON, status)


async def _command(web: Web, target: Target, body: ProcessRequest) -> ProcessAnswer:
    """Send a command and wait for its outcome.

    Raises:
        Conflict: It must be confirmed, or was not obeyed.
        Busy: Too many commands wait.
    """
    supervisor, process, action = target.supervisor, target.process, target.action
    if needs_yes(process, action) and not body.yes:
        raise Conflict(
            f"if the executor stops, {target.effect}",
            remedy='send "yes": true to stop it; a halt refuses orders at once instead',
        )
    if web.commands.locked():
        raise Busy("too many commands wait for their supervisors")
    clock = web.reader.clock
    command = new_command(
        supervisor,
        process.name,
        action,
        reason=body.reason,
        by=web.by,
        command_id=new_nonce(),
        at=clock.now(),
    )
    began_s, state, confirmed_s = clock.monotonic(), "sent", None
    async with web.commands:
        if action != "start" and web.own is not None and web.own == target.address:
            await send_command(web.reader.bus, supervisor, command)
            text = OWN
        else:
            try:
                outcome = await send_and_confirm(web.reader.bus, supervisor, command, WAIT_S)
            except NotConfirmed as error:
                text = str(error.args[0])
            else:
                state, text = outcome.state, outcome.text
                confirmed_s = round(clock.monotonic() - began_s, 3)
    if state not in ("done", "sent"):
        raise Conflict(f"{action} of {process.name}: {state}: {text}")
    return ProcessAnswer(
        command_id=command.command_id,
        host=supervisor.host,
        run=supervisor.report.run,
        process=process.name,
        action=action,
        state="done" if state == "done" else "sent",
        text=text,
        effect=target.effect,
        confirmed_s=confirmed_s,
    )
