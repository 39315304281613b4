"""Finds conflicts with other agents and processes before `arena up` starts anything.

Reads `arena.roster`, because two agents of one name would trade one account; and
`arena.heartbeats`, because a running arena with the same prefix shares its market and executor.
"""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from arena import topics
from arena.bus.base import Bus, Start
from arena.clock_skew import by_broker_clock
from arena.errors import Malformed, UsageError
from arena.liveness import LOOK_BACK_S, alive_processes
from arena.messages import AgentSpec, Heartbeat
from arena.output import print_note
from arena.plugins import NO_PLUGINS, Plugins
from arena.prefix import prefix_text
from arena.roster import read_agents
from arena.settings import Settings
from arena.strategy_files import DescribeStrategy, describe_in
from arena.unknown_names import NAMES_SHOWN_MAX, listed
from operations.processes.stop_signals import StopSignals
from operations.specs.arena_spec import ArenaSpec

SINGLE_WORKER_KINDS = ("connector", "tools")
"""Kinds of processes of which one works and the others are on standby."""


def require_free_names(
    spec: ArenaSpec,
    settings: Settings,
    folder: Path,
    plugins: Plugins = NO_PLUGINS,
    *,
    replace: bool,
) -> None:
    """Require that every agent's name is free, unless names may be replaced.

    Args:
        spec: The arena.
        settings: Broker and prefix; the topics exist.
        folder: The folder to which the strategies' paths are relative.
        plugins: The folders of further strategies.
        replace: True if names may be replaced.

    Raises:
        UsageError: A name had another strategy or chat node, and may not be replaced.
    """
    agents, beats = _read(settings)
    if text := shared_arena_text(beats, datetime.now(UTC), settings.prefix):
        print_note(text)
    found = name_clashes(spec, agents, describe_in(folder, plugins.strategy_paths))
    if not found:
        return
    shown = found[:NAMES_SHOWN_MAX]
    if not replace:
        raise UsageError(
            f"under {prefix_text(settings.prefix)} {'; '.join(shown)}: each name is one contestant",
            remedy="choose another --prefix, rename the agents, or add --replace: such an agent "
            "has no rank if both strategies or models have traded its account",
        )
    for text in shown:
        print_note(f"replaced: {text}")


def name_clashes(
    spec: ArenaSpec, listed: Mapping[str, AgentSpec], describe: DescribeStrategy
) -> list[str]:
    """Agents that the roster lists with another strategy or chat node, as text. Pure."""
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


def shared_arena_text(beats: Iterable[Heartbeat], now: datetime, prefix: str) -> str:
    """A note if the arena runs already on these brokers; "" if not. Pure.

    Args:
        beats: Heartbeats of the last minutes, oldest first.
        now: Wall time.
        prefix: The prefix of the arena.
    """
    known = list(beats)
    found = [
        beat.node for kind in SINGLE_WORKER_KINDS for beat in alive_processes(known, kind, now)
    ]
    if not found:
        return ""
    return (
        f"with {prefix_text(prefix)} an arena runs on these brokers already: {listed(found)};"
        " both share market, executor, accounts and roster, and these processes are on standby;"
        " for a separate arena choose another --prefix"
    )


def _read(settings: Settings) -> tuple[dict[str, AgentSpec], list[Heartbeat]]:
    async def read() -> tuple[dict[str, AgentSpec], list[Heartbeat]]:
        from arena.bus.kafka import KafkaBus

        bus = KafkaBus(settings, client_id="arena-up-names")
        await bus.start()
        try:
            return await read_agents(bus), await read_recent_heartbeats(bus, datetime.now(UTC))
        finally:
            await bus.close()

    with StopSignals() as signals:
        found = asyncio.run(read())
    signals.raise_received()
    return found


async def read_recent_heartbeats(bus: Bus, now: datetime) -> list[Heartbeat]:
    """The heartbeats of the last minutes, with the broker's times, in the order of the log.

    Args:
        bus: Connected; the topic exists.
        now: Wall time.
    """
    start = Start.since(int((now.timestamp() - LOOK_BACK_S) * 1000))
    reader = await bus.log_reader(topics.HEARTBEATS.name, start=start)
    found = []
    try:
        while await reader.lag():
            for record in await reader.read():
                try:
                    message = record.message()
                except Malformed:
                    continue
                if isinstance(message, Heartbeat):
                    found.append(by_broker_clock(message, record.timestamp_ms))
    finally:
        await reader.close()
    return found
