"""One agent over the bus: newest snapshot in, requests and tool calls out, one `Turn` per answer.

Reads `market.snapshots` (group = agent name) and what the fleet delivers from the agent's inbox.
Writes `ai_prompted.<node>`, `tools.calls`, `account.commands`, `agent.turns`, `arena.roster`.

The group decides who plays: whoever owns the partition of the snapshots is active, any other
process of the same name is a standby that does nothing. On every change of ownership the agent's
history is read again; a begun turn that is not this process's own is recorded as aborted. That a
snapshot was answered is known from `agent.turns`; the committed offset is only a hint.

In lock-step the market waits for the agent, so nothing may depend on which process lived when: the
group begins at the first snapshot, and a begun turn is run again (`routers.rerun`).
"""

import asyncio
import contextlib
from collections.abc import Callable

from arena import ids, topics
from arena.bus.base import EARLIEST, LATEST, Acked, Assignment, GroupReader, Record
from arena.errors import ArenaError
from arena.failure_runs import FailureRuns
from arena.messages import (
    ChatReply,
    ChatRequest,
    MarketSnapshot,
    Message,
    ToolCall,
    Turn,
    TurnStarted,
)
from arena.node import Node
from arena.vitals import Vital
from routers.mail import Mail
from routers.market import Market
from routers.memory import History
from routers.openings import Openings
from routers.plan import (
    Effect,
    FinishTurn,
    Now,
    SendRequest,
    SendToolCalls,
    aborted_turn,
)
from routers.recovery import read_history, turns_gone
from routers.rerun import CutOff, read_cut_off
from routers.roster import Roster
from routers.seat import Seat, announce
from routers.turn import TurnMachine
from routers.turn_log import log_turn

IDLE_READ_S = 5.0
DRAIN_READ_S = 0.2
ABORT_SETTLE_S = 1.0
"""How long a previous owner's last append may still be on its way before its turn is aborted."""
STOP_TIMEOUT_S = 2.0


