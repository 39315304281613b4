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
from collections.abc import Callable
from datetime import datetime

from arena import topics
from arena.bus.base import AppendAck, LogReader, Record, Start
from arena.errors import Malformed
from arena.fault_points import fault_point
from arena.liveness import COMMANDS_LOST, COMMANDS_UNPROVEN, EVENTS_LOST, EVENTS_UNPROVEN
from arena.messages import Message, ToolCall, ToolResult
from arena.node import Node
from arena.tasks import run_until_first_ends
from trading_tools.command_handler import CommandHandler, CommandKind, HandledCommand
from trading_tools.command_start import find_start
from trading_tools.events import PendingEvent
from trading_tools.inbox_check import check_inboxes
from trading_tools.kill_switch import KillSwitchFeed
from trading_tools.outbox import Outbox, within_ack_timeout
from trading_tools.ownership import Ownership
from trading_tools.prices import PriceFeed
from trading_tools.recovery import EventLog

BATCH_MAX = 64
"""How many commands are decided ahead of their acks."""
REWIND = 2 * BATCH_MAX
"""How many commands are read again at a start: their replies may not have been sent."""
PRICE_WAIT_S = 2.0
"""How long to wait for prices outside lock-step."""
PRICE_POLL_S = 0.1
"""How long to wait for prices before checking whether to wait longer."""
SHORT_WAIT_S = 60.0
"""How long in lock-step `market.tickers` may end before the prices that an order waits for: a
connector that restarts appends what the topic lost. Counted in polls, so that the time for which a
process was suspended does not count."""
CONTROL_WAIT_S = 0.1
"""How long to wait for a proof before checking the command's deadline again."""
READ_S = 0.5
COUNTERS: dict[CommandKind, str] = {
    "opened": "accounts_opened",
    "filled": "fills",
    "rejected": "rejections",
    "duplicate": "duplicates",
    "read": "reads",
    "refused": "refusals",
}
COMMANDS = topics.COMMANDS.name
EVENTS = topics.EVENTS.name


class _ShardReleased(Exception):
    """The shard is given up while an order still waits: the next owner decides it."""


class ShardWriter:
    """Writes one shard, after its epoch counted.

    Args:
        node: Bus, clock, counters.
        log: Folded up to this writer's epoch.
        handler: Handles the commands; its shard is the log's.
        prices: The market.
        control: The kill switch; the handler uses the same one.
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
        self._since = node.clock.boot_s()
        self._ownership = Ownership(node, log, handler, control)
        self._began_at = handler.shard.next_offset
        self._outbox = Outbox(node.bus)
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
        await run_until_first_ends(self._serve(should_serve), self._ownership.keep_confirming())

    async def _serve(self, should_serve: Callable[[], bool]) -> None:
        await self._outbox.prepare(self._handler.shard.accounts)
        self._reader = await self._open_commands()
        try:
            with contextlib.suppress(_ShardReleased):
                while should_serve():
                    records = await self._reader.read(timeout_s=READ_S, max_records=BATCH_MAX)
                    if records and should_serve():
                        await self._serve_batch(records, should_serve)
                        await self._ownership.confirm()
            await self._outbox.settle()
        finally:
            await self._reader.close()
            self._reader = None

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
        for record in records:
            fault_point("after_read")
            message = await self._read(record)
            if message is None:
                continue
            prices_current = await self._catch_up(message, should_serve)
            await self._send_pending_reads_before(message)
            # This comes last: nothing may be awaited between the proof and the decision.
            now, unknown = await self._know_control(message, fetched_at, should_serve)
            handled = self._handler.handle(
                message,
                record.offset,
                now or self._node.clock.now(),
                prices_current=prices_current,
                control_unknown=unknown,
                written_ms=record.timestamp_ms,
            )
            fault_point("after_decide")
            if handled.dead_letter_reason:
                await self._dead_letter(record, handled.dead_letter_reason)
            await self._record(message, record.offset, handled)
        await self._settle()
        await self._keep_checkpoint()

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

    async def _catch_up(self, message: Message, should_serve: Callable[[], bool]) -> bool:
        """Wait for the prices that a command needs; in lock-step until its deadline.

        Returns:
            False if they did not come.

        Raises:
            _ShardReleased: The shard is given up meanwhile.
        """
        needed = self._handler.prices_needed(message)
        if self._prices.covers(needed):
            return True
        # Earlier commands need not wait for the prices that this command waits for.
        await self._settle()
        if await self._prices.cannot_catch_up(needed):
            return False
        lock_step = self._handler.rules.lock_step
        waited_s = short_s = 0.0
        while not await self._prices.catch_up(needed, PRICE_POLL_S):
            if not should_serve():
                raise _ShardReleased
            waited_s += PRICE_POLL_S
            is_over = waited_s >= PRICE_WAIT_S
            if is_over and lock_step and isinstance(message, ToolCall):
                short_s += PRICE_POLL_S if await self._prices.is_too_short(needed) else 0.0
                is_late = self._node.clock.now() > message.deadline_at
                is_over = is_late or short_s >= SHORT_WAIT_S
            if is_over:
                self._prices.note_timeout(needed)
                return False
        return True

    async def _know_control(
        self, message: Message, fetched_at: datetime, should_serve: Callable[[], bool]
    ) -> tuple[datetime | None, datetime | None]:
        """Wait until `arena.control` is known to be read to its end, or the deadline has passed.

        In lock-step the wait is unlimited and takes no time, so that every run decides alike.

        Returns:
            The time of the decision, or None for now; and since when there is no proof, or None if
            there is one or the message needs none.

        Raises:
            _ShardReleased: The shard is given up meanwhile.
        """
        if not isinstance(message, ToolCall) or not self._handler.needs_decision(message):
            return None, None
        if fetched_at > message.deadline_at:
            return fetched_at, None  # It was too late then, even if the clock is set back since.
        if self._control.is_proven(self._since):
            return None, None
        came_at = self._node.clock.now()
        # Earlier commands need not wait for this command's proof.
        await self._settle()
        since, lock_step = self._control.proven_wall or fetched_at, self._handler.rules.lock_step
        while not self._control.is_proven(self._since):
            if not should_serve():
                raise _ShardReleased
            now = self._node.clock.now()
            if not lock_step and now > message.deadline_at:
                return now, since
            await self._control.wait_proven(self._since, CONTROL_WAIT_S)
        if lock_step:
            return came_at, None
        return None, since if self._node.clock.now() > message.deadline_at else None

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

    def _count(self, message: Message, offset: int, handled: HandledCommand) -> None:
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
