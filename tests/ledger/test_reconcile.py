"""A drift of the smallest amount is found and reported, in the books and in the dashboard."""

import asyncio
import os
from pathlib import Path

import orjson
import pytest
from sqlalchemy import text

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.bus.memory import MemoryBus
from arena.errors import ArenaError
from arena.messages import Drift
from arena.settings import Settings
from ledger import reconcile
from ledger.cli_reconcile import as_lines
from ledger.compare import COUNT, FigureKey, behind_text, compare, events_behind, fold_figures
from ledger.dashboard_figures import DashboardFigures, read_document
from ledger.database import Database
from ledger.location import BooksLocation, books_location
from ledger.reconcile import Reconciler, watch
from tests.ledger.audit.contest_log import EVENTS
from tests.ledger.helpers import (
    fold_balances,
    new_node,
    publish,
    running_ledger,
    wait_until_booked,
    written_log,
)
from tests.ledger.wallet_log import TETHERS, WalletArena
from tests.warm_commands import run_arena

INJECT_DRIFT = """
UPDATE entries SET amount_e8 = amount_e8 + 1 WHERE (log_offset, leg) IN (
  SELECT log_offset, leg FROM entries JOIN accounts USING (account_id)
  WHERE name = 'agent/a/position' ORDER BY log_offset LIMIT 1)
"""
WAIT_S = 60.0


def inject_drift(location: BooksLocation) -> None:
    """Add 0.00000001 BTC to the books, as the owner of the database can."""
    database = Database(location)
    with database.engine.begin() as connection:
        if database.is_sqlite:
            connection.exec_driver_sql("DROP TRIGGER entries_no_update")
        else:
            connection.exec_driver_sql("DROP TRIGGER no_change ON entries")
        changed = connection.execute(text(INJECT_DRIFT))
        assert 1 == changed.rowcount
    database.close()


async def test_sound_books_do_not_drift(memory_bus: MemoryBus, location: BooksLocation) -> None:
    """Every account and every total of the fold is in the books."""
    log = written_log(60)
    await publish(memory_bus, log.records)
    async with running_ledger(memory_bus, Settings(), location):
        await wait_until_booked(location, len(log.records))

    database = Database(location, read_only=True)
    found = await Reconciler(memory_bus, Settings(), database).compare(dashboard=False)
    database.close()

    assert [] == found.drifts
    assert [] == found.remarks
    assert {0: len(log.records)} == found.offsets
    assert {key.unit for key in fold_figures({0: log.shard})} == {"USD", "BTC", COUNT}
    assert len(found.lines) >= len(fold_balances(log.shard))


async def test_smallest_drift_is_reported(memory_bus: MemoryBus, location: BooksLocation) -> None:
    """0.00000001 BTC too much is a drift; a threshold of this amount ignores it."""
    log = written_log(60)
    await publish(memory_bus, log.records)
    async with running_ledger(memory_bus, Settings(), location):
        await wait_until_booked(location, len(log.records))
    inject_drift(location)

    database = Database(location, read_only=True)
    reconciler = Reconciler(memory_bus, Settings(), database)
    found = await reconciler.compare(dashboard=False)
    passed = await reconciler.compare(dashboard=False, threshold=1)
    database.close()

    assert [FigureKey("a", "position", "BTC")] == [line.key for line in found.drifts]
    assert "books +0.00000001" == found.drifts[0].differences()
    assert [] == passed.drifts


async def test_books_behind_the_log_are_compared_at_their_offset(
    memory_bus: MemoryBus, location: BooksLocation
) -> None:
    """Later events are not a drift; the next comparison continues from there."""
    log = written_log(60)
    await publish(memory_bus, log.records[:30])
    async with running_ledger(memory_bus, Settings(), location):
        await wait_until_booked(location, 30)
    await publish(memory_bus, log.records[30:])
    database = Database(location, read_only=True)
    reconciler = Reconciler(memory_bus, Settings(), database)

    found = await reconciler.compare(dashboard=False)
    assert ({0: 30}, []) == (found.offsets, found.drifts)
    assert len(log.records) - 30 == found.behind
    assert as_lines(found)[-1].endswith(
        f"are at offset 0: 30, {found.behind} events behind the log"
    )
    async with running_ledger(memory_bus, Settings(), location):
        await wait_until_booked(location, len(log.records))
    found = await reconciler.compare(dashboard=False)
    assert ({0: len(log.records)}, [], 0) == (found.offsets, found.drifts, found.behind)
    database.close()


async def test_service_publishes_drifts(memory_bus: MemoryBus, location: BooksLocation) -> None:
    """One message per figure, with its value in each of the three."""
    log = written_log(40)
    await publish(memory_bus, log.records)
    async with running_ledger(memory_bus, Settings(), location):
        await wait_until_booked(location, len(log.records))
    inject_drift(location)
    database = Database(location, read_only=True)
    node = new_node(memory_bus, Settings())
    task = asyncio.create_task(watch(node, database, threshold=0, every_s=60, dashboard=False))
    reader = await memory_bus.log_reader(topics.DRIFTS.name)
    async with asyncio.timeout(WAIT_S):
        while not (records := await reader.read(timeout_s=0.1)):
            pass
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    database.close()
    message = records[0].message()

    assert isinstance(message, Drift)
    assert ("a", "position", "BTC") == (message.owner, message.what, message.unit)
    assert "0.00000001" == f"{message.books - message.fold:f}"
    assert None is message.dashboard


