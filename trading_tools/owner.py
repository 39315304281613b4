"""The single writer of a shard: reads commands, appends events, answers.

Reads `account.commands[shard]`, appends to `account.events[shard]`, replies to `agent.inbox.*`.

Commands are taken in batches. A batch is decided against a state that runs ahead of the log, its
events are appended side by side, and when each was acked at exactly the offset it was made for,
nobody else has written in between: only then are the batch's answers sent. Anything else ends this
owner, and the log says what counted.
"""

import asyncio
from collections.abc import Callable

from arena import topics
from arena.bus.base import Acked, LogReader, Record, Start
from arena.errors import BrokenLog, Fenced, Malformed
from arena.faults import point
from arena.messages import Message, ToolCall, ToolResult
from arena.node import Node
from trading_tools.desk import Desk, Handled, Kind
from trading_tools.events import Append
from trading_tools.outbox import Outbox, within_ack_timeout
from trading_tools.prices import PriceFeed
from trading_tools.recovery import EventLog

BATCH_MAX = 64
"""Commands decided ahead of their acks."""
REWIND = 2 * BATCH_MAX
"""Commands read again at a start: those whose answers may not have been sent."""
PRICE_WAIT_S = 2.0
READ_S = 0.5
COUNTERS: dict[Kind, str] = {
    "opened": "accounts_opened",
    "filled": "fills",
    "rejected": "rejections",
    "duplicate": "duplicates",
    "read": "reads",
    "refused": "refusals",
}
COMMANDS = topics.COMMANDS.name
EVENTS = topics.EVENTS.name


