"""Hostile records in the topics that connectors read: every snapshot is published all the same."""

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
from connectors.coinbase.connector import CoinbaseConnector, ConnectorOptions
from connectors.lockstep.lockstep_publisher import LockstepPublisher, LockstepTimeouts
from tests.alongside import alongside
from tests.connectors.builders import FastClock
from tests.connectors.lockstep_agents import ScriptedAgent, running_agents
from tests.connectors.test_snapshot_replay import replay_of, snapshots_of
from tests.connectors.venue import PRODUCTS, running_exchange
from tests.fuzz.hostile import hostile
from tests.fuzz.test_processes import COUNT, DEADLINE_S, SEED, good_of, throw, wait_until

SNAPSHOTS = topics.SNAPSHOTS.name
FED = (topics.SNAPSHOTS.name, topics.TICKERS.name)
HEARD = (topics.ROSTER.name, topics.TURNS.name, topics.TICKERS.name, topics.EVENTS.name)
REPLAYED = 6


def published(bus: MemoryBus, venue: str, ids: set[str] | None = None) -> list[MarketSnapshot]:
    """The snapshots of a venue in the log, or those of them with these ids."""
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
    """A connector to the simulated exchange; its failure is raised here."""
    async with running_exchange() as server:
        options = ConnectorOptions(PRODUCTS, 60.0, server.ws_url, server.rest_url, None)
        node = Node("connector", "coinbase", Settings(), bus, FastClock(10.0))
        async with alongside(CoinbaseConnector(options, node, random.Random(7)).serve()):
            yield node


async def test_a_connector_lives_and_publishes(memory_bus: MemoryBus) -> None:
    """Hostile records before its start and in between."""
    await throw(memory_bus, FED, SEED)
    async with connecting(memory_bus):
        for number in range(2):
            before = len(published(memory_bus, "coinbase"))

            def goes_on(before: int = before) -> bool:
                return len(published(memory_bus, "coinbase")) > before

            await wait_until(goes_on)
            await throw(memory_bus, FED, SEED + 1 + number)


async def test_a_replay_in_lock_step_publishes_every_snapshot(memory_bus: MemoryBus) -> None:
    """A record among the snapshots fences it, as a second publisher would; started again, it ends.

    Hostile records are in every topic before its start, and come while it publishes.
    """
    wanted = [snapshot.snapshot_id for snapshot in own_snapshots()]
    await throw(memory_bus, HEARD, SEED)
    throw_unreadable(memory_bus, SEED)
    fenced = 0
    async with running_agents(memory_bus, ScriptedAgent("good")):
        for life in range(4):
            thrower = asyncio.create_task(throw_later(memory_bus, wanted, life))
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
                thrower.cancel()
                await asyncio.gather(thrower, return_exceptions=True)

    found = [one.snapshot_id for one in published(memory_bus, "coinbase", {*wanted})]
    assert wanted == found
    assert 1 == fenced


def own_snapshots() -> list[MarketSnapshot]:
    """What a replay publishes, but for places and wall times."""
    return list(snapshots_of(replay_of(snapshots=REPLAYED)))


def throw_unreadable(bus: MemoryBus, seed: int) -> None:
    """Put records among the snapshots that are none: a well-formed one is another market's."""
    for one in hostile(good_of(SNAPSHOTS), COUNT, seed):
        record = Record(SNAPSHOTS, 0, 0, 0, one.key, one.value, plain_headers(one.headers))
        try:
            record.message()
        except Malformed:
            bus.cluster.append(SNAPSHOTS, 0, one.key, one.value, one.headers)


async def throw_later(bus: MemoryBus, wanted: list[str], life: int) -> None:
    """Throw when some snapshots are out: the first time among the snapshots, too."""
    while len(published(bus, "coinbase", {*wanted})) < 2 + life:
        await asyncio.sleep(0.005)
    await throw(bus, HEARD, SEED + 1 + life)
    if life == 0:
        throw_unreadable(bus, SEED + 1)
