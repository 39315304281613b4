"""The single writer of a shard: reads commands, appends events, answers.

Reads `account.commands[shard]`, appends to `account.events[shard]`, replies to `agent.inbox.*`.

Commands are taken in batches. A batch is decided against a state that runs ahead of the log, its
events are appended side by side, and when each was acked at exactly the offset it was made for,
no other executor has written in between: only then are the batch's answers sent. Anything else
ends this owner, and the log says what counted.

An order is decided only with a proof that `arena.control` was read to its end, and the owner says
in the heartbeat how far it has read it: once everything that was decided before is in the log, and
the log still ends where this owner left it. What comes after a halt that was confirmed like this
is decided by an owner that knows it: by this one, or by a later one, whose first proof begins
after its epoch counted.
"""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime

from arena import topics
from arena.bus.base import Acked, LogReader, Record, Start
from arena.errors import Malformed
from arena.faults import point
from arena.living import COMMANDS_LOST, COMMANDS_UNPROVEN, EVENTS_LOST, EVENTS_UNPROVEN
from arena.messages import Message, ToolCall, ToolResult
from arena.node import Node
from trading_tools.command_start import find_start
from trading_tools.desk import Desk, HandledCommand, Kind
from trading_tools.events import Append
from trading_tools.inbox_check import check_inboxes
from trading_tools.outbox import Outbox, within_ack_timeout
from trading_tools.ownership import Ownership
from trading_tools.prices import PriceFeed
from trading_tools.recovery import EventLog
from trading_tools.switch import SwitchFeed, boot_time_s
from trading_tools.together import run_together

BATCH_MAX = 64
"""Commands decided ahead of their acks."""
REWIND = 2 * BATCH_MAX
"""Commands read again at a start: those whose answers may not have been sent."""
PRICE_WAIT_S = 2.0
"""How long prices are waited for outside lock-step."""
PRICE_LOOK_S = 0.1
"""How long prices are waited for before it is asked whether to wait on."""
SHORT_WAIT_S = 60.0
"""How long in lock-step `market.tickers` may end before the prices that an order waits for: a
connector that starts again appends what the topic lost. Counted in looks, so that a process that
was stopped for a while does not decide by it."""
CONTROL_WAIT_S = 0.1
"""How long a proof is waited for before the command's deadline is looked at again."""
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


class _GivenUp(Exception):
    """The shard is to be given up, and an order still waits: the next owner decides it."""


