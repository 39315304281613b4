"""The runtime of every process: connect, send heartbeats, serve, stop cleanly.

A process is crash-only: its first error ends it, and its start is its recovery. Reads no topic,
writes `arena.heartbeats` and `dead_letters`.
"""

import asyncio
import contextlib
import gc
import os
import random
import signal
import socket
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Literal, NoReturn, TypeVar

from pydantic import JsonValue

from arena import logs, topics
from arena.broker_clock import BrokerClock
from arena.bus.base import BROKER_TIME, AppendAck, Bus, Record
from arena.bus.dead_letters import send_dead_letter
from arena.bus.stuck_readers import watch_readers
from arena.clock import Clock, SystemClock
from arena.error_causes import append_failed
from arena.errors import EXIT_INTERRUPTED, ArenaError, Malformed
from arena.liveness import RECORDS_LOST
from arena.messages import Heartbeat, Message
from arena.outside import Outside
from arena.prefix import prefix_text
from arena.process_kinds import KIND_OF_COMMAND, SUPERVISOR
from arena.settings import Settings
from arena.taken_commands import Work, offer_work
from arena.tasks import run_until_first_ends
from arena.threads import Threads, WorkerThreads

CLOSE_TIMEOUT_S = 5.0
ERROR = "error"
"""The detail of a last heartbeat with the error that ended the process."""
ERROR_CHARS_MAX = 300
LOST_CHARS_MAX = 600
"""Limit of the description of a loss."""
BROKER_TIME_WAIT_S = 3.0
"""How long to wait for the ack of a heartbeat, which has the broker's time."""

Status = Literal["starting", "running", "standby", "stopping"]


