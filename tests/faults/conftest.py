"""Executors under traffic, and the verdict on what they left in the topics."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from arena.bus.kafka import KafkaBus
from arena.settings import Settings
from operations.storm.checker import check
from operations.storm.checker_records import Findings
from tests.faults.harness import TERMS, Executors, Traffic, read_topics, wait_until_answered

ORDERS = int(os.environ.get("ARENA_FAULTS_ORDERS", "2000"))
"""Of each run; `ARENA_FAULTS_ORDERS` makes them longer than they are in the suite."""
PER_SECOND = 300.0
EXTRA_ROUND = 150
EXTRA_ROUNDS_MAX = 80
SETTLE_S = 40.0


@pytest.fixture
async def executors(settings: Settings, tmp_path: Path) -> AsyncIterator[Executors]:
    """Processes that are gone when the test ends."""
    found = Executors(settings, tmp_path)
    yield found
    found.stop()


async def run_traffic(
    bus: KafkaBus,
    executors: Executors,
    seed: int,
    trouble: Coroutine[Any, Any, None],  # Any: what it awaits is of no interest
    orders: int = ORDERS,
    enough: Callable[[], bool] = lambda: True,
) -> Findings:
    """Trade while trouble goes on, let everything settle, and judge what the topics hold.

    Args:
        bus: Where traffic and checker meet the executors.
        executors: At least one was started.
        seed: Of the traffic.
        trouble: What happens meanwhile; cancelled when enough orders were sent.
        orders: The fewest that are sent.
        enough: Trading goes on, within bounds, until this is true.
    """
    traffic = Traffic(bus, seed)
    await traffic.open_market()
    running = [
        asyncio.ensure_future(work)
        for work in (executors.supervise(), traffic.run_market(), trouble)
    ]
    try:
        await traffic.run_agents(orders, PER_SECOND)
        for _ in range(EXTRA_ROUNDS_MAX):
            if enough():
                break
            await traffic.run_agents(EXTRA_ROUND, PER_SECOND)
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
