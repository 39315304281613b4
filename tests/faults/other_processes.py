"""Runs one of each other kind of process: router, chat node, ledger, judge and dashboard.

They run in this process on a real broker, each with its own connection, and are restarted when they
end.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import orjson
from aiokafka.admin import AIOKafkaAdminClient

from arena import topics
from arena.bus.base import Bus, Record
from arena.bus.kafka import KafkaBus
from arena.bus.kafka_admin import admin_client
from arena.clock import SystemClock
from arena.errors import ArenaError
from arena.messages import ChatRequest, Turn
from arena.node import Node, serve_node
from arena.settings import Settings
from chat_nodes.model import CallFailed, RawReply
from chat_nodes.node import ChatNodeSettings, serve_model
from dashboard.model.topic_follower import TopicFollower
from dashboard.model.view import ArenaView
from judge.service import Judge
from ledger.database import Database
from ledger.location import BooksLocation, books_location
from ledger.service import serve_ledger
from routers.service import serve_agents
from routers.strategy import Strategy
from tests.chat_nodes.running_node import SENT, FakeModel
from tests.chat_nodes.stub_server import completion
from tests.judge.test_service import JUDGE_OPTIONS as JUDGED
from tests.ledger.helpers import next_offset
from tests.routers.builders import snapshot
from tests.routers.fake_peers import agent_config

AGENT = "alone"
"""Its turns are in partition 0 of `agent.turns`, which is truncated."""
STRATEGY = Strategy(name="trader", prompt="Trade.", tools=("execute_trade",))
TURNS, CALLS, SNAPSHOTS = topics.TURNS.name, topics.LLM_CALLS.name, topics.SNAPSHOTS.name
KINDS = {TURNS: "Turn", CALLS: "LlmCall", SNAPSHOTS: "MarketSnapshot"}
REPORTED_BY = {TURNS: "router", CALLS: "chat-node", SNAPSHOTS: "router"}
RESTART_PAUSE_S = 0.1
WAIT_S = 150.0
ORDER = '{"product_id": "BTC-USD", "quantity": "0.001", "action": "buy"}'


async def answer(request: ChatRequest) -> RawReply | CallFailed:
    """One order, then a closing line."""
    if request.round:
        return RawReply(completion("Reasoning: done."), SENT)
    body = orjson.loads(completion("", calls=1))
    body["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] = ORDER
    return RawReply(orjson.dumps(body), SENT)


class OtherProcesses:
    """One process of each kind.

    Attributes:
        reports: Kind and text: why a process ended, and what its heartbeats reported as lost.
        before: The records in the topics before the loss.
        model: The model of the chat node. books: the location of the books.
    """

    def __init__(self, settings: Settings, home: Path) -> None:
        """Prepare the processes; call `start` to run them.

        Args:
            settings: The settings of the arena.
            home: The folder of their local state.
        """
        self.reports: list[tuple[str, str]] = []
        self.model = FakeModel(answer)
        self.books: BooksLocation = books_location(home, settings.prefix, None)
        self._settings = settings.override(home=home, heartbeat_interval_s=0.5)
        self._nodes: dict[str, Bus] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._judge: Judge | None = None
        self._follower: TopicFollower | None = None
        self._published = 0
        self.before: dict[str, list[Record]] = {}

    def start(self) -> None:
        """Start one of each kind."""
        kinds: dict[str, Callable[[Node], Awaitable[None]]] = {
            "router": lambda node: serve_agents(node, [agent_config(AGENT, strategy=STRATEGY)]),
            "chat-node": lambda node: serve_model(node, self.model, ChatNodeSettings()),
            "ledger": lambda node: serve_ledger(node, Database(self.books)),
            "judge": self._serve_judge,
            "dashboard": self._serve_dashboard,
        }
        self._tasks = [asyncio.create_task(self._keep_running(*one)) for one in kinds.items()]

    async def _serve_judge(self, node: Node) -> None:
        self._judge = Judge(node, JUDGED)
        await self._judge.serve()

    async def _serve_dashboard(self, node: Node) -> None:
        self._follower = TopicFollower(node.bus, SystemClock(), ArenaView(), None)
        await self._follower.open()
        try:
            await self._follower.follow()
        finally:
            await self._follower.close()

    async def _keep_running(self, kind: str, serve: Callable[[Node], Awaitable[None]]) -> None:
        name = "model" if kind == "chat-node" else AGENT
        while True:
            bus = self._nodes[kind] = KafkaBus(self._settings, client_id=kind)
            try:
                node = Node(kind, name, self._settings, bus, SystemClock())
                await serve_node(node, lambda node, _: serve(node), None)
            except ArenaError as error:
                self.reports.append((kind, str(error)))
            finally:
                self._collect_reports(kind)
            await asyncio.sleep(RESTART_PAUSE_S)

    def _collect_reports(self, kind: str) -> None:
        lost = self._nodes[kind].lost
        self.reports += [
            (kind, f"{topic}[{partition}]: {text}") for (topic, partition), text in lost.items()
        ]

    async def stop(self) -> None:
        """Stop all of them."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def run_turns(self, turns: int) -> None:
        """Play turns, wait until offsets are committed, and note the records of the topics."""
        async with self._connected() as bus:
            await self._play(bus, turns)
            self.before = {topic: await read_all(bus, topic) for topic in KINDS}
            await self._wait_for_commits()

    async def run_more_turns(self, turns: int) -> None:
        """Play more turns after the loss, which need router, chat node and executor."""
        async with self._connected() as bus:
            await self._play(bus, turns)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Bus]:
        bus = KafkaBus(self._settings, client_id="others")
        await bus.start()
        try:
            yield bus
        finally:
            await bus.close()

    async def _play(self, bus: Bus, turns: int) -> None:
        """Publish snapshots one by one until a number of further turns are completed."""
        wanted = self._ended(await read_all(bus, TURNS)) + turns
        async with asyncio.timeout(WAIT_S):
            while (ended := self._ended(await read_all(bus, TURNS))) < wanted:
                one = snapshot(self._published).model_copy(update={"ticker_offsets": {}})
                self._published += 1
                await bus.append(SNAPSHOTS, one, key=one.venue)
                with suppress(TimeoutError):
                    async with asyncio.timeout(1.0):
                        while self._ended(await read_all(bus, TURNS)) == ended:
                            await asyncio.sleep(0.05)

    def _ended(self, records: list[Record]) -> int:
        return sum(r.kind == "Turn" and b"completed" in (r.value or b"") for r in records)

    async def _wait_for_commits(self) -> None:
        """Wait until router and chat node have committed their offsets."""
        topic = topics.prompted("model")
        async with asyncio.timeout(WAIT_S), admin_client(self._settings) as admin:
            while await self._committed(admin, "chat-node.model", topic) < len(self.model.call_ids):
                await asyncio.sleep(0.05)
            turns = [record.message() for record in self.before[TURNS] if record.kind == "Turn"]
            answered = max(turn.snapshot_offset for turn in turns if isinstance(turn, Turn))
            while await self._committed(admin, AGENT, SNAPSHOTS) <= answered:
                await asyncio.sleep(0.05)

    async def _committed(self, admin: AIOKafkaAdminClient, group: str, topic: str) -> int:
        found = await admin.list_consumer_group_offsets(self._settings.prefix + group)
        full = self._settings.prefix + topic
        return sum(max(0, at.offset) for tp, at in found.items() if tp.topic == full)

    async def wait_until_read(self) -> None:
        """Wait until ledger, judge and dashboard have read all events, with the same result."""
        async with asyncio.timeout(WAIT_S), self._connected() as bus:
            while True:
                events = await read_all(bus, topics.EVENTS.name)
                end = 1 + max(record.offset for record in events)
                heads = {self._head(self._judge), self._head(self._follower)}
                read = min(self._read_to(self._judge), self._read_to(self._follower))
                booked = await asyncio.to_thread(next_offset, self.books)
                if read >= end and booked >= end and len(heads) == 1:
                    return
                await asyncio.sleep(0.1)

    def _shards(self, reader: Judge | TopicFollower | None) -> dict[int, object]:
        if reader is None:
            return {}
        books = reader.builder.folds.accounts if isinstance(reader, Judge) else reader.view.accounts
        return dict(books.shards)

    def _head(self, reader: Judge | TopicFollower | None) -> str:
        return str(getattr(self._shards(reader).get(0), "head", reader))

    def _read_to(self, reader: Judge | TopicFollower | None) -> int:
        return int(getattr(self._shards(reader).get(0), "next_offset", 0))

    def unreported(self, cut: Mapping[str, int]) -> list[str]:
        """Return losses that were not reported, and calls that were made twice.

        Args:
            cut: Topic -> the end offset of its partition 0 after the loss.
        """
        for kind in self._nodes:
            self._collect_reports(kind)
        found = []
        for topic, name in KINDS.items():
            lost = [
                record
                for record in self.before[topic]
                if (record.partition, record.kind) == (0, name)
                and record.offset >= cut.get(topic, record.offset + 1)
            ]
            reported = any(
                kind == REPORTED_BY[topic] and topic in report for kind, report in self.reports
            )
            if lost and not reported:
                found.append(f"{len(lost)} records of {topic} are gone")
        texts = [report for _, report in self.reports]
        for call, times in Counter(self.model.call_ids).items():
            if times > 1 and not any(call in report for report in texts):
                found.append(f"call {call} was made {times} times")
        return found


async def read_all(bus: Bus, topic: str) -> list[Record]:
    """Every record of a topic."""
    reader = await bus.log_reader(topic)
    found: list[Record] = []
    try:
        async with asyncio.timeout(WAIT_S):
            while await reader.lag():
                found += await reader.read(timeout_s=0.2, max_records=5_000)
    finally:
        await reader.close()
    return found
