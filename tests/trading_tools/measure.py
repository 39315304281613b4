"""Measure the executor on this machine: `python -m tests.trading_tools.measure [ORDERS]`.

Starts a broker of its own and one executor process; prints orders per second and CPU per order with
many in flight, latency and CPU one by one, and the recovery of the log that this left behind.
"""

import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import uvloop

from arena import ids, topics
from arena.bus.base import LATEST, Start
from arena.bus.kafka import KafkaBus
from arena.clock import SystemClock
from arena.messages import ToolCall
from arena.node import Node
from arena.settings import Settings
from operations.localbroker.broker import LocalBroker
from tests.trading_tools.helpers import product, ticker, tool_call
from trading_tools.recovery import EventLog

ORDERS = 20_000
ONE_BY_ONE = 500
AGENTS = 10
PRICES = {"BTC-USD": ("67201.10", "67203.55"), "SOL-USD": ("141.10", "141.15")}
LIFE_S = 600


async def main(servers: str, home: str, orders: int) -> None:
    """Run the measurements and print the results."""
    settings = Settings(bootstrap_servers=servers)
    bus = KafkaBus(settings, client_id="measure")
    await bus.start()
    await bus.ensure_topics(topics.fixed_topics())
    await bus.ensure_topics([topics.INBOX.member(f"agent-{n}") for n in range(AGENTS)])
    for product_id in PRICES:
        await bus.append(topics.TICKERS.name, product(product_id), key=product_id)
    market = asyncio.create_task(_keep_prices_fresh(bus))
    process = _start_executor(servers, home)
    try:
        await _pipelined(bus, psutil.Process(process.pid), orders)
        await _one_by_one(bus, psutil.Process(process.pid))
    finally:
        market.cancel()
        process.terminate()
        process.wait()
    await _recover(bus, settings)
    await bus.close()


def _start_executor(servers: str, home: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "arena", "tools", "--only", "executor"]
    env = os.environ | {"KAFKA_BOOTSTRAP_SERVERS": servers, "ARENA_HOME": home}
    with (Path(home) / "executor.log").open("wb") as log:
        return subprocess.Popen(command, env=env, stderr=log)


async def _keep_prices_fresh(bus: KafkaBus) -> None:
    while True:
        for product_id, (bid, ask) in PRICES.items():
            await bus.append(topics.TICKERS.name, ticker(bid, ask, product_id), key=product_id)
        await asyncio.sleep(1)


async def _pipelined(bus: KafkaBus, executor: psutil.Process, orders: int) -> None:
    start = Start(offsets={(topics.EVENTS.name, 0): 0})
    log = await bus.partition_reader(topics.EVENTS.name, 0, start)
    while not await log.read():
        pass
    calls = [_call(random.Random(n), n) for n in range(orders)]
    cpu_s, began = _cpu_s(executor), time.perf_counter()
    for call in calls:
        await bus.send(topics.COMMANDS.name, call, partition=0)
    decided = 0
    while decided < orders:
        records = await log.read(max_records=1_000)
        decided += sum(r.headers["type"] == b"OrderDecided" for r in records)
    took_s = time.perf_counter() - began
    await asyncio.sleep(0.5)
    cpu_ms = (_cpu_s(executor) - cpu_s) / orders * 1000
    print(f"in flight: {orders / took_s:,.0f} orders/s, {cpu_ms:.3f} CPU ms per order")
    await log.close()


async def _one_by_one(bus: KafkaBus, executor: psutil.Process) -> None:
    inbox = await bus.log_reader(topics.inbox("agent-0"), start=LATEST)
    cpu_s, latencies_ms = _cpu_s(executor), []
    for n in range(ONE_BY_ONE):
        call = _call(random.Random(n), -1 - n, "agent-0")
        began = time.perf_counter()
        await bus.send(topics.COMMANDS.name, call, partition=0)
        while not await inbox.read():
            pass
        latencies_ms.append((time.perf_counter() - began) * 1000)
    cpu_ms = (_cpu_s(executor) - cpu_s) / ONE_BY_ONE * 1000
    latencies_ms.sort()
    p50, p99 = latencies_ms[ONE_BY_ONE // 2], latencies_ms[ONE_BY_ONE * 99 // 100]
    print(f"one by one: call to result p50 {p50:.2f} ms, p99 {p99:.2f} ms, {cpu_ms:.2f} CPU ms")
    print(f"resident: {executor.memory_info().rss / 1e6:.0f} MB")
    await inbox.close()


async def _recover(bus: KafkaBus, settings: Settings) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for life in range(3):
            home = Path(folder) / str(life)
            await _recover_once(bus, settings.override(home=home), "from nothing")
        await _recover_once(bus, settings.override(home=home), "from a checkpoint")


async def _recover_once(bus: KafkaBus, settings: Settings, how: str) -> None:
    log = EventLog(Node("tools", "measure", settings, bus, SystemClock()), 0)
    cpu_s, began = time.process_time(), time.perf_counter()
    await log.open()
    await log.fold_to(await log.end())
    took_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu_s
    events = log.shard.next_offset
    print(
        f"recovery {how}: {events:,} events in {took_s:.2f} s, "
        f"{cpu_s / events * 1e6:.1f} CPU us each"
    )
    await log.close()


def _call(rng: random.Random, n: int, agent: str = "") -> ToolCall:
    product_id = rng.choice(list(PRICES))
    quantity, action = f"{rng.uniform(0.0001, 0.01):.8f}", rng.choice(("buy", "sell"))
    return tool_call(
        agent or f"agent-{n % AGENTS}",
        "execute_trade",
        f'{{"product_id": "{product_id}", "quantity": "{quantity}", "action": "{action}"}}',
        call_id=ids.derive("measure", n),
        ticker_offsets={0: len(PRICES)},
        life_s=LIFE_S,
    )


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, LocalBroker(Path(folder), port=0) as broker:
        address = broker.start().bootstrap
        asked = int(sys.argv[1]) if len(sys.argv) > 1 else ORDERS
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main(address, folder, asked))
