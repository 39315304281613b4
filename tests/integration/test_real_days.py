"""Two real days of Coinbase prices pass through every process, from candle files to fills.

The simulated exchange serves the candles over the venue's own protocol at 3,600 times real time;
the real connector, three agents, the chat node and the executor do the rest over real Kafka.
"""

import asyncio
import csv
import gzip
import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.messages import MarketSnapshot, OrderDecided, Turn
from arena.messages.base import Message
from arena.settings import Settings

PRODUCTS = ("BTC-USD", "ETH-USD", "LTC-USD")
AGENTS = ("momentum", "scalper", "random")
SPEED = 3_600
INTERVAL_S = 1_200
RUN_S_MAX = 150.0
LAST_AS_OF = datetime(2018, 4, 5, 23, 0, tzinfo=UTC)
SNAPSHOTS_MIN = 100
FILLS_MIN = 100

Candles = dict[tuple[str, datetime], dict[str, str]]


def spec_text(folder: Path) -> str:
    """Return the ARENA.toml of the run."""
    files = ", ".join(f'"{folder}/{p}_2018-04-04_05_1m.csv.gz"' for p in PRODUCTS)
    agents = "".join(
        f'[[agents]]\nname = "{a}"\nstrategy = "{a}"\nchat_node = "rules"\nprocess = "all"\n'
        for a in AGENTS
    )
    return f"""
[arena]
name = "two-real-days"
products = {list(PRODUCTS)}
interval_s = {INTERVAL_S}
[market]
source = "exchange"
speed = {SPEED}
prices = [{files}]
[[chat_nodes]]
name = "rules"
model_id = "scripted"
{agents}"""


def real_candles(folder: Path) -> Candles:
    """Return every candle with trades, by product and start."""
    found: Candles = {}
    for product_id in PRODUCTS:
        with gzip.open(folder / f"{product_id}_2018-04-04_05_1m.csv.gz", "rt") as file:
            for row in csv.DictReader(file):
                if row["open"]:
                    found[product_id, datetime.fromtimestamp(int(row["ts"]), UTC)] = row
    return found


async def messages_of(bus: KafkaBus, topic: str) -> list[Message]:
    """Return every message of a topic."""
    reader = await bus.log_reader(topic)
    found: list[Message] = []
    while await reader.lag():
        found += [record.message() for record in await reader.read()]
    await reader.close()
    return found


@pytest.mark.timeout(240)
async def test_two_real_days_give_fills(
    bus: KafkaBus, settings: Settings, tmp_path: Path, shared_recordings: Path
) -> None:
    """The connector publishes the prices of the exchange unchanged, and agents trade on them."""
    folder = shared_recordings / "candles" / "normalized"
    spec = tmp_path / "days.toml"
    spec.write_text(spec_text(folder), encoding="utf-8")
    env = os.environ | {
        "KAFKA_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "ARENA_PREFIX": settings.prefix,
        "ARENA_HOME": str(tmp_path),
    }
    command = (sys.executable, "-m", "arena", "up", str(spec), "--no-dashboard", "--no-web")
    process = await asyncio.create_subprocess_exec(*command, env=env, stdout=subprocess.PIPE)
    try:
        await _wait_for_the_last_snapshot(bus)
    finally:
        process.terminate()
        printed, _ = await process.communicate()
    assert 0 == process.returncode, printed.decode()
    snapshots = [
        m for m in await messages_of(bus, topics.SNAPSHOTS.name) if isinstance(m, MarketSnapshot)
    ]
    turns = [m for m in await messages_of(bus, topics.TURNS.name) if isinstance(m, Turn)]
    orders = [m for m in await messages_of(bus, topics.EVENTS.name) if isinstance(m, OrderDecided)]

    _check_snapshots(snapshots, real_candles(folder))
    _check_turns(turns, snapshots)
    _check_fills([o for o in orders if o.outcome == "filled"], real_candles(folder))


async def _wait_for_the_last_snapshot(bus: KafkaBus) -> None:
    reader = await bus.log_reader(topics.SNAPSHOTS.name)
    try:
        async with asyncio.timeout(RUN_S_MAX):
            newest = datetime.min.replace(tzinfo=UTC)
            while newest < LAST_AS_OF:
                for record in await reader.read():
                    message = record.message()
                    assert isinstance(message, MarketSnapshot)
                    newest = message.as_of
    finally:
        await reader.close()


def _check_snapshots(snapshots: list[MarketSnapshot], real: Candles) -> None:
    assert len(snapshots) >= SNAPSHOTS_MIN
    assert snapshots[-1].as_of >= LAST_AS_OF
    assert all(s.simulated and s.speed == SPEED for s in snapshots)
    assert set(PRODUCTS) == {view.product_id for view in snapshots[0].products}
    checked = 0
    for snapshot in snapshots:
        for view in snapshot.products:
            for candle in view.windows["1m"].candles:
                row = real[view.product_id, candle.start]
                assert Decimal(row["open"]) == candle.open
                assert Decimal(row["high"]) == candle.high
                assert Decimal(row["low"]) == candle.low
                assert Decimal(row["close"]) == candle.close
                assert candle.start + timedelta(minutes=1) <= snapshot.as_of
                checked += 1
    assert checked > len(snapshots)


def _check_turns(turns: list[Turn], snapshots: list[MarketSnapshot]) -> None:
    by_agent = Counter(turn.agent for turn in turns)
    known = {snapshot.snapshot_id for snapshot in snapshots}

    assert set(AGENTS) == set(by_agent)
    assert min(by_agent.values()) >= SNAPSHOTS_MIN // 2
    assert {turn.snapshot_id for turn in turns} <= known
    assert all(turn.scripted for turn in turns if turn.model)


def _check_fills(fills: list[OrderDecided], real: Candles) -> None:
    assert len(fills) >= FILLS_MIN
    ranges: dict[str, tuple[Decimal, Decimal]] = {}
    for (product_id, _), row in real.items():
        low, high = ranges.get(product_id, (Decimal(row["low"]), Decimal(row["high"])))
        ranges[product_id] = min(low, Decimal(row["low"])), max(high, Decimal(row["high"]))
    for fill in fills:
        assert fill.used is not None
        low, high = ranges[fill.product_id]
        assert low * Decimal("0.99") <= fill.used.bid <= fill.used.ask <= high * Decimal("1.01")
        best = fill.used.ask if fill.action == "buy" else fill.used.bid
        assert fill.price is not None
        assert fill.price >= best if fill.action == "buy" else fill.price <= best
