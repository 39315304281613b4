"""Sends orders to `account.commands` at a given rate, and records what was acked.

Reads `market.tickers` for prices, writes `account.commands`. Some commands are sent twice, also
long after the first time, some out of order, and some are not commands at all. The oracle file has
every ack; a command that was not acked may or may not be in the log, and is sent again unchanged.
"""

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any, TextIO

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from arena import ids, topics
from arena.bus.kafka_access import stop_client
from arena.messages import QuoteSeen, ToolCall
from arena.wire import Headers, encode
from operations.storm.checker_run import partitions_of
from operations.storm.client_errors import CLIENT_ERRORS
from operations.storm.storm_commands import PREFIX, PRODUCTS, SENDER_AGENTS

COMMANDS = PREFIX + topics.COMMANDS.name
TICKERS = PREFIX + topics.TICKERS.name
ORDER_LIFETIME_S = 120
IN_FLIGHT_MAX = 2_000
STEP_S = 0.02
START_TIMEOUT_S = 15.0
SEND_TIMEOUT_S = 5.0
FLUSH_S = 15.0
READ_SHARE = 0.05
RESEND_SHARE = 0.04
LATE_RESEND_SHARE = 0.01
REORDER_SHARE = 0.02
GARBAGE_SHARE = 0.005
RECENT_MAX = 200
OLDER_MAX = 5_000
"""Number of commands of the whole storm from which one is chosen to be sent again."""
REORDER_DISTANCE_MAX = 500


@dataclass(frozen=True, slots=True)
class CommandRecord:
    """A record for `account.commands`; `order_id` is "" for anything but an order."""

    value: bytes
    headers: Headers
    order_id: str = ""


