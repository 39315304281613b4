"""A stopped arena goes on after `arena repair`, and everything that folds its log agrees."""

import asyncio
import json
import os
import sys
from pathlib import Path

import orjson
import pytest

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.exports import read_manifest, read_records
from arena.pass_overs import passed_over_in
from arena.settings import Settings
from dashboard.accounts_view import AccountsView
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
from trading_tools.replay import OrderReplay

EVENTS = topics.EVENTS.name
ORDERS = 60
DEADLINE_S = 60.0
DEEP = b'{"epoch":1,"owner":"x","seq":1,"prev":"","more":' + b"[" * 60_000

pytestmark = [pytest.mark.timeout(180)]


async def last_offset(bus: KafkaBus) -> int:
    """Offset behind the last event."""
    reader = await bus.log_reader(EVENTS)
    try:
        return (await reader.end_offsets())[EVENTS, 0]
    finally:
        await reader.close()


async def poison(bus: KafkaBus) -> list[int]:
    """Records that stop every fold: garbage, an epoch of the future, a deep one."""
    future = orjson.dumps({"epoch": 10**6, "owner": "x", "seq": 0, "prev": ""})
    found = []
    for kind, value in (("OrderDecided", b"\xff"), ("Epoch", future), ("Epoch", DEEP)):
        sent = await bus.send_bytes(
            EVENTS, value, key=None, partition=0, headers=(("type", kind.encode()),)
        )
        found.append((await sent).offset)
    return found


async def repair(settings: Settings) -> list[int]:
    """What `arena repair --yes` passes over."""
    address = {
        "KAFKA_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "ARENA_PREFIX": settings.prefix,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "arena", "repair", "--yes", "--json"),
        env=os.environ | address | {"ARENA_HOME": str(settings.home)},
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    assert 0 == process.returncode
    return [stop["offset"] for stop in json.loads(said)["passed_over"]]


async def until_both_stopped(executors: Executors) -> None:
    """Wait until no executor serves: each of the two has ended with an error."""
    async with asyncio.timeout(DEADLINE_S):
        while executors.ends["exit 1"] < 2:
            await asyncio.sleep(0.05)


async def test_an_arena_that_a_record_stopped_goes_on(
    bus: KafkaBus, settings: Settings, executors: Executors, tmp_path: Path
) -> None:
    """Two executors, the books, the dashboard, judge, audit and replay, behind poison."""
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
        stopped_at = await last_offset(bus)

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
        await wait_until_booked(location, await last_offset(bus))
    books = Database(location, read_only=True)
    compared = await Reconciler(bus, settings, books).compare()
    books.close()
    await export_arena(settings, tmp_path / "records")
    agree(tmp_path / "records", traffic)

    assert compared.lines
    assert ([], []) == (compared.drifts, compared.remarks)


def agree(records: Path, traffic: Traffic) -> None:
    """Audit, replay and judge find the records sound, and every order decided once."""
    spans = {t: dict(f.partitions) for t, f in read_manifest(records).topics.items()}
    log = ContestLog.of(read_records(records), spans)
    played = OrderReplay(records).run()
    judged, shown = AccountsFold(), AccountsView()
    for books in (judged, shown):
        books.pass_over(passed_over_in(records))
        for record in log.records[EVENTS]:
            books.apply(record)

    assert {} == {n: v.violations for n, v in log.failed().items()}
    assert InvariantStatus.PASS is log.results()[6].status
    assert 3 == log.results()[6].counts["passed over by an operator"]
    assert [] == played.differences
    assert len(traffic.orders) == played.counts["orders"]
    assert not judged.broken
    assert not shown.broken
    assert {played.account_digest} == {judged.digest(), shown.digest()}
