"""Orders straight to `account.commands`, as fast as is asked for, and what was acked of them.

Reads `market.tickers` for prices, writes `account.commands`. Some commands are sent twice, long
after they were first sent too, some out of order, some are not commands at all. The oracle writes
down every ack; what was never acked may or may not be in the log, and is sent again as it is.
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
from operations.storm.storm_commands import DRIVERS, PREFIX, PRODUCTS

COMMANDS = PREFIX + topics.COMMANDS.name
TICKERS = PREFIX + topics.TICKERS.name
LIFE_S = 120
IN_FLIGHT_MAX = 2_000
STEP_S = 0.02
START_TIMEOUT_S = 15.0
SEND_TIMEOUT_S = 5.0
FLUSH_S = 15.0
READS = 0.05
SENT_TWICE = 0.04
SENT_LONG_AFTER = 0.01
LATE = 0.02
GARBAGE = 0.005
RECENT = 200
OLD = 5_000
"""Commands from all of the storm that may be sent again."""
LATE_AFTER = 500


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
        options: Address and login, as aiokafka takes them.
        seed: Of the traffic. per_second: how many commands, while the brokers take them.
        oracle: Gets a line per ack: [offset, sha256, order id].
        counts: What was sent and acked.
        is_full: True while so many orders are undecided that new ones would only expire.
    """

    options: dict[str, Any]  # Any: what aiokafka takes
    seed: int
    per_second: float
    oracle: TextIO
    counts: Counter[str] = field(default_factory=Counter)
    is_full: Callable[[], bool] = lambda: False
    _quotes: dict[str, QuoteSeen] = field(default_factory=dict)
    _ends: dict[int, int] = field(default_factory=dict)
    _recent: deque[CommandRecord] = field(default_factory=lambda: deque(maxlen=RECENT))
    _old: list[CommandRecord] = field(default_factory=list)
    _late: list[tuple[int, CommandRecord]] = field(default_factory=list)
    _again: deque[CommandRecord] = field(default_factory=deque)
    _in_flight: set["asyncio.Future[Any]"] = field(default_factory=set)
    _made: int = 0
    _broken: bool = False

    def __post_init__(self) -> None:
        """The same seed gives the same orders, but for their prices and times."""
        self._rng = random.Random(self.seed)

    async def run(self) -> None:
        """Send until cancelled; a producer that fails is replaced.

        Raises:
            Exception: Whatever ended the sending, or the reading of prices, is a fault of the
                storm itself.
        """
        works = {asyncio.create_task(self._follow_market()), asyncio.create_task(self._send_on())}
        try:
            done, _ = await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
            for work in done:
                if not work.cancelled():
                    work.result()
            raise RuntimeError("the driver ended before the storm")
        finally:
            for work in works:
                work.cancel()
            await asyncio.gather(*works, return_exceptions=True)

    async def _send_on(self) -> None:
        while True:
            try:
                await self._drive()
            except CLIENT_ERRORS as error:
                self.counts[f"driver_lost_{type(error).__name__}"] += 1
                await asyncio.sleep(0.5)

    async def _drive(self) -> None:
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
            waits = self.is_full() or len(self._quotes) < len(PRODUCTS)
            if waits or len(self._in_flight) > IN_FLIGHT_MAX:
                began_s, sent = time.monotonic(), 0
            while (
                not waits and sent < due and len(self._in_flight) <= IN_FLIGHT_MAX and self._quotes
            ):
                await self._send(producer, self._next())
                sent += 1
            await asyncio.sleep(STEP_S)

    async def _send(self, producer: AIOKafkaProducer, command: CommandRecord) -> None:
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                future = await producer.send(
                    COMMANDS, command.value, partition=0, headers=list(command.headers)
                )
        except TimeoutError:
            self._again.append(command)  # the brokers are gone for a while; the producer waits
            return
        except CLIENT_ERRORS:
            self._again.append(command)
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
            self._again.append(command)
            return
        self.note_acked(done.result().offset, command.value, command.order_id)
        self.counts["acked"] += 1

    def note_acked(self, offset: int, value: bytes, order_id: str = "") -> None:
        """Write an ack down."""
        line = [offset, sha256(value).hexdigest(), order_id]
        self.oracle.write(orjson.dumps(line).decode() + "\n")

    def _next(self) -> CommandRecord:
        """The next command: one that waits, one that was sent before, or a new one."""
        rng = self._rng
        if self._again:
            self.counts["sent_again_unacked"] += 1
            return self._again.popleft()
        if self._late and self._late[0][0] <= self._made:
            return self._late.pop(0)[1]
        dice = rng.random()
        if dice < SENT_TWICE and self._recent:
            self.counts["duplicates"] += 1
            return rng.choice(self._recent)
        if dice < SENT_TWICE + SENT_LONG_AFTER and self._old:
            self.counts["duplicates"] += 1
            self.counts["duplicates_old"] += 1
            return rng.choice(self._old)
        if dice < SENT_TWICE + SENT_LONG_AFTER + GARBAGE:
            self.counts["garbage"] += 1
            return CommandRecord(rng.randbytes(40), (("type", b"ToolCall"),))
        command = self._new()
        self._remember(command)
        if rng.random() < LATE:
            self.counts["reordered"] += 1
            self._late.append((self._made + rng.randrange(1, LATE_AFTER), command))
            self._late.sort(key=lambda pair: pair[0])
            return self._next()
        return command

    def _remember(self, command: CommandRecord) -> None:
        self._recent.append(command)
        if len(self._old) < OLD:
            self._old.append(command)
        elif self._rng.random() < OLD / self._made:
            self._old[self._rng.randrange(OLD)] = command

    def _new(self) -> CommandRecord:
        rng, self._made = self._rng, self._made + 1
        agent = rng.choice(DRIVERS)
        product_id = rng.choice(PRODUCTS)
        reads = rng.random() < READS
        now = datetime.now(UTC)
        turn = ids.derive("turn", "storm", self.seed, agent, self._made)
        call = ToolCall(
            call_id=ids.tool_call_id(turn, 0, 0),
            agent=agent,
            turn_id=turn,
            round=0,
            index=0,
            tool="get_portfolio" if reads else "execute_trade",
            arguments="{}" if reads else self._arguments(product_id),
            snapshot_id="",  # as an order by hand: it answers no snapshot
            ticker_offsets=dict(self._ends),
            quotes_seen={product_id: self._quotes[product_id]},
            issued_at=now,
            deadline_at=now + timedelta(seconds=-1 if rng.random() < 0.005 else LIFE_S),
            reply_to=topics.inbox(agent),
        )
        encoded = encode(call)
        self.counts["reads" if reads else "orders"] += 1
        return CommandRecord(encoded.value, encoded.headers, "" if reads else call.call_id)

    def _arguments(self, product_id: str) -> str:
        rng = self._rng
        dice = rng.random()
        usd = rng.choice((20, 50, 400, 3_000, 90_000))
        price = self._quotes[product_id].ask
        quantity = f"{Decimal(usd) * Decimal(rng.randrange(50, 150)) / (100 * price):.8f}"
        action = "buy" if rng.random() < 0.55 else "sell"
        order = {"product_id": product_id, "quantity": quantity, "action": action}
        if dice < 0.01:
            return '{"product_id": "BTC-USD", "quantity": '
        if dice < 0.02:
            order["quantity"] = rng.choice(("-1", "0", "0.123456789", "lots", "1e999"))
        elif dice < 0.03:
            order["product_id"] = rng.choice(("DOGE-USD", "\x1b[31mBTC", "ВTC-USD"))
        return orjson.dumps(order).decode()

    async def _follow_market(self) -> None:
        """Keep the newest prices, and where the tickers end."""
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
                places = await partitions_of(self.options, lambda name: name == TICKERS)
                await consumer.start()
            if not places[TICKERS]:
                raise LookupError(f"{TICKERS} has no partitions yet")
            consumer.assign([TopicPartition(TICKERS, p) for p in places[TICKERS]])
            await consumer.seek_to_beginning()
            while True:
                batches = await consumer.getmany(timeout_ms=200, max_records=5_000)
                for place, records in batches.items():
                    for record in records:
                        self._take(record.value)
                    self._ends[place.partition] = records[-1].offset + 1
        finally:
            await stop_client(consumer)

    def _take(self, value: bytes | None) -> None:
        try:
            body = orjson.loads(value or b"")
            product_id = body["product_id"]
            quote = QuoteSeen(bid=Decimal(body["best_bid"]), ask=Decimal(body["best_ask"]))
            if product_id in PRODUCTS and quote.bid.is_finite() and 0 < quote.ask < Decimal("inf"):
                self._quotes[product_id] = quote
        except (ArithmeticError, ValueError, LookupError, TypeError):
            return  # poison