@dataclass
class OrderSender:
    """Sends orders of its own agents.

    Attributes:
        options: Address and login, as arguments of aiokafka's clients.
        seed: Seed of the commands. per_second: Commands per second, if the brokers accept them.
        oracle: Gets a line per ack: [offset, sha256, order id].
        counts: Numbers of what was sent and acked.
        is_full: True while so many orders are undecided that new ones would expire.
    """

    options: dict[str, Any]  # Any: what aiokafka takes
    seed: int
    per_second: float
    oracle: TextIO
    counts: Counter[str] = field(default_factory=Counter)
    is_full: Callable[[], bool] = lambda: False
    _quotes: dict[str, QuoteSeen] = field(default_factory=dict)
    _ends: dict[int, int] = field(default_factory=dict)
    _recent: deque[CommandRecord] = field(default_factory=lambda: deque(maxlen=RECENT_MAX))
    _older: list[CommandRecord] = field(default_factory=list)
    _delayed: list[tuple[int, CommandRecord]] = field(default_factory=list)
    _unacked: deque[CommandRecord] = field(default_factory=deque)
    _in_flight: set["asyncio.Future[Any]"] = field(default_factory=set)
    _created: int = 0
    _broken: bool = False

    def __post_init__(self) -> None:
        """Seed the orders: the same seed gives the same orders, except prices and times."""
        self._rng = random.Random(self.seed)

    async def run(self) -> None:
        """Send until cancelled; a producer that fails is replaced.

        Raises:
            Exception: An error that brokers cannot cause ended a task: a bug of the storm.
        """
        tasks = {
            asyncio.create_task(self._follow_market()),
            asyncio.create_task(self._keep_sending()),
        }
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if not task.cancelled():
                    task.result()
            raise RuntimeError("the order sender ended before the storm")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep_sending(self) -> None:
        while True:
            try:
                await self._send_with_producer()
            except CLIENT_ERRORS as error:
                self.counts[f"driver_lost_{type(error).__name__}"] += 1
                await asyncio.sleep(0.5)

    async def _send_with_producer(self) -> None:
        producer = AIOKafkaProducer(
            **self.options, acks="all", enable_idempotence=True, linger_ms=5, max_batch_size=65_536
        )
        self._broken = False
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await producer.start()
            await self._send_until_broken(producer)
        finally:
            try:
                async with asyncio.timeout(FLUSH_S):
                    await asyncio.gather(*self._in_flight, return_exceptions=True)
                    await producer.stop()
            except CLIENT_ERRORS:
                self.counts["driver_unacked"] += len(self._in_flight)
            self._in_flight.clear()

    async def _send_until_broken(self, producer: AIOKafkaProducer) -> None:
        began_s, sent = time.monotonic(), 0
        while not self._broken:
            due = (time.monotonic() - began_s) * self.per_second
            is_waiting = self.is_full() or len(self._quotes) < len(PRODUCTS)
            if is_waiting or len(self._in_flight) > IN_FLIGHT_MAX:
                began_s, sent = time.monotonic(), 0
            while (
                not is_waiting
                and sent < due
                and len(self._in_flight) <= IN_FLIGHT_MAX
                and self._quotes
            ):
                await self._send(producer, self._next_command())
                sent += 1
            await asyncio.sleep(STEP_S)

    async def _send(self, producer: AIOKafkaProducer, command: CommandRecord) -> None:
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                future = await producer.send(
                    COMMANDS, command.value, partition=0, headers=list(command.headers)
                )
        except TimeoutError:
            self._unacked.append(command)  # the brokers are down; the producer waits
            return
        except CLIENT_ERRORS:
            self._unacked.append(command)
            raise
        self.counts["sent"] += 1
        self._in_flight.add(future)
        future.add_done_callback(lambda done: self._note(done, command))

    def _note(self, done: "asyncio.Future[Any]", command: CommandRecord) -> None:
        self._in_flight.discard(done)
        if done.cancelled() or (error := done.exception()) is not None:
            why = "cancelled" if done.cancelled() else type(error).__name__
            self.counts[f"driver_unacked_{why}"] += 1
            self._broken = True
            self._unacked.append(command)
            return
        self.note_acked(done.result().offset, command.value, command.order_id)
        self.counts["acked"] += 1

    def note_acked(self, offset: int, value: bytes, order_id: str = "") -> None:
        """Write an ack to the oracle file."""
        line = [offset, sha256(value).hexdigest(), order_id]
        self.oracle.write(orjson.dumps(line).decode() + "\n")

    def _next_command(self) -> CommandRecord:
        """Return an unacked command, a delayed one, one that was sent before, or a new one."""
        rng = self._rng
        if self._unacked:
            self.counts["sent_again_unacked"] += 1
            return self._unacked.popleft()
        if self._delayed and self._delayed[0][0] <= self._created:
            return self._delayed.pop(0)[1]
        draw = rng.random()
        if draw < RESEND_SHARE and self._recent:
            self.counts["duplicates"] += 1
            return rng.choice(self._recent)
        if draw < RESEND_SHARE + LATE_RESEND_SHARE and self._older:
            self.counts["duplicates"] += 1
            self.counts["duplicates_old"] += 1
            return rng.choice(self._older)
        if draw < RESEND_SHARE + LATE_RESEND_SHARE + GARBAGE_SHARE:
            self.counts["garbage"] += 1
            return CommandRecord(rng.randbytes(40), (("type", b"ToolCall"),))
        command = self._new_command()
        self._remember(command)
        if rng.random() < REORDER_SHARE:
            self.counts["reordered"] += 1
            self._delayed.append((self._created + rng.randrange(1, REORDER_DISTANCE_MAX), command))
            self._delayed.sort(key=lambda pair: pair[0])
            return self._next_command()
        return command

    def _remember(self, command: CommandRecord) -> None:
        self._recent.append(command)
        if len(self._older) < OLDER_MAX:
            self._older.append(command)
        elif self._rng.random() < OLDER_MAX / self._created:
            self._older[self._rng.randrange(OLDER_MAX)] = command

    def _new_command(self) -> CommandRecord:
        rng, self._created = self._rng, self._created + 1
        agent = rng.choice(SENDER_AGENTS)
        product_id = rng.choice(PRODUCTS)
        reads = rng.random() < READ_SHARE
        now = datetime.now(UTC)
        turn = ids.derive("turn", "storm", self.seed, agent, self._created)
        call = ToolCall(
            call_id=ids.tool_call_id(turn, 0, 0),
            agent=agent,
            turn_id=turn,
            round=0,
            index=0,
            tool="get_portfolio" if reads else "execute_trade",
            arguments="{}" if reads else self._arguments(product_id),
            snapshot_id="",  # like a manual order: it has no snapshot
            ticker_offsets=dict(self._ends),
            quotes_seen={product_id: self._quotes[product_id]},
            issued_at=now,
            deadline_at=now + timedelta(seconds=-1 if rng.random() < 0.005 else ORDER_LIFETIME_S),
            reply_to=topics.inbox(agent),
        )
        encoded = encode(call)
        self.counts["reads" if reads else "orders"] += 1
        return CommandRecord(encoded.value, encoded.headers, "" if reads else call.call_id)

    def _arguments(self, product_id: str) -> str:
        rng = self._rng
        draw = rng.random()
        usd = rng.choice((20, 50, 400, 3_000, 90_000))
        price = self._quotes[product_id].ask
        quantity = f"{Decimal(usd) * Decimal(rng.randrange(50, 150)) / (100 * price):.8f}"
        action = "buy" if rng.random() < 0.55 else "sell"
        order = {"product_id": product_id, "quantity": quantity, "action": action}
        if draw < 0.01:
            return '{"product_id": "BTC-USD", "quantity": '
        if draw < 0.02:
            order["quantity"] = rng.choice(("-1", "0", "0.123456789", "lots", "1e999"))
        elif draw < 0.03:
            order["product_id"] = rng.choice(("DOGE-USD", "\x1b[31mBTC", "ВTC-USD"))
        return orjson.dumps(order).decode()

    async def _follow_market(self) -> None:
        """Follow the newest prices and the ends of the tickers topic."""
        while True:
            try:
                await self._read_market()
            except CLIENT_ERRORS:
                await asyncio.sleep(0.5)

    async def _read_market(self) -> None:
        consumer = AIOKafkaConsumer(
            **self.options, enable_auto_commit=False, auto_offset_reset="latest"
        )
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                partitions = await partitions_of(self.options, lambda name: name == TICKERS)
                await consumer.start()
            if not partitions[TICKERS]:
                raise LookupError(f"{TICKERS} has no partitions yet")
            consumer.assign([TopicPartition(TICKERS, p) for p in partitions[TICKERS]])
            await consumer.seek_to_beginning()
            while True:
                batches = await consumer.getmany(timeout_ms=200, max_records=5_000)
                for partition, records in batches.items():
                    for record in records:
                        self._read_ticker(record.value)
                    self._ends[partition.partition] = records[-1].offset + 1
        finally:
            await stop_client(consumer)

    def _read_ticker(self, value: bytes | None) -> None:
        try:
            body = orjson.loads(value or b"")
            product_id = body["product_id"]
            quote = QuoteSeen(bid=Decimal(body["best_bid"]), ask=Decimal(body["best_ask"]))
            if product_id in PRODUCTS and quote.bid.is_finite() and 0 < quote.ask < Decimal("inf"):
                self._quotes[product_id] = quote
        except (ArithmeticError, ValueError, LookupError, TypeError):
            return  # a poison record
