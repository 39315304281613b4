"""Measure restarts over a long account log: `python -m tests.dashboard.measure_restart [EVENTS]`.

Starts a broker, writes a valid log of EVENTS orders, and starts executor, dashboard and judge, each
as a process: without a checkpoint, with one, and with one again. Prints the seconds from a
connected bus to a ready state, and the CPU time and memory used.
"""

import asyncio
import dataclasses
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import psutil
import uvloop

from arena import ids, logs, topics
from arena.accounts import chain
from arena.bus.kafka import KafkaBus
from arena.clock import SystemClock
from arena.fold_checkpoint import CheckpointFile
from arena.money import units_text
from arena.node import Node
from arena.settings import Settings
from dashboard.model.topic_follower import TopicFollower
from dashboard.model.view import ArenaView
from dashboard.terminal.app import catch_up
from judge.checkpoints import SeasonCheckpoint
from judge.season import SEASON_TOPICS
from operations.localbroker.broker import LocalBroker
from tests.dashboard.publishing import publish
from tests.dashboard.scenario import Scenario
from trading_tools.recovery import EventLog

EVENTS = 1_000_000
SNAPSHOTS = 200
TRADERS = [f"load-{n:02d}" for n in range(40)]
IN_FLIGHT = 20_000
HEADERS = (("type", b"OrderDecided"), ("schema", b"1"))

# Any: an event is decoded JSON; its shape is `arena.messages.account`.
Event = dict[str, Any]


