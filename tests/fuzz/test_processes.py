"""Every kind of process survives hostile records in its topics, and handles the good ones.

`ARENA_FUZZ_ROUNDS` makes the tests longer, `ARENA_FUZZ_SEED` changes the records.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from arena import topics
from arena.bus.base import Record
from arena.bus.memory import MemoryBus
from arena.clock import SystemClock
from arena.errors import Malformed
from arena.messages import DeadLetter, Message, OrderDecided, ToolResult
from arena.node import Node
from arena.roster import read_agents, read_halted
from arena.settings import Settings
from dashboard.model.frame import build_frame
from dashboard.model.topic_follower import TopicFollower
from dashboard.model.view import ArenaView
from dashboard.terminal.app import catch_up
from judge.service import Judge
from ledger.location import books_location
from operations.commands.message_format import describe
from tests.alongside import alongside
from tests.chat_nodes.example_requests import RISING, prompt, request
from tests.chat_nodes.running_node import FakeModel, now
from tests.chat_nodes.running_node import serving as serving_chat
from tests.dashboard.publishing import publish
from tests.dashboard.scenario import Scenario
from tests.fuzz.hostile_records import HostileRecord, good_bodies, hostile_records
from tests.judge.test_service import JUDGE_OPTIONS
from tests.ledger.helpers import running_ledger, wait_until_booked
from tests.routers import fake_peers
from tests.routers.builders import reply, result, snapshot
from tests.trading_tools.helpers import product, read_until, serving, ticker, tool_call

SEED = int(os.environ.get("ARENA_FUZZ_SEED", "1"))
ROUNDS = int(os.environ.get("ARENA_FUZZ_ROUNDS", "1"))
COUNT = 60
"""Hostile records per topic and round."""
DEADLINE_S = 30.0
EVENTS = topics.EVENTS.name
BUY = '{"product_id": "ETH-USD", "quantity": "0.1", "action": "buy"}'

SCENARIO = Scenario().run(6)
GOOD: dict[str, list[Record]] = {}
for _record in SCENARIO.records:
    GOOD.setdefault(_record.topic, []).append(_record)


def records_of(*messages: Message) -> list[Record]:
    """Return messages as good records."""
    return good_bodies(messages)


def good_records_of(topic: str) -> list[Record]:
    """Return good records of a topic, to be made hostile."""
    asked = request(prompt({"B": RISING}), issued_at=now())
    call = tool_call("momentum", "execute_trade", BUY, quotes_seen={}, ticker_offsets={0: 2})
    more: Mapping[str, list[Record]] = {
        topics.COMMANDS.name: records_of(call, tool_call("momentum", "get_portfolio", "{}")),
        topics.TOOL_CALLS.name: records_of(
            tool_call("momentum", "calculator", '{"expression": "2*3"}')
        ),
        topics.prompted("gpt"): records_of(asked),
        topics.inbox("alpha"): records_of(reply(asked), result(call, "bought", {})),
        topics.SNAPSHOTS.name: records_of(snapshot(1)),
        topics.TICKERS.name: records_of(product(), ticker("1", "2")),
    }
    return [*GOOD.get(topic, ()), *more.get(topic, ())] or GOOD[topics.HEARTBEATS.name]


async def append_hostile(
    bus: MemoryBus, names: tuple[str, ...], seed: int
) -> list[tuple[str, HostileRecord]]:
    """Append hostile records to topics; return them."""
    await bus.ensure_topics([topics.spec_of(name) for name in names])
    appended = []
    for name in names:
        partitions = await bus.partitions(name)
        for number, one in enumerate(hostile_records(good_records_of(name), COUNT, seed)):
            scope = (one.key or b"") == b"all" or (one.key or b"").startswith(b"agent/")
            if name == topics.CONTROL.name and scope:
                continue  # It would be a halt, which other tests cover.
            bus.cluster.append(name, number % partitions, one.key, one.value, one.headers)
            appended.append((name, one))
    return appended


async def wait_until(condition: Callable[[], Awaitable[bool] | bool]) -> None:
    """Wait for a condition, or fail at the deadline."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            found = condition()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.02)


