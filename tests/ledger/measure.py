"""Measure the books on this machine: `python -m tests.ledger.measure [EVENTS]`.

Makes a log of so many orders, posts it from memory into SQLite and PostgreSQL in the batches of
the service, and prints events and postings per second by the clock and by this process's CPU, the
size of the books, and how long each statement takes. No broker is involved: what is measured is
the fold, the rows and the database. The two engines take turns, batch by batch.
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
from arena.account_state import GENESIS, Position, bought, sold
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
    """A sound account log of so many records: an epoch, openings, then nothing but fills."""
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
        realised = units_text(sold(position, quantity, moved))
    else:
        bought(position, quantity, -moved, 1_763_717_400_123)
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
    """Legs as they stand in an event."""
    return [{"account": name, "unit": unit, "amount": str(amount)} for name, amount in legs]


class Measured:
    """Books that are timed.

    Attributes:
        wall_s, cpu_s: Spent on fold, rows and database. rows_s: of it, CPU of fold and rows.
    """

    def __init__(self, location: BooksLocation) -> None:
        """Make new books."""
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

    def tell(self) -> None:
        """Print what was measured, and time the statements."""
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
    """Measure both engines, where both are here."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        measured = [Measured(books_location(Path(folder), "", None))]
        if reason := why_not():
            print(f"PostgreSQL: {reason}")
        else:
            url = stack.enter_context(any_postgres())
            measured.append(Measured(books_location(Path(folder), "", url)))
        log = records(count)
        while batch := list(islice(log, BATCH_MAX)):
            for books in measured:
                books.post(batch)
        for books in measured:
            books.tell()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS)
