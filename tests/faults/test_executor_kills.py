"""Executors die in every way while orders come in; the topics must not show it.

`ARENA_FAULTS_ORDERS` makes each run longer than it is in the suite.
"""

import asyncio
import itertools
import os
import random
import signal
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import pytest

from arena import faults
from arena.bus.kafka import KafkaBus
from arena.settings import Settings
from tests.faults.checker import check
from tests.faults.harness import TERMS, Executors, Traffic, read_topics, wait_until_answered
from tests.faults.records import Findings

ORDERS = int(os.environ.get("ARENA_FAULTS_ORDERS", "3000"))
PER_SECOND = 300.0
SETTLE_S = 40.0

pytestmark = [pytest.mark.timeout(600)]


@pytest.fixture
async def executors(settings: Settings, tmp_path: Path) -> AsyncIterator[Executors]:
    """Processes that are gone when the test ends."""
    found = Executors(settings, tmp_path)
    yield found
    found.stop()


async def run_traffic(
    bus: KafkaBus, executors: Executors, seed: int, trouble: Awaitable[None]
) -> Findings:
    """Trade while trouble goes on, let everything settle, and judge what the topics hold."""
    traffic = Traffic(bus, seed)
    await traffic.open_market()
    running = [
        asyncio.ensure_future(work)
        for work in (executors.supervise(), traffic.run_market(), trouble)
    ]
    try:
        await traffic.run_agents(ORDERS, PER_SECOND)
        running[2].cancel()
        executors.fault = lambda: ""
        await wait_until_answered(bus, traffic, SETTLE_S)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{executors.tail()}") from error
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        executors.stop()
    topics = await read_topics(bus)
    findings = check(topics, TERMS)
    for raw in topics.commands:
        findings.expect(traffic.acked.get(raw.offset) == raw.value, f"command {raw.offset} changed")
    print(f"\nseed {seed}: {dict(findings.counts)}\nends: {dict(executors.ends)}")
    return findings


async def test_sigkill_at_random(bus: KafkaBus, executors: Executors) -> None:
    """An executor killed at random moments and restarted at once loses and doubles nothing."""
    rng = random.Random(1)
    executors.start("one")

    async def trouble() -> None:
        owned = 0
        while True:
            if rng.random() < 0.8:
                owned = await executors.wait_until_owned(owned)
            await asyncio.sleep(rng.uniform(0, 0.5))
            executors.signal("one", signal.SIGKILL)

    findings = await run_traffic(bus, executors, 1, trouble())

    assert not findings.wrong, findings.summary()
    assert executors.ends["killed"] >= 5


async def test_sigkill_at_every_fault_point(bus: KafkaBus, executors: Executors) -> None:
    """Each marked point of the money path kills its process, in turn, several times."""
    chances = {
        "after_epoch": 0.9,
        "during_recovery": 0.9,
        "after_read": 0.004,
        "after_decide": 0.004,
        "sent_not_acked": 0.05,
        "acked_not_replied": 0.05,
    }
    assert set(chances) == set(faults.POINTS)
    turns = itertools.cycle(chances.items())

    def next_fault() -> str:
        name, chance = next(turns)
        return f"{name}:{chance}"

    executors.fault = next_fault
    executors.start("one")

    findings = await run_traffic(bus, executors, 2, asyncio.sleep(3600))

    assert not findings.wrong, findings.summary()
    assert set(chances) <= set(executors.ends)
