"""Executors with armed exits are killed at every fault point: none is lost, none fires twice."""

import asyncio
import itertools

import orjson
import pytest

from arena import fault_points as faults
from arena import topics
from arena.accounts import Shard
from arena.bus.base import EARLIEST
from arena.bus.kafka import KafkaBus
from arena.messages import TradeIntent
from arena.read_topic import read_list
from operations.storm.checker_records import TopicRecords
from tests.faults.exits import ExitTraffic, check_exits
from tests.faults.harness import Executors, read_topics, wait_until_answered
from trading_tools.intents import intent_of

pytestmark = [pytest.mark.timeout(600)]

ORDERS = 500
EXTRA_ROUNDS_MAX = 60
BROADCAST_S = 20.0
CHANCES = {
    "after_epoch": 1.0,
    "during_recovery": 1.0,
    "after_read": 0.02,
    "after_decide": 0.02,
    "sent_not_acked": 0.05,
    "acked_not_replied": 0.05,
    "after_check": 0.02,
    "acked_no_intent": 0.05,
}


async def test_exits_survive_kills_at_every_fault_point(
    bus: KafkaBus, executors: Executors
) -> None:
    """Each fires once, at the first ticker that meets its level, however often the owner dies."""
    assert set(CHANCES) == set(faults.POINTS)
    turns = itertools.cycle(CHANCES.items())

    def next_fault() -> str:
        name, chance = next(turns)
        return f"{name}:{chance}"

    traffic = ExitTraffic(bus, 3)
    await traffic.open_market()
    executors.fault = next_fault
    executors.start("one")
    running = [
        asyncio.ensure_future(work) for work in (executors.supervise(), traffic.run_market())
    ]
    try:
        await traffic.run_agents(ORDERS, 60)
        for _ in range(EXTRA_ROUNDS_MAX):
            if set(CHANCES) <= set(executors.ends):
                break
            await traffic.run_agents(50, 60)
        executors.fault = lambda: ""
        await wait_until_answered(bus, traffic, 40.0)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        executors.stop()
    records = await read_topics(bus)
    found = check_exits(records)
    print(dict(found.ends), dict(executors.ends))

    assert not found.wrong, "\n".join(found.wrong[:20])
    assert set(CHANCES) <= set(executors.ends)
    assert 20 <= sum(n for end, n in found.ends.items() if end.endswith("triggered"))
    assert _approved(records) <= await _broadcast(bus)


async def _wait_until_broadcast(bus: KafkaBus) -> None:
    """Wait for the intents of the last exits: no reply tells that an executor has sent them."""
    deadline_s = asyncio.get_running_loop().time() + BROADCAST_S
    while asyncio.get_running_loop().time() < deadline_s:
        if _approved(await read_topics(bus)) <= await _broadcast(bus):
            return
        await asyncio.sleep(0.5)


def _approved(records: TopicRecords) -> set[str]:
    """Ids of the orders that were approved, from the events that count."""
    shard, found = Shard(), set()
    for record in records.events:
        counted = shard.apply(record.kind, record.value, record.offset)
        if counted is None or record.kind != "OrderDecided":
            continue
        event = orjson.loads(record.value)
        if intent_of(event, 0, record.offset) is not None:
            found.add(event["order_id"])
    return found


async def _broadcast(bus: KafkaBus) -> set[str]:
    """Ids of all intents."""
    reader = await bus.partition_reader(topics.INTENTS.name, 0, EARLIEST)
    try:
        messages = [record.message() for record in await read_list(reader)]
    finally:
        await reader.close()
    return {one.intent_id for one in messages if isinstance(one, TradeIntent)}