class Node:
    """A running process of the arena.

    Attributes:
        bus: The bus, connected before `serve` is called.
        counters: Counts that only grow; published with each heartbeat.
        gauges: Current values; published with each heartbeat.
        details: Short texts for people; published with each heartbeat.
        status: Status in the heartbeats.
        broker_clock: The broker's time, from the acks of the heartbeats.
        read_only: True if it writes nothing: neither heartbeats nor dead letters.
        clock: The process's time: time stamps, ages, waits and time-outs.
        random: The process's randomness, for jitter and for names that must be unique.
        threads: Runs blocking work.
        outside: Where work takes real time, if the clock is virtual; else None.
    """

    def __init__(
        self,
        kind: str,
        name: str,
        settings: Settings,
        bus: Bus,
        clock: Clock,
        *,
        rng: random.Random | None = None,
        threads: Threads | None = None,
        outside: Outside | None = None,
        pid: int | None = None,
        host: str = "",
        read_only: bool = False,
    ) -> None:
        """Take kind and name of the process, its settings, and what it runs on.

        Args:
            kind: The command, such as "router".
            name: Name of this node, such as the agent's.
            settings: Broker, prefix and logging.
            bus: The bus.
            clock: The clock.
            rng: Randomness; None for a new source that differs in every process.
            threads: Runs blocking work; None for threads of this process.
            outside: Where work takes real time; None if the clock is the machine's.
            pid: The process id in its unique id; None for that of this process.
            host: The host in its unique id; "" for this host.
            read_only: True if it may write nothing, because the arena has ended.
        """
        self.kind = kind
        self.name = name
        self.settings = settings
        self.bus = bus
        self.clock = clock
        self.random = rng or random.Random()
        self.threads: Threads = threads or WorkerThreads()
        self.outside = outside
        self.log = logs.get(kind)
        self.counters: Counter[str] = Counter()
        self.gauges: dict[str, float] = {}
        self.details: dict[str, JsonValue] = {}
        self.status: Status = "starting"
        self.started_at = clock.now()
        self.host = host or socket.gethostname()
        self.pid = os.getpid() if pid is None else pid
        process = KIND_OF_COMMAND.get(kind)
        self.read_only = read_only or (process is not None and process.writes_nothing)
        self.broker_clock = BrokerClock(clock)

    @property
    def id(self) -> str:
        """The process's unique id: kind, name, host and process id."""
        return f"{self.kind}/{self.name}/{self.host}/{self.pid}"

    def heartbeat(self, now: datetime) -> Heartbeat:
        """The current heartbeat."""
        return Heartbeat(
            node=self.id,
            kind=self.kind,
            name=self.name,
            host=self.host,
            pid=self.pid,
            status=self.status,
            started_at=self.started_at,
            at=now,
            interval_s=self.settings.heartbeat_interval_s,
            counters=dict(self.counters),
            gauges=dict(self.gauges),
            details=self.details | self._lost(),
        )

    def new_name(self) -> str:
        """Eight random hexadecimal digits, to tell two processes of one id apart."""
        return f"{self.random.getrandbits(32):08x}"

    def _lost(self) -> dict[str, JsonValue]:
        found: dict[str, dict[str, JsonValue]] = {}
        for (topic, reader), words in self.bus.lost.items():
            found.setdefault(topic, {})[reader] = words[:LOST_CHARS_MAX]
        return {RECORDS_LOST: {**found}} if found else {}

    def report_lost(self, topic: str, partition: int, reader: str, words: str) -> None:
        """Report lost records of a partition in the log and in all further heartbeats."""
        self.log.warning("records lost", topic=topic, partition=partition, reader=reader, why=words)
        self.bus.note_lost(topic, partition, reader, words)

    async def beat(self) -> None:
        """Publish a heartbeat now."""
        beat = self.heartbeat(self.clock.now())
        (await self._send(beat)).add_done_callback(self._take_broker_time)

    async def _send(self, beat: Heartbeat) -> "asyncio.Future[AppendAck]":
        return await self.bus.send(topics.HEARTBEATS.name, beat, key=self.id)

    def _take_broker_time(self, sent: "asyncio.Future[AppendAck]") -> None:
        if not sent.cancelled() and sent.exception() is None:
            acked = sent.result()
            if acked.timestamp_type == BROKER_TIME:
                self.broker_clock.note_append(acked.timestamp)

    async def broker_now(self) -> datetime:
        """The time by the broker's clock; by this host's clock if the broker's is unknown.

        Ages of other processes' records are measured with it, because hosts' clocks may be wrong.
        """
        if not self.broker_clock.is_known:
            sent = await self._send(self.heartbeat(self.clock.now()))
            with contextlib.suppress(TimeoutError):
                async with self.clock.timeout(BROKER_TIME_WAIT_S):
                    await asyncio.wait([sent])
            if sent.done():
                self._take_broker_time(sent)
        return self.broker_clock.now()

    async def send_heartbeats(self) -> None:
        """Publish heartbeats until cancelled."""
        while True:
            await self.beat()
            await self.clock.sleep(self.settings.heartbeat_interval_s)

    async def read_message(self, record: Record) -> Message | None:
        """The message in a record; None if it is malformed, and then it goes to `dead_letters`."""
        try:
            return record.message()
        except Malformed as error:
            await self.dead_letter(record, str(error))
            return None

    async def dead_letter(self, record: Record, error: str) -> None:
        """Send a record to `dead_letters` and count it."""
        self.counters["dead_letters"] += 1
        where = f"{record.topic}[{record.partition}]@{record.offset}"
        self.log.warning("dead letter", record=where, error=error)
        await send_dead_letter(self.bus, record, error, self.id, self.clock.now())


Options = TypeVar("Options")
Serve = Callable[[Node, Options], Awaitable[None]]


async def serve_node(node: Node, serve: Serve[Options], options: Options) -> None:
    """Connect, send heartbeats and serve until `serve` returns, fails or is cancelled.

    A process that only reads sends no heartbeats; one outside of Kafka only serves.

    Args:
        node: The process.
        serve: Its work; called when the bus is connected.
        options: The options of the work.

    Raises:
        AppendFailed: An append failed.
        Stuck: A reader does not receive records that are in the log.
    """
    bus, kind = node.bus, KIND_OF_COMMAND.get(node.kind)
    if kind is not None and not kind.uses_kafka:
        await serve(node, options)
        return
    with logs.without_client():
        await bus.start()
    if node.read_only:
        try:
            await run_until_first_ends(
                _work(node, serve, options), watch_readers(bus, node.settings.stuck_s)
            )
        finally:
            await bus.close()
        return
    try:
        await bus.ensure_topics([topics.HEARTBEATS, topics.DEAD_LETTERS])
        # The user of a supervisor sees its log, and every run has a prefix of its own.
        if bus.other_arenas and node.kind != SUPERVISOR.name:
            words = prefix_text(node.settings.prefix)
            text = f"started a new arena with {words}: is ARENA_PREFIX right?"
            node.log.warning(text, other_arenas=bus.other_arenas)
        await run_until_first_ends(
            _work(node, serve, options),
            node.send_heartbeats(),
            _end_when_failed(bus),
            watch_readers(bus, node.settings.stuck_s),
        )
    except Exception as error:
        # A library's message may contain secrets, which must not be in a topic.
        words = str(error) if isinstance(error, ArenaError) else type(error).__name__
        node.details[ERROR] = words[:ERROR_CHARS_MAX]
        raise
    finally:
        await _stop(node)


