"""An account log that lost its end, or was created again, is noticed and reported."""

import asyncio
from collections import Counter
from collections.abc import MutableSequence

import orjson
import pytest

from arena import topics
from arena.bus.base import Record
from arena.bus.memory import MemoryBus
from arena.clock import SystemClock
from arena.errors import BrokenLog
from arena.liveness import COMMANDS_LOST, COMMANDS_UNPROVEN, EVENTS_LOST, EVENTS_UNPROVEN
from arena.messages import OrderDecided, ToolCall
from arena.node import Node
from arena.settings import Settings
from arena.topics import partition_of
from tests.trading_tools.helpers import product, read_until, serving, ticker, tool_call, until_ended
from trading_tools import inbox_check, recovery
from trading_tools.recovery import EventLog

BUY = '{"product_id": "BTC-USD", "quantity": "0.001", "action": "buy"}'
COMMANDS, EVENTS = topics.COMMANDS.name, topics.EVENTS.name
AGENT = "momentum"
OLD = 20


def _orders(first: int, count: int) -> list[ToolCall]:
    return [tool_call(AGENT, "execute_trade", BUY, index=first + n) for n in range(count)]


async def _send(bus: MemoryBus, calls: list[ToolCall]) -> None:
    for call in calls:
        await bus.append(COMMANDS, call, key=AGENT)


async def _events_of_a_first_run(bus: MemoryBus) -> MutableSequence[Record]:
    """Decide some orders and reply to their agent; returns the log of the events, to damage."""
    await bus.ensure_topics(topics.TOPICS)
    await bus.send(topics.TICKERS.name, product(), key="BTC-USD")
    await bus.send(topics.TICKERS.name, ticker("67201.10", "67203.55"), key="BTC-USD")
    await _send(bus, _orders(0, OLD))
    async with serving(bus):
        await read_until(bus, EVENTS, OrderDecided, OLD)
        await _until_answered(bus, OLD)
    shard = partition_of(AGENT, await bus.partitions(EVENTS))
    return bus.cluster.logs[EVENTS, shard]


async def _until_answered(bus: MemoryBus, count: int) -> None:
    async with asyncio.timeout(5):
        while len(bus.cluster.logs[topics.inbox(AGENT), 0]) < count:
            await asyncio.sleep(0.01)


async def _until_running(node: Node) -> None:
    async with asyncio.timeout(5):
        while node.status != "running":
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("left", [0, 1, 2, 12, OLD + 1])
async def test_lost_events_are_reported_and_their_orders_decided_again(
    memory_bus: MemoryBus, left: int
) -> None:
    """A reply without an event in the log is named; each order has one event."""
    log = await _events_of_a_first_run(memory_bus)
    del log[left:]
    new = _orders(100, 3)
    await _send(memory_bus, new)
    async with serving(memory_bus) as node:
        events = await read_until(memory_bus, EVENTS, OrderDecided, OLD + 3)
        reported = str(node.details[EVENTS_LOST])

    gone = OLD + 1 - max(0, left - 1)
    assert f"at least {gone} events are gone" in reported
    assert f"{AGENT} got a result of event {OLD + 1}" in reported
    ids = Counter(event.order_id for event in events)
    assert {1} == set(ids.values())
    assert len(ids) == OLD + 3
    assert {order.call_id for order in new} <= ids.keys()


async def test_intact_log_reports_no_loss(memory_bus: MemoryBus) -> None:
    """Nothing is reported if all events are there."""
    await _events_of_a_first_run(memory_bus)
    await _send(memory_bus, _orders(100, 1))
    async with serving(memory_bus) as node:
        await read_until(memory_bus, EVENTS, OrderDecided, OLD + 1)
        reported = node.details.keys()

    assert reported.isdisjoint({EVENTS_LOST, EVENTS_UNPROVEN, COMMANDS_LOST, COMMANDS_UNPROVEN})


async def test_idle_owner_notices_the_loss_at_the_next_order(memory_bus: MemoryBus) -> None:
    """It ends with an error; what it appended to the shorter log does not count."""
    log = await _events_of_a_first_run(memory_bus)
    with pytest.raises(BrokenLog, match="it lost its end; start again"):
        async with serving(memory_bus):
            # It reads the old orders again; once they are answered, nothing else asks for the end.
            await _until_answered(memory_bus, 2 * OLD)
            del log[-8:]
            await _send(memory_bus, _orders(100, 1))
            await until_ended()


