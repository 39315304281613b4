"""Before `arena up` starts anything: does a name of the file play something else already?

Reads `arena.roster`. One name is one contestant: its account would be traded by two.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from arena.commands.where import say
from arena.errors import UsageError
from arena.messages import AgentSpec
from arena.names import NAMES_SHOWN_MAX
from arena.roster import read_agents
from arena.settings import Settings
from arena.spec import ArenaSpec
from arena.strategy_files import Describe, describe_in
from arena.supervisor.signals import StopSignals


def require_names(spec: ArenaSpec, settings: Settings, folder: Path, *, replace: bool) -> None:
    """See that every name is free, or was asked to be taken.

    Args:
        spec: The arena.
        settings: Broker and prefix; the topics are there.
        folder: What the strategies' paths are relative to.
        replace: True if names may be taken.

    Raises:
        UsageError: A name played another strategy or chat node, and is not to be taken.
    """
    found = clashes(spec, _roster(settings), describe_in(folder))
    if not found:
        return
    shown = found[:NAMES_SHOWN_MAX]
    if not replace:
        prefix = f"prefix {settings.prefix!r}" if settings.prefix else "this arena (no prefix)"
        raise UsageError(
            f"under {prefix} {'; '.join(shown)}: one name is one contestant",
            remedy="choose another --prefix, rename the agents, or --replace: they are listed "
            "without a rank as soon as both have decided something in their accounts",
        )
    for text in shown:
        say(f"replaced: {text}")


def clashes(spec: ArenaSpec, listed: Mapping[str, AgentSpec], describe: Describe) -> list[str]:
    """Agents that the roster lists with another strategy or chat node, each in words. Pure."""
    found = []
    for agent in spec.agents:
        before = listed.get(agent.name)
        described = describe(agent.strategy)
        if before is None:
            continue
        strategy = described.name if described else before.strategy
        if (strategy, agent.chat_node) != (before.strategy, before.node):
            was, now = f"{before.strategy}@{before.node}", f"{strategy}@{agent.chat_node}"
            found.append(f"{agent.name} was {was} and would be {now}")
    return found


def _roster(settings: Settings) -> dict[str, AgentSpec]:
    async def read() -> dict[str, AgentSpec]:
        from arena.bus.kafka import KafkaBus

        bus = KafkaBus(settings, client_id="arena-up-names")
        await bus.start()
        try:
            return await read_agents(bus)
        finally:
            await bus.close()

    with StopSignals() as signals:
        found = asyncio.run(read())
    signals.raise_received()
    return found