async def _work(node: Node, serve: Serve[Options], options: Options) -> None:
    await serve(node, options)


async def _end_when_failed(bus: Bus) -> None:
    assert bus.failed is not None, "the bus is not started"
    error = await asyncio.shield(bus.failed)
    raise append_failed("an append failed", error)


async def _stop(node: Node) -> None:
    failed = node.bus.failed is not None and node.bus.failed.done()
    node.status = "stopping"
    began_s = node.clock.monotonic()
    # Errors here must not hide why the process ends or keep the bus open.
    if not failed:
        with contextlib.suppress(Exception):
            async with node.clock.timeout(CLOSE_TIMEOUT_S / 2):
                await node.beat()
    with contextlib.suppress(Exception):
        left_s = began_s + CLOSE_TIMEOUT_S - node.clock.monotonic()
        async with node.clock.timeout(left_s):
            await node.bus.close()


async def run_until_signal(main: Awaitable[None]) -> int:
    """Await `main`; SIGINT, SIGTERM and SIGHUP cancel it, but not a SIGHUP under nohup.

    Returns:
        The exit code: 0, or 130 after SIGINT.

    Raises:
        ArenaError: It was cancelled without a signal, by a client library. If an earlier error
            caused this, that error is raised instead.
    """
    task = asyncio.ensure_future(main)
    code: int | None = None

    def stop(number: signal.Signals) -> None:
        nonlocal code
        code = EXIT_INTERRUPTED if number == signal.SIGINT else 0
        task.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, stop, number)
    try:
        await task
    except asyncio.CancelledError as cancelled:
        if not task.cancelled():
            raise
        if code is None:
            raise _failure_before(cancelled) from None
    return code or 0


def _failure_before(cancelled: asyncio.CancelledError) -> BaseException:
    """The earlier error because of which a library was closed and cancelled its caller."""
    error: BaseException | None = cancelled
    while isinstance(error, asyncio.CancelledError):
        error = error.__context__
    text = "the work was cancelled by a library without a reason"
    return error or ArenaError(text, remedy="start it again; `arena up` does so by itself")


def run_async(main: Callable[[], Awaitable[None]]) -> NoReturn:
    """Run a coroutine as the work of this process and exit with its code.

    An error is printed in one line on stderr and decides the exit code; see `arena.command_exit`.
    """
    import uvloop

    from arena.command_exit import report_error

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            code = runner.run(run_until_signal(main()))
    except Exception as error:  # the outermost handler: report every error
        code = report_error(error)
    sys.exit(code)


def run_node(
    kind: str,
    name: str,
    settings: Settings,
    serve: Serve[Options],
    options: Options,
    *,
    bus: Bus | None = None,
    read_only: bool = False,
) -> NoReturn:
    """Run a process of the arena and exit; within `take_work`, only hand it over.

    Args:
        kind: The command, such as "router".
        name: Name of this node, such as the agent's; "" for a process without a name of its own.
        settings: Broker, prefix and logging.
        serve: The work; called with the connected node and the options.
        options: The options of the work.
        bus: The bus, not started; None for Kafka.
        read_only: True if it may write nothing, because the arena has ended.
    """
    offer_work(Work(kind, name, options))
    logs.configure(settings, node=f"{kind}/{name}" if name else kind)

    async def main() -> None:
        gc.freeze()  # What was imported lives as long as the process.
        own_bus = bus or _bus_of(kind, name, settings)
        node = Node(kind, name, settings, own_bus, SystemClock(), read_only=read_only)
        await serve_node(node, serve, options)

    run_async(main)


def _bus_of(kind: str, name: str, settings: Settings) -> Bus:
    """Kafka, or an unused bus for a kind outside of it."""
    process = KIND_OF_COMMAND.get(kind)
    if process is not None and not process.uses_kafka:
        from arena.bus.memory import MemoryBus

        return MemoryBus()
    from arena.bus.kafka import KafkaBus

    return KafkaBus(settings, client_id=f"arena-{kind}-{name}")
