"""Rows of snapshots, turns and model calls: each record is booked once."""

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from arena import topics
from arena.bus.base import Bus
from arena.bus.memory import MemoryBus
from arena.liveness import RECORDS_LOST
from arena.messages import (
    Candle,
    CandleWindow,
    LlmCall,
    MarketSnapshot,
    Message,
    ProductView,
    Ticker,
    Turn,
    Usage,
)
from arena.money import to_price_units
from arena.settings import Settings
from ledger import schema, service
from ledger.amounts import split_amount
from ledger.database import Database
from ledger.location import BooksLocation
from ledger.records import micros
from tests.arena.test_accounts import NOW
from tests.ledger.helpers import (
    publish,
    running_ledger,
    wait_for_rows,
    wait_until_booked,
    written_log,
)

START = NOW - timedelta(minutes=15)


def snapshot(name: str = "s1", bid: str = "67000") -> MarketSnapshot:
    """One product with a price and two candles."""
    digits = {"open": "1", "high": "2", "low": "0.000000000001", "close": "1"}
    prices = {name: Decimal(text) for name, text in digits.items()}
    candles = tuple(
        Candle(start=START + timedelta(minutes=n), volume=Decimal("123456789012.5"), **prices)
        for n in range(2)
    )
    ticker = Ticker(
        venue="test",
        product_id="BTC-USD",
        price=Decimal(bid),
        best_bid=Decimal(bid),
        best_ask=Decimal(bid),
        event_time=NOW,
        received_at=NOW,
    )
    view = ProductView(
        product_id="BTC-USD",
        ticker=ticker,
        windows={"1m": CandleWindow(granularity_s=60, candles=candles)},
    )
    return MarketSnapshot(
        snapshot_id=name,
        venue="test",
        as_of=NOW,
        interval_s=60,
        products=(view,),
        published_at=NOW,
    )


def call() -> LlmCall:
    """A model call whose cost has more digits than the books store."""
    return LlmCall(
        call_id="c",
        agent="a",
        turn_id="t",
        round=0,
        node="n",
        model="m\0",
        outcome="ok",
        request_sha256="0" * 64,
        usage=Usage(prompt_tokens=7, cost_usd=Decimal("0.000000015")),
        latency_ms=12.5,
        started_at=NOW,
        ended_at=NOW,
    )


def turn() -> Turn:
    """A turn whose text contains a NUL, which PostgreSQL cannot store."""
    return Turn(
        turn_id="t",
        agent="a",
        strategy="s",
        node="n",
        snapshot_id="s1",
        snapshot_offset=0,
        as_of=NOW,
        outcome="completed",
        final_text="bought\0",
        started_at=NOW,
        ended_at=NOW,
    )


async def send(bus: Bus, topic: str, message: Message) -> None:
    """Append a message to a topic."""
    await bus.append(topic, message, key="k")


async def test_each_topic_is_booked_in_its_tables(
    memory_bus: MemoryBus, location: BooksLocation
) -> None:
    """A second snapshot with the same id, and bytes that are not a message, change nothing."""
    log = written_log(30)
    await publish(memory_bus, log.records)
    for message in (snapshot(), snapshot("s2", "68000"), snapshot()):
        await send(memory_bus, topics.SNAPSHOTS.name, message)
    future = await memory_bus.send_bytes(
        topics.SNAPSHOTS.name, b"not a message", key=None, partition=0, headers=()
    )
    await future
    await send(memory_bus, topics.LLM_CALLS.name, call())
    await send(memory_bus, topics.TURNS.name, turn())
    for _ in range(2):
        async with running_ledger(memory_bus, Settings(), location):
            await wait_until_booked(location, len(log.records))
            await wait_for_rows(location, {topics.SNAPSHOTS.name: 4, topics.LLM_CALLS.name: 1})

    account = log.shard.accounts["a"]
    database = Database(location, read_only=True)
    with database.reading() as connection:
        candles = connection.execute(select(schema.candles)).all()
        equity = connection.execute(
            select(schema.equity_snapshots).order_by(schema.equity_snapshots.c.snapshot_id)
        ).all()
        usage = connection.execute(select(schema.llm_usage)).one()
        logged_turn = connection.execute(select(schema.agent_logs)).one()
    database.close()

    assert [micros(START), micros(START) + 60_000_000] == [row.start_us for row in candles]
    assert Decimal("0.000000000001") == Decimal(candles[0].low)
    assert Decimal("123456789012.5") == Decimal(candles[0].volume)
    assert ["s1", "s2"] == [row.snapshot_id for row in equity]
    worth = account.equity({"BTC-USD": to_price_units(Decimal(67_000))})
    assert split_amount(account.cash) == (equity[0].cash_whole, equity[0].cash_e8)
    assert split_amount(worth) == (equity[0].equity_whole, equity[0].equity_e8)
    assert (0, 2, 7, "m�", 12_500) == (
        usage.cost_whole,
        usage.cost_e8,
        usage.prompt_tokens,
        usage.model,
        usage.latency_us,
    )
    assert "bought�" == logged_turn.final_text


