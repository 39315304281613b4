"""An executor that writes digests and checkpoints while it serves, and its restarts."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, MutableSequence
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from arena import accounts, topics
from arena.account_state import OrderOutcome
from arena.accounts import Shard
from arena.bus.base import Record, Start
from arena.bus.memory import MemoryBus
from arena.checkpoint import ChecksummedFile, pack_shard, unpack_shard
from arena.clock import SystemClock
from arena.messages import DeadLetter, OrderDecided, StateDigest, Ticker, ToolCall, ToolResult
from arena.node import Node
from arena.settings import Settings
from arena.topics import partition_of
from tests.alongside import alongside
from tests.trading_tools.helpers import product, read_until, ticker, tool_call
from trading_tools.command_start import find_start
from trading_tools.rules import TradingRules
from trading_tools.service import serve_tools

BUY = '{"product_id": "BTC-USD", "quantity": "0.001", "action": "buy"}'
COMMANDS, EVENTS = topics.COMMANDS.name, topics.EVENTS.name
AGENT = "momentum"
BETWEEN = 20
ORDERS = 50


@asynccontextmanager
async def _serving(bus: MemoryBus, home: Path, events: int = BETWEEN) -> AsyncIterator[Node]:
    settings = Settings(home=home, checkpoint_events=events, heartbeat_interval_s=0.1)
    node = Node("tools", "test", settings, bus, SystemClock())
    async with alongside(serve_tools(node, TradingRules())):
        yield node


def _orders(first: int, count: int) -> list[ToolCall]:
    return [tool_call(AGENT, "execute_trade", BUY, index=first + n) for n in range(count)]


async def _send(bus: MemoryBus, calls: list[ToolCall]) -> None:
    for call in calls:
        await bus.append(COMMANDS, call, key=AGENT)


async def _market(bus: MemoryBus, quote: Ticker | None = None) -> None:
    await bus.ensure_topics([*topics.fixed_topics(), topics.INBOX.member(AGENT)])
    await bus.send(topics.TICKERS.name, product(), key="BTC-USD")
    quote = quote or ticker("67201.10", "67203.55")
    await bus.send(topics.TICKERS.name, quote, key="BTC-USD")


async def _decide(
    bus: MemoryBus, home: Path, calls: list[ToolCall], orders: int
) -> MutableSequence[Record]:
    """Send calls and serve until this many orders are answered; returns the log of the events."""
    await _send(bus, calls)
    async with _serving(bus, home):
        await _until_answered(bus, calls)
    events = await read_until(bus, EVENTS, OrderDecided, orders)
    assert {event.order_id: 1 for event in events} == Counter(e.order_id for e in events)
    assert orders == len(events)
    return _log(bus)


async def _until_answered(bus: MemoryBus, calls: list[ToolCall]) -> None:
    wanted = {call.call_id for call in calls}
    reader = await bus.log_reader(topics.inbox(AGENT))
    async with asyncio.timeout(5):
        while wanted:
            for record in await reader.read(timeout_s=0.1):
                message = record.message()
                if isinstance(message, ToolResult):
                    wanted.discard(message.call_id)


def _log(bus: MemoryBus) -> MutableSequence[Record]:
    return bus.cluster.logs[EVENTS, partition_of(AGENT, bus.cluster.partitions[EVENTS])]


def _file(home: Path) -> ChecksummedFile:
    (path,) = (home / "checkpoints" / "=").iterdir()
    return ChecksummedFile(path)


def _fold(log: MutableSequence[Record]) -> Shard:
    shard = Shard()
    for record in log:
        shard.apply(record.headers["type"].decode(), record.value, record.offset)
    return shard


async def test_restart_folds_from_a_checkpoint_with_a_digest_in_the_log(
    memory_bus: MemoryBus, tmp_path: Path
) -> None:
    """Earlier records cannot even be read any more, and the executor continues to trade."""
    await _market(memory_bus)
    log = await _decide(memory_bus, tmp_path, _orders(0, ORDERS), ORDERS)
    stated = [m for m in map(Record.message, log) if isinstance(m, StateDigest)]
    packed = _file(tmp_path).read()
    assert packed is not None
    assert sha256(packed).hexdigest() in {one.sha256 for one in stated}
    kept = unpack_shard(packed)
    assert _fold(log[: kept.next_offset]).digest() == kept.digest()

    whole, log[1] = log[1], log[1]._replace(value=b"\xff")
    await _send(memory_bus, more := _orders(ORDERS, 5))
    async with _serving(memory_bus, tmp_path):
        await _until_answered(memory_bus, more)

    log[1] = whole
    assert ORDERS + 5 == len(_fold(log).orders) - 1


@pytest.mark.parametrize("what", ["balance", "forgotten order", "place"])
async def test_forged_checkpoint_is_not_used(
    memory_bus: MemoryBus, tmp_path: Path, what: str
) -> None:
    """Its seal, head and format are valid; the log is folded from its beginning instead."""
    await _market(memory_bus)
    log = await _decide(memory_bus, tmp_path, _orders(0, ORDERS), ORDERS)
    file = _file(tmp_path)
    shard = unpack_shard(file.read() or b"")
    if what == "balance":
        shard.accounts[AGENT].cash += 10**15
    elif what == "forgotten order":
        shard.orders.popitem()
    else:
        shard.source_offset += 1_000
    file.write(pack_shard(shard))

    # Copies of decided orders, and new ones.
    calls = _orders(0, ORDERS + 3)
    log = await _decide(memory_bus, tmp_path, calls, ORDERS + 3)

    assert 0 < _fold(log).accounts[AGENT].cash < 10**13


async def test_digests_in_the_log_change_no_account(tmp_path: Path) -> None:
    """The same orders give the same accounts, however often a digest is written."""
    found = {}
    quote = ticker("67201.10", "67203.55")
    for between in (5, 50_000):
        bus = MemoryBus()
        await bus.start()
        await _market(bus, quote)
        await _send(bus, calls := _orders(0, ORDERS))
        async with _serving(bus, tmp_path / str(between), between):
            await _until_answered(bus, calls)
        log = _log(bus)
        kinds = Counter(record.headers["type"] for record in log)
        found[between] = (_fold(log).digest(), kinds[b"StateDigest"] > 0)

    assert found[5][0] == found[50_000][0]
    assert [True, False] == [found[5][1], found[50_000][1]]


async def test_forgotten_order_is_never_decided_again(
    memory_bus: MemoryBus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by its owner, nor after a restart with a checkpoint or with a complete fold."""
    monkeypatch.setattr(accounts, "ORDERS_REMEMBERED", 30)
    await _market(memory_bus)
    calls = _orders(0, ORDERS)
    await _decide(memory_bus, tmp_path, calls, ORDERS)
    for number, home in enumerate((tmp_path, tmp_path, tmp_path / "another")):
        await _send(memory_bus, calls)
        new = _orders(1_000 + number, 1)
        await _decide(memory_bus, home, new, ORDERS + number + 1)
        calls += new

    letters = await read_until(memory_bus, topics.DEAD_LETTERS.name, DeadLetter, 3)
    places = Counter(letter.offset for letter in letters if letter.topic == COMMANDS)
    assert places
    assert {1} == set(places.values())
    assert all("may have been decided before" in letter.error for letter in letters)


@pytest.mark.parametrize(
    ("begin", "expected_text"),
    [
        (10, ""),
        (11, "1 records at offsets 10 to 10 were deleted"),
        (25, "15 records at offsets 10 to 24 were deleted"),
    ],
)
async def test_deleted_commands_are_reported_as_unproven(
    memory_bus: MemoryBus, begin: int, expected_text: str
) -> None:
    """Which of them were read is unknown: reads leave no trace in the account log."""
    await _market(memory_bus)
    await _send(memory_bus, _orders(0, 30))
    shard = Shard(source_offset=9)
    shard.orders["nine"] = OrderOutcome(1, "filled", None, AGENT, 9, "")
    shard._order_ids.append("nine")
    partition = partition_of(AGENT, memory_bus.cluster.partitions[COMMANDS])
    start = Start(offsets={(COMMANDS, partition): begin})
    reader = await memory_bus.partition_reader(COMMANDS, partition, start)

    found = await find_start(reader, shard, partition, rewind=128)

    assert (begin, 9, "") == (found.first, found.dead_lettered_to, found.loss)
    assert found.unproven.startswith(expected_text)
    assert bool(expected_text) == bool(found.unproven)