class Owner:
    """Owns one shard, from the moment its epoch counted.

    Args:
        node: Bus, clock, counters.
        log: Folded up to this owner's epoch.
        desk: Decides; its shard is the log's.
        feed: The market.
    """

    def __init__(self, node: Node, log: EventLog, desk: Desk, feed: PriceFeed) -> None:
        """Nothing is read before `serve`."""
        self._node = node
        self._bus = node.bus
        self._log = log
        self._desk = desk
        self._feed = feed
        self._outbox = Outbox(node.bus)
        self._unacked: list[tuple[Append, asyncio.Future[Acked]]] = []
        self._answers: list[ToolResult] = []
        self._looking: set[str] = set()
        self._reader: LogReader | None = None

    async def serve(self, should_serve: Callable[[], bool]) -> None:
        """Serve commands for as long as told; every batch that was begun is finished.

        Raises:
            Fenced: Another owner has written.
            AppendFailed: An append was not acked in time.
        """
        await self._outbox.prepare(self._desk.shard.accounts)
        self._reader = await self._open_commands()
        try:
            while should_serve():
                records = await self._reader.read(timeout_s=READ_S, max_records=BATCH_MAX)
                if records and should_serve():
                    await self._serve_batch(records)
            await self._outbox.settle()
        finally:
            await self._reader.close()
            self._reader = None

    async def lag(self) -> int:
        """Commands that wait."""
        return 0 if self._reader is None else await self._reader.behind()

    async def _open_commands(self) -> LogReader:
        partition = self._desk.partition
        reader = await self._bus.partition_reader(COMMANDS, partition, Start("earliest"))
        decided = self._desk.shard.source_offset
        first = max(reader.position(COMMANDS, partition), decided + 1 - REWIND)
        reader.seek(COMMANDS, partition, first)
        ends = await reader.end_offsets()
        if ends[COMMANDS, partition] <= decided:
            await reader.close()
            raise BrokenLog(
                f"{COMMANDS}[{partition}] ends before offset {decided}, which was decided",
                remedy=f"the topic lost records or was made anew; {EVENTS} belongs to another one",
            )
        return reader

    async def _serve_batch(self, records: list[Record]) -> None:
        for record in records:
            point("after_read")
            message = await self._read(record)
            if message is None:
                continue
            prices_current = await self._catch_up(message, record.offset)
            await self._answer_looks_before(message)
            handled = self._desk.handle(
                message, record.offset, self._node.clock.now(), prices_current=prices_current
            )
            point("after_decide")
            await self._take(message, record.offset, handled)
        await self._settle()
        self._log.keep()

    async def _read(self, record: Record) -> Message | None:
        try:
            message = record.message()
            objection = self._desk.objection(message)
        except Malformed as error:
            message, objection = None, str(error)
        if objection is None:
            return message
        # What stands before a decided command was buried when it was first read.
        if record.offset > self._desk.shard.source_offset:
            await self._node.dead_letter(record, objection)
        return None

    async def _catch_up(self, message: Message, offset: int) -> bool:
        needed = self._desk.prices_needed(message, offset)
        if self._feed.covers(needed):
            return True
        # What was decided before need not wait for prices that this command waits for.
        await self._settle()
        timeout_s = PRICE_WAIT_S
        if isinstance(message, ToolCall) and self._desk.rules.lock_step:
            left_s = (message.deadline_at - self._node.clock.now()).total_seconds()
            timeout_s = max(PRICE_WAIT_S, left_s)
        return await self._feed.catch_up(needed, timeout_s)

    async def _answer_looks_before(self, message: Message) -> None:
        """In lock-step: before an order is decided, what its agent saw before is in its inbox.

        Otherwise a crash between the two would answer the look again from the account after the
        order, and the agent would go on from another account than in a run without a crash.
        """
        if not (self._desk.rules.lock_step and isinstance(message, ToolCall)):
            return
        if not self._desk.places_order(message):
            self._looking.add(message.agent)
        elif message.agent in self._looking:
            await self._settle()
            await self._outbox.settle()
            self._looking.clear()

    async def _take(self, message: Message, offset: int, handled: Handled) -> None:
        for append in handled.appends:
            future = await self._bus.send_bytes(
                EVENTS,
                append.value,
                key=append.key.encode(),
                partition=self._desk.partition,
                headers=append.headers,
            )
            self._unacked.append((append, future))
        if handled.reply is not None:
            self._answers.append(handled.reply)
        self._count(message, offset, handled)
        if len(self._unacked) >= BATCH_MAX:
            await self._settle()

    async def _settle(self) -> None:
        """Wait until the log has everything decided so far, then hand out the answers."""
        if not self._unacked and not self._answers:
            return
        point("sent_not_acked")
        if self._unacked:
            await self._await_acks()
        else:
            await self._prove_ownership()
        point("acked_not_replied")
        answers, self._answers = self._answers, []
        await self._outbox.send(answers)

    async def _await_acks(self) -> None:
        unacked, self._unacked = self._unacked, []
        acks = await within_ack_timeout((future for _, future in unacked), EVENTS)
        for (append, _), ack in zip(unacked, acks, strict=True):
            if ack.offset != append.offset:
                raise self._fenced(f"a record made for offset {append.offset} is at {ack.offset}")

    async def _prove_ownership(self) -> None:
        """Answers that no event stands behind are current only if nobody else has written."""
        end = await self._log.end()
        if end != self._desk.shard.next_offset:
            raise self._fenced(f"the log ends at {end}, not at {self._desk.shard.next_offset}")

    def _fenced(self, what: str) -> Fenced:
        where = f"{EVENTS}[{self._desk.partition}]"
        return Fenced(f"{where}: {what}", remedy="another executor owns this shard now")

    def _count(self, message: Message, offset: int, handled: Handled) -> None:
        counters = self._node.counters
        counters[COUNTERS[handled.kind]] += 1
        if handled.kind in ("filled", "rejected"):
            counters["orders"] += 1
        if handled.reason:
            counters[f"{handled.kind}_{handled.reason}"] += 1
        self._node.log.debug(
            "command",
            offset=offset,
            call_id=message.causation_id(),
            agent=getattr(message, "agent", ""),
            outcome=handled.kind,
            reason=handled.reason,
        )
