"""One agent over the bus: newest snapshot in, requests and tool calls out, one `Turn` per answer.

Reads `market.snapshots` (group = agent name), and gets the messages of the agent's inbox from
`routers.service`. Writes `ai_prompted.<node>`, `tools.calls`, `account.commands`, `agent.turns`,
`arena.roster`.

The consumer group decides which process runs the agent: the owner of the snapshots' partition is
active, every other process of the same name is a standby that does nothing. After every change of
ownership the agent's history is read again, and an open turn of another process is recorded as
aborted. Which snapshots were answered is known from `agent.turns`; the committed offset is only a
hint. `routers.snapshot_gate` decides which snapshots the agent is asked on.

In lock-step the market waits for the agent, so nothing may depend on when a process ran: the group
starts at the first snapshot, and an open turn is run again (`routers.resume`).
"""

import asyncio
import contextlib
from collections.abc import Callable

from arena import ids, topics
from arena.agent_health import AgentHealth
from arena.bus.base import EARLIEST, LATEST, AppendAck, Assignment, GroupReader, Record
from arena.errors import ArenaError
from arena.failure_streaks import FailureStreaks
from arena.messages import (
    ChatReply,
    Message,
    Turn,
    TurnStarted,
)
from arena.node import Node
from routers.account_look import AccountReader
from routers.agent_config import AgentConfig, announce
from routers.coaching_reader import CoachingReader
from routers.kinds import TurnMachine
from routers.memory import AgentHistory
from routers.recovery import read_history, report_lost_turns
from routers.reply_buffer import ReplyBuffer
from routers.resume import InterruptedTurn, read_interrupted_turn
from routers.roster import Roster
from routers.snapshot_cache import SnapshotCache
from routers.snapshot_gate import SnapshotGate
from routers.turn_factory import TurnFactory
from routers.turn_log import log_resumed, log_turn
from routers.turn_sender import TurnSender
from routers.turn_types import (
    Effect,
    FinishTurn,
    Now,
    SendRequest,
    SendToolCalls,
    aborted_turn,
    asked_again,
)

IDLE_READ_S = 5.0
DRAIN_READ_S = 0.2
ABORT_SETTLE_S = 1.0
"""How long to wait for a previous owner's last append before its turn is aborted."""
STOP_TIMEOUT_S = 2.0


