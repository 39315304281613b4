"""Executor processes that can be killed and are restarted, and continuous traffic."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import orjson

from arena import ids, topics
from arena.bus.base import EARLIEST, Bus, Record
from arena.messages import Message, Product, QuoteSeen, Ticker, ToolCall
from arena.settings import Settings
from arena.wire import encode
from operations.storm.checker_records import ExecutorSettings, TopicRecord, TopicRecords

TERMS = ExecutorSettings(
    cash=Decimal(100_000),
    fee_bps=Decimal(60),
    slippage_bps=Decimal(2),
    price_age_ms=30_000,
    collar_bps=Decimal(200),
)
AGENTS = tuple(f"agent-{n}" for n in range(6))
START_PRICES = {"BTC-USD": 67_000.0, "ETH-USD": 3_200.0, "SOL-USD": 141.0}
RESEND_SHARE = 0.1
RESEND_WINDOW = 200
LIFE_S = 120
TICK_S = 0.02
POLL_S = 0.05
FaultOf = Callable[[], str]


@dataclass
class Executors:
    """Executor processes that are restarted at once, as `arena up` does.

    Attributes:
        settings: Their broker and prefix. logs: the folder of their logs.
        fault: Called at each start for the `ARENA_FAULT` of that process.
        command: The arguments for this interpreter.
        processes: The running processes by name. ends: how often they ended, and how.
    """

    settings: Settings
    logs: Path
    fault: FaultOf = lambda: ""
    command: tuple[str, ...] = ("-m", "arena", "tools", "--only", "executor")
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    ends: Counter[str] = field(default_factory=Counter)
    _faults: dict[str, str] = field(default_factory=dict)

    def start(self, name: str) -> None:
        """Start or restart a process."""
        fault = self._faults[name] = self.fault()
        environment = os.environ | {
            "KAFKA_BOOTSTRAP_SERVERS": self.settings.bootstrap_servers,
            "ARENA_PREFIX": self.settings.prefix,
            "ARENA_LOG_FORMAT": "json",
            "ARENA_FAULT": fault,
            "ARENA_HEARTBEAT_INTERVAL_S": "0.5",
        }
        with (self.logs / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, *self.command], env=environment, stdout=log, stderr=log
            )

    async def supervise(self) -> None:
        """Restart processes that end, until cancelled."""
        while True:
            for name, process in list(self.processes.items()):
                if process.poll() is not None:
                    self._note_end(name, process.returncode)
                    self.start(name)
            await asyncio.sleep(POLL_S)

    def _note_end(self, name: str, code: int) -> None:
        killed = code == -signal.SIGKILL
        self.ends["killed" if killed else f"exit {code}"] += 1
        if killed and self._faults[name]:
            self.ends[self._faults[name].split(":")[0]] += 1

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process."""
        self.processes[name].send_signal(number)

    def times_owned(self) -> int:
        """Return how often a process became the owner of the shard."""
        logs = (self.logs / f"{name}.log" for name in self.processes)
        return sum(log.read_bytes().count(b'"owns shard"') for log in logs)

    async def wait_until_owned(self, times: int) -> int:
        """Wait until the shard was taken more than this many times; return how often."""
        while (owned := self.times_owned()) <= times:
            await asyncio.sleep(POLL_S)
        return owned

    def stop(self) -> None:
        """Kill all processes, even frozen ones."""
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()

    def tail(self, lines: int = 15) -> str:
        """Return the ends of their logs, for the message of a failing test."""
        parts = []
        for name in self.processes:
            text = (self.logs / f"{name}.log").read_text(errors="replace").splitlines()
            parts.append(f"--- {name}\n" + "\n".join(text[-lines:]))
        return "\n".join(parts)


