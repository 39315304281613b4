"""Logs of many orders, and a ledger that runs in this process."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from arena import topics
from arena.accounts import Shard
from arena.bus.base import Bus, Record
from arena.clock import SystemClock
from arena.money import decimal_text, from_units
from arena.node import Node
from arena.settings import Settings
from ledger.database import Database
from ledger.errors import BooksUnavailable
from ledger.location import BooksLocation
from ledger.service import Ledger
from ledger.statements import balances
from ledger.writer import booked_offsets_of
from tests.alongside import alongside
from tests.arena.test_accounts import Log

WAIT_S = 20.0
EVENTS = topics.EVENTS.name


def written_log(orders: int, seed: int = 1) -> Log:
    """A log with buys, sells, rejections, changes of owner and records of a zombie."""
    rng = random.Random(seed)
    log = Log()
    log.claim("one")
    log.open()
    for number in range(orders):
        append_random_order(log, str(number), rng)
        if number == orders // 2:
            log.claim("two")
            log.append(log.fill("zombie", "buy", "0.5", epoch=1, owner="one"))
            log.claim("three", epoch=2)
    return log


def append_random_order(log: Log, order_id: str, rng: random.Random) -> None:
    """Append one decided order: a buy, a sell or a rejection."""
    held = log.shard.accounts["a"].positions.get("BTC-USD")
    step = decimal_text(from_units(rng.randrange(1, 9_999)))
    if held and rng.random() < 0.4:
        log.append(log.fill(order_id, "sell", decimal_text(from_units(held.quantity))))
    elif rng.random() < 0.8:
        log.append(log.fill(order_id, "buy", step))
    else:
        log.append(log.reject(order_id))


async def publish(bus: Bus, records: Iterable[tuple[str, bytes]]) -> None:
    """Append records to `account.events`."""
    acks = [
        await bus.send_bytes(
            EVENTS, value, key=b"a", partition=0, headers=(("type", kind.encode()),)
        )
        for kind, value in records
    ]
    await asyncio.gather(*acks)


def new_node(bus: Bus, settings: Settings) -> Node:
    """A node for a ledger."""
    return Node("ledger", "test", settings, bus, SystemClock())


@asynccontextmanager
async def running_ledger(
    bus: Bus, settings: Settings, location: BooksLocation
) -> AsyncIterator[Ledger]:
    """Run a ledger in this process; its failure is raised here."""
    ledger = Ledger(new_node(bus, settings), Database(location))
    async with alongside(ledger.run()):
        yield ledger


async def wait_until_booked(location: BooksLocation, offset: int) -> None:
    """Wait until the books have reached an offset of `account.events`."""
    async with asyncio.timeout(WAIT_S):
        while next_offset(location) < offset:
            await asyncio.sleep(0.02)


def next_offset(location: BooksLocation) -> int:
    """The booked offset of `account.events`; 0 if there are no books."""
    database = Database(location, read_only=True)
    try:
        with database.reading() as connection:
            found = booked_offsets_of(connection).get((EVENTS, 0))
            return found.next_offset if found else 0
    except BooksUnavailable:
        return 0
    finally:
        database.close()


def fold_balances(shard: Shard) -> dict[tuple[str, str], int]:
    """The balances of the fold that are not zero, of agents and the house."""
    found = dict(shard.house)
    for agent, account in shard.accounts.items():
        found[f"agent/{agent}/cash", "USD"] = account.cash
        for product_id, held in account.positions.items():
            found[f"agent/{agent}/position", product_id.split("-")[0]] = held.quantity
    return {key: amount for key, amount in found.items() if amount}


def book_balances(location: BooksLocation) -> dict[tuple[str, str], int]:
    """The balances of the books that are not zero."""
    database = Database(location, read_only=True)
    try:
        with database.reading() as connection:
            return {key: amount for key, amount in balances(connection).items() if amount}
    finally:
        database.close()


def records_of(log: Log) -> list[Record]:
    """The log as records, one millisecond apart."""
    return [
        Record(EVENTS, 0, offset, offset, b"a", value, {"type": kind.encode()})
        for offset, (kind, value) in enumerate(log.records)
    ]


async def wait_for_rows(location: BooksLocation, wanted: dict[str, int]) -> None:
    """Wait until the books hold a number of records of each of some topics."""
    database = Database(location, read_only=True)
    async with asyncio.timeout(WAIT_S):
        while True:
            with database.reading() as connection:
                offsets = booked_offsets_of(connection)
            found = {
                name: sum(at.next_offset for (topic, _), at in offsets.items() if topic == name)
                for name in wanted
            }
            if found == wanted:
                break
            await asyncio.sleep(0.02)
    database.close()
