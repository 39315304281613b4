"""Two executors that both want the same shard, however slow the machine is."""

import asyncio

import pytest

from arena import topics
from arena.accounts import Shard
from arena.bus.base import LogReader
from arena.bus.memory import MemoryBus
from arena.clock import SystemClock
from arena.node import Node
from arena.settings import Settings
from tests.alongside import alongside
from tests.faults.rival import rival
from tests.trading_tools.helpers import WAIT_S, product, ticker, tool_call
from trading_tools.shard_writer import ShardWriter

BUY = '{"product_id": "BTC-USD", "quantity": "0.01", "action": "buy"}'
ORDERS = 5
SLOW_S = 0.1


async def test_two_executors_that_claim_in_turns_make_progress(
    memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes longer to start than the other to claim, and orders are still decided."""
    open_commands = ShardWriter._open_commands

    async def slowly(owner: ShardWriter) -> LogReader:
        await asyncio.sleep(SLOW_S)
        return await open_commands(owner)

    monkeypatch.setattr(ShardWriter, "_open_commands", slowly)
    await memory_bus.ensure_topics(topics.fixed_topics())
    await memory_bus.append(topics.TICKERS.name, product(), key="BTC-USD")
    await memory_bus.append(topics.TICKERS.name, ticker("67201.10", "67203.55"), key="BTC-USD")
    for index in range(ORDERS):
        call = tool_call("momentum", "execute_trade", BUY, index=index)
        await memory_bus.append(topics.COMMANDS.name, call, key="momentum")
    other = MemoryBus(memory_bus.cluster)
    await other.start()
    one, two = (
        Node("tools", name, Settings(heartbeat_interval_s=0.1), bus, SystemClock())
        for name, bus in (("one", memory_bus), ("two", other))
    )
    async with alongside(rival(one, None)):
        while not one.details.get("shards"):
            await asyncio.sleep(0.01)
        await asyncio.sleep(SLOW_S / 2)
        async with alongside(rival(two, None)):
            async with asyncio.timeout(WAIT_S / 2):
                while decided(memory_bus) < ORDERS:
                    await asyncio.sleep(0.05)


def decided(bus: MemoryBus) -> int:
    """How many orders have an event that counts."""
    shard = Shard()
    for record in bus.cluster.logs[topics.EVENTS.name, 0]:
        shard.apply(record.kind, record.value, record.offset)
    return sum(known.outcome == "filled" for known in shard.orders.values())