@dataclass
class Traffic:
    """A market and agents that trade on it.

    Attributes:
        bus: A started bus. seed: the same seed gives the same traffic.
        calls: Ids of calls that must be answered. orders: ids of orders that must be decided.
        acked: Offset of each acked command -> its bytes.
    """

    bus: Bus
    seed: int
    calls: set[str] = field(default_factory=set)
    orders: set[str] = field(default_factory=set)
    acked: dict[int, bytes] = field(default_factory=dict)
    _quotes: dict[str, QuoteSeen] = field(default_factory=dict)
    _ticker_end: int = 0
    _started_count: int = 0
    _sent: list[ToolCall] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Seed the random generator."""
        self._rng = random.Random(self.seed)
        self._prices = dict(START_PRICES)

    async def open_market(self) -> None:
        """Publish the products and a first ticker of each."""
        for product_id in self._prices:
            await self.bus.append(topics.TICKERS.name, _product(product_id), key=product_id)
            await self._tick(product_id)
        await self.bus.ensure_topics([topics.INBOX.member(agent) for agent in AGENTS])

    async def run_market(self) -> None:
        """Move the prices until cancelled."""
        while True:
            await self._tick(self._rng.choice(list(self._prices)))
            await asyncio.sleep(TICK_S)

    async def _tick(self, product_id: str) -> None:
        self._prices[product_id] *= 1 + self._rng.gauss(0, 0.0002)
        bid = Decimal(f"{self._prices[product_id]:.2f}")
        ask = bid + Decimal("0.01") * self._rng.randint(1, 60)
        now = datetime.now(UTC)
        ticker = Ticker(
            venue="faults",
            product_id=product_id,
            price=bid,
            best_bid=bid,
            best_ask=ask,
            event_time=now - timedelta(milliseconds=40),
            received_at=now,
        )
        acked = await self.bus.append(topics.TICKERS.name, ticker, key=product_id)
        self._ticker_end = acked.offset + 1
        self._quotes[product_id] = QuoteSeen(bid=bid, ask=ask)

    async def run_agents(self, count: int, per_second: float) -> None:
        """Send `count` commands at a rate; some are sent twice, some are garbage."""
        for n in range(self._started_count, self._started_count + count):
            await self._send_one(n)
            if n % 10 == 9:
                await asyncio.sleep(10 / per_second)
        self._started_count += count

    async def _send_one(self, n: int) -> None:
        dice = self._rng.random()
        if dice < 0.01:
            await self._append(self._rng.randbytes(40), b"ToolCall", ())
        elif dice < 0.01 + RESEND_SHARE and self._sent:
            await self._send(self._rng.choice(self._sent[-RESEND_WINDOW:]))
        else:
            call = self._call(n)
            if call.deadline_at > call.issued_at:
                self.calls.add(call.call_id)
            if call.tool == "execute_trade":
                self.orders.add(call.call_id)
            self._sent.append(call)
            await self._send(call)

    async def _send(self, message: Message) -> None:
        encoded = encode(message)
        await self._append(encoded.value, b"", encoded.headers)

    async def _append(
        self, value: bytes, kind: bytes, headers: tuple[tuple[str, bytes], ...]
    ) -> None:
        future = await self.bus.send_bytes(
            topics.COMMANDS.name,
            value,
            key=None,
            partition=0,
            headers=headers or (("type", kind),),
        )
        future.add_done_callback(lambda done: self.acked.update({done.result().offset: value}))

    def _call(self, n: int) -> ToolCall:
        rng = self._rng
        agent = rng.choice(AGENTS)
        product_id = rng.choice(list(self._prices))
        reads = rng.random() < 0.08
        now = datetime.now(UTC)
        turn = ids.derive("turn", self.seed, agent, n)
        return ToolCall(
            call_id=ids.tool_call_id(turn, 0, 0),
            agent=agent,
            turn_id=turn,
            round=0,
            index=0,
            tool="get_portfolio" if reads else "execute_trade",
            arguments="{}" if reads else self._arguments(product_id),
            snapshot_id=ids.derive("snapshot", n // 50),
            ticker_offsets={0: self._ticker_end},
            quotes_seen=dict(self._quotes),
            issued_at=now,
            deadline_at=now + timedelta(seconds=-1 if rng.random() < 0.01 else LIFE_S),
            reply_to=topics.inbox(agent),
        )

    def _arguments(self, product_id: str) -> str:
        rng = self._rng
        dice = rng.random()
        usd = rng.choice((50, 400, 3_000, 3_000, 20_000, 90_000))
        quantity = f"{usd * rng.uniform(0.5, 1.5) / self._prices[product_id]:.8f}"
        action = "buy" if rng.random() < 0.55 else "sell"
        order = {"product_id": product_id, "quantity": quantity, "action": action}
        if dice < 0.02:
            return '{"product_id": "BTC-USD", "quantity": '
        if dice < 0.04:
            order["quantity"] = rng.choice(("-1", "0", "0.123456789", "lots", "1e999"))
        elif dice < 0.06:
            order["product_id"] = rng.choice(("DOGE-USD", "\x1b[31mBTC", "ВTC-USD"))
        return orjson.dumps(order).decode()


async def wait_until_answered(bus: Bus, traffic: Traffic, stalled_s: float) -> None:
    """Wait until every order is in the log and every call has a reply.

    Args:
        bus: A started bus.
        traffic: The traffic.
        stalled_s: The longest time without a decision or reply: how long all take depends on the
            machine.
    """
    log = await bus.log_reader(topics.EVENTS.name, start=EARLIEST)
    inboxes = await bus.log_reader(*(topics.inbox(agent) for agent in AGENTS), start=EARLIEST)
    open_orders, open_calls = set(traffic.orders), set(traffic.calls)
    clock = asyncio.get_running_loop().time
    progress_s = clock()
    try:
        while open_orders or open_calls:
            before = len(open_orders) + len(open_calls)
            for record in await log.read(timeout_s=0.1, max_records=5_000):
                open_orders.discard(_field(record, "order_id"))
            for record in await inboxes.read(timeout_s=0.1, max_records=5_000):
                open_calls.discard(_field(record, "call_id"))
            if len(open_orders) + len(open_calls) < before:
                progress_s = clock()
            open_text = f"{len(open_orders)} orders undecided, {len(open_calls)} calls unanswered"
            assert clock() < progress_s + stalled_s, open_text
    finally:
        await log.close()
        await inboxes.close()


def _field(record: Record, name: str) -> str:
    """Return a field of a record's body; "" if it is not a JSON object."""
    try:
        body = orjson.loads(record.value or b"{}")
    except orjson.JSONDecodeError:
        return ""
    return str(body.get(name)) if isinstance(body, dict) else ""


