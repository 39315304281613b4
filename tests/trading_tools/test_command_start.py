"""Where an owner starts after its commands were cut, deleted, or created again."""

import asyncio
from collections.abc import MutableSequence

import pytest

from arena import topics
from arena.account_state import OrderOutcome
from arena.accounts import Shard
from arena.bus.base import EARLIEST, Record
from arena.bus.memory import MemoryBus, MemoryLogReader
from arena.errors import UsageError
from arena.liveness import COMMANDS_LOST as LOST
from arena.messages import DeadLetter, OrderDecided, ToolCall
from arena.topics import partition_of
from tests.trading_tools.helpers import product, read_until, serving, ticker, tool_call, until_ended
from trading_tools.command_start import find_start

BUY = '{"product_id": "BTC-USD", "quantity": "0.001", "action": "buy"}'
COMMANDS, EVENTS = topics.COMMANDS.name, topics.EVENTS.name
AGENT = "momentum"
OLD = 30


def _orders(first: int, count: int) -> list[ToolCall]:
    return [tool_call(AGENT, "execute_trade", BUY, index=first + n) for n in range(count)]


async def _send(bus: MemoryBus, calls: list[ToolCall]) -> None:
    for call in calls:
        await bus.append(COMMANDS, call, key=AGENT)


async def _after_a_first_run(bus: MemoryBus) -> MutableSequence[Record]:
    """Decide some orders; the log of their commands, to be damaged."""
    await bus.ensure_topics(topics.TOPICS)
    await bus.send(topics.TICKERS.name, product(), key="BTC-USD")
    await bus.send(topics.TICKERS.name, ticker("67201.10", "67203.55"), key="BTC-USD")
    await _send(bus, _orders(0, OLD))
    async with serving(bus):
        await read_until(bus, EVENTS, OrderDecided, OLD)
    shard = partition_of(AGENT, await bus.partitions(COMMANDS))
    return bus.cluster.logs[COMMANDS, shard]


@pytest.mark.parametrize("left", [0, 1, 10, OLD - 1])
@pytest.mark.parametrize("new", [1, 20, OLD + 5])
async def test_every_order_after_a_cut_is_decided_once(
    memory_bus: MemoryBus, left: int, new: int
) -> None:
    """The log was cut or created again, with new orders at offsets that were decided before."""
    log = await _after_a_first_run(memory_bus)
    del log[left:]
    orders = _orders(100, new)
    await _send(memory_bus, orders)
    async with serving(memory_bus) as node:
        events = await read_until(memory_bus, EVENTS, OrderDecided, OLD + new)
        reported = str(node.details[LOST])
    assert f"the commands of {OLD - left} decided orders are gone" in reported

    # Another start: the offset is proved by a new order, and nothing is decided again.
    await _send(memory_bus, last := _orders(200, 1))
    async with serving(memory_bus) as node:
        events = await read_until(memory_bus, EVENTS, OrderDecided, OLD + new + 1)
        assert LOST not in node.details

    ids = [event.order_id for event in events]
    assert len(ids) == len(set(ids)) == OLD + new + 1
    assert {order.call_id for order in orders + last} <= set(ids)


async def test_intact_log_is_continued_silently(memory_bus: MemoryBus) -> None:
    """Nothing is dead-lettered again, and no loss is reported."""
    log = await _after_a_first_run(memory_bus)
    shard = log[0].partition
    await memory_bus.send_bytes(COMMANDS, b"\xff", key=None, partition=shard, headers=())
    await _send(memory_bus, _orders(50, 1))
    for number in range(2):
        await _send(memory_bus, _orders(60 + number, 1))
        async with serving(memory_bus) as node:
            await read_until(memory_bus, EVENTS, OrderDecided, OLD + 2 + number)
            assert LOST not in node.details

    assert 1 == len(await read_until(memory_bus, topics.DEAD_LETTERS.name, DeadLetter, 1))


async def test_search_starts_at_the_oldest_known_order(memory_bus: MemoryBus) -> None:
    """A long log is read in batches, and not from its first record."""
    await memory_bus.ensure_topics(topics.TOPICS)
    await _send(memory_bus, calls := _orders(0, 300))
    shard = Shard(source_offset=299)
    for place in (200, 250, 299):
        order_id = calls[place].call_id if place < 299 else "gone"
        shard.orders[order_id] = OrderOutcome(1, "filled", None, AGENT, place, "")
        shard._order_ids.append(order_id)
    reader = _Counting(memory_bus.cluster, [(COMMANDS, 0)], EARLIEST)

    found = await find_start(reader, shard, 0, rewind=1)

    assert (250, 250) == (found.first, found.dead_lettered_to)
    assert [299, 200] == reader.places


class _Counting(MemoryLogReader):
    """Notes where each read starts."""

    places: list[int]

    async def read(self, *, timeout_s: float = 0.5, max_records: int = 1000) -> list[Record]:
        """The next records."""
        self.places = [*getattr(self, "places", []), self.position(COMMANDS, 0)]
        return await super().read(timeout_s=timeout_s, max_records=max_records)


def _grow(bus: MemoryBus, *names: str) -> None:
    """Give topics more partitions, as `kafka-topics --alter` does."""
    for name in names:
        for partition in range(bus.cluster.partitions[name], 50):
            bus.cluster.logs[name, partition] = []
        bus.cluster.partitions[name] = 50


async def test_account_topics_with_added_partitions_are_refused(
    memory_bus: MemoryBus,
) -> None:
    """An agent would get a second account: neither an epoch nor an event is written."""
    await _after_a_first_run(memory_bus)
    _grow(memory_bus, COMMANDS, EVENTS)
    before = sum(len(log) for (name, _), log in memory_bus.cluster.logs.items() if name == EVENTS)
    await _send(memory_bus, _orders(100, 1))
    with pytest.raises(UsageError, match=f"the account of {AGENT} is in shard") as refused:
        async with serving(memory_bus):
            await until_ended()

    after = sum(len(log) for (name, _), log in memory_bus.cluster.logs.items() if name == EVENTS)
    assert before == after
    assert "ARENA_PREFIX" in refused.value.remedy


async def test_partitions_added_while_serving_end_the_executor(
    memory_bus: MemoryBus,
) -> None:
    """It is noticed within a heartbeat, and the error has the remedy."""
    await _after_a_first_run(memory_bus)
    with pytest.raises(UsageError, match="has 50 partitions now, and had"):
        async with serving(memory_bus) as node:
            async with asyncio.timeout(5):
                while node.status != "running":
                    await asyncio.sleep(0.01)
            _grow(memory_bus, COMMANDS)
            await until_ended()
