"""The command `arena risk`: show, set, lift and report the limits of accounts.

`set`, `lift` and `reset` write a `RiskRequest` to `arena.control` and wait until the owners of the
affected shards have read it: then it governs every later order. `show` and `report` read the
account log.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import typer
from pydantic import JsonValue

from arena import topics
from arena.bus.base import Bus
from arena.command_sender import command_sender
from arena.errors import ArenaError, UsageError
from arena.halt_command import require_agent
from arena.halt_confirmation import HaltConfirmation, append_and_confirm, newest_heartbeats
from arena.messages import RiskRequest
from arena.node import run_async
from arena.options import AsJson, Prefix, Run, Servers
from arena.output import print_note
from arena.read_topic import for_each_record
from arena.risk_flags import checked, with_risk_flags
from arena.risk_limit_values import PRESET_KEY
from arena.risk_log import read_risk_log
from arena.risk_requests import RISK_IGNORED, NewestRequests, key_of_request
from arena.risk_settings import RiskValues
from arena.run_lookup import ArenaLocation, find_arena
from arena.unknown_names import check_agent_name, unknown_name
from trading_tools.risk.newest_bids import read_market
from trading_tools.risk.report_text import report_lines, show_document, show_lines

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog="Example: arena risk set momentum --max-symbol-exposure-pct 25",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ALL = "all"
Agent = Annotated[str, typer.Argument(help="Agent, or all: agents without limits of their own.")]
OneAgent = Annotated[str | None, typer.Argument(help="Agent. [all agents]", show_default=False)]
Reason = Annotated[str, typer.Option("--reason", help="Reason for the record.")]
Wait = Annotated[
    float,
    typer.Option(
        "--wait", min=0.0, max=3600.0, help="Seconds to wait for the shard owners to confirm."
    ),
]


@app.command("show")
def show(
    agent: OneAgent = None,
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
) -> None:
    """Show the limits in force, where they were set, and how far each account is from them.

    Example: arena risk show momentum
    """
    with find_arena(servers, prefix, run, offline=True) as location:
        run_async(lambda: _show(location, agent, as_json=as_json))


@app.command("report")
def report(
    agent: OneAgent = None,
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
) -> None:
    """Count what limits did: blocked orders by limit, near misses, cut orders, by agent and day.

    Example: arena risk report --json
    """
    with find_arena(servers, prefix, run, offline=True) as location:
        run_async(lambda: _report(location, agent, as_json=as_json))


@app.command("set")
@with_risk_flags
def set_limits(
    agent: Agent,
    reason: Reason = "",
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
    wait_s: Wait = 5.0,
    as_json: AsJson = False,
    *,
    risk_values: RiskValues,
) -> None:
    """Set limits of an agent, from the next order on; others that were set before stay.

    Example: arena risk set momentum --max-symbol-exposure-pct 25
    """
    if not risk_values:
        raise UsageError(
            "no limit was given", remedy="name a preset, --risk cautious, or --max-daily-loss-pct 5"
        )
    asked = _Asked(agent, reason, risk_values)
    with find_arena(servers, prefix, run, start_broker=False) as location:
        run_async(lambda: _ask(location, asked, wait_s, as_json=as_json))


@app.command("lift")
def lift(
    agent: Agent,
    reason: Reason = "",
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
    wait_s: Wait = 5.0,
    as_json: AsJson = False,
) -> None:
    """Allow buys again after a breach; losses are measured from now on. The limits stay.

    Example: arena risk lift momentum --reason "checked the feed"
    """
    asked = _Asked(agent, reason, {}, lift=True)
    with find_arena(servers, prefix, run, start_broker=False) as location:
        run_async(lambda: _ask(location, asked, wait_s, as_json=as_json))


@app.command("reset")
def reset(
    agent: Agent,
    reason: Reason = "",
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
    wait_s: Wait = 5.0,
    as_json: AsJson = False,
) -> None:
    """Return to the limits of the files and flags that the arena was started with.

    Example: arena risk reset momentum
    """
    asked = _Asked(agent, reason, {}, reset=True)
    with find_arena(servers, prefix, run, start_broker=False) as location:
        run_async(lambda: _ask(location, asked, wait_s, as_json=as_json))


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a command asks for."""

    whose: str
    reason: str
    values: RiskValues
    lift: bool = False
    reset: bool = False

    def request(self, at: datetime) -> RiskRequest:
        """The request without limits, to be merged with the one before."""
        return RiskRequest(
            agent=None if self.whose == ALL else check_agent_name(self.whose),
            lift=self.lift,
            reset=self.reset,
            reason=self.reason,
            by=command_sender(),
            at=at,
        )


