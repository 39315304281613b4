"""Executors are killed under traffic; the topics must not show it."""

import asyncio
import itertools
import random
import signal

import pytest

from arena import fault_points as faults
from arena.bus.kafka import KafkaBus
from tests.faults.conftest import run_traffic
from tests.faults.harness import Executors

pytestmark = [pytest.mark.timeout(600)]

KILLS = 5


async def test_orders_survive_random_kills(bus: KafkaBus, executors: Executors) -> None:
    """An executor that is killed at random and restarted loses and doubles nothing."""
    rng = random.Random(1)
    executors.start("one")

    async def disturb() -> None:
        owned = 0
        while True:
            if rng.random() < 0.8:
                owned = await executors.wait_until_owned(owned)
            await asyncio.sleep(rng.uniform(0, 0.5))
            executors.signal("one", signal.SIGKILL)

    findings = await run_traffic(
        bus, executors, 1, disturb(), enough=lambda: executors.ends["killed"] >= KILLS
    )

    assert not findings.wrong, findings.summary()
    assert executors.ends["killed"] >= KILLS


async def test_orders_survive_kills_at_every_fault_point(
    bus: KafkaBus, executors: Executors
) -> None:
    """Each fault point of the money path kills the process in turn, several times."""
    # The first two are reached once or twice per process, so they must kill at once.
    chances = {
        "after_epoch": 1.0,
        "during_recovery": 1.0,
        "after_read": 0.01,
        "after_decide": 0.01,
        "sent_not_acked": 0.05,
        "acked_not_replied": 0.05,
    }
    # Those of limit orders and exits are in `test_exit_kills`.
    assert set(chances) == set(faults.POINTS) - {"after_check", "acked_no_intent"}
    turns = itertools.cycle(chances.items())

    def next_fault() -> str:
        name, chance = next(turns)
        return f"{name}:{chance}"

    executors.fault = next_fault
    executors.start("one")

    findings = await run_traffic(
        bus,
        executors,
        2,
        asyncio.sleep(3600),
        enough=lambda: set(chances) <= set(executors.ends),
    )

    assert not findings.wrong, findings.summary()
    assert set(chances) <= set(executors.ends)
