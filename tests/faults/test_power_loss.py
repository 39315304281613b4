"""Logs are truncated while the broker is down, deleted and recreated, and get more partitions.

`ARENA_FAULTS_LOSSES=N` runs N rounds of three arenas each.
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
from tests.faults.losses import LossyArena, check_after_loss
from tests.faults.other_processes import KINDS, OtherProcesses

pytestmark = [pytest.mark.timeout(3600)]

ROUNDS = int(os.environ.get("ARENA_FAULTS_LOSSES", "1"))
FIRST = int(os.environ.get("ARENA_FAULTS_LOSSES_SEED", "1"))
ORDERS = 90
UNDECIDED = 20
NEW_ORDERS = 40
COMMANDS, EVENTS = topics.COMMANDS.name, topics.EVENTS.name
EXTENDED = (topics.TURNS.name, topics.DEAD_LETTERS.name, topics.inbox(AGENTS[0]))
"""Topics that may get more partitions while the arena runs."""


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[LocalBroker]:
    """A broker whose logs are truncated; other tests use the one of the session."""
    with LocalBroker(tmp_path / "home", port=0, allow_fallback=False) as own:
        await asyncio.to_thread(own.start)
        yield own


async def _arena(
    broker: LocalBroker, tmp_path: Path, name: str, seed: int, *, alive: bool
) -> LossyArena:
    settings = Settings(bootstrap_servers=_address(broker), prefix=f"{name}{seed}.")
    bus = KafkaBus(settings, client_id="test")
    await bus.start()
    logs = tmp_path / settings.prefix
    logs.mkdir()
    executors = Executors(settings, logs)
    return LossyArena(settings.prefix, bus, settings, executors, seed, alive)


def _address(broker: LocalBroker) -> str:
    from arena.broker_state import read_state

    state = read_state(broker.files.state)
    assert state is not None
    return state.bootstrap


@pytest.mark.parametrize("seed", range(FIRST, FIRST + ROUNDS))
async def test_losses_are_reported_and_no_order_is_decided_twice(
    broker: LocalBroker, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three arenas lose commands, events, and whole topics; every new order gets its event.

    In the first every kind of process runs: each loss is reported, and no call is made twice.
    """
    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "executors"))
    monkeypatch.setenv("ARENA_CHECKPOINT_EVENTS", "50")
    plan = {"commands": bool(seed % 2), "events": not seed % 2, "recreated": bool(seed % 3)}
    found = [await _arena(broker, tmp_path, n, seed, alive=a) for n, a in plan.items()]
    commands, events, recreated = found
    others = OtherProcesses(commands.settings, tmp_path / "others")
    others.start()
    try:
        await asyncio.gather(
            others.run_turns(2), *(arena.trade_before_loss(ORDERS, UNDECIDED) for arena in found)
        )
        await asyncio.to_thread(broker.kill)
        commands.truncate_topics(broker.files.root.parent, (COMMANDS, *KINDS))
        events.truncate_topics(broker.files.root.parent, (EVENTS,))
        await asyncio.to_thread(broker.start)
        await recreated.recreate_topics((COMMANDS, EVENTS)[seed % 2 :][:1])
        await recreated.add_partitions(EXTENDED)
        playing = asyncio.create_task(others.run_more_turns(1))
        traffics = await asyncio.gather(*(arena.trade_after_loss(NEW_ORDERS) for arena in found))
        await playing
        for arena, traffic in zip(found, traffics, strict=True):
            findings = await check_after_loss(arena, traffic)
            print(arena.prefix, arena.alive, arena.repairs, dict(findings.counts), arena.cut)
            assert not findings.wrong, findings.summary() + arena.executors.tail()
        if EVENTS not in commands.cut:
            await others.wait_until_read()
        assert [] == others.unreported(commands.cut), others.reports
        await _refuses_more_partitions(recreated)
    finally:
        await others.stop()
        for arena in found:
            await arena.stop()
            await arena.bus.close()


async def _refuses_more_partitions(arena: LossyArena) -> None:
    """More partitions of the account topics end the executor with a message at each start."""
    before = await read_topics(arena.bus)
    await arena.add_partitions((COMMANDS, EVENTS))
    async with asyncio.timeout(20):
        while arena.executors.ends["exit 2"] < 2:
            await asyncio.sleep(0.05)
    await arena.reconnect()
    assert b"another ARENA_PREFIX" in arena.log()
    assert before.events == (await read_topics(arena.bus)).events
