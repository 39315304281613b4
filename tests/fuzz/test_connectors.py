"""Connectors publish every snapshot despite hostile records in the topics they read."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from arena import topics
from arena.bus.base import Record, plain_headers
from arena.bus.memory import MemoryBus
from arena.errors import Fenced, Malformed
from arena.messages import MarketSnapshot
from arena.node import Node
from arena.settings import Settings
from connectors.market.connector import LiveConnector
from connectors.market.lockstep.lockstep_publisher import LockstepPublisher, LockstepTimeouts
from connectors.market.options import ConnectorOptions, MarketOptions
from connectors.venues.coinbase.venue import VENUE as COINBASE
from tests.alongside import alongside
from tests.connectors.builders import FastClock
from tests.connectors.lockstep_agents import ScriptedAgent, running_agents
from tests.connectors.test_snapshot_replay import replay_of, snapshots_of
from tests.connectors.venue import PRODUCTS, running_exchange
from tests.fuzz.hostile_records import hostile_records
from tests.fuzz.test_processes import (
    COUNT,
    DEADLINE_S,
    SEED,
    append_hostile,
    good_records_of,
    wait_until,
)

SNAPSHOTS = topics.SNAPSHOTS.name
LIVE_TOPICS = (topics.SNAPSHOTS.name, topics.TICKERS.name)
LOCKSTEP_TOPICS = (topics.ROSTER.name, topics.TURNS.name, topics.TICKERS.name, topics.EVENTS.name)
REPLAYED = 6


def published(bus: MemoryBus, venue: str, ids: set[str] | None = None) -> list[MarketSnapshot]:
    """Return the snapshots of a venue in the log, optionally only those with some ids."""
    found = []
    for record in bus.cluster.logs.get((SNAPSHOTS, 0), ()):
        try:
            message = record.message()
        except Malformed:
            continue
        if isinstance(message, MarketSnapshot) and message.venue == venue:
            found += [message] if ids is None or message.snapshot_id in ids else []
    return found


@asynccontextmanager
async def connecting(bus: MemoryBus) -> AsyncIterator[Node]:
    """Run a connector to the simulated exchange; its failure is raised here."""
    async with running_exchange() as server:
        market = MarketOptions(COINBASE, PRODUCTS, server.ws_url, server.rest_url)
        options = ConnectorOptions((market,), 60.0)
        node = Node("connector", "coinbase", Settings(), bus, FastClock(10.0))
        async with alongside(LiveConnector(options, node, random.Random(7)).serve()):
            yield node


async def test_connector_keeps_publishing(memory_bus: MemoryBus) -> None:
    """Hostile records come before its start and in between."""
    await append_hostile(memory_bus, LIVE_TOPICS, SEED)
    async with connecting(memory_bus):
        for number in range(2):
            before = len(published(memory_bus, "coinbase"))

            def has_published(before: int = before) -> bool:
                return len(published(memory_bus, "coinbase")) > before

            await wait_until(has_published)
            await append_hostile(memory_bus, LIVE_TOPICS, SEED + 1 + number)


async def test_lock_step_replay_publishes_every_snapshot(memory_bus: MemoryBus) -> None:
    """A record among the snapshots fences it, like a second publisher; restarted, it completes.

    Hostile records are in every topic before its start, and arrive while it publishes.
    """
    wanted = [snapshot.snapshot_id for snapshot in replayed_snapshots()]
    await append_hostile(memory_bus, LOCKSTEP_TOPICS, SEED)
    append_unreadable(memory_bus, SEED)
    fenced = 0
    async with running_agents(memory_bus, ScriptedAgent("good")):
        for attempt in range(4):
            appending = asyncio.create_task(append_hostile_later(memory_bus, wanted, attempt))
            try:
                async with asyncio.timeout(DEADLINE_S):
                    node = Node("connector", "replay", Settings(), memory_bus, FastClock(20.0))
                    replay = replay_of(snapshots=REPLAYED)
                    await LockstepPublisher(
                        node, replay, ("good",), LockstepTimeouts(60, 60)
                    ).serve()
                break
            except Fenced:
                fenced += 1
            finally:
                appending.cancel()
                await asyncio.gather(appending, return_exceptions=True)

    found = [one.snapshot_id for one in published(memory_bus, "coinbase", {*wanted})]
    assert wanted == found
    assert 1 == fenced


def replayed_snapshots() -> list[MarketSnapshot]:
    """Return what a replay publishes, except for offsets and wall times."""
    return list(snapshots_of(replay_of(snapshots=REPLAYED)))


def append_unreadable(bus: MemoryBus, seed: int) -> None:
    """Append unreadable records to the snapshots; a readable one would be another market's."""
    for one in hostile_records(good_records_of(SNAPSHOTS), COUNT, seed):
        record = Record(SNAPSHOTS, 0, 0, 0, one.key, one.value, plain_headers(one.headers))
        try:
            record.message()
        except Malformed:
            bus.cluster.append(SNAPSHOTS, 0, one.key, one.value, one.headers)


async def append_hostile_later(bus: MemoryBus, wanted: list[str], attempt: int) -> None:
    """Append hostile records after some snapshots; in the first attempt also unreadable ones."""
    while len(published(bus, "coinbase", {*wanted})) < 2 + attempt:
        await asyncio.sleep(0.005)
    await append_hostile(bus, LOCKSTEP_TOPICS, SEED + 1 + attempt)
    if attempt == 0:
        append_unreadable(bus, SEED + 1)