async def _ask(location: ArenaLocation, asked: _Asked, wait_s: float, *, as_json: bool) -> None:
    bus = location.bus("arena-risk")
    request = asked.request(bus.clock.now())
    await bus.start()
    try:
        if request.agent is not None:
            await require_agent(bus, request.agent)
        before = (await _read_requests(bus)).found.get(key_of_request(request.agent))
        request = merged_request(request, asked.values, before[1] if before else None)
        confirmation = await append_and_confirm(bus, request, wait_s)
        await _require_obeyed(bus, key_of_request(request.agent))
    finally:
        await bus.close()
    _print_request(request, confirmation, wait_s, as_json=as_json)


def merged_request(
    request: RiskRequest, values: Mapping[str, JsonValue], before: RiskRequest | None
) -> RiskRequest:
    """A request that stands alone: the topic keeps the newest of an agent only. Pure.

    Args:
        request: The new one, without limits.
        values: Limits by name that it sets, and a preset to start from.
        before: The newest earlier request for the same agent; None without one.

    Raises:
        UsageError: A limit cannot be used.
    """
    if request.reset:
        return request
    limits: RiskValues = {}
    preset = ""
    if before is not None and not before.reset and PRESET_KEY not in values:
        limits, preset = dict(before.limits or {}), before.preset
    limits |= {name: value for name, value in values.items() if name != PRESET_KEY}
    preset = str(values.get(PRESET_KEY, preset))
    checked({**limits, **({PRESET_KEY: preset} if preset else {})}, "the limits")
    return request.model_copy(update={"limits": limits or None, "preset": preset})


async def _require_obeyed(bus: Bus, key: str) -> None:
    """Refuse a request that contradicts the settings of the arena, which executors know.

    Raises:
        UsageError: An executor ignores it.
    """
    for beat in await newest_heartbeats(bus):
        ignored = beat.details.get(RISK_IGNORED)
        if isinstance(ignored, dict) and key in ignored:
            raise UsageError(
                f"the executor ignores the request: {ignored[key]}",
                remedy="the limits in force are unchanged; `arena risk show` shows them",
            )


async def _read_requests(bus: Bus) -> NewestRequests:
    newest = NewestRequests()
    await for_each_record(bus, topics.CONTROL, newest.take)
    return newest


def _print_request(
    request: RiskRequest, confirmation: HaltConfirmation, wait_s: float, *, as_json: bool
) -> None:
    whose = request.agent or ALL
    if as_json:
        document = {
            "agent": whose,
            "limits": request.limits,
            "preset": request.preset,
            "lift": request.lift,
            "reset": request.reset,
            **confirmation.document(),
        }
        print(json.dumps(document))
    elif not confirmation.unconfirmed:
        what = "reset" if request.reset else "lifted" if request.lift else "set"
        print(
            f"limits {what}: {whose}; confirmed by every owner after {confirmation.seconds:.2f} s,"
            " in force before the next order"
        )
    if confirmation.unconfirmed:
        reasons = "; ".join(confirmation.unconfirmed.values())
        raise ArenaError(
            f"the limits of {whose} were not confirmed within {wait_s:g} s: {reasons}",
            remedy="an executor obeys the record when it reads it: see arena status, then"
            " `arena risk show`",
        )


async def _show(location: ArenaLocation, agent: str | None, *, as_json: bool) -> None:
    bus = location.bus("arena-risk")
    await bus.start()
    try:
        log = await read_risk_log(bus)
        market, requests = await read_market(bus), await _read_requests(bus)
    finally:
        await bus.close()
    document = show_document(log, market, requests, agent)
    if as_json:
        print(json.dumps(document, indent=2))
        return
    print_note(f"reading {location.name}")
    for line in show_lines(document):
        print(line)


async def _report(location: ArenaLocation, agent: str | None, *, as_json: bool) -> None:
    bus = location.bus("arena-risk")
    await bus.start()
    try:
        log = await read_risk_log(bus)
    finally:
        await bus.close()
    names = {name for shard in log.shards.values() for name in shard.accounts}
    if agent is not None and agent not in names:
        raise unknown_name("agent", agent, names)
    document = log.report.document(agent)
    if as_json:
        print(json.dumps(document, indent=2))
        return
    print_note(f"reading {location.name}")
    for line in report_lines(document):
        print(line)
