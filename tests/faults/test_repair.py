"""A stopped arena continues after `arena repair`, and every fold of its log is the same."""

import asyncio
import json
import os
from pathlib import Path

import orjson
import pytest

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.exports import read_manifest, read_records
from arena.pass_overs import passed_over_in
from arena.settings import Settings
from dashboard.model.accounts_view import AccountsView
from judge.season.accounts_fold import AccountsFold
from ledger.audit.checker import InvariantStatus
from ledger.audit.sources import export_arena
from ledger.database import Database
from ledger.location import books_location
from ledger.reconcile import Reconciler
from operations.commands.repair import find_blocking_records
from tests.faults.harness import Executors, Traffic, wait_until_answered
from tests.ledger.audit.contest_log import ContestLog
from tests.ledger.helpers import running_ledger, wait_until_booked
from tests.warm_commands import run_arena
from trading_tools.replay import OrderReplay

EVENTS = topics.EVENTS.name
ORDERS = 60
DEADLINE_S = 60.0
DEEP = b'{"epoch":1,"owner":"x","seq":1,"prev":"","more":' + b"[" * 60_000

pytestmark = [pytest.mark.timeout(180)]


async def end_offset(bus: KafkaBus) -> int:
    """Return the end offset of the events."""
    reader = await bus.log_reader(EVENTS)
    try:
        return (await reader.end_offsets())[EVENTS, 0]
    finally:
        await reader.close()


async def poison(bus: KafkaBus) -> list[int]:
    """Append records that stop every fold: garbage, a future epoch, deep JSON."""
    future = orjson.dumps({"epoch": 10**6, "owner": "x", "seq": 0, "prev": ""})
    found = []
    for kind, value in (("OrderDecided", b"\xff"), ("Epoch", future), ("Epoch", DEEP)):
        sent = await bus.send_bytes(
            EVENTS, value, key=None, partition=0, headers=(("type", kind.encode()),)
        )
        found.append((await sent).offset)
    return found


async def repair(settings: Settings) -> list[int]:
    """Run `arena repair --yes`; return the offsets of the skipped records."""
    address = {
        "KAFKA_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "ARENA_PREFIX": settings.prefix,
    }
    environ = os.environ | address | {"ARENA_HOME": str(settings.home)}
    done = await asyncio.to_thread(run_arena, "repair", "--yes", "--json", env=environ)
    assert 0 == done.returncode
    return [stop["offset"] for stop in json.loads(done.stdout)["passed_over"]]


async def until_both_stopped(executors: Executors) -> None:
    """Wait until both executors have ended with an error."""
    async with asyncio.timeout(DEADLINE_S):
        while executors.ends["exit 1"] < 2:
            await asyncio.sleep(0.05)


async def test_arena_continues_after_repair(
    bus: KafkaBus, settings: Settings, executors: Executors, tmp_path: Path
) -> None:
    """Executors, books, dashboard, judge, audit and replay work after poisonous records."""
    traffic, location = Traffic(bus, 5), books_location(tmp_path, "", None)
    await traffic.open_market()
    executors.start("one")
    executors.start("two")
    tasks = [asyncio.ensure_future(w) for w in (executors.supervise(), traffic.run_market())]
    try:
        await traffic.run_agents(ORDERS, 1_000)
        await wait_until_answered(bus, traffic, DEADLINE_S)
        poisoned = await poison(bus)
        await traffic.run_agents(ORDERS, 1_000)
        await until_both_stopped(executors)
        stopped_at = await end_offset(bus)

        assert poisoned == await repair(settings)
        async with running_ledger(bus, settings, location):
            await wait_until_booked(location, stopped_at)
        await traffic.run_agents(ORDERS, 1_000)
        await wait_until_answered(bus, traffic, DEADLINE_S)
        assert [] == await find_blocking_records(bus)
    except (AssertionError, TimeoutError) as error:
        raise AssertionError(f"{error}\n{executors.tail()}") from error
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        executors.stop()
    async with running_ledger(bus, settings, location):
        await wait_until_booked(location, await end_offset(bus))
    books = Database(location, read_only=True)
    compared = await Reconciler(bus, settings, books).compare()
    books.close()
    await export_arena(settings, tmp_path / "records")
    check_agreement(tmp_path / "records", traffic)

    assert compared.lines
    assert ([], []) == (compared.drifts, compared.remarks)


def check_agreement(records: Path, traffic: Traffic) -> None:
    """Check that audit, replay, judge and dashboard agree, and every order was decided once."""
    spans = {t: dict(f.partitions) for t, f in read_manifest(records).topics.items()}
    contest_log = ContestLog.of(read_records(records), spans)
    replayed = OrderReplay(records).run()
    judged, shown = AccountsFold(), AccountsView()
    for books in (judged, shown):
        books.pass_over(passed_over_in(records))
        for record in contest_log.records[EVENTS]:
            books.apply(record)

    assert {} == {n: v.violations for n, v in contest_log.failed().items()}
    assert InvariantStatus.PASS is contest_log.results()[6].status
    assert 3 == contest_log.results()[6].counts["passed over by an operator"]
    assert [] == replayed.differences
    assert len(traffic.orders) == replayed.counts["orders"]
    assert not judged.broken
    assert not shown.broken
    assert {replayed.account_digest} == {judged.digest(), shown.digest()}