def orders(scenario: Scenario, snapshots: list[str], count: int) -> Iterator[bytes]:
    """Orders that follow the scenario's account log: each trader buys and sells in turn."""
    for name in TRADERS:
        scenario.join(name, "momentum", "agent")
    first = TRADERS[0]
    pair = [
        scenario.order(first, "buy", "BTC-USD", Decimal("0.001")),
        scenario.order(first, "sell", "BTC-USD", Decimal("0.001")),
    ]
    forms: list[Event] = [orjson.loads(order.model_dump_json()) for order in pair]
    costs = [sum(int(p["amount"]) for p in f["postings"] if _is_cash(p)) for f in forms]
    cash = {name: scenario.shard.accounts[name].cash for name in TRADERS}
    seq, head = scenario.shard.seq, scenario.shard.head
    for n in range(count):
        name, side = TRADERS[n % len(TRADERS)], n // len(TRADERS) % 2
        cash[name] += costs[side]
        form = forms[side]
        seq += 1
        own = [{**p, "account": p["account"].replace(first, name)} for p in form["postings"]]
        event = form | {
            "seq": seq,
            "prev": head,
            "source": {"partition": 0, "offset": seq},
            "order_id": ids.derive("load", n),
            "turn_id": ids.derive("turn", n),
            "agent": name,
            "snapshot_id": snapshots[n * len(snapshots) // count],
            "postings": own,
            "cash_after": units_text(cash[name]),
        }
        value = orjson.dumps(event)
        head = chain(head, value)
        yield value


def _is_cash(posting: Event) -> bool:
    account: str = posting["account"]
    return account == f"agent/{TRADERS[0]}/cash"


async def write(settings: Settings, count: int) -> None:
    """Write the log, and some records of every other topic."""
    bus = KafkaBus(settings, client_id="measure")
    await bus.start()
    await bus.ensure_topics([dataclasses.replace(topics.EVENTS, flush_every_append=False)])
    await bus.ensure_topics(topics.fixed_topics())
    began = time.perf_counter()
    scenario = Scenario().run(SNAPSHOTS)
    found = [r.message() for r in scenario.records if r.topic == topics.SNAPSHOTS.name]
    values = orders(scenario, [m.snapshot_id for m in found], count)  # type: ignore[attr-defined]
    first = next(values)
    await publish(bus, scenario)
    await _send(bus, [first])
    while batch := list(islice(values, IN_FLIGHT)):
        await _send(bus, batch)
    await bus.close()
    print(f"written: {count:,} orders in {time.perf_counter() - began:.0f} s", flush=True)


async def _send(bus: KafkaBus, values: list[bytes]) -> None:
    acks = [
        await bus.send_bytes(topics.EVENTS.name, value, key=None, partition=0, headers=HEADERS)
        for value in values
    ]
    await asyncio.gather(*acks)


async def executor(bus: KafkaBus, settings: Settings) -> str:
    """Fold the shard to its end."""
    log = EventLog(Node("tools", "measure", settings, bus, SystemClock()), 0)
    await log.open()
    await log.fold_to(await log.end())
    ready = _ready()
    await log.close()
    return f"{ready}, seq {log.shard.seq:,}"


async def dashboard(bus: KafkaBus, settings: Settings) -> str:
    """Read the view to the ends of the topics."""
    follower = TopicFollower(
        bus, SystemClock(), ArenaView(), CheckpointFile(settings, "dashboard", logs.get("m"))
    )
    await follower.open()
    following = asyncio.create_task(follower.follow())
    while not follower.caught_up:
        await asyncio.sleep(0.01)
    await catch_up(follower, SystemClock())
    ready = _ready()
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await follower.close()
    return f"{ready}, digest {follower.view.accounts.digest()[:8]}"


async def judge(bus: KafkaBus, settings: Settings) -> str:
    """Fold the season to the ends of its topics, then build its arrays."""
    checkpoint = SeasonCheckpoint(settings, logs.get("m"))
    reader = await bus.log_reader(*SEASON_TOPICS)
    await checkpoint.open(reader, bus)
    while await reader.lag():
        for record in await reader.read(timeout_s=0.5, max_records=500):
            checkpoint.apply(record)
        await asyncio.sleep(0)
    ready = _ready()
    await reader.close()
    await checkpoint.close()
    began = time.perf_counter()
    season = checkpoint.builder.season()
    took_s = time.perf_counter() - began
    fills = sum(len(one) for one in season.fills)
    return f"{ready}, digest {season.account_digest[:8]}; arrays of {fills:,} fills {took_s:.1f} s"


BEGAN = [0.0, 0.0]
KINDS: dict[str, Callable[[KafkaBus, Settings], Coroutine[Any, Any, str]]] = {
    "executor": executor,
    "dashboard": dashboard,
    "judge": judge,
}


def _ready() -> str:
    resident = psutil.Process().memory_info().rss / 1e6
    took_s, cpu_s = time.perf_counter() - BEGAN[0], time.process_time() - BEGAN[1]
    return f"ready in {took_s:.2f} s ({cpu_s:.2f} s of CPU), {resident:,.0f} MB"


async def one(kind: str, settings: Settings) -> None:
    """Start one kind of process and print how long it took."""
    bus = KafkaBus(settings, client_id="measure")
    await bus.start()
    BEGAN[:] = time.perf_counter(), time.process_time()
    words = await KINDS[kind](bus, settings)
    print(words, flush=True)
    await bus.close()


def measure(servers: str, home: str, count: int) -> None:
    """Write the log and start every kind of process three times."""
    settings = Settings(bootstrap_servers=servers, home=Path(home))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(write(settings, count))
    for kind in KINDS:
        for how in ("without a checkpoint", "with one", "with one again"):
            words = [sys.executable, "-m", __spec__.name, "one", kind, servers, home]
            done = subprocess.run(words, capture_output=True, text=True, check=True)
            print(f"{kind} {how}: {done.stdout.strip()}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["one"]:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as one_runner:
            here = Settings(bootstrap_servers=sys.argv[3], home=Path(sys.argv[4]))
            one_runner.run(one(sys.argv[2], here))
    else:
        asked = int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS
        with tempfile.TemporaryDirectory() as folder, LocalBroker(Path(folder), port=0) as broker:
            measure(broker.start().bootstrap, folder, asked)
