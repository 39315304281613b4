"""The gates of one agent in its router: asks `routers.gates`, and records what was skipped.

Reads `account.events` and `arena.control` if the agent's `wake_on` names causes in them. Writes
`SkippedSnapshots` to `agent.turns`: in lock-step for every skipped snapshot, because the market
waits for it; in real time before the next turn, after `RECORD_EVERY` snapshots, and at a clean
stop. An agent without gates and with cadence 1 has no such records: its turns count the snapshots
that it missed.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

from arena import ids, topics
from arena.bus.base import AppendAck
from arena.messages import AskedFor, MarketSnapshot, SkippedFor, SkippedSnapshots
from arena.node import Node
from routers.agent_config import AgentConfig
from routers.gates import GateDecision, WakeCause, decide, mids_of
from routers.kinds import calls_min
from routers.memory import AgentHistory
from routers.turn_types import Asked
from routers.wake_causes import WakeCauses

RECORD_EVERY = 60
"""Skipped snapshots after which they are recorded in real time, so that a kill loses few."""

OnAck = Callable[[asyncio.Future[AppendAck], int], None]


class SnapshotGate:
    """Decides which snapshots an agent is asked on.

    Args:
        node: The process.
        config: The agent.
        on_ack: Called with the ack of each record of skipped snapshots, and the last one's offset.
    """

    def __init__(self, node: Node, config: AgentConfig, on_ack: OnAck) -> None:
        """Create the gate; call `restart` before the first snapshot."""
        self._on_ack = on_ack
        self._node = node
        self._config = config
        self._records = config.gates is not None or config.cadence > 1
        self._calls_min = calls_min(config.strategy.turn_kind)
        self._causes = WakeCauses(node, config.agent, config.gates)
        self._restarted = True
        self._seen = -1
        self._first = 0
        self._counts: Counter[str] = Counter()
        self._newest: MarketSnapshot | None = None
        self._at = -1

    def restart(self, history: AgentHistory) -> None:
        """Continue after an agent's records: those of another process, or of an earlier start.

        What this process counted is kept if no record covers it: the group only changed.
        """
        self._restarted = True
        if not self._counts or self._first != history.covered + 1:
            self._counts.clear()
            self._newest = None
            self._seen = history.covered
        self._causes.restart(history.last_started)

    def waiting(self, offset: int) -> int:
        """How many snapshots up to an offset were neither answered nor skipped."""
        return max(0, offset - self._seen) if self._seen >= 0 else 1

    def was_answered(self, history: AgentHistory, offset: int, snapshot: MarketSnapshot) -> bool:
        """True for a snapshot at or before the last one that was answered or skipped, or a copy."""
        turn_id = ids.turn_id(self._config.agent, snapshot.snapshot_id)
        if history.covers(turn_id, offset, snapshot.as_of):
            return True
        if offset <= history.covered:
            self._node.log.warning(
                "market.snapshots was created again", agent=self._config.agent, offset=offset
            )
            history.forget_offsets()
        return False

    @property
    def wakes_on_exits(self) -> bool:
        """True if an exit that fired wakes the agent: the account is needed for the decision."""
        gates = self._config.gates
        return gates is not None and AskedFor.EXIT in gates.wake_on

    async def decide(
        self,
        history: AgentHistory,
        offset: int,
        snapshot: MarketSnapshot,
        exits: Sequence[WakeCause] = (),
    ) -> Asked | None:
        """Return why the agent is asked on a snapshot, or None if it is skipped.

        Args:
            history: The agent's history.
            offset: Offset of the snapshot.
            snapshot: The snapshot.
            exits: Causes from the account, if `wakes_on_exits`.
        """
        config = self._config
        if not self._records:
            self._seen = offset
            return Asked()
        if offset <= self._seen:  # The topic was created again.
            await self.record(history)
            self._seen = offset - 1
        self._count_unread(history, offset)
        mids = mids_of(snapshot, config.gates)
        decision = decide(
            config.gates,
            config.cadence,
            history.last_turn,
            history.calls,
            offset=offset,
            as_of=snapshot.as_of,
            mids=mids,
            causes=(*await self._causes.read(), *exits),
            calls_min=self._calls_min,
            turns=history.turns,
        )
        self._seen = offset
        if not decision.asked:
            await self._skip(history, offset, snapshot, decision)
            return None
        await self.record(history, until=snapshot.as_of)
        left, read_to = decision.calls_max, self._causes.take()
        calls_max = None
        if left is not None:
            calls_max = max(self._calls_min, min(left, config.limits.rounds))
        return Asked(decision.reason, decision.by, mids, calls_max, read_to)

    async def record(self, history: AgentHistory, until: datetime | None = None) -> None:
        """Record the snapshots that were skipped since the last record, if there are any.

        Args:
            history: The agent's history, which takes the record.
            until: Venue time of the newest snapshot; that of the last skipped one by default.
        """
        newest = self._newest
        as_of = until if newest is None else newest.as_of
        if not self._counts or as_of is None:
            return
        last = self._first + self._counts.total() - 1
        skipped = SkippedSnapshots(
            agent=self._config.agent,
            first_offset=self._first,
            snapshot_offset=last,
            snapshot_id=newest.snapshot_id if newest is not None and last == self._at else "",
            after=history.covered_as_of,
            as_of=as_of,
            counts=dict(sorted(self._counts.items())),
        )
        self._counts.clear()
        self._newest = None
        history.skip(skipped)
        ack = await self._node.bus.send(topics.TURNS.name, skipped, key=self._config.agent)
        ack.add_done_callback(lambda done: self._on_ack(done, last))

    async def close(self) -> None:
        """Close the readers."""
        await self._causes.close()

    def _count_unread(self, history: AgentHistory, offset: int) -> None:
        """Count the snapshots between the newest one that was read and this one."""
        if self._seen < 0:
            self._seen = offset - 1
        unread = offset - self._seen - 1
        by_cadence = min(offset, history.last_offset + self._config.cadence) - self._seen - 1
        reason = SkippedFor.UNRECORDED if self._restarted else SkippedFor.BUSY
        self._restarted = False
        self._count(SkippedFor.CADENCE, max(0, by_cadence), offset - unread)
        self._count(reason, unread - max(0, by_cadence), offset - unread)

    def _count(self, reason: str, count: int, first: int) -> None:
        if count > 0:
            if not self._counts:
                self._first = first
            self._counts[str(reason)] += count

    async def _skip(
        self, history: AgentHistory, offset: int, snapshot: MarketSnapshot, decision: GateDecision
    ) -> None:
        self._count(decision.reason, 1, offset)
        self._newest, self._at = snapshot, offset
        self._node.counters["gated"] += 1
        if self._config.lock_step or self._counts.total() >= RECORD_EVERY:
            await self.record(history)
