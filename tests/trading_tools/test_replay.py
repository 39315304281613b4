"""Replayed orders give the same bytes, or the event that differs is named."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import orjson
import pytest

from arena import topics
from arena.account_state import accounts_digest
from arena.accounts import Shard
from arena.bus.base import Record
from arena.bus.memory import MemoryBus
from arena.errors import UsageError
from arena.exports import export_topics
from arena.messages import Halt, OpenAccount, OrderDecided, QuoteSeen, Resume, ToolCall, ToolResult
from tests.trading_tools.helpers import product, read_until, serving, ticker, tool_call
from trading_tools import command_waits
from trading_tools.replay import LOST, OrderReplay

TOPICS = (
    topics.TICKERS.name,
    topics.COMMANDS.name,
    topics.EVENTS.name,
    topics.ROSTER.name,
    topics.CONTROL.name,
)
EVENTS = topics.EVENTS.name


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait long for prices that never come."""
    monkeypatch.setattr(command_waits, "PRICE_WAIT_S", 0.1)


def order(index: int, quantity: str, action: str = "buy", product_id: str = "BTC-USD") -> ToolCall:
    """An order of agent mo, whose agent saw 67200/67203 and two tickers."""
    text = orjson.dumps({"product_id": product_id, "quantity": quantity, "action": action})
    seen = QuoteSeen(bid=Decimal("67200"), ask=Decimal("67203"))
    return tool_call(
        "mo",
        "execute_trade",
        text.decode(),
        index=index,
        quotes_seen={"BTC-USD": seen, "ETH-USD": seen},
        ticker_offsets={0: 3},
    )


async def trade(bus: MemoryBus) -> list[OrderDecided]:
    """Send orders with many different outcomes; returns their events."""
    for message in (product(), product("ETH-USD"), ticker("67201.10", "67203.55")):
        await bus.append(topics.TICKERS.name, message, key=getattr(message, "product_id", ""))
    opening = OpenAccount(
        call_id="open", agent="mo", scrape=Decimal("0.2"), issued_at=datetime.now(UTC)
    )
    await bus.append(topics.COMMANDS.name, opening, key="mo")
    calls = [
        order(0, "0.5"),
        order(1, "0.2", "sell"),
        order(2, "90"),
        order(3, "7", "sell"),
        order(4, "0.123456789"),
        order(5, "1", product_id="DOGE-USD"),
        order(6, "1", product_id="ETH-USD"),
        order(7, "0.000001"),
        tool_call("mo", "execute_trade", '{"product_id": ', index=8),
        tool_call("mo", "execute_trade", "{}", index=9, life_s=-5),
        order(10, "0.1", "sell").model_copy(update={"ticker_offsets": {0: 4_000}}),
        tool_call("somebody", "execute_trade", '{"product_id": "BTC-USD"}'),
    ]
    async with serving(bus):
        for call in calls:
            await bus.append(topics.COMMANDS.name, call, key=call.agent)
        await read_until(bus, EVENTS, OrderDecided, len(calls))
        now = datetime.now(UTC)
        await bus.append(topics.CONTROL.name, Halt(by="test", at=now), key="all")
        await halted(bus, 20)
        resume = Resume(by="test", at=datetime.now(UTC))
        await bus.append(topics.CONTROL.name, resume, key="all")
        return await read_until(bus, EVENTS, OrderDecided, len(calls) + 1)


async def halted(bus: MemoryBus, index: int) -> None:
    """Send orders until the halt is obeyed."""
    for attempt in range(index, index + 100):
        call = order(attempt, "0.001")
        await bus.append(topics.COMMANDS.name, call, key="mo")
        results = await read_until(bus, topics.inbox("mo"), ToolResult, 1)
        while all(result.call_id != call.call_id for result in results):
            results = await read_until(bus, topics.inbox("mo"), ToolResult, len(results) + 1)
        if any(result.error == "halted" for result in results):
            return
    raise AssertionError("the halt was not obeyed")


