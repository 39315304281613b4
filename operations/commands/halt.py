"""`arena halt` and `arena resume`: the kill switch.

Writes `arena.control`; reads `arena.heartbeats`, and `arena.roster` to refuse unknown agents. The
owner of a shard reports in a heartbeat how far it has read `arena.control`, once all its earlier
decisions are in the log. The command waits for that heartbeat of every affected shard, so
"confirmed" means that neither this owner nor a later one takes another order.
"""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from arena.command_sender import command_sender
from arena.errors import ArenaError
from arena.halt_command import halt_or_resume
from arena.messages import Halt, Resume
from arena.node import run_async
from arena.options import AsJson, Prefix, Run, Servers
from arena.run_lookup import find_arena
from arena.settings import Settings
from arena.unknown_names import check_agent_name
from arena.visible_text import one_line

CONFIRM_TIMEOUT_S = 5.0

Agent = Annotated[str | None, typer.Argument(help="Agent whose orders are meant. [all agents]")]
Wait = Annotated[
    float,
    typer.Option(
        "--wait", min=0.0, max=3600.0, help="Seconds to wait for the shard owners to confirm."
    ),
]
Reason = Annotated[
    str, typer.Option("--reason", help="Reason for the record; agents read it in refusals.")
]


def halt(
    agent: Agent = None,
    reason: Reason = "",
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
    wait_s: Wait = CONFIRM_TIMEOUT_S,
    as_json: AsJson = False,
) -> None:
    """Refuse new orders of one agent or of all until `arena resume`, also after restarts.

    Exit 1 if an owner of a shard does not confirm in time; the halt is in the topic all the same,
    and an executor that starts later obeys it. Exit 2 for an unknown agent.

    Example: arena halt --reason "prices look wrong"
    """
    _halt_or_resume(Halt, agent, reason, run, servers, prefix, wait_s, as_json=as_json)


def resume(
    agent: Agent = None,
    reason: Reason = "",
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
    wait_s: Wait = CONFIRM_TIMEOUT_S,
    as_json: AsJson = False,
) -> None:
    """Take orders again. A halt of all agents and a halt of one agent end separately.

    Example: arena resume
    """
    _halt_or_resume(Resume, agent, reason, run, servers, prefix, wait_s, as_json=as_json)


def _halt_or_resume(
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
        by = command_sender()
        message = kind(agent=name, reason=reason, by=by, at=datetime.now(UTC))
        run_async(lambda: _publish(location.settings, message, wait_s, as_json=as_json))


async def _publish(
    settings: Settings, message: Halt | Resume, wait_s: float, *, as_json: bool
) -> None:
    from arena.bus.kafka import KafkaBus

    bus = KafkaBus(settings, client_id="arena-halt")
    await bus.start()
    try:
        outcome = await halt_or_resume(bus, message, wait_s)
    finally:
        await bus.close()
    if as_json:
        print(json.dumps(outcome.document()))
    elif not outcome.confirmation.unconfirmed:
        seconds = outcome.confirmation.seconds
        print(f"{outcome.what}: {outcome.whose}; confirmed by every owner after {seconds:.2f} s")
    if not as_json:
        for line in dict.fromkeys((*outcome.unread, *outcome.still_halted)):
            print(one_line(line, 500))
        if outcome.still_halted:
            print(
                f"{outcome.whose} stays halted with everybody until `arena resume` without a name"
            )
    if text := outcome.unconfirmed_text(wait_s):
        raise ArenaError(
            text,
            remedy="an executor obeys the record when it reads it: see arena status, then run the"
            " command again",
        )
