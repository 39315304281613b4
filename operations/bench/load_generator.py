"""Publishes a market for agents, and measures the turns and fills that follow.

Publishes `market.tickers` and `market.snapshots`; reads `agent.turns` and `account.events`.
"""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from arena import topics
from arena.bus.base import LATEST, Bus, LogReader
from arena.errors import DependencyMissing
from arena.messages import OrderDecided, Product, Ticker, Turn
from operations.bench import market
from operations.bench.processes import BenchProcesses

READY_TIMEOUT_S = 60.0
TURN_TIMEOUT_S = 30.0
TICKER_INTERVAL_S = 5.0


@dataclass
class LoadGenerator:
    """A market, and the turns and fills that it causes.

    Attributes:
        answered: Agent -> number of the newest snapshot it finished a turn on.
        turns, fills: Counts since the last `reset`.
        fill_ms: Times from publishing a snapshot to the executor's decision.
        turn_ms: Times from publishing a snapshot to the end of the turn.
    """

    bus: Bus
    agents: list[str]
    published: int = -1
    sent_at: dict[str, float] = field(default_factory=dict)
    number_of: dict[str, int] = field(default_factory=dict)
    answered: dict[str, int] = field(default_factory=dict)
    turns: int = 0
    completed: int = 0
    fills: int = 0
    fill_ms: list[float] = field(default_factory=list)
    turn_ms: list[float] = field(default_factory=list)
    _offsets: dict[int, int] = field(default_factory=dict)
    _tickers_at: float = -TICKER_INTERVAL_S
    _readers: list[LogReader] = field(default_factory=list)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _record_came: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> None:
        """Create the topics and start to read."""
        await self.bus.ensure_topics(topics.fixed_topics())
        names = (topics.TURNS.name, topics.EVENTS.name)
        self._readers = [await self.bus.log_reader(name, start=LATEST) for name in names]
        self._tasks = [asyncio.create_task(self._follow(reader)) for reader in self._readers]

    async def close(self) -> None:
        """Stop reading."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for reader in self._readers:
            await reader.close()

    def reset(self) -> None:
        """Reset the counts; keep the market."""
        self.turns = self.completed = self.fills = 0
        self.fill_ms.clear()
        self.turn_ms.clear()

    async def publish(self) -> None:
        """Publish the next snapshot, and new tickers if the last are some seconds old."""
        now = datetime.now(UTC)
        if time.monotonic() - self._tickers_at >= TICKER_INTERVAL_S:
            self._tickers_at = time.monotonic()
            for product in market.products():
                await self._publish_to_tickers(product)
            for ticker in market.tickers(now, now):
                await self._publish_to_tickers(ticker)
        self.published += 1
        snapshot = market.snapshot(self.published, now, dict(self._offsets))
        self.number_of[snapshot.snapshot_id] = self.published
        self.sent_at[snapshot.snapshot_id] = time.time()
        await self.bus.append(topics.SNAPSHOTS.name, snapshot, key=market.VENUE)

    async def _publish_to_tickers(self, message: Product | Ticker) -> None:
        ack = await self.bus.append(topics.TICKERS.name, message, key=message.product_id)
        self._offsets[ack.partition] = ack.offset + 1

    async def wait_for_record(self, timeout_s: float) -> None:
        """Wait until a turn or an event was read, or the time is over."""
        for task in self._tasks:
            if task.done():
                task.result()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._record_came.wait()
        self._record_came.clear()

    async def _follow(self, reader: LogReader) -> None:
        while True:
            for record in await reader.read():
                message = record.message()
                if isinstance(message, Turn):
                    self._count_turn(message)
                elif isinstance(message, OrderDecided) and message.outcome == "filled":
                    self._count_fill(message)
                self._record_came.set()

    def _count_fill(self, order: OrderDecided) -> None:
        self.fills += 1
        sent = self.sent_at.get(order.snapshot_id)
        if sent is not None:
            self.fill_ms.append((order.at.timestamp() - sent) * 1000)

    def _count_turn(self, turn: Turn) -> None:
        number = self.number_of.get(turn.snapshot_id, -1)
        self.answered[turn.agent] = max(number, self.answered.get(turn.agent, -1))
        self.turns += 1
        self.completed += turn.outcome == "completed"
        if number >= 0:
            sent = self.sent_at[turn.snapshot_id]
            self.turn_ms.append((turn.ended_at.timestamp() - sent) * 1000)

    def agents_done(self) -> list[str]:
        """Return the agents that have finished a turn on the newest snapshot."""
        return [a for a in self.agents if self.answered.get(a, -1) >= self.published]

    async def wait_until_all_answer(self, processes: BenchProcesses) -> None:
        """Publish until every agent has finished a turn: then all processes are ready.

        Raises:
            DependencyMissing: An agent finished none in `READY_TIMEOUT_S`.
        """
        deadline = time.monotonic() + READY_TIMEOUT_S
        while missing := [a for a in self.agents if a not in self.answered]:
            if time.monotonic() > deadline:
                raise DependencyMissing(
                    f"no turn from {', '.join(missing)} in {READY_TIMEOUT_S:.0f} s",
                    remedy=f"read the logs in {processes.logs}",
                )
            processes.check()
            await self.publish()
            until = time.monotonic() + 1.0
            while time.monotonic() < until and len(self.agents_done()) < len(self.agents):
                await self.wait_for_record(0.1)

    async def run_saturated(self, seconds: float) -> float:
        """Keep agents busy: publish a snapshot as soon as one agent has finished the newest.

        Returns:
            Seconds from the first snapshot to the last counted turn.
        """
        self.reset()
        started = time.monotonic()
        while time.monotonic() - started < seconds:
            if self.agents_done():
                await self.publish()
            await self.wait_for_record(0.1)
        return time.monotonic() - started

    async def run_paced(self, count: int, interval_s: float) -> None:
        """Publish a snapshot per interval and wait for the turns, so that nothing is queued."""
        self.reset()
        for _ in range(count):
            next_at = time.monotonic() + interval_s
            await self.publish()
            while (left := next_at - time.monotonic()) > 0:
                await self.wait_for_record(left)
        deadline = time.monotonic() + TURN_TIMEOUT_S
        while len(self.agents_done()) < len(self.agents) and time.monotonic() < deadline:
            await self.wait_for_record(0.1)
