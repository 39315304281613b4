"""Audit, replay and books of accounts that hold dollars and tethers."""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from arena.bus.memory import MemoryBus
from arena.exports import read_records
from arena.settings import Settings
from ledger.audit.books import check_books
from ledger.audit.checker import InvariantResult, InvariantStatus
from ledger.audit.replay import replay
from ledger.audit.sources import RecordSource, export_arena
from ledger.audit.verify import audit
from ledger.compare import compare, fold_figures
from ledger.database import Database
from ledger.location import books_location
from ledger.posting import Poster
from ledger.projector import Projector
from ledger.reconcile import book_figures
from ledger.statements import trial_balance
from ledger.writer import Writer
from tests.faults.contest import Contest
from tests.ledger.audit.contest_log import EVENTS, ContestLog, Json, updating
from tests.ledger.helpers import publish, running_ledger, wait_until_booked
from tests.ledger.wallet_log import TETHERS, WalletArena, random_rounds
from trading_tools.replay import OrderReplay

PRODUCTS = ("BTC-USD", "BTC-USDT", "binance:BTCUSDT")
SNAPSHOTS = 10
INVARIANTS = 13


@dataclass
class WalletContest(Contest):
    """A contest in which every account has a wallet of tethers."""

    def commands(self) -> dict[str, list[str]]:
        """Each account has 50,000 USDT beside its dollars, and sets profits aside."""
        found = super().commands()
        found["tools"] += ["--wallet", "USDT=50000"]
        found["routers-0"] += ["--scrape", "0.2"]
        return found


@pytest.fixture
def log() -> ContestLog:
    """The records of two agents, to change."""
    return WalletArena().log()


def test_contest_with_two_currencies_is_sound(broker_address: str, tmp_path: Path) -> None:
    """Bitcoin of two venues in tethers and one in dollars: all thirteen invariants hold."""
    settings = Settings(
        bootstrap_servers=broker_address, prefix=f"t{uuid.uuid4().hex[:10]}.", home=tmp_path / "h"
    )
    contest = WalletContest(settings, tmp_path / "logs", SNAPSHOTS, products=PRODUCTS)
    outcome = asyncio.run(contest.run())
    asyncio.run(export_arena(settings, tmp_path / "records"))
    source = RecordSource("a contest", tmp_path / "records")
    report = audit(source, replay=replay)
    filled = [order for order in outcome.orders if order.outcome == "filled"]
    used = {(order.product_id, order.currency) for order in filled}

    assert INVARIANTS == len(report.results)
    assert [] == [r for r in report.results if r.status is not InvariantStatus.PASS]
    assert {("BTC-USD", ""), ("BTC-USDT", "USDT"), (TETHERS, "USDT")} == used
    assert 4 == report.results[1].counts["wallets"]
    assert all(t.portfolio and t.portfolio.wallets for t in outcome.turns.values())


async def test_books_of_wallets_equal_the_fold(
    memory_bus: MemoryBus, log: ContestLog, tmp_path: Path
) -> None:
    """Every figure of either currency is compared, and none differs."""
    folder = await log.write_async(tmp_path / "records")
    records = list(read_records(folder, [EVENTS]))
    await publish(memory_bus, [(r.kind, r.value or b"") for r in records])
    location = books_location(tmp_path, "", None)
    async with running_ledger(memory_bus, Settings(home=tmp_path), location):
        await wait_until_booked(location, len(records))
    found = InvariantResult(2, "cash and positions", InvariantStatus.PASS)

    check_books(RecordSource("two agents", folder, run=tmp_path), found)

    assert (InvariantStatus.PASS, []) == (found.status, found.violations)
    assert found.counts["figures of the books"] > 30


def test_orders_of_two_venues_are_decided_again(log: ContestLog, tmp_path: Path) -> None:
    """The replay gives the same bytes, wallets and scrapes included."""
    found = OrderReplay(log.write(tmp_path)).run()

    assert [] == found.differences
    assert (2, 10) == (found.counts["openings"], found.counts["orders"])


def test_records_of_wallets_are_sound(log: ContestLog) -> None:
    """Fills and rejections in both currencies, and profit of both that was set aside."""
    found = log.results()

    assert {} == log.failed()
    assert (2, 2) == (found[2].counts["accounts"], found[2].counts["wallets"])
    assert 7 == found[5].counts["prices computed again"]


@pytest.mark.parametrize("seed", range(4))
def test_random_orders_in_two_currencies_are_sound(seed: int, tmp_path: Path) -> None:
    """Audit, replay and books agree with the fold, whatever was ordered."""
    arena = WalletArena(random_rounds(seed))
    log, books = arena.log(), Database(books_location(tmp_path, "", None))
    books.upgrade()
    Writer(books).write(Projector(Poster(), {}).batch(arena.records[EVENTS]))
    with books.reading() as connection:
        found = book_figures(connection)
        balanced = trial_balance(connection)[1]
    books.close()

    assert {} == log.failed()
    assert [] == OrderReplay(log.write(tmp_path / "records")).run().differences
    assert balanced
    lines = compare(fold_figures({0: arena.shard}), found, {}, {})
    assert [] == [line for line in lines if line.drifts]
    assert {"USD", "USDT"} <= {line.key.unit for line in lines if line.key.what == "fees"}


def opened(body: Json) -> None:
    """Change the starting cash of a wallet."""
    for leg in body["postings"]:
        if leg["unit"] == "USDT":
            leg["amount"] = leg["amount"].replace("3", "4", 1)


def in_dollars(body: Json) -> None:
    """Take tethers from the main account."""
    del body["currency"]


@pytest.mark.parametrize(
    ("change", "invariants"),
    [
        (updating({"cash_after": "29999.5"}), {2}),
        (updating({"fee": "0.5"}), {2, 5}),
        (updating({"currency": "EUR"}), {2, 4}),
        (in_dollars, {2, 4}),
        (lambda body: body["postings"][0].update(unit="USD"), {1, 2}),
    ],
)
def test_forged_order_of_a_wallet_is_found(
    log: ContestLog, change: Callable[[Json], None], invariants: set[int]
) -> None:
    """Although sequence and digests were computed again."""
    index = log.find(EVENTS, lambda _, body: body.get("product_id") == TETHERS)
    log.change(EVENTS, index, change)
    log.rebuild_chain()

    assert invariants <= log.failed().keys()


def test_forged_starting_cash_of_a_wallet_is_found(log: ContestLog) -> None:
    """The rules in the epoch state it."""
    log.change(EVENTS, 1, opened)
    log.rebuild_chain()

    (violation,) = log.failed()[4].violations
    assert "70000 USD and 30000 USDT by the rules" == violation.expected