async def test_standby_that_folded_more_than_the_log_does_not_claim(
    memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It neither waits for the log to grow nor keeps appending epochs: it reports the loss."""
    monkeypatch.setattr(recovery, "SHORT_S", 0.05)
    log = await _events_of_a_first_run(memory_bus)
    shard = partition_of(AGENT, await memory_bus.partitions(EVENTS))
    events = EventLog(Node("tools", "test", Settings(), memory_bus, SystemClock()), shard)
    await events.open()
    await events.catch_up()
    del log[-5:]
    left = len(log)

    with pytest.raises(BrokenLog, match=rf"ends at {left}, and was folded to {left + 5}"):
        await events.catch_up()
    with pytest.raises(BrokenLog, match="it lost its end"):
        await events.claim()
    await events.close()


def _result(seq: object, agent: str = AGENT, offset: int = 7) -> Record:
    value = orjson.dumps({"account_seq": seq, "agent": agent})
    headers = {"type": b"ToolResult"}
    return Record(topics.inbox(agent), 0, offset, 0, None, value, headers)


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([], ""),
        ([_result(5)], ""),
        ([_result(None), _result("9"), _result(True), _result([9])], ""),
        ([_result(9)._replace(value=b"\xff")], ""),
        ([_result(9)._replace(value=b"[9]")], ""),
        ([_result(9)._replace(headers={"type": b"ChatReply"})], ""),
        (
            [_result(6), _result(9, "mo", 3), _result(8)],
            "mo got a result of event 9 (agent.inbox.mo[0]@3)",
        ),
    ],
)
def test_only_a_result_of_a_later_event_proves_a_loss(records: list[Record], expected: str) -> None:
    """Other records of an inbox prove nothing."""
    reported = inbox_check.compare_results(records, seq=5, seq_max=20)

    assert reported.loss.startswith(expected)
    assert bool(reported.loss) == bool(expected)
    assert "" == reported.unproven


@pytest.mark.parametrize("others", [[], [_result(9, "mo", 3)]])
@pytest.mark.parametrize("seq", [21, 2**63 - 1])
def test_impossible_sequence_number_is_not_a_loss(others: list[Record], seq: int) -> None:
    """Other processes may write to the inbox: the record is named, and hides no real loss."""
    reported = inbox_check.compare_results([_result(seq), *others], seq=5, seq_max=20)

    assert reported.unproven.startswith(
        f"agent.inbox.{AGENT}[0]@7 is a result of event {seq:,}, but"
    )
    assert bool(others) == reported.loss.startswith("mo got a result of event 9")


async def test_no_inbox_is_created_for_a_name_in_a_command(memory_bus: MemoryBus) -> None:
    """Any process may write any name there; a missing inbox proves nothing."""
    await memory_bus.ensure_topics(topics.TOPICS)
    for number in range(20):
        call = tool_call(f"ghost{number}", "execute_trade", BUY, reply_to="account.events")
        await memory_bus.append(COMMANDS, call, key=AGENT)
    before = {*memory_bus.cluster.partitions}
    async with serving(memory_bus) as node:
        await _until_running(node)
        await _send(memory_bus, _orders(0, 1))
        await read_until(memory_bus, EVENTS, OrderDecided, 1)

    assert {topics.inbox(AGENT)} == memory_bus.cluster.partitions.keys() - before


async def _never(*_: object) -> list[str]:
    await asyncio.Event().wait()
    return []


@pytest.mark.parametrize(
    ("where", "name", "value", "reported"),
    [
        (inbox_check, "AGENTS_MAX", 0, "1 of 1 agents' inboxes were not compared with the log"),
        (
            MemoryBus,
            "existing_topics",
            _never,
            "inboxes were not compared with the log: they were not re",
        ),
    ],
)
async def test_inboxes_that_were_not_compared_are_reported(
    memory_bus: MemoryBus,
    monkeypatch: pytest.MonkeyPatch,
    where: object,
    name: str,
    value: object,
    reported: str,
) -> None:
    """With too many agents or a slow broker, the heartbeat says what was not compared."""
    monkeypatch.setattr(inbox_check, "CHECK_TIMEOUT_S", 0.05)
    await _events_of_a_first_run(memory_bus)
    monkeypatch.setattr(where, name, value)
    async with serving(memory_bus) as node:
        await _until_running(node)
        await _send(memory_bus, _orders(100, 1))
        await read_until(memory_bus, EVENTS, OrderDecided, OLD + 1)
        assert reported in str(node.details[EVENTS_UNPROVEN])
        assert EVENTS_LOST not in node.details
