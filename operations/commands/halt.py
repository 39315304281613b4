"""`arena halt` and `arena resume`: the kill switch.

Writes `arena.control`; reads `arena.roster`, to refuse a name that is not an agent's, and
`arena.heartbeats`.
The owner of a shard says in a heartbeat how far it has read the switch, as soon as everything it
decided before is in the log: the command waits for that word of every shard that matters, so that
"confirmed" means no further order is taken, by this owner or by any later one.
"""

import json
import socket
from datetime import UTC, datetime
from typing import Annotated

import typer

from arena.bus.base import Bus
from arena.errors import ArenaError
from arena.kill_switch import KillSwitch
from arena.messages import Halt, Resume
from arena.node import run_async
from arena.options import AsJson, Prefix, Run, Servers
from arena.roster import read_agents, read_halted, read_kill_switch
from arena.run_lookup import find_arena
from arena.settings import Settings
from arena.unknown_names import check_agent_name, unknown_name
from arena.visible_text import one_line
from operations.commands.halt_confirmation import ask, newest_heartbeats
from operations.commands.lost_records import lost_halt

CONFIRM_TIMEOUT_S = 5.0

Agent = Annotated[str | None, typer.Argument(help="Only this agent's orders. [everybody's]")]
Wait = Annotated[
    float,
    typer.Option("--wait", min=0.0, max=3600.0, help="Seconds to wait for the owners' word."),
]
Reason = Annotated[str, typer.Option("--reason", help="Why; agents read it in the refusal.")]


def halt(
    agent: Agent = None,
    reason: Reason = "",
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
    wait_s: Wait = CONFIRM_TIMEOUT_S,
    as_json: AsJson = False,
) -> None:
    """Take no new order, of one agent or of all, until `arena resume`; restarts change nothing.

    Exit 1 if not every owner of a shard confirms it in time; the halt stays in the topic even so,
    and an executor that starts later obeys it. Exit 2 for an unknown agent.

    Example: arena halt --reason "prices look wrong"
    """
    _switch(Halt, agent, reason, run, servers, prefix, wait_s, as_json=as_json)


def resume(
    agent: Agent = None,
    reason: Reason = "",
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
    wait_s: Wait = CONFIRM_TIMEOUT_S,
    as_json: AsJson = False,
) -> None:
    """Take orders again. A halt of everybody and a halt of one agent end separately.

    Example: arena resume
    """
    _switch(Resume, agent, reason, run, servers, prefix, wait_s, as_json=as_json)


def _switch(
    kind: type[Halt] | type[Resume],
    agent: str | None,
    reason: str,
    run: str | None,
    servers: str | None,
    prefix: str | None,
    wait_s: float,
    *,
    as_json: bool,
) -> None:
    name = None if agent is None else check_agent_name(agent)
    with find_arena(servers, prefix, run, start_broker=False) as location:
        by = f"cli/{socket.gethostname()}"
        message = kind(agent=name, reason=reason, by=by, at=datetime.now(UTC))
        run_async(lambda: _publish(location.settings, message, wait_s, as_json=as_json))


async def _publish(
    settings: Settings, message: Halt | Resume, wait_s: float, *, as_json: bool
) -> None:
    from arena.bus.kafka import KafkaBus

    bus = KafkaBus(settings, client_id="arena-halt")
    await bus.start()
    try:
        if message.agent is not None:
            await require_agent(bus, message.agent)
        asked = await ask(bus, message, wait_s)
        switch = await read_halts(bus)
    finally:
        await bus.close()
    whose = message.agent or "everybody"
    what = "halted" if isinstance(message, Halt) else "resumed"
    unread = switch.unread_lines()
    everybody = switch.halt_of_all() if isinstance(message, Resume) and message.agent else None
    still = [] if everybody is None else [everybody.line]
    if as_json:
        document = {what: message.agent or "all", **asked.document(), "unreadable": unread}
        document["still_halted"] = [*still]
        print(json.dumps(document))
    elif not asked.unconfirmed:
        print(f"{what}: {whose}; confirmed by every owner after {asked.seconds:.2f} s")
    if not as_json:
        for line in dict.fromkeys(unread + still):
            print(one_line(line, 500))
        if still:
            print(f"{whose} stays halted with everybody until `arena resume` without a name")
    if asked.unconfirmed:
        why = "; ".join(asked.unconfirmed.values())
        verb = type(message).__name__.lower()
        fate = "may still be filled" if isinstance(message, Halt) else "may still be refused"
        raise ArenaError(
            f"the {verb} of {whose} was not confirmed within {wait_s:g} s: {why}; orders {fate}",
            remedy="an executor obeys the record as soon as it reads it: see arena status, then"
            " run the command again",
        )


async def read_halts(bus: Bus) -> KillSwitch:
    """What is halted now, also what executors halt because records of the topic are lost."""
    switch = await read_kill_switch(bus)
    switch.lost = lost_halt(await newest_heartbeats(bus), switch)
    return switch


async def require_agent(bus: Bus, name: str) -> None:
    """See that an agent of this name is known, or was halted before; nothing is written.

    Before any agent was started every name passes: it may be about to start.

    Raises:
        UsageError: Other agents are known; the error lists them, the closest name first.
    """
    agents = await read_agents(bus)
    if not agents or name in agents or name in await read_halted(bus):
        return
    raise unknown_name("agent", name, agents, remedy="nothing was changed")