class Driver:
    """Runs one kind of process on a bus in memory, and gives it work to show that it is healthy."""

    topics: tuple[str, ...] = ()

    def __init__(self, bus: MemoryBus, home: Path) -> None:
        """Prepare a process.

        Args:
            bus: A bus in memory.
            home: The folder of its local state.
        """
        self.bus = bus
        self.home = home

    def running(self) -> AbstractAsyncContextManager[object]:
        """Run the process; its failure is raised here."""
        raise NotImplementedError

    async def work(self, number: int) -> None:
        """Give it good records, and wait until it has handled them."""
        raise NotImplementedError


class ToolsDriver(Driver):
    """`arena tools`: the executor and the stateless tools."""

    topics = (
        topics.COMMANDS.name,
        topics.TICKERS.name,
        topics.TOOL_CALLS.name,
        topics.CONTROL.name,
        topics.ROSTER.name,
    )

    def running(self) -> AbstractAsyncContextManager[object]:
        """Run both."""
        return serving(self.bus)

    async def work(self, number: int) -> None:
        """Send an order and a calculation of a new agent."""
        agent = f"good-{number}"
        eth = ticker("3000", "3001", product_id="ETH-USD")
        await self.bus.send(topics.TICKERS.name, product("ETH-USD"), key="ETH-USD")
        acked = await self.bus.append(topics.TICKERS.name, eth, key="ETH-USD")
        order = tool_call(agent, "execute_trade", BUY, ticker_offsets={0: acked.offset + 1})
        await self.bus.append(topics.COMMANDS.name, order, key=agent)
        add = tool_call(agent, "calculator", '{"expression": "2 * 3"}', index=1)
        await self.bus.append(topics.TOOL_CALLS.name, add, key=agent)
        answers = await read_until(self.bus, topics.inbox(agent), ToolResult, 2)
        assert {0: (True, ""), 1: (True, "")} == {a.index: (a.ok, a.error) for a in answers}
        events = await read_until(self.bus, EVENTS, OrderDecided, number + 1)
        assert "filled" == next(e.outcome for e in events if e.agent == agent)


class ChatDriver(Driver):
    """`arena chat-node`."""

    topics = (topics.prompted("gpt"), topics.LLM_CALLS.name, topics.HEARTBEATS.name)

    def running(self) -> AbstractAsyncContextManager[object]:
        """Run a node with a model that answers at once."""
        return serving_chat(self.bus, FakeModel())

    async def work(self, number: int) -> None:
        """Send a request, and wait for its reply."""
        agent = f"good-{number}"
        asked = request(agent=agent, turn=f"t{number}", issued_at=now())
        await self.bus.append(topics.prompted("gpt"), asked, key=agent)

        async def answered() -> bool:
            log = self.bus.cluster.logs.get((topics.inbox(agent), 0), [])
            return any(asked.call_id.encode() in (record.value or b"") for record in log)

        await wait_until(answered)


class RouterDriver(Driver):
    """`arena router`, with a chat node and tools that answer."""

    topics = (
        topics.SNAPSHOTS.name,
        topics.inbox("alpha"),
        topics.TURNS.name,
        topics.ROSTER.name,
        topics.HEARTBEATS.name,
    )
    _published = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[object]:
        """Run one agent."""
        peers = fake_peers.FakePeers(self.bus)
        async with peers.working(), fake_peers.playing(self.bus, fake_peers.agent_config()):
            yield None

    async def work(self, number: int) -> None:
        """Publish a snapshot, and wait for the turn on it."""
        one = snapshot(1_000 + number)
        await self.bus.append(topics.SNAPSHOTS.name, one, key="test")

        async def played() -> bool:
            records = [r for n in range(4) for r in self.bus.cluster.logs[topics.TURNS.name, n]]
            return any(
                one.snapshot_id.encode() in (r.value or b"") and r.headers.get("type") == b"Turn"
                for r in records
                if r.key == b"alpha"
            )

        await wait_until(played)


class ReadersDriver(Driver):
    """Processes that only read a scenario: their accounts must equal those of the scenario."""

    topics = (
        topics.SNAPSHOTS.name,
        topics.TURNS.name,
        topics.LLM_CALLS.name,
        topics.ROSTER.name,
        topics.TICKERS.name,
        topics.HEARTBEATS.name,
        topics.CONTROL.name,
        topics.EVALUATIONS.name,
        topics.DEAD_LETTERS.name,
    )
    _done = 0

    async def _publish(self, number: int) -> int:
        if number == 0:
            self.scenario = Scenario()
        self.scenario.run(3)
        self._done = await publish(self.bus, self.scenario, self._done)
        return sum(1 for record in self.scenario.records if record.topic == EVENTS)


