"""Arenas on one broker that lose the ends of logs or whole logs, or get more partitions."""

import asyncio
import os
import random
import sys
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka.admin import NewPartitions

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.bus.kafka_admin import admin_client
from arena.settings import Settings
from operations.storm.checker import effective_events, readable_commands
from operations.storm.checker_money import MarketRecords, check_money
from operations.storm.checker_records import Findings, TopicRecord, TopicRecords
from operations.storm.checker_refusals import HaltedScopes
from tests.faults.harness import AGENTS, TERMS, Executors, Traffic, read_topics, wait_until_answered
from tests.faults.log_truncation import end_of, truncate_tail

PER_SECOND = 500.0
SETTLE_S = 30.0
ACCOUNT = (topics.COMMANDS.name, topics.EVENTS.name)
NAMES = tuple(spec.name for spec in topics.fixed_topics()) + tuple(map(topics.inbox, AGENTS))
LOST = {
    topics.COMMANDS.name: b"commands lost",
    topics.EVENTS.name: b"events lost",
}
"""Topic -> the text in the log of an executor that lost decided records of it."""
REMEDY = b"`arena repair`"
FUTURE = "a later epoch than the current one"
GONE_S = 10.0


@dataclass
class LossyArena:
    """One arena: traffic, an executor, and the records of its topics before the loss.

    Attributes:
        prefix, bus, settings: Its topics and connection. executors: its executor.
        seed: The same seed gives the same losses.
        alive: The executor runs during the loss; otherwise it was killed before.
        before: The records of the topics before the loss.
        cut: Topic -> its end offset after the loss.
        undecided: Ids of orders that were acked but not decided before the loss.
        repairs: How often `arena repair` was run because the log of the executor asked for it.
    """

    prefix: str
    bus: KafkaBus
    settings: Settings
    executors: Executors
    seed: int
    alive: bool
    before: TopicRecords = field(default_factory=lambda: TopicRecords([], [], [], {}, []))
    cut: dict[str, int] = field(default_factory=dict)
    undecided: set[str] = field(default_factory=set)
    repairs: int = 0

    def __post_init__(self) -> None:
        """Seed the random generator."""
        self.random = random.Random(self.seed)
        self._work: list[asyncio.Task[None]] = []

    async def trade_before_loss(self, orders: int, undecided: int) -> None:
        """Trade until everything is answered; leave some orders that no executor has read."""
        await self.bus.ensure_topics(topics.fixed_topics())
        self.executors.start("one")
        self._work = [asyncio.create_task(self.executors.supervise())]
        traffic = Traffic(self.bus, self.seed)
        await self._trade(traffic, orders)
        await self._fill_others()
        if not self.alive:
            await self.stop()
            decided = set(traffic.orders)
            await traffic.run_agents(undecided, PER_SECOND)
            self.undecided = traffic.orders - decided
        self.before = await read_topics(self.bus)

    async def trade_after_loss(self, orders: int) -> Traffic:
        """Trade again after the loss: every new order must be decided."""
        await self.reconnect()
        if not self.alive:
            self.executors.start("one")
            self._work = [asyncio.create_task(self.executors.supervise())]
        traffic = Traffic(self.bus, self.seed + 1_000_000)
        repairing = asyncio.create_task(self._repair_when_told())
        try:
            await self._trade(traffic, orders)
        finally:
            repairing.cancel()
            await asyncio.gather(repairing, return_exceptions=True)
        return traffic

    async def _repair_when_told(self) -> None:
        """Run `arena repair` when the executor asks for it: the log has records of an old owner."""
        while REMEDY not in self.log():
            await asyncio.sleep(0.2)
        environment = os.environ | {
            "KAFKA_BOOTSTRAP_SERVERS": self.settings.bootstrap_servers,
            "ARENA_PREFIX": self.settings.prefix,
        }
        command = (sys.executable, "-m", "arena", "repair", "--yes")
        process = await asyncio.create_subprocess_exec(*command, env=environment)
        assert 0 == await process.wait()
        self.repairs += 1

    async def stop(self) -> None:
        """Kill the executor."""
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        self.executors.stop()

    async def _trade(self, traffic: Traffic, orders: int) -> None:
        await traffic.open_market()
        market = asyncio.create_task(traffic.run_market())
        try:
            await traffic.run_agents(orders, PER_SECOND)
            await wait_until_answered(self.bus, traffic, SETTLE_S)
        except AssertionError as error:
            raise AssertionError(f"{self.prefix}: {error}\n{self.executors.tail()}") from error
        finally:
            market.cancel()
            await asyncio.gather(market, return_exceptions=True)

    async def _fill_others(self) -> None:
        """Write records to the topics that this traffic does not use."""
        for name in NAMES:
            if name not in ACCOUNT and name != topics.CONTROL.name:
                for number in range(5):
                    value = b'{"filler": %d}' % number
                    await self.bus.send_bytes(name, value, key=b"filler", partition=0, headers=())

    def truncate_topics(self, data: Path, always: tuple[str, ...]) -> None:
        """Truncate topics at random offsets while the broker is down; those of `always` surely."""
        for name in NAMES:
            if name in always or self.random.random() < 0.5:
                full = self.prefix + name
                end = end_of(data, full, 0)
                left = truncate_tail(data, full, 0, keep=self.random.randrange(end) if end else 0)
                self.cut[name] = left

    async def recreate_topics(self, always: tuple[str, ...]) -> None:
        """Delete and create topics at random; those of `always` surely."""
        chosen = [n for n in NAMES if n in always or self.random.random() < 0.5]
        async with admin_client(self.settings) as admin:
            await admin.delete_topics([self.prefix + name for name in chosen])
            async with asyncio.timeout(GONE_S):
                while {self.prefix + name for name in chosen} & {*await admin.list_topics()}:
                    await asyncio.sleep(0.05)
        await self.reconnect()
        await self.bus.ensure_topics([topics.spec_of(name) for name in chosen])
        self.cut |= dict.fromkeys(chosen, 0)

    async def add_partitions(self, names: tuple[str, ...]) -> None:
        """Give topics five partitions."""
        async with admin_client(self.settings) as admin:
            await admin.create_partitions({self.prefix + name: NewPartitions(5) for name in names})

    async def reconnect(self) -> None:
        """Connect a new client, without cached metadata."""
        await self.bus.close()
        self.bus = KafkaBus(self.settings, client_id="test")
        await self.bus.start()

    def log(self) -> bytes:
        """Return everything that the executor logged."""
        return b"".join(path.read_bytes() for path in sorted(self.executors.logs.glob("*.log")))