async def test_dashboard_is_compared_with_the_log(
    bus: KafkaBus, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real dashboard agrees, also if it has read further; a wrong figure of it is reported."""
    location = books_location(tmp_path, settings.prefix, None)
    log = written_log(40)
    await publish(bus, log.records[:30])
    async with running_ledger(bus, settings, location):
        await wait_until_booked(location, 30)
    await publish(bus, log.records[30:])
    database = Database(location, read_only=True)
    reconciler = Reconciler(bus, settings, database)

    found = await reconciler.compare()
    assert ([], []) == (found.drifts, found.remarks)
    shown = {line.key for line in found.lines if line.dashboard is not None}
    assert {
        FigureKey("a", "cash", "USD"),
        FigureKey("a", "fees", "USD"),
        FigureKey("a", "fills", COUNT),
    } <= shown

    figures = fold_figures({0: log.shard}) | {FigureKey("a", "cash", "USD"): 1}

    async def wrong(_: Settings, run: Path | None) -> DashboardFigures:
        assert run is None
        return DashboardFigures(log.shard.digest(), figures)

    monkeypatch.setattr(reconcile, "ask_dashboard", wrong)
    found = await reconciler.compare()
    database.close()

    assert [FigureKey("a", "cash", "USD")] == [line.key for line in found.drifts]
    assert found.drifts[0].differences().startswith("dashboard -")


async def test_command_returns_its_exit_code(
    bus: KafkaBus, settings: Settings, tmp_path: Path
) -> None:
    """0 with OK lines, then 1 with a DRIFT line for the figure."""
    location = books_location(tmp_path, settings.prefix, None)
    log = written_log(30)
    await publish(bus, log.records)
    async with running_ledger(bus, settings, location):
        await wait_until_booked(location, len(log.records))

    code, out = await arena(settings, "reconcile", "run", "--no-dashboard")
    assert (0, 0) == (code, out.count("DRIFT")), out
    assert "OK     a                    position   BTC" in out
    inject_drift(location)
    code, out = await arena(settings, "reconcile", "run")
    assert 1 == code
    assert ["DRIFT"] == [line.split()[0] for line in out.splitlines() if "+0.00000001" in line]


async def arena(settings: Settings, *words: str) -> tuple[int, str]:
    """Run a command; return its exit code and output."""
    environment = os.environ | {
        "KAFKA_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "ARENA_PREFIX": settings.prefix,
        "ARENA_HOME": str(settings.home),
        "DATABASE_URL": "",
    }
    done = await asyncio.to_thread(run_arena, *words, env=environment, timeout_s=WAIT_S)
    return done.returncode, done.stdout


def test_malformed_document_is_an_error() -> None:
    """Not JSON, without agents, or with money that is not a number."""
    for wrong in (b"", b"{}", orjson.dumps({"agents": [{"agent": "a", "cash_usd": "x"}]})):
        with pytest.raises(ArenaError):
            read_document(wrong)


def test_position_missing_in_the_dashboard_is_zero() -> None:
    """The dashboard lists all positions of an agent, or none."""
    row = {"agent": "a", "cash_usd": "1.5", "trades": 2, "rejections": 0}
    lost = orjson.dumps({"digest": "d", "agents": [row | {"positions": {"ETH-USD": "0.5"}}]})
    silent = orjson.dumps({"digest": "d", "agents": [row]})
    fold = {FigureKey("a", "position", "BTC"): 7, FigureKey("a", "position", "ETH"): 50_000_000}

    shown = read_document(lost).with_missing_positions(fold)
    assert (0, 50_000_000) == (
        shown[FigureKey("a", "position", "BTC")],
        shown[FigureKey("a", "position", "ETH")],
    )
    assert fold.keys().isdisjoint(read_document(silent).with_missing_positions(fold))
    assert 150_000_000 == shown[FigureKey("a", "cash", "USD")]


def test_figure_in_the_books_only_drifts() -> None:
    """The books have an account that no event posted to."""
    key = FigureKey("house", "petty", "USD")
    (line,) = compare({}, {key: 1}, {}, {})

    assert line.drifts
    assert "books +0.00000001" == line.differences()


@pytest.mark.parametrize(
    ("ends", "booked", "words"),
    [
        ({0: 51}, {0: 51}, ""),
        ({0: 51}, {0: 50}, "the books are 1 event behind the log"),
        ({0: 51, 1: 4}, {0: 45}, "the books are 10 events behind the log"),
        ({0: 51, 1: 4}, {0: 90, 1: 3}, "the books are 1 event behind the log"),
    ],
)
def test_books_behind_the_log_are_reported(
    ends: dict[int, int], booked: dict[int, int], words: str
) -> None:
    """A shard that is ahead of the export does not offset another that is behind."""
    assert words == behind_text(events_behind(ends, booked)).partition(";")[0]


async def test_dashboard_of_wallets_is_compared_with_the_log(
    bus: KafkaBus, settings: Settings, tmp_path: Path
) -> None:
    """The real dashboard shows every currency of an agent, and the positions of all."""
    location = books_location(tmp_path, settings.prefix, None)
    arena = WalletArena()
    await publish(bus, [(r.kind, r.value or b"") for r in arena.records[EVENTS]])
    async with running_ledger(bus, settings, location):
        await wait_until_booked(location, len(arena.records[EVENTS]))
    database = Database(location, read_only=True)
    found = await Reconciler(bus, settings, database).compare()
    database.close()

    assert ([], []) == (found.drifts, found.remarks)
    shown = {line.key for line in found.lines if line.dashboard is not None}
    wanted = [("cash", "USDT"), ("fees", "USDT"), ("scraped", "USDT"), ("position", TETHERS)]
    assert {FigureKey("momentum", what, unit) for what, unit in wanted} <= shown