class JudgeDriver(ReadersDriver):
    """`arena judge`."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[object]:
        """Run one judge."""
        settings = Settings(home=self.home)
        self.judge = Judge(Node("judge", "j", settings, self.bus, SystemClock()), JUDGE_OPTIONS)
        async with alongside(self.judge.serve()):
            yield None

    async def work(self, number: int) -> None:
        """Publish three snapshots with orders, and wait until they are handled."""
        await self._publish(number)

        def folds() -> bool:
            books = self.judge.builder.folds.accounts
            digests = {p: s.head for p, s in books.shards.items()}
            return not books.broken and digests == {0: self.scenario.shard.head}

        await wait_until(folds)


class DashboardDriver(ReadersDriver):
    """`arena dashboard`, drawn at the end of each round."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[object]:
        """Follow its topics."""
        await self._publish(0)
        self.follower = TopicFollower(self.bus, SystemClock(), ArenaView(), None)
        await self.follower.open()
        async with alongside(self.follower.follow()):
            yield None
        await self.follower.close()

    async def work(self, number: int) -> None:
        """Publish three snapshots with orders, and draw the screen."""
        await self._publish(number + 1)
        await asyncio.wait_for(catch_up(self.follower, SystemClock()), DEADLINE_S)
        await wait_until(lambda: self._heads() == {0: self.scenario.shard.head})
        build_frame(self.follower.view, SystemClock().now(), agent="momentum", trades=40)

    def _heads(self) -> dict[int, str]:
        return {p: s.head for p, s in self.follower.view.accounts.shards.items()}


class LedgerDriver(ReadersDriver):
    """`arena ledger run` on SQLite."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[object]:
        """Run a ledger with books in a file."""
        self.location = books_location(self.home, "", None)
        async with running_ledger(self.bus, Settings(home=self.home), self.location):
            yield None

    async def work(self, number: int) -> None:
        """Publish three snapshots with orders, and wait until they are handled."""
        await wait_until_booked(self.location, await self._publish(number))


class CommandsDriver(ReadersDriver):
    """The readers of commands: rosters, halts, and every line of `arena tail`."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[object]:
        """Run nothing."""
        yield None

    async def work(self, number: int) -> None:
        """Read everything once."""
        await self._publish(number)
        await read_agents(self.bus)
        await read_halted(self.bus)
        for log in list(self.bus.cluster.logs.values()):
            for record in log:
                try:
                    describe(record.message())
                except Malformed:
                    continue


DRIVERS = (
    ToolsDriver,
    ChatDriver,
    RouterDriver,
    JudgeDriver,
    DashboardDriver,
    LedgerDriver,
    CommandsDriver,
)


@pytest.mark.parametrize("kind", DRIVERS, ids=lambda kind: kind.__name__)
async def test_process_survives_hostile_records(
    memory_bus: MemoryBus, tmp_path: Path, kind: type[Driver]
) -> None:
    """Hostile records come before its start and in between; every good one is handled."""
    driver = kind(memory_bus, tmp_path)
    await append_hostile(memory_bus, driver.topics, SEED)
    async with driver.running():
        for number in range(ROUNDS):
            await driver.work(number)
            await append_hostile(memory_bus, driver.topics, SEED + 1 + number)
        await driver.work(ROUNDS)


async def test_unreadable_commands_are_dead_lettered_once(
    memory_bus: MemoryBus, tmp_path: Path
) -> None:
    """One dead letter each, even if they are read again after a restart."""
    driver = ToolsDriver(memory_bus, tmp_path)
    appended = await append_hostile(memory_bus, (topics.COMMANDS.name,), SEED)
    for number in range(2):
        async with driver.running():
            await driver.work(number)
    letters = await read_until(memory_bus, topics.DEAD_LETTERS.name, DeadLetter, 1)
    offsets = [x.offset for x in letters if x.topic == topics.COMMANDS.name]

    assert len(offsets) == len(set(offsets))
    unread = set()
    for record in memory_bus.cluster.logs[topics.COMMANDS.name, 0]:
        try:
            record.message()
        except Malformed:
            unread.add(record.offset)
    assert unread <= set(offsets)
    assert len(appended) == COUNT