def silently_lost(arena: LossyArena) -> list[str]:
    """Return topics that lost decided records without a report."""
    events = [raw for raw in arena.before.events if raw.kind == "OrderDecided"]
    sources = [e["source"]["offset"] for e in effective_events(events_of(arena), Findings())]
    found, text = [], arena.log()
    left = arena.cut.get(topics.COMMANDS.name)
    # If events are lost, too, the newest remaining order may be before the truncation.
    gone = left is not None and bool(sources) and left <= max(sources)
    if gone and topics.EVENTS.name not in arena.cut and LOST[topics.COMMANDS.name] not in text:
        found.append(f"{arena.prefix}: commands from {left} on")
    left = arena.cut.get(topics.EVENTS.name)
    inboxes = any(topics.inbox(agent) in arena.cut for agent in AGENTS)
    gone = left is not None and any(raw.offset >= left for raw in events)
    if gone and not inboxes and LOST[topics.EVENTS.name] not in text:
        found.append(f"{arena.prefix}: events from {left} on")
    return found


def events_of(arena: LossyArena) -> list[TopicRecord]:
    """Return the events before the loss."""
    return arena.before.events


async def check_after_loss(arena: LossyArena, traffic: Traffic) -> Findings:
    """Check from the raw records what must hold after a loss."""
    findings = Findings()
    now = await read_topics(arena.bus)
    effective = effective_events(now.events, findings)
    if arena.repairs:  # a skipped record is not an event
        findings.wrong = [text for text in findings.wrong if not text.endswith(FUTURE)]
    orders = [event["order_id"] for event in effective if event["kind"] == "OrderDecided"]
    findings.expect(len(orders) == len({*orders}), "an order has two events that count")
    for order in traffic.orders - {*orders}:
        findings.add(f"the new order {order} has no event")
    kept = arena.cut.get(topics.EVENTS.name, len(arena.before.events))
    findings.expect(
        now.events[:kept] == arena.before.events[:kept], "an event before the cut changed"
    )
    left = arena.cut.get(topics.COMMANDS.name, len(arena.before.commands))
    still = {*readable_commands(arena.before.commands[:left])} & arena.undecided
    for order in still - {*orders}:
        findings.add(f"the undecided order {order}, which still exists, has no event")
    if topics.TICKERS.name not in arena.cut:
        commands = readable_commands([*arena.before.commands, *now.commands])
        halts = HaltedScopes(now.control)
        check_money(effective, commands, MarketRecords(now.tickers), TERMS, halts, findings)
    for what in silently_lost(arena):
        findings.add(f"lost without a report: {what}")
    findings.counts["orders"] = len(orders)
    findings.counts["new"] = len(traffic.orders)
    return findings