class AgentRouter:
    """Plays one agent for as long as this process owns it.

    Attributes:
        seat: Who plays how.
        silent_note: What is known of a chat node that did not answer, for the turn's error.
        waiting: Snapshots since the last one that was answered, as far as they are known.
        vital: What the turns that ended here say of its health.
    """

    def __init__(
        self, node: Node, seat: Seat, market: Market, roster: Roster, recovering: asyncio.Lock
    ) -> None:
        """Own nothing before `watch`; agents of one process take `recovering` in turns."""
        self.seat = seat
        self.silent_note: Callable[[], str] = str
        self.waiting = 0
        self.vital = Vital(seat.agent)
        self._failures = FailureRuns()
        self._node = node
        self._bus = node.bus
        self._market = market
        self._openings = Openings(seat, roster)
        self._recovering = recovering
        self._prompted = topics.prompted(seat.chat_node)
        self._reader: GroupReader | None = None
        self._wake = asyncio.Event()
        self._owner = self._retired = False
        self._changes = 0
        self._restored_at = -1
        self._announced = False
        self._latest: Record | None = None
        self._mail = Mail()
        self._turn: TurnMachine | None = None
        self._record_ack: asyncio.Future[Acked] | None = None
        self._cut_off: CutOff | None = None
        self._history = History()
        self._answered: tuple[str, int, int] | None = None

    @property
    def active(self) -> bool:
        """True where this process plays the agent, False where it is a standby."""
        return self._owner

    @property
    def listens(self) -> bool:
        """True where it takes its mail: the owner, or while a turn may be played on afterwards."""
        return self._owner or self._turn is not None

    @property
    def joined(self) -> bool:
        """True once it follows the snapshots, as owner or standby, or is retired."""
        return self._reader is not None or self._retired

    async def watch(self) -> None:
        """Keep the newest snapshot at hand until cancelled; older ones are never queued."""
        self._reader = await self._bus.group_reader(
            self.seat.agent,
            topics.SNAPSHOTS.name,
            start=EARLIEST if self.seat.lock_step else LATEST,
            on_change=self._on_change,
        )
        self._owner = bool(self._reader.assignment())
        self._wake.set()
        try:
            while True:
                records = await self._reader.read(timeout_s=IDLE_READ_S)
                while records and await self._reader.lag():
                    records = await self._reader.read(timeout_s=DRAIN_READ_S) or records
                if records:
                    self._latest = records[-1]
                    last = self._history.last_offset
                    self.waiting = self._latest.offset - last if last >= 0 else 1
                    if self._turn is None:
                        self._wake.set()
        finally:
            await self._reader.close()

    async def run(self) -> None:
        """Play until cancelled."""
        try:
            while True:
                if not self._owner:
                    await self._sleep(None)
                elif self._restored_at != self._changes:
                    await self._take_over()
                elif self._turn is not None:
                    await self._play_on(self._turn)
                elif self._cut_off is not None:
                    await self._begin_again(self._cut_off)
                elif (record := self._take_latest()) is not None:
                    await self._begin(record)
                else:
                    await self._sleep(None)
        finally:
            await self._stop()

    async def commit(self) -> None:
        """Commit the newest snapshot whose turn is recorded."""
        if self._answered is not None and self._reader is not None and not self._retired:
            topic, partition, offset = self._answered
            self._answered = None
            await self._reader.commit({(topic, partition): offset + 1})

    def deliver(self, message: Message) -> None:
        """A message of the agent's inbox."""
        if self._mail.put(message):
            self._wake.set()
        elif self._owner:
            self._node.counters["late_replies"] += 1

    def retire(self) -> None:
        """Play no more: the name belongs to another process; `watch` and `run` have ended."""
        self._owner, self._retired = False, True
        self._forget_turn()

    def _on_change(self, assignment: Assignment) -> None:
        self._owner = bool(assignment)
        self._changes += 1
        self._wake.set()

    async def _sleep(self, timeout_s: float | None) -> None:
        """Until something new is known."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._wake.wait()
        self._wake.clear()

    def _now(self) -> Now:
        clock = self._node.clock
        return Now(clock.now(), clock.monotonic())

    async def _take_over(self) -> None:
        """Learn where the agent stands, and what to do about a turn that has no end."""
        changes, self._cut_off = self._changes, None
        if self._record_ack is not None:
            await self._record_ack
        history = await self._read_history()
        if history.open_turn is not None and not self._is_mine(history):
            await self._node.clock.sleep(ABORT_SETTLE_S)
            history = await self._read_history()
        if changes != self._changes:
            return
        await self._tell_gone(history)
        if self._turn is not None and not self._is_mine(history):
            self._node.counters["handed_over"] += 1
            self._forget_turn()
        if history.open_turn is not None and not self._is_mine(history):
            self._cut_off = await self._read_cut_off(history.open_turn)
            if changes != self._changes:
                return
            if self._cut_off is None:
                await self._abort(history)
        self._history = history
        self._restored_at = changes
        if not self._announced:
            self._announced = True
            await announce(self._node, self.seat)

    async def _tell_gone(self, history: History) -> None:
        """Say what is lost of the turns: by the last snapshot whose turn was recorded."""
        committed = {} if self._reader is None else self._reader.committed
        answered = committed.get((topics.SNAPSHOTS.name, 0), 0) - 1
        if words := turns_gone(history, answered):
            agent, name = self.seat.agent, topics.TURNS.name
            partition = topics.partition_of(agent, await self._bus.partitions(name))
            self._node.tell_lost(name, partition, agent, words)

    async def _read_history(self) -> History:
        """One agent at a time: a reader's first fetch takes megabytes."""
        async with self._recovering:
            return await read_history(self._node, self.seat.agent, whole=self.seat.lock_step)

    async def _read_cut_off(self, started: TurnStarted) -> CutOff | None:
        """What a turn is run again with; None where it is not.

        The mail is opened before the inbox is read back, so no answer falls in between.
        """
        if not self.seat.lock_step:
            return None
        self._mail.begin(started.turn_id)
        async with self._recovering:
            return await read_cut_off(self._node, self.seat.agent, started)

    async def _abort(self, history: History) -> None:
        """Record the end of a turn that nobody will end."""
        assert history.open_turn is not None, "only a turn without an end is aborted"
        self._mail.end()
        turn = aborted_turn(history.open_turn, self._openings.player(), self._node.clock.now())
        await self._bus.append(topics.TURNS.name, turn, key=self.seat.agent)
        history.end(turn)
        self._count(turn)

    def _forget_turn(self) -> None:
        self._turn = None
        self._mail.end()

    def _is_mine(self, history: History) -> bool:
        """True where this process may play the open turn on; in lock-step it is run again."""
        open_turn = history.open_turn
        return (
            not self.seat.lock_step
            and self._turn is not None
            and open_turn is not None
            and open_turn.turn_id == self._turn.turn_id
        )

    def _take_latest(self) -> Record | None:
        """The newest snapshot where it is time to answer one."""
        record, self._latest = self._latest, None
        last = self._history.last_offset
        if record is None or (last >= 0 and last < record.offset < last + self.seat.cadence):
            return None
        return record

    async def _begin(self, record: Record) -> None:
        seen = await self._market.read(record)
        if seen is None or self._was_answered(record.offset, seen.snapshot):
            return
        last = self._history.last_offset
        skipped = max(0, record.offset - last - self.seat.cadence) if last >= 0 else 0
        self._node.counters["skipped"] += skipped
        self._turn = self._openings.open(record, seen, skipped, self._history)
        self._mail.begin(self._turn.turn_id)
        await self._carry_out(self._turn.start(self._now()))

    async def _begin_again(self, cut_off: CutOff) -> None:
        """Run a turn that was cut off; what was answered is in the mail before it is asked."""
        self._cut_off = None
        seen = await self._market.read(cut_off.record)
        assert seen is not None, "a turn is begun on a snapshot only"
        self._node.counters["run_again"] += 1
        self._node.log.info(
            "turn run again",
            agent=self.seat.agent,
            snapshot_id=seen.snapshot.snapshot_id,
            answers=len(cut_off.answers),
        )
        self._turn = self._openings.open(cut_off.record, seen, 0, self._history)
        self._mail.put_before(cut_off.answers)
        await self._carry_out(self._turn.start(self._now(), again=True))

    def _was_answered(self, offset: int, snapshot: MarketSnapshot) -> bool:
        """True for a snapshot at or before the last one that a turn was begun on, or its copy.

        An older offset with a newer venue time is in a topic that was created again.
        """
        history = self._history
        if history.has_ended(ids.turn_id(self.seat.agent, snapshot.snapshot_id)):
            return True
        if offset > history.last_offset or history.last_as_of is None:
            return False
        if snapshot.as_of <= history.last_as_of:
            return True
        self._node.log.warning("market.snapshots begins anew", agent=self.seat.agent, offset=offset)
        history.last_offset = -1
        return False

    async def _play_on(self, turn: TurnMachine) -> None:
        """Feed the turn what came in, and the time; then wait for more."""
        while self._owner and (answer := self._mail.take(turn.awaited)) is not None:
            if isinstance(answer, ChatReply):
                await self._carry_out(turn.reply(answer, self._now()))
            else:
                await self._carry_out(turn.result(answer, self._now()))
        if self._turn is not turn or not self._owner:
            return
        now = self._now()
        if now.monotonic_s >= turn.wake_at_s:
            await self._carry_out(turn.time_passed(now, note=self.silent_note()))
        else:
            await self._sleep(turn.wake_at_s - now.monotonic_s)

    async def _carry_out(self, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            if isinstance(effect, SendRequest):
                await self._send_request(effect)
            elif isinstance(effect, SendToolCalls):
                await self._send_tool_calls(effect)
            else:
                await self._finish(effect)

    async def _send_request(self, effect: SendRequest) -> None:
        agent = self.seat.agent
        if effect.started is not None:
            self._history.begin(effect.started)
            self._record_ack = await self._bus.send(topics.TURNS.name, effect.started, key=agent)
        await self._send(self._prompted, effect.request)

    async def _send_tool_calls(self, effect: SendToolCalls) -> None:
        """A turn whose orders may be in the log must itself be in the log."""
        if self._record_ack is not None and not self._record_ack.done():
            await self._record_ack
        for call in effect.account:
            await self._send(topics.COMMANDS.name, call)
        for call in effect.stateless:
            await self._send(topics.TOOL_CALLS.name, call)
        self._node.counters["tool_calls"] += len(effect.account) + len(effect.stateless)

    async def _send(self, topic: str, call: ChatRequest | ToolCall) -> None:
        """Send a call, unless it was answered before a crash."""
        if not self._mail.has(call.call_id):
            await self._bus.send(topic, call, key=self.seat.agent)

    async def _finish(self, effect: FinishTurn) -> None:
        turn, machine = effect.turn, self._turn
        assert machine is not None, "only a turn that was begun can finish"
        self._turn = None
        self._node.counters["late_replies"] += machine.late + self._mail.end()
        self._history.end(turn)
        ack = await self._bus.send(topics.TURNS.name, turn, key=self.seat.agent)
        self._record_ack = ack
        ack.add_done_callback(lambda done: self._recorded(done, turn.snapshot_offset))
        self._count(turn)

    def _recorded(self, ack: "asyncio.Future[Acked]", offset: int) -> None:
        if not ack.cancelled() and ack.exception() is None:
            self._answered = (topics.SNAPSHOTS.name, 0, offset)

    def _count(self, turn: Turn) -> None:
        counters = self._node.counters
        counters["turns"] += 1
        counters[turn.outcome] += 1
        self._node.gauges["turn_ms"] = turn.total_ms
        self.waiting = 0 if self._latest is None else self._latest.offset - turn.snapshot_offset
        self.vital.apply(turn)
        log_turn(self._node, turn, self._failures)

    async def _stop(self) -> None:
        """Record a turn under way as aborted, so that a clean stop leaves none open.

        In lock-step it is left open, to be run again.
        """
        mine = self._owner and self._restored_at == self._changes
        if self.seat.lock_step or self._turn is None or not mine:
            return
        error = "the router was stopped during this turn"
        with contextlib.suppress(ArenaError, TimeoutError):
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self._carry_out(self._turn.stop(self._now(), "aborted", error))