async def read_topics(bus: Bus, agents: tuple[str, ...] = AGENTS) -> TopicRecords:
    """Read the raw records that the checker needs."""
    inboxes = {agent: await _records(bus, topics.inbox(agent)) for agent in agents}
    return TopicRecords(
        commands=await _records(bus, topics.COMMANDS.name),
        events=await _records(bus, topics.EVENTS.name),
        tickers=await _records(bus, topics.TICKERS.name),
        inboxes=inboxes,
        dead_letters=await _records(bus, topics.DEAD_LETTERS.name),
    )


async def _records(bus: Bus, topic: str) -> list[TopicRecord]:
    reader = await bus.log_reader(topic, start=EARLIEST)
    found: list[TopicRecord] = []
    try:
        async with asyncio.timeout(30):
            while await reader.lag():
                found += [
                    TopicRecord(
                        r.partition, r.offset, r.headers.get("type", b"").decode(), r.value or b""
                    )
                    for r in await reader.read(timeout_s=0.2, max_records=5_000)
                ]
    finally:
        await reader.close()
    return found


def _product(product_id: str) -> Product:
    return Product(
        venue="faults",
        product_id=product_id,
        base_currency=product_id.split("-")[0],
        quote_currency="USD",
        base_increment=Decimal("0.00000001"),
        quote_increment=Decimal("0.01"),
        min_market_funds=Decimal(1),
    )
