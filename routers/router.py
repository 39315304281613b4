"""One agent over the bus: newest snapshot in, requests and tool calls out, one `Turn` per answer.

Reads `market.snapshots` (group = agent name) and what the fleet delivers from the agent's inbox.
Writes `ai_prompted.<node>`, `tools.calls`, `account.commands`, `agent.turns`, `arena.roster`.

The group decides who plays: whoever owns the partition of the snapshots is active, any other
process of the same name is a standby that does nothing. On every change of ownership the agent's
history is read again; a begun turn that is not this process's own is recorded as aborted. That a
snapshot was answered is known from `agent.turns`; the committed offset is only a hint.
"""

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass

from arena import ids, topics
from arena.bus.base import LATEST, Acked, Assignment, GroupReader, Record
from arena.errors import ArenaError
from arena.messages import (
    AgentSpec,
    ChatReply,
    MarketSnapshot,
    Message,
    OpenAccount,
    ToolResult,
    Turn,
)
from arena.node import Node
from routers.market import Market, SeenMarket
from routers.memory import History
from routers.plan import (
    Effect,
    FinishTurn,
    Limits,
    Now,
    Opening,
    Player,
    SendRequest,
    SendToolCalls,
    aborted_turn,
)
from routers.portfolio import KnownPortfolio
from routers.prompt import render_system, render_user
from routers.recovery import read_history
from routers.roster import Roster
from routers.strategy import Strategy
from routers.turn import TurnMachine

MAIL_MAX = 256
"""Replies and results that may wait for an agent; more are dropped and counted as late."""
IDLE_READ_S = 5.0
DRAIN_READ_S = 0.2
ABORT_SETTLE_S = 1.0
"""How long a previous owner's last append may still be on its way before its turn is aborted."""
STOP_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Seat:
    """An agent as it was asked for on the command line.

    Attributes:
        cadence: Answers every n-th snapshot.
    """

    agent: str
    chat_node: str
    strategy: Strategy
    limits: Limits
    cadence: int