class Owner:
    """Owns one shard, as soon as its epoch counted.

    Args:
        node: Bus, clock, counters.
        log: Folded up to this owner's epoch.
        desk: Decides; its shard is the log's.
        feed: The market.
        control: The kill switch; the desk's is its.
        first: This process never owned the shard: only then are the inboxes held against the log,
            which takes so long that two who claim in turns would get nothing done.
    """

    def __init__(
        self,
        node: Node,
        log: EventLog,
        desk: Desk,
        feed: PriceFeed,
        control: SwitchFeed,
        *,
        first: bool = True,
    ) -> None:
        """Take over the shard that the desk has."""
        self._node = node
        self._bus = node.bus
        self._log = log
        self._desk = desk
        self._feed = feed
        self._control = control
        self._since = boot_time_s()
        self._ownership = Ownership(node, log, desk, control)
        self._began_at = desk.shard.next_offset
        self._outbox = Outbox(node.bus)
        self._unacked: list[tuple[Append, asyncio.Future[Acked]]] = []
        self._answers: list[ToolResult] = []
        self._looking: set[str] = set()
        self._reader: LogReader | None = None
        self._buried_to = -1
        self._first = first

    async def serve(self, should_serve: Callable[[], bool]) -> None:
        """Serve commands for as long as told.

        A batch that was begun is finished, unless an order in it waits for the kill switch.

        Raises:
            Fenced: Another owner has written.
            AppendFailed: An append was not acked in time.
        """
        await run_together(self._serve(should_serve), self._ownership.confirm_always())

    async def _serve(self, should_serve: Callable[[], bool]) -> None:
        await self._outbox.prepare(self._desk.shard.accounts)
        self._reader = await self._open_commands()
        try:
            with contextlib.suppress(_GivenUp):
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
        """True if an event of this owner is in the log."""
        return self._ownership.in_log > self._began_at

    async def lag(self) -> int:
        """Commands that wait."""
        return 0 if self._reader is None else await self._reader.behind()

    async def _open_commands(self) -> LogReader:
        partition = self._desk.partition
        looking = await self._bus.partition_reader(COMMANDS, partition, Start("earliest"))
        try:
            found = await find_start(looking, self._desk.shard, partition, REWIND)
        finally:
            await looking.close()
        self._buried_to = found.buried_to
        self._say_of_shard(COMMANDS_LOST, found.loss)
        self._say_of_shard(COMMANDS_UNPROVEN, found.unproven)
        if self._first:
            await self._check_inboxes()
        # A reader of its own: a broker holds the fetch that a seek replaces, for half a second.
        start = Start(offsets={(COMMANDS, partition): found.first})
        return await self._bus.partition_reader(COMMANDS, partition, start)

    async def _check_inboxes(self) -> None:
        commands = await self._bus.partition_reader(
            COMMANDS, self._desk.partition, Start("earliest")
        )
        try:
            found = await check_inboxes(self._bus, self._desk.shard, commands)
        finally:
            await commands.close()
        self._say_of_shard(EVENTS_LOST, found.loss)
        self._say_of_shard(EVENTS_UNPROVEN, found.unproven)

    def _say_of_shard(self, detail: str, words: str) -> None:
        """Put words under a detail of the heartbeat, or take away what was said before."""
        shard, said = str(self._desk.partition), self._node.details.pop(detail, None)
        kept = {k: v for k, v in said.items() if k != shard} if isinstance(said, dict) else {}
        if words:
            self._node.log.warning(detail.replace("_", " "), shard=shard, what=words)
            kept[shard] = words
        if kept:
            self._node.details[detail] = kept

    async def _serve_batch(self, records: list[Record], should_serve: Callable[[], bool]) -> None:
        fetched_at = self._node.clock.now()
        for record in records:
            point("after_read")
            message = await self._read(record)
            if message is None:
                continue
            prices_current = await self._catch_up(message, should_serve)
            await self._answer_looks_before(message)
            # Last: nothing may be awaited between the proof and the decision.
            now, unknown = await self._know_control(message, fetched_at, should_serve)
            handled = self._desk.handle(
                message,
                record.offset,
                now or self._node.clock.now(),
                prices_current=prices_current,
                control_unknown=unknown,
                written_ms=record.timestamp_ms,
            )
            point("after_decide")
            if handled.burial:
                await self._bury(record, handled.burial)
            await self._take(message, record.offset, handled)
        await self._settle()
        await self._keep_checkpoint()

    async def _keep_checkpoint(self) -> None:
        """If one is due: state in the log what the accounts hash to, then keep them."""
        due = self._log.digest()
        if due is None:
            return
        append, packed = due
        await self._append(append)
        await self._settle()
        self._log.keep(packed)

    async def _read(self, record: Record) -> Message | None:
        try:
            message = record.message()
            objection = self._desk.objection(message)
        except Malformed as error:
            message, objection = None, str(error)
        if objection is None:
            return message
        await self._bury(record, objection)
        return None

    async def _bury(self, record: Record, why: str) -> None:
        """What is before a decided command was buried when it was first read."""
        if record.offset > self._buried_to:
            await self._node.dead_letter(record, why)

    async def _catch_up(self, message: Message, should_serve: Callable[[], bool]) -> bool:
        """Wait for the prices that a command needs; in lock-step until its deadline.

        Returns:
            False if they did not come.

        Raises:
            _GivenUp: The shard is to be given up meanwhile.
        """
        needed = self._desk.prices_needed(message)
        if self._feed.covers(needed):
            return True
        # What was decided before need not wait for prices that this command waits for.
        await self._settle()
        if await self._feed.is_hopeless(needed):
            return False
        lock_step = self._desk.rules.lock_step
        waited_s = short_s = 0.0
        while not await self._feed.catch_up(needed, PRICE_LOOK_S):
            if not should_serve():
                raise _GivenUp
            waited_s += PRICE_LOOK_S
            is_over = waited_s >= PRICE_WAIT_S
            if is_over and lock_step and isinstance(message, ToolCall):
                short_s += PRICE_LOOK_S if await self._feed.is_short(needed) else 0.0
                is_late = self._node.clock.now() > message.deadline_at
                is_over = is_late or short_s >= SHORT_WAIT_S
            if is_over:
                self._feed.give_up(needed)
                return False
        return True

    async def _know_control(
        self, message: Message, fetched_at: datetime, should_serve: Callable[[], bool]
    ) -> tuple[datetime | None, datetime | None]:
        """Wait until `arena.control` is known to be read to its end, or the deadline has passed.

        In lock-step the wait has no end and takes no time, so that every run decides alike.

        Returns:
            The time of the decision, None for now. Since when there is no proof, None with one or
            for a message that needs none.

        Raises:
            _GivenUp: The shard is to be given up meanwhile.
        """
        if not isinstance(message, ToolCall) or not self._desk.takes_order(message):
            return None, None
        if fetched_at > message.deadline_at:
            return fetched_at, None  # Too late as of then, even if the clock is set back.
        if self._control.is_proven(self._since):
            return None, None
        came_at = self._node.clock.now()
        # What was decided before need not wait for this command's proof.
        await self._settle()
        since, lock_step = self._control.proven_wall or fetched_at, self._desk.rules.lock_step
        while not self._control.is_proven(self._since):
            if not should_serve():
                raise _GivenUp
            now = self._node.clock.now()
            if not lock_step and now > message.deadline_at:
                return now, since
            await self._control.wait_proven(self._since, CONTROL_WAIT_S)
        if lock_step:
            return came_at, None
        return None, since if self._node.clock.now() > message.deadline_at else None

    async def _answer_looks_before(self, message: Message) -> None:
        """In lock-step: before an order is decided, what its agent saw before is in its inbox.

        Otherwise a crash between the two would answer the look again from the account after the
        order, and the agent would continue from another account than in a run without a crash.
        """
        if not (self._desk.rules.lock_step and isinstance(message, ToolCall)):
            return
        if not self._desk.places_order(message):
            self._looking.add(message.agent)
        elif message.agent in self._looking:
            await self._settle()
            await self._outbox.settle()
            self._looking.clear()

    async def _take(self, message: Message, offset: int, handled: HandledCommand) -> None:
        if handled.appends:
            self._buried_to = max(self._buried_to, offset)
        for append in handled.appends:
            await self._append(append)
        if handled.reply is not None:
            self._answers.append(handled.reply)
        self._count(message, offset, handled)
        if len(self._unacked) >= BATCH_MAX:
            await self._settle()

    async def _append(self, append: Append) -> None:
        future = await self._bus.send_bytes(
            EVENTS,
            append.value,
            key=append.key.encode(),
            partition=self._desk.partition,
            headers=append.headers,
        )
        self._unacked.append((append, future))

    async def _settle(self) -> None:
        """Wait until the log has everything decided so far, then hand out the answers."""
        if not self._unacked and not self._answers:
            return
        point("sent_not_acked")
        if self._unacked:
            await self._await_acks()
        else:
            await self._ownership.prove()  # Answers without an event tell the current account.
        point("acked_not_replied")
        answers, self._answers = self._answers, []
        await self._outbox.send(answers)

    async def _await_acks(self) -> None:
        unacked, self._unacked = self._unacked, []
        acks = await within_ack_timeout((future for _, future in unacked), EVENTS)
        for (append, _), ack in zip(unacked, acks, strict=True):
            if ack.offset != append.offset:
                what = f"a record made for offset {append.offset} is at {ack.offset}"
                raise self._ownership.not_mine(what, ack.offset < append.offset)
        self._ownership.in_log = self._desk.shard.next_offset

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
