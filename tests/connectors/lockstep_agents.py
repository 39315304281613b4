"""Scripted agents that answer every snapshot they are due for, for tests of lock-step."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from arena import ids, topics
from arena.bus.base import LATEST, Bus
from arena.errors import Malformed
from arena.messages import (
    AccountOpened,
    AgentSpec,
    MarketSnapshot,
    Message,
    Turn,
    TurnStarted,
)
from arena.messages.account import Source


@dataclass
class ScriptedAgent:
    """One agent.

    Attributes:
        name: Name of the agent.
        cadence: Number of snapshots per turn.
        silent: Offsets of the snapshots that it does not answer.
        seen: Ids of the snapshots it has read.
        answered: Ids of the snapshots it has answered.
    """

    name: str
    cadence: int = 1
    silent: frozenset[int] = frozenset()
    seen: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)


def now() -> datetime:
    """Wall time."""
    return datetime.now(UTC)


async def join(bus: Bus, agent: ScriptedAgent) -> None:
    """Put an agent on the roster."""
    spec = AgentSpec(
        agent=agent.name, strategy="none", node="none", cadence=agent.cadence, joined_at=now()
    )
    await bus.append(topics.ROSTER.name, spec, key=f"agent/{agent.name}")


async def open_account(bus: Bus, agent: ScriptedAgent) -> None:
    """Append the event that opens an agent's account."""
    opened = AccountOpened(
        epoch=1,
        owner="test",
        seq=1,
        prev="",
        source=Source(partition=0, offset=0),
        order_id=agent.name,
        agent=agent.name,
        cash_usd=Decimal(100_000),
        postings=(),
        at=now(),
    )
    await bus.append(topics.EVENTS.name, opened, key=agent.name)


def turn_on(
    agent: ScriptedAgent, snapshot: MarketSnapshot, offset: int
) -> tuple[TurnStarted, Turn]:
    """The two records of a turn."""
    turn = ids.turn_id(agent.name, snapshot.snapshot_id)
    started = TurnStarted(
        turn_id=turn,
        agent=agent.name,
        snapshot_id=snapshot.snapshot_id,
        snapshot_offset=offset,
        as_of=snapshot.as_of,
        started_at=now(),
    )
    ended = Turn(
        turn_id=turn,
        agent=agent.name,
        strategy="none",
        node="none",
        snapshot_id=snapshot.snapshot_id,
        snapshot_offset=offset,
        as_of=snapshot.as_of,
        outcome="completed",
        started_at=started.started_at,
        ended_at=now(),
    )
    return started, ended


async def answer_forever(bus: Bus, agents: Iterable[ScriptedAgent]) -> None:
    """Answer snapshots as they arrive, in the order of the agents."""
    reader = await bus.log_reader(topics.SNAPSHOTS.name)
    due = {agent.name: 0 for agent in agents}
    try:
        while True:
            for record in await reader.read(timeout_s=0.1):
                try:
                    snapshot = record.message()
                except Malformed:
                    continue
                if not isinstance(snapshot, MarketSnapshot):
                    continue
                for agent in agents:
                    agent.seen.append(snapshot.snapshot_id)
                    if record.offset < due[agent.name] or record.offset in agent.silent:
                        continue
                    due[agent.name] = record.offset + agent.cadence
                    agent.answered.append(snapshot.snapshot_id)
                    for message in turn_on(agent, snapshot, record.offset):
                        await bus.append(topics.TURNS.name, message, key=agent.name)
    finally:
        await reader.close()


@asynccontextmanager
async def running_agents(bus: Bus, *agents: ScriptedAgent) -> AsyncIterator[None]:
    """Run agents that are on the roster and have accounts, until the block ends."""
    for agent in agents:
        await join(bus, agent)
        await open_account(bus, agent)
    task = asyncio.create_task(answer_forever(bus, agents))
    try:
        yield
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def logged(bus: Bus, topic: str) -> list[Message]:
    """Every message in a topic."""
    reader = await bus.log_reader(topic)
    latest = await bus.log_reader(topic, start=LATEST)
    messages: list[Message] = []
    ends = await latest.end_offsets()
    while any(reader.position(*pair) < end for pair, end in ends.items()):
        messages += [record.message() for record in await reader.read(timeout_s=0.2)]
    await reader.close()
    await latest.close()
    return messages
