"""`arena halt` and `arena resume`: the kill switch.

Writes `arena.control`; reads `arena.roster`, to refuse a name that is not an agent's, and
`arena.heartbeats`.
An executor that has read the switch says so in its next heartbeat, at once: the command waits for
that word, so that "halted" means no further order is taken.
"""

import asyncio
import json
import socket
from datetime import UTC, datetime
from typing import Annotated

import typer

from arena import topics
from arena.bus.base import LATEST, Bus, LogReader
from arena.commands.where import AsJson, Prefix, Run, Servers, find_arena
from arena.errors import ArenaError
from arena.messages import Halt, Heartbeat, Resume
from arena.names import check_agent_name, unknown_name
from arena.node import run_async
from arena.roster import read_agents, read_halted
from arena.settings import Settings

CONFIRM_TIMEOUT_S = 5.0

Agent = Annotated[str | None, typer.Argument(help="Only this agent's orders. [everybody's]")]
Reason = Annotated[str, typer.Option("--reason", help="Why; agents read it in the refusal.")]


def halt(
    agent: Agent = None,
    reason: Reason = "",
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
) -> None:
    """Take no new order, of one agent or of all, until `arena resume`; restarts change nothing.

    Exit 1 where no executor confirms it in five seconds; the halt stands in the topic even so, and
    an executor that starts later obeys it.

    Example: arena halt --reason "prices look wrong"
    """
    _switch(Halt, agent, reason, run, servers, prefix, as_json=as_json)


def resume(
    agent: Agent = None,
    reason: Reason = "",
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
) -> None:
    """Take orders again. What was halted for everybody and what for one agent end apart.

    Example: arena resume
    """
    _switch(Resume, agent, reason, run, servers, prefix, as_json=as_json)


def _switch(
    kind: type[Halt] | type[Resume],
    agent: str | None,
    reason: str,
    run: str | None,
    servers: str | None,
    prefix: str | None,
    *,
    as_json: bool,
) -> None:
    name = None if agent is None else check_agent_name(agent)
    with find_arena(servers, prefix, run, start_broker=False) as where:
        by = f"cli/{socket.gethostname()}"
        message = kind(agent=name, reason=reason, by=by, at=datetime.now(UTC))
        run_async(lambda: _publish(where.settings, message, as_json=as_json))


async def _publish(settings: Settings, message: Halt | Resume, *, as_json: bool) -> None:
    from arena.bus.kafka import KafkaBus

    bus = KafkaBus(settings, client_id="arena-halt")
    await bus.start()
    try:
        if message.agent is not None:
            await require_agent(bus, message.agent)
        confirmed_s = await _ask(bus, message)
    finally:
        await bus.close()
    whose = message.agent or "everybody"
    what = "halted" if isinstance(message, Halt) else "resumed"
    if as_json:
        print(json.dumps({what: message.agent or "all", "confirmed_s": confirmed_s}))
    elif confirmed_s is not None:
        print(f"{what}: {whose}; an executor confirmed it after {confirmed_s:.2f} s")
    if confirmed_s is None:
        raise ArenaError(
            f"{what} {whose}, but no executor said so in {CONFIRM_TIMEOUT_S:.0f} s",
            remedy="the record stands; see arena status for the executor",
        )


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


async def _ask(bus: Bus, message: Halt | Resume) -> float | None:
    """Append the record and wait for an executor's word; seconds until it, None without one."""
    await bus.ensure_topics([topics.CONTROL, topics.HEARTBEATS])
    beats = await bus.log_reader(topics.HEARTBEATS.name, start=LATEST)
    began = asyncio.get_running_loop().time()
    key = f"agent/{message.agent}" if message.agent else "all"
    try:
        await bus.append(topics.CONTROL.name, message, key=key)
        async with asyncio.timeout(CONFIRM_TIMEOUT_S):
            while not await _confirmed(beats, message):
                pass
    except TimeoutError:
        return None
    finally:
        await beats.close()
    return asyncio.get_running_loop().time() - began


async def _confirmed(beats: LogReader, message: Halt | Resume) -> bool:
    scope = message.agent or "all"
    for record in await beats.read(timeout_s=0.2):
        beat = record.message() if record.value is not None else None
        if not isinstance(beat, Heartbeat) or beat.kind != "tools" or beat.at < message.at:
            continue
        halted = beat.details.get("halted")
        if isinstance(halted, list) and (scope in halted) == isinstance(message, Halt):
            return True
    return False