async def test_export_without_prices_is_refused(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """The error names the missing topic."""
    await trade(memory_bus)
    others = [name for name in TOPICS if name != topics.TICKERS.name]
    await export_topics(memory_bus, tmp_path / "records", others)

    with pytest.raises(UsageError, match=topics.TICKERS.name):
        OrderReplay(tmp_path / "records").run()


async def test_every_kind_of_decision_replays_identically(
    memory_bus: MemoryBus, tmp_path: Path
) -> None:
    """Fills, an account with profit set aside, and rejections of eleven reasons, byte by byte."""
    events = await trade(memory_bus)
    await export_topics(memory_bus, tmp_path / "records", TOPICS)

    found = OrderReplay(tmp_path / "records").run()

    reasons = {event.reason for event in events if event.reason is not None}
    assert {
        "malformed_arguments",
        "halted",
        "unknown_product",
        "bad_increment",
        "no_price",
        "below_minimum",
        "insufficient_cash",
        "insufficient_position",
    } <= reasons
    assert [] == found.differences
    assert len(events) == found.counts["orders"]
    assert 2 == found.counts["openings"]


async def arena_of(shards: int) -> MemoryBus:
    """An arena whose accounts are in this many partitions."""
    bus = MemoryBus()
    await bus.start()
    own = [replace(spec, partitions=shards) for spec in (topics.COMMANDS, topics.EVENTS)]
    await bus.ensure_topics([*own, *topics.fixed_topics()])
    return bus


async def test_two_shards_replay_identically(tmp_path: Path) -> None:
    """With agents in two partitions, both logs are replayed, and the digest covers both."""
    bus = await arena_of(2)
    assert {0, 1} == {topics.partition_of(agent, 2) for agent in ("mo", "somebody")}
    await trade(bus)
    await export_topics(bus, tmp_path / "records", TOPICS)
    logs = [bus.cluster.logs[EVENTS, partition] for partition in range(2)]
    shards = [Shard(), Shard()]
    for shard, log in zip(shards, logs, strict=True):
        for record in log:
            shard.apply(record.headers["type"].decode(), record.value or b"", record.offset)

    found = OrderReplay(tmp_path / "records").run()

    assert [] == found.differences
    assert min(map(len, logs)) >= 2
    decided = found.counts["orders"] + found.counts["openings"] + found.counts["epochs"]
    assert sum(map(len, logs)) == decided
    both = shards[0].accounts | shards[1].accounts
    assert {"mo", "somebody"} == both.keys()
    assert accounts_digest(both) == found.account_digest


@pytest.mark.parametrize(
    ("agent", "refusal", "shards"),
    [("mo", b"insufficient_cash", 1), ("somebody", b"rejected", 2)],
    ids=["one shard", "the second of two"],
)
async def test_changed_event_is_named(
    tmp_path: Path, agent: str, refusal: bytes, shards: int
) -> None:
    """One word of one rejection was changed; only that event is named."""
    bus = await arena_of(shards)
    await trade(bus)
    shard = topics.partition_of(agent, shards)
    log = bus.cluster.logs[EVENTS, shard]
    index = next(i for i, r in enumerate(log) if refusal in (r.value or b""))
    log[index] = changed(log[index], "detail", "because")
    del log[index + 1 :]
    await export_topics(bus, tmp_path / "records", TOPICS)

    found = OrderReplay(tmp_path / "records").run()

    assert [f"{EVENTS}[{shard}]@{index}"] == [
        difference["place"] for difference in found.differences
    ]
    assert "detail because" == found.differences[0]["expected"]


def changed(record: Record, name: str, value: str) -> Record:
    """A record with another value of one field."""
    body = orjson.loads(record.value or b"") | {name: value}
    return record._replace(value=orjson.dumps(body))


async def lose_commands(bus: MemoryBus, left: int, new: int) -> tuple[int, int]:
    """Send orders, cut their commands, send new ones; returns how many were and are decided."""
    events = await trade(bus)
    log = bus.cluster.logs[topics.COMMANDS.name, 0]
    decided = {event.source.offset: event for event in events}
    del log[left:]
    async with serving(bus):
        for number in range(new):
            await bus.append(topics.COMMANDS.name, order(500 + number, "0.0001"), key="mo")
        await read_until(bus, EVENTS, OrderDecided, len(events) + new)
    return sum(1 for offset in decided if offset >= left), len(events) + new


@pytest.mark.parametrize(("left", "new"), [(0, 0), (0, 3), (0, 30), (5, 0), (5, 3), (5, 30)])
async def test_events_with_lost_commands_are_counted(tmp_path: Path, left: int, new: int) -> None:
    """The log was cut, or created again: the rest replays, and the loss is counted."""
    bus = await arena_of(1)
    lost, orders = await lose_commands(bus, left, new)
    await export_topics(bus, tmp_path / "records", TOPICS)

    found = OrderReplay(tmp_path / "records").run()

    assert [] == found.differences
    assert orders == found.counts["orders"]
    # The account was opened by a command of its own, the first one.
    assert lost + (left == 0) == found.counts[LOST]


async def test_event_without_a_command_is_a_difference(tmp_path: Path) -> None:
    """Another order is at the event's offset, and no later event shows a loss."""
    bus = await arena_of(1)
    await trade(bus)
    log = bus.cluster.logs[topics.COMMANDS.name, 0]
    log[3] = changed(log[3], "call_id", "another")
    await export_topics(bus, tmp_path / "records", TOPICS)

    found = OrderReplay(tmp_path / "records").run()

    assert ["a command to decide"] == [one["expected"] for one in found.differences]
    assert 0 == found.counts[LOST]