class AgentRouter:
    """Runs one agent while this process owns it.

    Attributes:
        config: The agent's configuration.
        no_answer_note: Returns what is known about a chat node that did not answer, for the
            turn's error.
        waiting: Known snapshots since the last one that was answered or skipped.
        health: The agent's health, from the turns that ended here.
    """

    def __init__(
        self,
        node: Node,
        config: AgentConfig,
        snapshots: SnapshotCache,
        roster: Roster,
        recovering: asyncio.Lock,
        coaching: CoachingReader,
    ) -> None:
        """Take what `watch` and `run` need; agents of one process share all but the config."""
        self.config = config
        self.no_answer_note: Callable[[], str] = str
        self.waiting = 0
        self.health = AgentHealth(config.agent)
        self._failures = FailureStreaks()
        self._node = node
        self._bus = node.bus
        self._snapshots = snapshots
        self._factory = TurnFactory(config, roster)
        self._recovering = recovering
        self._coaching = coaching
        self._reader: GroupReader | None = None
        self._wake = asyncio.Event()
        self._is_owner = self._retired = False
        self._changes = 0
        self._restored_at = -1
        self._announced = False
        self._latest: Record | None = None
        self._replies = ReplyBuffer()
        self._sender = TurnSender(node, config.agent, config.chat_node, self._replies)
        self._account = AccountReader(
            node,
            config,
            self._sender,
            self._replies,
            sleep=self._sleep,
            is_current=lambda: self._is_current,
        )
        self._turn: TurnMachine | None = None
        self._interrupted: InterruptedTurn | None = None
        self._history = AgentHistory()
        self._answered: int | None = None
        self._gate = SnapshotGate(node, config, self._recorded)

    @property
    def active(self) -> bool:
        """True if this process runs the agent, False if it is a standby."""
        return self._is_owner

    @property
    def accepts_replies(self) -> bool:
        """True if replies are wanted: by the owner, or by a turn that may continue later."""
        return self._is_owner or self._turn is not None

    @property
    def joined(self) -> bool:
        """True once the agent follows the snapshots, as owner or standby, or is retired."""
        return self._reader is not None or self._retired

    async def watch(self) -> None:
        """Follow the snapshots until cancelled, keeping only the newest one."""
        self._reader = await self._bus.group_reader(
            self.config.agent,
            topics.SNAPSHOTS.name,
            start=EARLIEST if self.config.lock_step else LATEST,
            on_change=self._on_change,
        )
        self._is_owner = bool(self._reader.assignment())
        self._wake.set()
        try:
            while True:
                records = await self._reader.read(timeout_s=IDLE_READ_S)
                if records and self.config.coached and self._is_owner:
                    self._coaching.read_ahead((records[-1].partition, records[-1].offset))
                while records and await self._reader.lag():
                    records = await self._reader.read(timeout_s=DRAIN_READ_S) or records
                if records:
                    self._latest = records[-1]
                    self.waiting = self._gate.waiting(self._latest.offset)
                    if self._turn is None:
                        self._wake.set()
        finally:
            await self._reader.close()

    async def run(self) -> None:
        """Run the agent until cancelled."""
        try:
            while True:
                if not self._is_owner:
                    await self._sleep(None)
                elif self._restored_at != self._changes:
                    await self._take_over()
                elif self._turn is not None:
                    await self._continue(self._turn)
                elif self._interrupted is not None:
                    await self._resume(self._interrupted)
                elif (record := self._take_latest()) is not None:
                    await self._begin(record)
                else:
                    await self._sleep(None)
        finally:
            await self._stop()

    async def commit(self) -> None:
        """Commit the offset of the newest snapshot whose turn, or whose skip, is recorded."""
        if self._answered is not None and self._reader is not None and not self._retired:
            offset, self._answered = self._answered, None
            await self._reader.commit({(topics.SNAPSHOTS.name, 0): offset + 1})

    def deliver(self, message: Message) -> None:
        """Handle a message from the agent's inbox."""
        if self._replies.put(message):
            self._wake.set()
        elif self._is_owner:
            self._node.counters["late_replies"] += 1

    def retire(self) -> None:
        """Stop: the name belongs to another process now; `watch` and `run` have ended."""
        self._is_owner, self._retired = False, True
        self._forget_turn()

    def _on_change(self, assignment: Assignment) -> None:
        self._is_owner = bool(assignment)
        self._changes += 1
        self._wake.set()

    async def _sleep(self, timeout_s: float | None) -> None:
        """Sleep until something changes, or the timeout."""
        with contextlib.suppress(TimeoutError):
            async with self._node.clock.timeout(timeout_s):
                await self._wake.wait()
        self._wake.clear()

    @property
    def _is_current(self) -> bool:
        """True while this process owns the agent, and its history is that of the log."""
        return self._is_owner and self._restored_at == self._changes

    def _now(self) -> Now:
        clock = self._node.clock
        return Now(clock.now(), clock.monotonic())

    async def _take_over(self) -> None:
        """Read the agent's history, and abort or resume an open turn of another process."""
        changes, self._interrupted = self._changes, None
        await self._sender.flush()
        history = await self._read_history()
        if history.open_turn is not None and not self._can_continue(history):
            await self._node.clock.sleep(ABORT_SETTLE_S)
            history = await self._read_history()
        if changes != self._changes:
            return
        committed = {} if self._reader is None else self._reader.committed
        await report_lost_turns(self._node, self.config.agent, history, committed)
        if self._turn is not None and not self._can_continue(history):
            self._node.counters["handed_over"] += 1
            self._forget_turn()
        if history.open_turn is not None and not self._can_continue(history):
            self._interrupted = await self._read_interrupted(history.open_turn)
            if changes != self._changes:
                return
            if self._interrupted is None:
                await self._abort(history)
        await self._coaching.register(self.config, history)
        if changes != self._changes:
            return
        self._history = history
        self._gate.restart(history)
        self._restored_at = changes
        if not self._announced:
            self._announced = True
            await announce(self._node, self.config)

    async def _read_history(self) -> AgentHistory:
        """Read the history, one agent at a time: a reader's first fetch takes megabytes."""
        async with self._recovering:
            agent, complete, gates = self.config.agent, self.config.lock_step, self.config.gates
            return await read_history(self._node, agent, complete=complete, gates=gates)

    async def _read_interrupted(self, started: TurnStarted) -> InterruptedTurn | None:
        """Return what an interrupted turn is run again with, or None if it is aborted.

        Replies are accepted before the inbox is read back, so none falls in between.
        """
        if not self.config.lock_step:
            return None
        self._replies.begin(started.turn_id)
        async with self._recovering:
            return await read_interrupted_turn(self._node, self.config.agent, started)

    async def _abort(self, history: AgentHistory) -> None:
        """Record an open turn of another process as aborted."""
        assert history.open_turn is not None, "only an open turn is aborted"
        self._replies.end()
        agent = self._factory.resolved_agent()
        turn = aborted_turn(history.open_turn, agent, self._node.clock.now())
        await self._bus.append(topics.TURNS.name, turn, key=self.config.agent)
        history.end(turn)
        self._count(turn)

    def _forget_turn(self) -> None:
        self._turn = None
        self._replies.end()

    def _can_continue(self, history: AgentHistory) -> bool:
        """True if this process may continue the open turn; in lock-step it is run again."""
        open_turn = history.open_turn
        return (
            not self.config.lock_step
            and self._turn is not None
            and open_turn is not None
            and open_turn.turn_id == self._turn.turn_id
        )

    def _take_latest(self) -> Record | None:
        """The newest snapshot, unless nothing but the cadence decides, and it is not due."""
        record, self._latest, config = self._latest, None, self.config
        if record is None or config.gates or self._history.is_due(record.offset, config.cadence):
            return record
        return None

    async def _begin(self, record: Record) -> None:
        seen = await self._snapshots.read(record)
        if seen is None or self._gate.was_answered(self._history, record.offset, seen.snapshot):
            return
        self._replies.begin(ids.turn_id(self.config.agent, seen.snapshot.snapshot_id))
        snapshot, history = seen.snapshot, self._history
        place = record.partition, record.offset
        text = await self._coaching.text_for(self.config, history, place, snapshot.as_of)
        look = await self._account.read(history, snapshot) if self._gate.wakes_on_exits else None
        causes = (*text.causes, *(() if look is None else look.causes))
        asked = await self._gate.decide(history, record.offset, snapshot, causes)
        if asked is None:
            self._replies.end()
            self.waiting = 0
            return
        look = look or await self._account.read(history, snapshot)
        if not self._is_current:
            return
        skipped = history.skipped_before(record.offset, self.config.cadence)
        self._node.counters["skipped"] += skipped
        self._turn = self._factory.create(record, seen, skipped, history, asked, look, text)
        await self._carry_out(self._turn.start(self._now()))

    async def _resume(self, interrupted: InterruptedTurn) -> None:
        """Run an interrupted turn again, with the replies that it had already got."""
        self._interrupted = None
        seen = await self._snapshots.read(interrupted.record)
        assert seen is not None, "a turn starts on a snapshot only"
        self._node.counters["run_again"] += 1
        log_resumed(self._node, interrupted.started, len(interrupted.replies))
        self._replies.put_earlier(interrupted.replies)
        started, history = interrupted.started, self._history
        text = await self._coaching.text_again(self.config, started)
        look = await self._account.read(history, seen.snapshot)
        if not self._is_current:
            return
        asked, record = asked_again(started), interrupted.record
        self._turn = self._factory.create(record, seen, 0, history, asked, look, text)
        await self._carry_out(self._turn.start(self._now(), again=True))

    async def _continue(self, turn: TurnMachine) -> None:
        """Feed the turn what came in and the time; then wait for more."""
        while self._is_owner and (answer := self._replies.take(turn.awaited)) is not None:
            if isinstance(answer, ChatReply):
                await self._carry_out(turn.reply(answer, self._now()))
            else:
                await self._carry_out(turn.result(answer, self._now()))
        if self._turn is not turn or not self._is_owner:
            return
        now = self._now()
        if now.monotonic_s >= turn.wake_at_s:
            await self._carry_out(turn.time_passed(now, note=self.no_answer_note()))
        else:
            await self._sleep(turn.wake_at_s - now.monotonic_s)

    async def _carry_out(self, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            if isinstance(effect, SendRequest):
                if effect.started is not None:
                    self._history.begin(effect.started)
                await self._sender.send_request(effect)
            elif isinstance(effect, SendToolCalls):
                await self._sender.send_tool_calls(effect)
            else:
                await self._finish(effect)

    async def _finish(self, effect: FinishTurn) -> None:
        turn, machine = effect.turn, self._turn
        assert machine is not None, "only a turn that was started can finish"
        self._turn = None
        self._node.counters["late_replies"] += machine.unmatched + self._replies.end()
        self._history.end(turn)
        ack = await self._sender.send_record(turn)
        ack.add_done_callback(lambda done: self._recorded(done, turn.snapshot_offset))
        self._count(turn)

    def _recorded(self, ack: "asyncio.Future[AppendAck]", offset: int) -> None:
        if not ack.cancelled() and ack.exception() is None:
            self._answered = offset

    def _count(self, turn: Turn) -> None:
        counters = self._node.counters
        counters["turns"] += 1
        counters[turn.outcome] += 1
        self._node.gauges["turn_ms"] = turn.total_ms
        self.waiting = 0 if self._latest is None else self._latest.offset - turn.snapshot_offset
        self.health.apply(turn)
        log_turn(self._node, turn, self._failures)

    async def _stop(self) -> None:
        """Record the current turn as aborted, so that a clean stop leaves no open turn.

        In lock-step it stays open, to be run again.
        """
        mine = self._is_current
        error = "the router was stopped during this turn"
        with contextlib.suppress(ArenaError, TimeoutError):
            async with self._node.clock.timeout(STOP_TIMEOUT_S):
                if mine and self._turn is None:
                    await self._gate.record(self._history)
                elif mine and self._turn is not None and not self.config.lock_step:
                    await self._carry_out(self._turn.stop(self._now(), "aborted", error))
                await self._gate.close()
