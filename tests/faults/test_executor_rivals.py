"""Two executors on one shard: at once, in turn, and after a freeze."""

import asyncio
import random
import signal

import pytest

from arena.bus.kafka import KafkaBus
from tests.faults.conftest import run_traffic
from tests.faults.harness import Executors

pytestmark = [pytest.mark.timeout(600)]


async def test_orders_survive_two_rival_owners(bus: KafkaBus, executors: Executors) -> None:
    """Two executors that keep claiming the same shard cost time, but no order."""
    executors.command = ("-m", "tests.faults.rival")
    executors.start("one")
    executors.start("two")
    rng = random.Random(3)

    async def disturb() -> None:
        while True:
            await asyncio.sleep(rng.uniform(1.5, 3))
            executors.signal(rng.choice(("one", "two")), signal.SIGKILL)

    findings = await run_traffic(
        bus, executors, 3, disturb(), orders=1_000, enough=lambda: executors.times_owned() >= 3
    )

    assert not findings.wrong, findings.summary()
    assert findings.counts["epochs"] >= 3


async def test_orders_survive_a_zombie(bus: KafkaBus, executors: Executors) -> None:
    """The standby takes over from a frozen owner, which cannot answer any agent afterwards."""
    executors.start("one")
    await executors.wait_until_owned(0)
    executors.start("two")

    async def disturb() -> None:
        await asyncio.sleep(2)
        owned = executors.times_owned()
        executors.signal("one", signal.SIGSTOP)
        await executors.wait_until_owned(owned)
        await asyncio.sleep(1)
        executors.signal("one", signal.SIGCONT)
        await asyncio.sleep(1.5)
        returned.set()
        await asyncio.sleep(3600)

    returned = asyncio.Event()
    findings = await run_traffic(bus, executors, 4, disturb(), enough=returned.is_set)

    assert not findings.wrong, findings.summary()
    assert findings.counts["epochs"] >= 2
    assert returned.is_set()