@pytest.mark.parametrize("kept_count", [0, 1, 2], ids=["created again", "two lost", "one lost"])
async def test_new_records_at_reused_offsets_are_booked(
    location: BooksLocation, kept_count: int
) -> None:
    """Records that a truncated topic lost stay booked, new ones are added, none is doubled."""
    names = [topics.TURNS.name, topics.LLM_CALLS.name, topics.SNAPSHOTS.name]
    for lost in (True, False):
        bus = MemoryBus()
        await bus.start()
        await bus.ensure_topics(service.TOPICS)
        log = written_log(5)
        await publish(bus, log.records)
        texts = [f"old{n}" for n in range(3)]
        if not lost:
            texts = texts[:kept_count] + [f"new{n}" for n in range(4)]
        for index, text in enumerate(texts):
            at = NOW + timedelta(minutes=index)
            await send(bus, names[0], turn().model_copy(update={"turn_id": text}))
            await send(bus, names[1], call().model_copy(update={"call_id": text}))
            shown = snapshot(text).model_copy(update={"as_of": at})
            await send(bus, names[2], shown)
        async with running_ledger(bus, Settings(), location) as ledger:
            await wait_until_booked(location, len(log.records))
            await wait_for_rows(location, dict.fromkeys(names, len(texts)))
            cuts = ledger.node.counters["cut_partitions"]
            reported = ledger.node.heartbeat(ledger.node.clock.now()).details.get(RECORDS_LOST, {})
    database = Database(location, read_only=True)
    with database.reading() as connection:
        turns = connection.execute(select(schema.agent_logs.c.turn_id)).scalars().all()
        calls = connection.execute(select(schema.llm_usage.c.call_id)).scalars().all()
        equity = set(connection.execute(select(schema.equity_snapshots.c.snapshot_id)).scalars())
    database.close()

    expected = sorted(["old0", "old1", "old2", "new0", "new1", "new2", "new3"])
    assert (expected, expected) == (sorted(turns), sorted(calls))
    assert {"old0", "old1", "old2", "new3"} <= equity
    assert 3 == cuts
    assert isinstance(reported, dict)
    assert {*names} == reported.keys()
    assert all("another record" in str(one) for one in reported.values())


async def test_shorter_log_is_reported_and_too_long_id_is_skipped(
    memory_bus: MemoryBus, location: BooksLocation
) -> None:
    """A booked offset after the end of the log goes back; an id that is too long stops nothing."""
    made = Database(location)
    made.upgrade()
    made.close()
    await send(memory_bus, topics.TURNS.name, turn())
    long = call().model_copy(update={"call_id": "é" * 5_000})
    await send(memory_bus, topics.LLM_CALLS.name, long)
    async with running_ledger(memory_bus, Settings(), location):
        await wait_for_rows(location, {topics.TURNS.name: 1, topics.LLM_CALLS.name: 1})
    other = MemoryBus()
    await other.start()
    await other.ensure_topics(service.TOPICS)
    async with running_ledger(other, Settings(), location) as ledger:
        async with asyncio.timeout(10):
            while ledger.node.counters["cut_partitions"] < 2:
                await asyncio.sleep(0.02)
        await send(other, topics.TURNS.name, turn().model_copy(update={"turn_id": "new"}))
        await wait_for_turns(location, {"t", "new"})


async def wait_for_turns(location: BooksLocation, wanted: set[str]) -> None:
    """Wait until the books hold these turns and no others."""
    database = Database(location, read_only=True)
    async with asyncio.timeout(10):
        found: set[str] = set()
        while found != wanted:
            await asyncio.sleep(0.02)
            with database.reading() as connection:
                found = set(connection.execute(select(schema.agent_logs.c.turn_id)).scalars())
    database.close()
