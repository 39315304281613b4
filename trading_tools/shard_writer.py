"""The single writer of a shard: reads commands, appends events, sends replies.

Reads `account.commands[shard]`, appends to `account.events[shard]`, replies to `agent.inbox.*`.

Commands are handled in batches. A batch is decided against a state that is ahead of the log, and
its events are appended concurrently. If each was acked at exactly the offset it was made for, no
other executor has written in between: only then are the batch's replies sent. Anything else ends
this writer, and the log decides what counted.

An order is decided only with a proof that `arena.control` was read to its end. The writer confirms
in the heartbeat how far it has read that topic, once everything that it decided before is in the
log and the log still ends with this writer's records. Orders that come after a halt was confirmed
like this are decided by a writer that knows the halt: by this one, or by a later one, whose first
proof begins after its epoch counted.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable

from arena import topics
from arena.bus.base import AppendAck, LogReader, Record, Start
from arena.errors import Malformed
from arena.fault_points import fault_point
from arena.liveness import COMMANDS_LOST, COMMANDS_UNPROVEN, EVENTS_LOST, EVENTS_UNPROVEN
from arena.messages import Message, ToolCall, ToolResult
from arena.node import Node
from arena.tasks import run_until_first_ends, wait_for_tasks
from trading_tools.command_handler import CommandHandler
from trading_tools.command_start import find_start
from trading_tools.command_waits import CommandWaits, ShardReleased
from trading_tools.events import PendingEvent
from trading_tools.handled_command import CommandKind, HandledCommand
from trading_tools.inbox_check import check_inboxes
from trading_tools.intents import IntentOutbox
from trading_tools.kill_switch import KillSwitchFeed
from trading_tools.market_watch import MarketWatch
from trading_tools.outbox import Outbox, within_ack_timeout
from trading_tools.ownership import Ownership
from trading_tools.prices import PriceFeed
from trading_tools.recovery import EventLog
from trading_tools.risk.candles import RiskCandles

BATCH_MAX = 64
"""How many commands are decided ahead of their acks."""
REWIND = 2 * BATCH_MAX
"""How many commands are read again at a start: their replies may not have been sent."""
READ_S = 0.5
COUNTERS: dict[CommandKind, str] = {
    "opened": "accounts_opened",
    "filled": "fills",
    "rejected": "rejections",
    "accepted": "orders_placed",
    "part_filled": "fills",
    "cancelled": "orders_cancelled",
    "duplicate": "duplicates",
    "read": "reads",
    "refused": "refusals",
}
DECIDED = frozenset({"filled", "rejected", "accepted", "part_filled"})
STEPS = {"MarketChecked": "market_checks", "RiskTripped": "risk_trips"}
"""Kind of a record that no command asked for -> its counter; other kinds are steps of orders."""
COMMANDS = topics.COMMANDS.name
EVENTS = topics.EVENTS.name


class ShardWriter:
    """Writes one shard, after its epoch counted.

    Args:
        node: Bus, clock, counters.
        log: Folded up to this writer's epoch.
        handler: Handles the commands; its shard is the log's.
        prices: The market.
        control: The kill switch; the handler uses the same one.
        candles: Candles, for limits that are computed from them.
        first: This process has not owned the shard before. Only then is the log compared with the
            inboxes: that takes so long that two executors that claim in turns would make no
            progress.
    """

    def __init__(
        self,
        node: Node,
        log: EventLog,
        handler: CommandHandler,
        prices: PriceFeed,
        control: KillSwitchFeed,
        candles: RiskCandles,
        *,
        first: bool = True,
    ) -> None:
        """Take what `serve` needs."""
        self._node = node
        self._bus = node.bus
        self._log = log
        self._handler = handler
        self._prices = prices
        self._control = control
        self._candles = candles
        self._since = node.clock.boot_s()
        self._ownership = Ownership(node, log, handler, control)
        self._began_at = handler.shard.next_offset
        self._watch = MarketWatch(node, handler, prices, control, self._since)
        self._outbox = Outbox(node.bus)
        self._intents = IntentOutbox(node, handler.partition)
        self._unacked: list[tuple[PendingEvent, asyncio.Future[AppendAck]]] = []
        self._replies: list[ToolResult] = []
        self._pending_reads: set[str] = set()
        self._reader: LogReader | None = None
        self._dead_lettered_to = -1
        self._first = first

    async def serve(self, should_serve: Callable[[], bool]) -> None:
        """Handle commands while `should_serve` is true.

        A batch that was started is finished, unless an order in it waits for the kill switch.

        Raises:
            Fenced: Another owner has written.
            AppendFailed: An append was not acked in time.
        """
        await self._watch.open()
        try:
            await run_until_first_ends(
                self._serve(should_serve),
                self._ownership.keep_confirming(),
                self._watch.follow_snapshots(),
            )
        finally:
            await self._watch.close()

    async def _serve(self, should_serve: Callable[[], bool]) -> None:
        await self._outbox.prepare(self._handler.shard.accounts)
        await self._intents.open(self._handler.shard)
        self._reader = await self._open_commands()
        commands: asyncio.Future[list[Record]] | None = None
        try:
            with contextlib.suppress(ShardReleased):
                await self._append_all(await self._watch.take_over())
                while should_serve():
                    commands = commands or asyncio.ensure_future(self._next_commands())
                    await self._wait_for(commands)
                    await self._check_market()
                    if not commands.done():
                        continue
                    records, commands = commands.result(), None
                    if records and should_serve():
                        await self._serve_batch(records, should_serve)
                        await self._ownership.confirm()
            await self._intents.settle()
            await self._outbox.settle()
        finally:
            if commands is not None:
                commands.cancel()
                await asyncio.gather(commands, return_exceptions=True)
            await self._reader.close()
            self._reader = None

    async def _next_commands(self) -> list[Record]:
        assert self._reader is not None, "commands are read while the shard is served"
        return await self._reader.read(timeout_s=READ_S, max_records=BATCH_MAX)

    async def _wait_for(self, commands: "asyncio.Future[list[Record]]") -> None:
        """Wait for commands, or for something to check in the market."""
        arrived = asyncio.ensure_future(self._watch.arrived())
        try:
            await wait_for_tasks([commands, arrived], None, self._node.clock)
        finally:
            arrived.cancel()
            await asyncio.gather(arrived, return_exceptions=True)

    async def _check_market(self) -> None:
        """Check the market for open orders and limits, and append what it triggered."""
        while self._watch.is_due:
            records = self._watch.check()
            fault_point("after_check")
            await self._append_all(records)
            await self._settle()

    async def _append_all(self, records: Iterable[PendingEvent]) -> None:
        for record in records:
            await self._append(record)
            self._node.counters[STEPS.get(record.kind, "order_steps")] += 1
            if len(self._unacked) >= BATCH_MAX:
                await self._settle()

    @property
    def has_written(self) -> bool:
        """True if an event of this writer is in the log."""
        return self._ownership.in_log > self._began_at

    async def lag(self) -> int:
        """How many commands are waiting."""
        return 0 if self._reader is None else await self._reader.lag()

    async def _open_commands(self) -> LogReader:
        partition = self._handler.partition
        search_reader = await self._bus.partition_reader(COMMANDS, partition, Start("earliest"))
        try:
            found = await find_start(search_reader, self._handler.shard, partition, REWIND)
        finally:
            await search_reader.close()
        self._dead_lettered_to = found.dead_lettered_to
        self._set_shard_detail(COMMANDS_LOST, found.loss)
        self._set_shard_detail(COMMANDS_UNPROVEN, found.unproven)
        if self._first:
            await self._check_inboxes()
        # A separate reader: a broker holds the fetch that a seek replaces for half a second.
        start = Start(offsets={(COMMANDS, partition): found.first})
        return await self._bus.partition_reader(COMMANDS, partition, start)

    async def _check_inboxes(self) -> None:
        commands = await self._bus.partition_reader(
            COMMANDS, self._handler.partition, Start("earliest")
        )
        try:
            found = await check_inboxes(self._bus, self._handler.shard, commands)
        finally:
            await commands.close()
        self._set_shard_detail(EVENTS_LOST, found.loss)
        self._set_shard_detail(EVENTS_UNPROVEN, found.unproven)

    def _set_shard_detail(self, detail: str, text: str) -> None:
        """Set this shard's text in a detail of the heartbeat, or remove it if it is empty."""
        shard, texts = str(self._handler.partition), self._node.details.pop(detail, None)
        others = {k: v for k, v in texts.items() if k != shard} if isinstance(texts, dict) else {}
        if text:
            self._node.log.warning(detail.replace("_", " "), shard=shard, what=text)
            others[shard] = text
        if others:
            self._node.details[detail] = others

    async def _serve_batch(self, records: list[Record], should_serve: Callable[[], bool]) -> None:
        fetched_at = self._node.clock.now()
        waits = CommandWaits(
            self._node,
            self._handler,
            self._prices,
            self._control,
            self._watch,
            self._candles,
            self._since,
            self._settle,
            should_serve,
        )
        for record in records:
            fault_point("after_read")
            message = await self._read(record)
            if message is None:
                continue
            prices_current = await waits.catch_up(message)
            await self._check_market()
            while prices_current and await self._is_snapshot_due(message):
                await waits.snapshot()
                await self._check_market()
            await self._send_pending_reads_before(message)
            candles = await waits.candles(message)
            # This comes last: nothing may be awaited between the proof and the decision.
            now, unknown = await waits.know_control(message, fetched_at)
            self._handler.candles = candles
            handled = self._handler.handle(
                message,
                record.offset,
                now or self._node.clock.now(),
                prices_current=prices_current,
                control_unknown=unknown,
                written_ms=record.timestamp_ms,
            )
            self._handler.candles = None
            fault_point("after_decide")
            if handled.dead_letter_reason:
                await self._dead_letter(record, handled.dead_letter_reason)
            await self._record(message, record.offset, handled)
        await self._settle()
        await self._keep_checkpoint()

    async def _is_snapshot_due(self, message: Message) -> bool:
        """True if, in lock-step, a command that is not late waits for its snapshot."""
        late = isinstance(message, ToolCall) and self._node.clock.now() > message.deadline_at
        return not late and await self._watch.is_behind(message)

    async def _keep_checkpoint(self) -> None:
        """If a checkpoint is due: append the digest of the accounts, then save them."""
        due = self._log.digest()
        if due is None:
            return
        append, packed = due
        await self._append(append)
        await self._settle()
        self._log.save(packed)

    async def _read(self, record: Record) -> Message | None:
        try:
            message = record.message()
            why_invalid = self._handler.why_invalid(message)
        except Malformed as error:
            message, why_invalid = None, str(error)
        if why_invalid is None:
            return message
        await self._dead_letter(record, why_invalid)
        return None

    async def _dead_letter(self, record: Record, why: str) -> None:
        """Write a dead letter, unless the record was read before: it has one already."""
        if record.offset > self._dead_lettered_to:
            await self._node.dead_letter(record, why)

    async def _send_pending_reads_before(self, message: Message) -> None:
        """In lock-step, send the replies to an agent's earlier reads before its order is decided.

        Otherwise, after a crash between the two, the read would be answered again from the account
        after the order, and the agent would see another account than in a run without a crash.
        """
        if not (self._handler.rules.lock_step and isinstance(message, ToolCall)):
            return
        if not self._handler.places_order(message):
            self._pending_reads.add(message.agent)
        elif message.agent in self._pending_reads:
            await self._settle()
            await self._outbox.settle()
            self._pending_reads.clear()

    async def _record(self, message: Message, offset: int, handled: HandledCommand) -> None:
        if handled.appends:
            self._dead_lettered_to = max(self._dead_lettered_to, offset)
        if handled.appends and isinstance(message, ToolCall):
            self._watch.note_orders(message.agent)  # Before further tickers are read.
        for append in handled.appends:
            await self._append(append)
        if handled.reply is not None:
            self._replies.append(handled.reply)
        self._count(message, offset, handled)
        if len(self._unacked) >= BATCH_MAX:
            await self._settle()

    async def _append(self, append: PendingEvent) -> None:
        future = await self._bus.send_bytes(
            EVENTS,
            append.value,
            key=append.key.encode(),
            partition=self._handler.partition,
            headers=append.headers,
        )
        self._unacked.append((append, future))

    async def _settle(self) -> None:
        """Wait until everything decided so far is in the log, then send the replies."""
        if not self._unacked and not self._replies:
            return
        fault_point("sent_not_acked")
        if self._unacked:
            await self._await_acks()
        else:
            await self._ownership.prove()  # Replies without an event show the current account.
        fault_point("acked_not_replied")
        replies, self._replies = self._replies, []
        await self._outbox.send(replies)

    async def _await_acks(self) -> None:
        unacked, self._unacked = self._unacked, []
        acks = await within_ack_timeout(self._node.clock, (future for _, future in unacked), EVENTS)
        for (append, _), ack in zip(unacked, acks, strict=True):
            if ack.offset != append.offset:
                what = f"a record made for offset {append.offset} is at {ack.offset}"
                raise self._ownership.ownership_error(what, ack.offset < append.offset)
        self._ownership.in_log = self._handler.shard.next_offset
        fault_point("acked_no_intent")
        await self._intents.settle()
        await self._intents.send(
            (append.offset, append.event) for append, _ in unacked if append.event is not None
        )

    def _count(self, message: Message, offset: int, handled: HandledCommand) -> None:
        counters = self._node.counters
        counters[COUNTERS[handled.kind]] += 1
        if handled.kind in DECIDED:
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
