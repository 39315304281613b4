"""Runs executors under traffic, and checks the topics afterwards."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from arena.bus.kafka import KafkaBus
from arena.settings import Settings
from operations.storm.checker import check_records
from operations.storm.checker_records import Findings
from tests.faults.harness import TERMS, Executors, Traffic, read_topics, wait_until_answered

ORDERS = int(os.environ.get("ARENA_FAULTS_ORDERS", "2000"))
"""Orders per run; set `ARENA_FAULTS_ORDERS` for longer runs than in the suite."""
PER_SECOND = 300.0
EXTRA_ROUND = 150
EXTRA_ROUNDS_MAX = 80
SETTLE_S = 40.0


@pytest.fixture
async def executors(settings: Settings, tmp_path: Path) -> AsyncIterator[Executors]:
    """Executor processes, stopped when the test ends."""
    found = Executors(settings, tmp_path)
    yield found
    found.stop()


async def run_traffic(
    bus: KafkaBus,
    executors: Executors,
    seed: int,
    disturbance: Coroutine[Any, Any, None],  # Any: what it awaits does not matter
    orders: int = ORDERS,
    enough: Callable[[], bool] = lambda: True,
) -> Findings:
    """Trade during a disturbance, wait until everything is answered, and check the topics.

    Args:
        bus: The bus of traffic and checker.
        executors: The executors; at least one was started.
        seed: The seed of the traffic.
        disturbance: Runs during the traffic; cancelled when enough orders were sent.
        orders: The minimum number of orders.
        enough: Trading continues, within bounds, until this is true.
    """
    traffic = Traffic(bus, seed)
    await traffic.open_market()
    running = [
        asyncio.ensure_future(work)
        for work in (executors.supervise(), traffic.run_market(), disturbance)
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
    findings = check_records(topics, TERMS)
    for raw in topics.commands:
        findings.expect(traffic.acked.get(raw.offset) == raw.value, f"command {raw.offset} changed")
    print(f"\nseed {seed}: {dict(findings.counts)}\nends: {dict(executors.ends)}")
    return findings