class AgentRouter:
    """Plays one agent for as long as this process owns it.

    Attributes:
        seat: Who plays how.
        waiting: Snapshots since the last one that was answered, as far as they are known.
    """

    def __init__(
        self, node: Node, seat: Seat, market: Market, roster: Roster, recovering: asyncio.Lock
    ) -> None:
        """Own nothing before `watch`; agents of one process take `recovering` in turns."""
        self.seat = seat
        self.waiting = 0
        self._node = node
        self._bus = node.bus
        self._market = market
        self._roster = roster
        self._recovering = recovering
        self._prompted = topics.prompted(seat.chat_node)
        self._reader: GroupReader | None = None
        self._wake = asyncio.Event()
        self._owner = False
        self._changes = 0
        self._restored_at = -1
        self._announced = False
        self._latest: Record | None = None
        self._mail: deque[Message] = deque()
        self._turn: TurnMachine | None = None
        self._started_ack: asyncio.Future[Acked] | None = None
        self._history = History()
        self._known: KnownPortfolio | None = None
        self._player: Player | None = None
        self._system = ""
        self._roster_version = -1
        self._answered: tuple[str, int, int] | None = None

    @property
    def active(self) -> bool:
        """True where this process plays the agent, False where it is a standby."""
        return self._owner

    async def watch(self) -> None:
        """Keep the newest snapshot at hand until cancelled; older ones are never queued."""
        self._reader = await self._bus.group_reader(
            self.seat.agent, topics.SNAPSHOTS.name, start=LATEST, on_change=self._on_change
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
                elif (record := self._take_latest()) is not None:
                    await self._begin(record)
                else:
                    await self._sleep(None)
        finally:
            await self._stop()

    async def commit(self) -> None:
        """Commit the newest snapshot whose turn is recorded."""
        if self._answered is not None and self._reader is not None:
            topic, partition, offset = self._answered
            self._answered = None
            await self._reader.commit({(topic, partition): offset + 1})

    def deliver(self, message: Message) -> None:
        """A message of the agent's inbox."""
        if self._turn is None or len(self._mail) >= MAIL_MAX:
            self._node.counters["late_replies"] += 1
            return
        self._mail.append(message)
        self._wake.set()

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
        """Learn where the agent stands, and record a turn that nobody will end."""
        changes, agent = self._changes, self.seat.agent
        if self._started_ack is not None:
            await self._started_ack
        history = await self._read_history()
        if history.open_turn is not None and not self._is_mine(history):
            await self._node.clock.sleep(ABORT_SETTLE_S)
            history = await self._read_history()
        if changes != self._changes:
            return
        if self._turn is not None and not self._is_mine(history):
            self._node.counters["handed_over"] += 1
            self._turn = None
            self._mail.clear()
        if history.open_turn is not None and not self._is_mine(history):
            player = self._current_player()
            turn = aborted_turn(history.open_turn, player, self._node.clock.now())
            await self._bus.append(topics.TURNS.name, turn, key=agent)
            history.end(turn)
            self._count(turn)
        if history.last_offset != self._history.last_offset:
            # Another process played since: what this one knew of the account may be old.
            self._known = None
        self._history = history
        self._restored_at = changes
        await self._announce()

    async def _read_history(self) -> History:
        """One agent at a time: a reader's first fetch takes megabytes."""
        async with self._recovering:
            return await read_history(self._node, self.seat.agent)

    def _is_mine(self, history: History) -> bool:
        open_turn = history.open_turn
        return (
            self._turn is not None
            and open_turn is not None
            and open_turn.turn_id == self._turn.turn_id
        )

    async def _announce(self) -> None:
        """Say who plays, and ask for an account; both are harmless when repeated."""
        if self._announced:
            return
        self._announced = True
        seat, strategy, now = self.seat, self.seat.strategy, self._node.clock.now()
        spec = AgentSpec(
            agent=seat.agent,
            strategy=strategy.name,
            node=seat.chat_node,
            kind=strategy.kind,
            prompt_sha256=strategy.prompt_sha256,
            prompt_version=strategy.prompt_version,
            tools=strategy.tools,
            cadence=seat.cadence,
            joined_at=now,
        )
        await self._bus.send(topics.ROSTER.name, spec, key=f"agent/{seat.agent}")
        call_id = ids.derive("open-account", seat.agent)
        command = OpenAccount(call_id=call_id, agent=seat.agent, issued_at=now)
        await self._bus.append(topics.COMMANDS.name, command, key=seat.agent)

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
        last, now = self._history.last_offset, self._now()
        skipped = max(0, record.offset - last - self.seat.cadence) if last >= 0 else 0
        self._node.counters["skipped"] += skipped
        player = self._current_player()
        self._turn = TurnMachine(player, self._opening(record, seen, skipped))
        self._mail.clear()
        await self._carry_out(self._turn.start(now))

    def _was_answered(self, offset: int, snapshot: MarketSnapshot) -> bool:
        """True for a snapshot at or before the last one that a turn was begun on.

        An older offset with a newer venue time stands in a topic that was created anew.
        """
        history = self._history
        if offset > history.last_offset or history.last_as_of is None:
            return False
        if snapshot.as_of <= history.last_as_of:
            return True
        self._node.log.warning("market.snapshots begins anew", agent=self.seat.agent, offset=offset)
        history.last_offset = -1
        return False

    def _opening(self, record: Record, seen: SeenMarket, skipped: int) -> Opening:
        user = render_user(seen.text, seen.snapshot, self._known, tuple(self._history.lines))
        return Opening(
            snapshot=seen.snapshot,
            snapshot_offset=record.offset,
            skipped=skipped,
            system=self._system,
            user=user,
        )

    def _current_player(self) -> Player:
        """The player with the tools and rules that the roster holds now."""
        roster, seat = self._roster, self.seat
        if self._player is None or self._roster_version != roster.version:
            self._roster_version = roster.version
            self._system = render_system(seat.strategy.prompt, roster.rules)
            self._player = Player.of(
                seat.agent, seat.chat_node, seat.strategy, seat.limits, roster.offers.values()
            )
        return self._player

    async def _play_on(self, turn: TurnMachine) -> None:
        """Feed the turn what came in, and the time; then wait for more."""
        while self._mail and self._owner and not turn.done:
            message, now = self._mail.popleft(), self._now()
            if isinstance(message, ChatReply):
                await self._carry_out(turn.reply(message, now))
            elif isinstance(message, ToolResult):
                await self._carry_out(turn.result(message, now))
        if self._turn is not turn or not self._owner:
            return
        now = self._now()
        if now.monotonic_s >= turn.wake_at_s:
            await self._carry_out(turn.time_passed(now))
        elif not self._mail:
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
            self._started_ack = await self._bus.send(topics.TURNS.name, effect.started, key=agent)
        await self._bus.send(self._prompted, effect.request, key=agent)

    async def _send_tool_calls(self, effect: SendToolCalls) -> None:
        """A turn whose orders may be in the log must itself be in the log."""
        if self._started_ack is not None and not self._started_ack.done():
            await self._started_ack
        agent = self.seat.agent
        for call in effect.account:
            await self._bus.send(topics.COMMANDS.name, call, key=agent)
        for call in effect.stateless:
            await self._bus.send(topics.TOOL_CALLS.name, call, key=agent)
        self._node.counters["tool_calls"] += len(effect.account) + len(effect.stateless)

    async def _finish(self, effect: FinishTurn) -> None:
        turn, machine = effect.turn, self._turn
        assert machine is not None, "only a turn that was begun can finish"
        self._turn = self._started_ack = None
        self._node.counters["late_replies"] += machine.late + len(self._mail)
        self._mail.clear()
        self._known = machine.known or self._known
        self._history.end(turn)
        ack = await self._bus.send(topics.TURNS.name, turn, key=self.seat.agent)
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
        self._node.log.info(
            "turn",
            agent=turn.agent,
            turn_id=turn.turn_id,
            outcome=turn.outcome,
            rounds=len(turn.rounds),
            skipped=turn.skipped_snapshots,
            duration_ms=turn.total_ms,
            **({"error": turn.error} if turn.error else {}),
        )

    async def _stop(self) -> None:
        """Record a turn under way as aborted, so that a clean stop leaves none open."""
        if self._turn is None or not self._owner or self._restored_at != self._changes:
            return
        error = "the router was stopped during this turn"
        with contextlib.suppress(ArenaError, TimeoutError):
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self._carry_out(self._turn.stop(self._now(), "aborted", error))
