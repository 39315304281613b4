"""Logs lose their ends with the broker down, are deleted and made anew, and get more partitions.

Longer with `ARENA_FAULTS_LOSSES=N`: N rounds of three arenas each.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.settings import Settings
from operations.localbroker.broker import LocalBroker
from tests.faults.harness import AGENTS, Executors, read_topics
from tests.faults.house import KINDS, House
from tests.faults.losses import Arena, judge

pytestmark = [pytest.mark.timeout(3600)]

ROUNDS = int(os.environ.get("ARENA_FAULTS_LOSSES", "1"))
FIRST = int(os.environ.get("ARENA_FAULTS_LOSSES_SEED", "1"))
ORDERS = 90
UNDECIDED = 20
NEW = 40
COMMANDS, EVENTS = topics.COMMANDS.name, topics.EVENTS.name
GROWN = (topics.TURNS.name, topics.DEAD_LETTERS.name, topics.inbox(AGENTS[0]))
"""Topics that may be given partitions while everything runs."""


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[LocalBroker]:
    """A broker whose disk is cut; the session's serves every other test."""
    with LocalBroker(tmp_path / "home", port=0, allow_fallback=False) as own:
        await asyncio.to_thread(own.start)
        yield own


async def _arena(
    broker: LocalBroker, tmp_path: Path, name: str, seed: int, *, alive: bool
) -> Arena:
    settings = Settings(bootstrap_servers=_address(broker), prefix=f"{name}{seed}.")
    bus = KafkaBus(settings, client_id="test")
    await bus.start()
    logs = tmp_path / settings.prefix
    logs.mkdir()
    executors = Executors(settings, logs)
    return Arena(settings.prefix, bus, settings, executors, seed, alive)


def _address(broker: LocalBroker) -> str:
    from arena.broker_state import read_state

    state = read_state(broker.files.state)
    assert state is not None
    return state.bootstrap


@pytest.mark.parametrize("seed", range(FIRST, FIRST + ROUNDS))
async def test_nothing_is_lost_silently_or_decided_twice(
    broker: LocalBroker, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three arenas lose commands, events, and whole topics; every new order gets its event.

    In the first every kind of process lives through it: each loss is said, no call made twice.
    """
    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "executors"))
    monkeypatch.setenv("ARENA_CHECKPOINT_EVENTS", "50")
    plan = {"commands": bool(seed % 2), "events": not seed % 2, "anew": bool(seed % 3)}
    found = [await _arena(broker, tmp_path, n, seed, alive=a) for n, a in plan.items()]
    commands, events, anew = found
    house = House(commands.settings, tmp_path / "house")
    house.start()
    try:
        await asyncio.gather(house.live(2), *(arena.live(ORDERS, UNDECIDED) for arena in found))
        await asyncio.to_thread(broker.kill)
        commands.cut_tails(broker.files.root.parent, (COMMANDS, *KINDS))
        events.cut_tails(broker.files.root.parent, (EVENTS,))
        await asyncio.to_thread(broker.start)
        await anew.make_anew((COMMANDS, EVENTS)[seed % 2 :][:1])
        await anew.grow(GROWN)
        playing = asyncio.create_task(house.live_again(1))
        traffics = await asyncio.gather(*(arena.live_again(NEW) for arena in found))
        await playing
        for arena, traffic in zip(found, traffics, strict=True):
            findings = await judge(arena, traffic)
            print(arena.prefix, arena.alive, arena.repairs, dict(findings.counts), arena.cut)
            assert not findings.wrong, findings.summary() + arena.executors.tail()
        if EVENTS not in commands.cut:
            await house.wait_until_read()
        assert [] == house.unsaid(commands.cut), house.said
        await _refuses_more_partitions(anew)
    finally:
        await house.stop()
        for arena in found:
            await arena.end()
            await arena.bus.close()


async def _refuses_more_partitions(arena: Arena) -> None:
    """Grown account topics end the executor in words, each time it is started."""
    before = await read_topics(arena.bus)
    await arena.grow((COMMANDS, EVENTS))
    async with asyncio.timeout(20):
        while arena.executors.ends["exit 2"] < 2:
            await asyncio.sleep(0.05)
    await arena.reconnect()
    assert b"another ARENA_PREFIX" in arena.log()
    assert before.events == (await read_topics(arena.bus)).events
