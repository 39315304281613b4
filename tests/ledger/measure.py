"""Measure the books on this machine: `python -m tests.ledger.measure [EVENTS]`.

Makes a log of EVENTS records, posts it from memory into SQLite and PostgreSQL in batches like those
of the service, and prints events and postings per second of wall time and CPU time, the size of the
books, and how long each query takes. No broker is used: this measures the fold, the rows and the
database. The two engines take turns, batch by batch.
"""

import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from decimal import Decimal
from itertools import islice
from pathlib import Path

import orjson

from arena import topics
from arena.account_state import GENESIS, Position, apply_buy, apply_sell
from arena.accounts import chain
from arena.bus.base import Record
from arena.money import PriceUnits, fee_units, notional_units, price_text, units_text
from ledger import statements
from ledger.database import Database
from ledger.digest import books_digest
from ledger.location import BooksLocation, books_location
from ledger.posting import Poster
from ledger.projector import Projector
from ledger.service import BATCH_MAX
from ledger.writer import Writer
from tests.ledger.postgres import any_postgres, why_not

EVENTS = 100_000
AGENTS = 10
AT = "2026-11-21T09:30:00.123456Z"
PRODUCTS = ("BTC-USD", "ETH-USD", "SOL-USD")
CASH = 10**17
PRICE = PriceUnits(67_203_550_000_000_000_000_000)


def records(count: int, seed: int = 1) -> Iterator[Record]:
    """Generate a sound account log: an epoch, openings, then fills only."""
    rng = random.Random(seed)
    cash = {f"agent-{n}": CASH for n in range(AGENTS)}
    held: dict[tuple[str, str], Position] = {}
    head = GENESIS
    stamp = 1_763_717_400_000
    for offset in range(count):
        location = {"epoch": 1, "owner": "measure", "prev": head, "at": AT}
        if offset == 0:
            kind, event = "Epoch", location | {"seq": 0}
        elif offset <= AGENTS:
            kind, event = "AccountOpened", location | opening(offset)
        else:
            agent = f"agent-{offset % AGENTS}"
            kind, event = "OrderDecided", location | filled(rng, offset, agent, cash, held)
        value = orjson.dumps(event)
        head = chain(head, value)
        headers = {"type": kind.encode()}
        yield Record(topics.EVENTS.name, 0, offset, stamp + offset, b"a", value, headers)


def opening(offset: int) -> dict[str, object]:
    """The opening of one agent's account."""
    agent, units = f"agent-{offset - 1}", CASH
    return {
        "seq": offset,
        "source": {"partition": 0, "offset": offset},
        "order_id": f"open-{agent}",
        "agent": agent,
        "cash_usd": units_text(units),
        "postings": postings((f"agent/{agent}/cash", units), ("house/capital", -units)),
    }


def filled(
    rng: random.Random,
    offset: int,
    agent: str,
    cash: dict[str, int],
    held: dict[tuple[str, str], Position],
) -> dict[str, object]:
    """A fill with a slippage leg, as the executor writes it: six postings."""
    product_id = rng.choice(PRODUCTS)
    unit = product_id.split("-")[0]
    position = held.setdefault((agent, product_id), Position())
    sells = position.quantity > 0 and rng.random() < 0.45
    quantity = rng.randrange(1, position.quantity + 1) if sells else rng.randrange(1, 10**6)
    notional = notional_units(quantity, PRICE)
    fee = fee_units(notional, Decimal(60))
    moved = (notional if sells else -notional) - fee
    cash[agent] += moved
    realised = None
    if sells:
        realised = units_text(apply_sell(position, quantity, moved))
    else:
        apply_buy(position, quantity, -moved, 1_763_717_400_123)
    sign = -1 if sells else 1
    return {
        "seq": offset,
        "source": {"partition": 0, "offset": offset},
        "order_id": f"{rng.getrandbits(128):032x}",
        "agent": agent,
        "turn_id": f"{rng.getrandbits(128):032x}",
        "round": 0,
        "index": 0,
        "snapshot_id": f"{rng.getrandbits(128):032x}",
        "outcome": "filled",
        "product_id": product_id,
        "action": "sell" if sells else "buy",
        "quantity": units_text(quantity),
        "used": {"partition": 0, "offset": offset, "bid": "1", "ask": "1", "event_time": AT},
        "price": price_text(PRICE),
        "notional": units_text(notional),
        "fee": units_text(fee),
        "slippage": "0.01",
        "latency_cost": "-0.02",
        "realised": realised,
        "cash_after": units_text(cash[agent]),
        "position_after": units_text(position.quantity),
        "postings": postings(
            (f"agent/{agent}/cash", moved),
            ("house/market", sign * notional - 10**6),
            ("house/slippage", 10**6),
            ("house/fees", fee),
        )
        + postings(
            (f"agent/{agent}/position", sign * quantity),
            ("house/market", -sign * quantity),
            unit=unit,
        ),
    }


def postings(*legs: tuple[str, int], unit: str = "USD") -> list[dict[str, str]]:
    """Postings as they are in an event."""
    return [{"account": name, "unit": unit, "amount": str(amount)} for name, amount in legs]


class TimedBooks:
    """Books whose writes are timed.

    Attributes:
        wall_s, cpu_s: Time spent on fold, rows and database.
        rows_s: CPU time of fold and rows alone.
    """

    def __init__(self, location: BooksLocation) -> None:
        """Create new books."""
        self.database = Database(location)
        self.database.upgrade()
        self.writer = Writer(self.database)
        self.projector = Projector(Poster(), {})
        self.wall_s = self.cpu_s = self.rows_s = 0.0

    def post(self, records: list[Record]) -> None:
        """Post one batch."""
        wall, cpu = time.perf_counter(), time.process_time()
        batch = self.projector.batch(records)
        self.rows_s += time.process_time() - cpu
        self.writer.write(batch)
        self.wall_s += time.perf_counter() - wall
        self.cpu_s += time.process_time() - cpu

    def report(self) -> None:
        """Print the results, and time the queries."""
        poster = self.projector.poster
        name = "SQLite" if self.database.is_sqlite else "PostgreSQL"
        print(f"{name}: {poster.events:,} events, {poster.postings:,} postings")
        for what, took_s in (("clock", self.wall_s), ("CPU", self.cpu_s)):
            rates = (poster.events / took_s, poster.postings / took_s)
            print(f"  {what}: {took_s:.1f} s, {rates[0]:,.0f} events/s, {rates[1]:,.0f} postings/s")
        print(f"  fold and rows: {self.rows_s:.1f} s of the CPU")
        path = self.database.location.path
        if path is not None:
            print(f"  {path.stat().st_size / 1e6:,.0f} MB")
        with self.database.reading() as connection:
            for work in (statements.balances, statements.trial_balance, books_digest):
                wall, cpu = time.perf_counter(), time.process_time()
                work(connection)
                wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
                print(f"  {work.__name__}: {wall:.2f} s, CPU {cpu:.2f} s")
        self.database.close()


def main(count: int) -> None:
    """Measure both engines, or SQLite alone if there is no PostgreSQL."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        timed = [TimedBooks(books_location(Path(folder), "", None))]
        if reason := why_not():
            print(f"PostgreSQL: {reason}")
        else:
            url = stack.enter_context(any_postgres())
            timed.append(TimedBooks(books_location(Path(folder), "", url)))
        log = records(count)
        while batch := list(islice(log, BATCH_MAX)):
            for books in timed:
                books.post(batch)
        for books in timed:
            books.report()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS)
