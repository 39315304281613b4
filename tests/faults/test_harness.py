"""The wait for answers has no limit while answers come: a busy machine may need long for all."""

import asyncio
from datetime import UTC, datetime

import pytest

from arena import topics
from arena.bus.memory import MemoryBus
from arena.virtual_time import VirtualClock, VirtualTimeLoop
from tests.alongside import alongside
from tests.faults.harness import AGENTS, Traffic, wait_until_answered

ORDERS = tuple(f"order-{n}" for n in range(8))
PAUSE_S = 15.0
STALLED_S = 40.0


async def decide_slowly(bus: MemoryBus, orders: tuple[str, ...]) -> None:
    """Decide an order after each pause, then none."""
    for order in orders:
        await asyncio.sleep(PAUSE_S)
        body = f'{{"order_id": "{order}"}}'.encode()
        await (await bus.send_bytes(topics.EVENTS.name, body, key=None, partition=0, headers=()))
    await asyncio.Event().wait()


def wait_for(decided: tuple[str, ...]) -> float:
    """Wait for all orders while some are decided, on virtual time; return the seconds it took."""

    async def trade() -> float:
        loop = asyncio.get_running_loop()
        bus = MemoryBus(clock=VirtualClock(loop, datetime(2026, 1, 1, tzinfo=UTC)))
        await bus.start()
        await bus.ensure_topics([topics.EVENTS, *map(topics.INBOX.member, AGENTS)])
        async with alongside(decide_slowly(bus, decided)):
            await wait_until_answered(bus, Traffic(bus, 1, orders=set(ORDERS)), STALLED_S)
        return loop.time()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(trade())


def test_slow_decisions_are_waited_for() -> None:
    """All of them take longer than the longest time without one."""
    assert STALLED_S < len(ORDERS) * PAUSE_S <= wait_for(ORDERS)


def test_missing_decision_is_an_error() -> None:
    """The error says how many are missing, after that time without one."""
    with pytest.raises(AssertionError, match="1 orders undecided, 0 calls unanswered"):
        wait_for(ORDERS[:-1])
