"""Measures the executor: orders a second without and with limits of risk, and open exits.

The executor is the normal command, as a process of its own; orders are in the topic before it
starts. Settings alternate, and each figure is the best of its rounds: other processes only cost.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import orjson

from arena import ids, topics
from arena.bus.base import EARLIEST, Bus
from arena.bus.kafka import KafkaBus
from arena.messages import Product, Ticker, ToolCall
from arena.settings import Settings
from operations.bench.meter import cpu_seconds
from operations.bench.processes import BenchProcesses

ORDERS: Final = 5_400
"""900 buys of each agent: none is rejected under the preset standard."""
ROUNDS: Final = 3
AGENTS: Final = tuple(f"agent{n}" for n in range(6))
EXITS_PER_AGENT: Final = 102
PRODUCTS: Final = tuple(f"P{n:02d}-USD" for n in range(EXITS_PER_AGENT // 3))
TICKERS: Final = 20_000
WAIT_S: Final = 120.0
ORDER: Final = "OrderDecided"
EXITS: Final = {"stop_loss_pct": 50, "take_profit_pct": 500, "trailing_pct": 50}
"""No price of the measurement triggers one of them."""


async def order_figures(settings: Settings, logs: Path) -> dict[str, Any]:  # Any: for JSON
    """Measure orders a second with the presets off and standard, and the cost of open exits.

    Returns:
        `per_s` and `cpu_us` per order by preset, and the ratio of `per_s`; `us_per_ticker` without
        and with exits, and how many.
    """
    per_s, cpu_us = {"off": 0.0, "standard": 0.0}, {"off": 1e9, "standard": 1e9}
    for _ in range(ROUNDS):
        for preset in per_s:
            rate, used_us = await _orders_per_s(settings, logs, preset)
            per_s[preset] = max(per_s[preset], rate)
            cpu_us[preset] = min(cpu_us[preset], used_us)
    us = [1e9, 1e9]
    for _ in range(ROUNDS):
        for place, exits in enumerate((False, True)):
            us[place] = min(us[place], await _us_per_ticker(settings, logs, exits=exits))
    return {
        "orders": ORDERS,
        "per_s": {preset: round(value) for preset, value in per_s.items()},
        "ratio": round(per_s["standard"] / per_s["off"], 3),
        "cpu_us": {preset: round(value) for preset, value in cpu_us.items()},
        "exits_per_agent": EXITS_PER_AGENT,
        "agents": len(AGENTS),
        "us_per_ticker": [round(value, 1) for value in us],
    }


async def _orders_per_s(settings: Settings, logs: Path, preset: str) -> tuple[float, float]:
    """Orders a second, and microseconds of CPU per order, the start of the process included."""
    with BenchProcesses.new(settings, logs) as processes:
        async with _bus(processes.settings) as bus:
            await _publish(bus, ["BTC-USD"])
            await _send(bus, [_order(n) for n in range(ORDERS)])
            flags = ("tools", "--only", "executor", "--risk", preset, "--price-age-s", "600")
            processes.start("executor", *flags)
            first_s, last_s = await _decided(bus, ORDERS, processes)
            used_s = cpu_seconds(processes.measured().values())
            return (ORDERS - 1) / (last_s - first_s), used_s / ORDERS * 1e6


async def _us_per_ticker(settings: Settings, logs: Path, *, exits: bool) -> float:
    with BenchProcesses.new(settings, logs) as processes:
        async with _bus(processes.settings) as bus:
            await _publish(bus, PRODUCTS)
            calls = [_entry(n, exits=exits) for n in range(len(AGENTS) * len(PRODUCTS))]
            await _send(bus, calls)
            processes.start(
                "executor", "tools", "--only", "executor", "--starting-cash", "1000000000"
            )
            await _decided(bus, len(calls), processes)
            pid = processes.measured()["executor"]
            await asyncio.sleep(1)
            before_s = cpu_seconds([pid])
            await _drained(bus, await _tick(bus), processes)
            return (cpu_seconds([pid]) - before_s) / TICKERS * 1e6


@asynccontextmanager
async def _bus(settings: Settings) -> AsyncIterator[Bus]:
    bus = KafkaBus(settings)
    await bus.start()
    try:
        await bus.ensure_topics(topics.fixed_topics())
        yield bus
    finally:
        await bus.close()


async def _publish(bus: Bus, products: Iterable[str]) -> None:
    for product_id in products:
        await bus.append(topics.TICKERS.name, _product(product_id), key=product_id)
        await bus.append(topics.TICKERS.name, _ticker(product_id, 0), key=product_id)


async def _send(bus: Bus, calls: Iterable[ToolCall]) -> None:
    acks = [await bus.send(topics.COMMANDS.name, call, partition=0) for call in calls]
    await asyncio.gather(*acks)


async def _decided(bus: Bus, count: int, processes: BenchProcesses) -> tuple[float, float]:
    """Times at which the first and the last of some orders were seen to be decided."""
    reader = await bus.log_reader(topics.EVENTS.name, start=EARLIEST)
    seen, first_s, last_s, deadline = 0, 0.0, 0.0, time.monotonic() + WAIT_S
    try:
        while seen < count:
            records = await reader.read(timeout_s=0.2, max_records=5_000)
            new = sum(_is_command(record.value) for record in records if record.kind == ORDER)
            if new and not seen:
                first_s = time.monotonic()
            seen += new
            last_s = time.monotonic()
            processes.check()
            if last_s > deadline:
                raise TimeoutError(f"{seen} of {count} orders were decided in {WAIT_S:.0f} s")
    finally:
        await reader.close()
    return first_s, last_s


def _is_command(value: bytes | None) -> bool:
    """True for an order of a command, False for an exit that one brought."""
    return value is not None and b'"cause":' not in value


async def _tick(bus: Bus) -> int:
    """Publish tickers; returns the offset after the last one."""
    sent = [
        await bus.send(topics.TICKERS.name, _ticker(product_id, n), key=product_id)
        for n in range(TICKERS)
        for product_id in (PRODUCTS[n % len(PRODUCTS)],)
    ]
    acks = await asyncio.gather(*sent)
    return max(ack.offset for ack in acks) + 1


async def _drained(bus: Bus, end: int, processes: BenchProcesses) -> None:
    """Wait until the executor has read all tickers: an order that needs them is filled."""
    reader = await bus.log_reader(topics.EVENTS.name, start=EARLIEST)
    deadline, n = time.monotonic() + WAIT_S, 10**6
    try:
        while time.monotonic() < deadline:
            n += 1
            call = _order(n).model_copy(update={"ticker_offsets": {0: end}})
            product = call.arguments.replace("BTC-USD", PRODUCTS[0])
            await _send(bus, [call.model_copy(update={"arguments": product})])
            processes.check()
            while True:
                records = await reader.read(timeout_s=3.0, max_records=5_000)
                mine = [r.value for r in records if call.call_id.encode() in (r.value or b"")]
                if mine:
                    break
                if not records:
                    raise TimeoutError("the executor does not decide orders")
            if b'"outcome":"filled"' in (mine[0] or b""):
                return
    finally:
        await reader.close()
    raise TimeoutError(f"the executor did not read {TICKERS} tickers in {WAIT_S:.0f} s")


def _order(n: int) -> ToolCall:
    order = {"product_id": "BTC-USD", "quantity": "0.01", "action": "buy"}
    return _call("execute_trade", orjson.dumps(order).decode(), AGENTS[n % len(AGENTS)], n)


def _entry(n: int, *, exits: bool) -> ToolCall:
    order: dict[str, Any] = {
        "product_id": PRODUCTS[n // len(AGENTS)],
        "quantity": "1",
        "action": "buy",
    } | (EXITS if exits else {})
    return _call("execute_trade", orjson.dumps(order).decode(), AGENTS[n % len(AGENTS)], n)


def _call(tool: str, arguments: str, agent: str, n: int) -> ToolCall:
    now = datetime.now(UTC)
    turn = ids.derive("bench", agent, n)
    return ToolCall(
        call_id=ids.tool_call_id(turn, 0, 0),
        agent=agent,
        turn_id=turn,
        round=0,
        index=0,
        tool=tool,
        arguments=arguments,
        snapshot_id="bench",
        issued_at=now,
        deadline_at=now + timedelta(hours=1),
        reply_to=topics.inbox(agent),
    )


def _product(product_id: str) -> Product:
    return Product(
        venue="bench",
        product_id=product_id,
        base_currency=product_id.split("-", maxsplit=1)[0],
        quote_currency="USD",
        base_increment=Decimal("0.00000001"),
        quote_increment=Decimal("0.01"),
        min_market_funds=Decimal(1),
    )


def _ticker(product_id: str, n: int) -> Ticker:
    """A price that moves up and down by a tenth of a percent."""
    bid = Decimal(1000) + Decimal(n % 21 - 10) / 10
    now = datetime.now(UTC)
    return Ticker(
        venue="bench",
        product_id=product_id,
        price=bid,
        best_bid=bid,
        best_ask=bid + Decimal("0.1"),
        event_time=now,
        received_at=now,
    )
