"""Every kind of process is killed -9 once under `arena up`: all restart, nothing is duplicated."""

import asyncio
import os
import signal
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from arena import topics
from arena.accounts import Shard
from arena.bus.base import Record
from arena.bus.kafka import KafkaBus
from arena.messages import Evaluation, MarketSnapshot, OrderDecided, Turn
from arena.runs import RunRecord
from arena.settings import Settings
from tests.operations.commands.test_up import run_record, running, status_when

DEADLINE_S = 90.0
SPEC = """\
[arena]
name = "mortal"
products = ["BTC-USD"]

[market]
source = "exchange"
speed = 60

[[chat_nodes]]
name = "rules"
model_id = "scripted"

[competition]
pacing = "real-time"
snapshots = 500
strategies = ["momentum"]
models = ["rules"]
baselines = ["buy_and_hold"]
judge = true
"""
KINDS = {"exchange", "connector", "tools", "chat-node", "routers", "judge"}
READ = (topics.EVENTS, topics.TURNS, topics.SNAPSHOTS, topics.EVALUATIONS)


async def read_all(settings: Settings) -> list[Record]:
    """The facts that must not be duplicated."""
    bus = KafkaBus(settings, client_id="reader")
    await bus.start()
    reader = await bus.log_reader(*(topic.name for topic in READ))
    ends, found = await reader.end_offsets(), []
    while any(reader.position(t, p) < end for (t, p), end in ends.items()):
        found += await reader.read(timeout_s=0.2)
    await reader.close()
    await bus.close()
    return found


def accounts(records: list[Record]) -> Shard:
    """The fold of the account log; raises if the log is not sound."""
    shard = Shard()
    for record in records:
        if record.topic == topics.EVENTS.name:
            shard.apply(record.headers["type"].decode(), record.value or b"", record.offset)
    return shard


def ids(records: list[Record]) -> Counter[str]:
    """How often each step of an order, turn, snapshot and evaluation is in its topic."""
    found: Counter[str] = Counter()
    for record in records:
        match record.message():
            case OrderDecided(order_id=one, step=step):
                found[f"order {one}, step {step}"] += 1
            case Turn(turn_id=one):
                found[f"turn {one}"] += 1
            case MarketSnapshot(snapshot_id=one):
                found[f"snapshot {one}"] += 1
            case Evaluation(evaluation_id=one):
                found[f"evaluation {one}"] += 1
    return found


def read_when(settings: Settings, more_than: Counter[str]) -> list[Record]:
    """The records, after agents decided and the judge evaluated again."""
    end_s = time.monotonic() + DEADLINE_S
    while True:
        records = asyncio.run(read_all(settings))
        now = ids(records)
        new = {one.split()[0] for one in now.keys() - more_than.keys()}
        if new >= {"order", "turn", "snapshot", "evaluation"}:
            return records
        assert time.monotonic() < end_s, new
        time.sleep(0.5)


def all_restarted(settings: Settings) -> RunRecord:
    """The run, after every process was restarted."""
    end_s = time.monotonic() + DEADLINE_S
    while True:
        run = run_record(settings)
        assert run is not None
        if all((p.state, p.restarts) == ("running", 1) for p in run.processes):
            return run
        assert time.monotonic() < end_s, run.processes
        time.sleep(0.2)


@pytest.mark.timeout(300)
def test_each_kind_of_process_is_killed_once_and_restarted(
    settings: Settings, tmp_path: Path
) -> None:
    """The account log continues, and no order, turn or evaluation is duplicated."""
    path = tmp_path / "ARENA.toml"
    path.write_text(SPEC)
    with running(settings, path):
        status_when(settings, healthy=True, at_least=6)
        before = read_when(settings, Counter())
        run = run_record(settings)
        assert run is not None
        for process in run.processes:
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
        run = all_restarted(settings)
        status_when(settings, healthy=True, at_least=6)
        after = read_when(settings, ids(before))

    names = {process.name for process in run.processes}
    assert {kind for kind in KINDS if any(name.startswith(kind) for name in names)} == KINDS
    assert {-signal.SIGKILL} == {process.exit_code for process in run.processes}
    assert {} == {one: count for one, count in ids(after).items() if count > 1}
    points = [m for r in after if isinstance(m := r.message(), MarketSnapshot)]
    assert all(a.as_of < b.as_of for a, b in pairwise(points))  # market time never went back
    assert {0} == {point.rewinds for point in points}
    was, now = accounts(before), accounts(after)
    assert was.orders.items() <= now.orders.items()
    assert was.accounts.keys() == now.accounts.keys()
    assert 1 == now.accounts["buy-and-hold"].fills
    assert was.accounts["buy-and-hold"] == now.accounts["buy-and-hold"]
    assert now.epoch == was.epoch + 1
