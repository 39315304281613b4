"""Decides again what the gates decided about the snapshots of an export. Pure.

The state of the gates is folded from the agent's records, as its router does. Checked are every
start of a turn that says why the agent was asked, and every record of one skipped snapshot, which
in lock-step are all of them. A record of several snapshots does not say which had which reason.
Causes of `wake_on` are taken from the records that name them.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from arena import topics
from arena.bus.base import Record
from arena.messages import (
    MISSED,
    WAKE_CAUSES,
    AgentSpec,
    MarketSnapshot,
    SkippedFor,
    SkippedSnapshots,
    Turn,
    TurnStarted,
)
from arena.versions import VersionsInOrder, recorded_by
from routers.gates import GateDecision, WakeCause, decide, mids_of
from routers.kinds import calls_min
from routers.memory import AgentHistory
from routers.replay_result import TurnReplayResult
from routers.replay_roster import RosterHistory

Decided = TurnStarted | SkippedSnapshots
CAPS = (
    SkippedFor.CALLS_PER_HOUR_MAX,
    SkippedFor.CALLS_PER_DAY_MAX,
    SkippedFor.DECISIONS_MAX,
)


class GatedAgent:
    """The records of one agent, and the state of its gates before the next decision.

    Args:
        name: The agent.
        roster: The roster over time.
        records: Its records of `agent.turns` that count, from the first one on.
    """

    def __init__(
        self,
        name: str,
        roster: RosterHistory,
        records: Iterator[tuple[Record, Turn | TurnStarted | SkippedSnapshots]],
    ) -> None:
        """Read up to the first decision."""
        self.name = name
        self._roster = roster
        self._records = records
        self._history = AgentHistory()
        self._versions = VersionsInOrder()
        self._next: tuple[Record, Decided] | None = None
        self._advance()

    @property
    def offset(self) -> int | None:
        """Offset of the snapshot of the next decision; None after the last."""
        return None if self._next is None else self._next[1].snapshot_offset

    def skip(self) -> None:
        """Take the next decision as it is recorded."""
        assert self._next is not None, "the caller checked"
        _, message = self._next
        if isinstance(message, TurnStarted):
            self._history.begin(message)
        else:
            self._history.skip(message)
        self._advance()

    def check(self, snapshot: MarketSnapshot, result: TurnReplayResult) -> None:
        """Decide about the snapshot again, compare, and go to the next decision."""
        assert self._next is not None, "the caller checked"
        record, message = self._next
        result.version = "" if self._versions.is_current(record) else recorded_by(record)
        if isinstance(message, TurnStarted):
            moment, recorded = message.started_at, message.asked
        else:
            moment = datetime.fromtimestamp(record.timestamp_ms / 1000, UTC)
            recorded = _only_reason(message)
        spec = self._roster.spec_at(self.name, moment)
        is_known = spec.joined_at <= moment and message.snapshot_id == snapshot.snapshot_id
        if recorded and is_known and not self._is_repeated(message):
            found = self._decide(spec, message, recorded, snapshot)
            place = f"{topics.TURNS.name}[{record.partition}]@{record.offset}"
            subject = f"gates of {self.name} on snapshot {message.snapshot_id}"
            result.counts["gate decisions"] += 1
            expected = _text(recorded, asked=isinstance(message, TurnStarted))
            again = _text(found.reason, asked=found.asked)
            if result.expect(expected == again, place, subject, expected, again) and found.asked:
                self._check_calls(message, found, result, (place, subject))
        self.skip()

    def _check_calls(
        self,
        message: Decided,
        found: GateDecision,
        result: TurnReplayResult,
        where: tuple[str, str],
    ) -> None:
        """Check that the caps allowed as many calls as the turn was given."""
        allowed = message.calls_max if isinstance(message, TurnStarted) else None
        most = found.calls_max
        fits = allowed is None if most is None else allowed is not None and allowed <= most
        result.expect(fits, *where, f"at most {allowed} calls", f"at most {most}")

    def _is_repeated(self, message: Decided) -> bool:
        """True for a second record about snapshots that are covered already."""
        return message.snapshot_offset <= self._history.covered

    def _decide(
        self,
        spec: AgentSpec,
        message: Decided,
        recorded: str,
        snapshot: MarketSnapshot,
    ) -> GateDecision:
        gates = spec.gates
        causes: tuple[WakeCause, ...] = ()
        if isinstance(message, TurnStarted) and recorded in WAKE_CAUSES:
            causes = (WakeCause(recorded, message.asked_by),)
        elif recorded in CAPS and gates is not None:
            # A cause that the cap kept from waking the agent is not recorded.
            causes = tuple(WakeCause(cause, "") for cause in gates.wake_on)
        return decide(
            gates,
            spec.cadence,
            self._history.last_turn,
            self._history.calls,
            offset=message.snapshot_offset,
            as_of=snapshot.as_of,
            mids=mids_of(snapshot, gates),
            causes=causes,
            calls_min=calls_min(spec.turn_kind),
            turns=self._history.turns,
        )

    def _advance(self) -> None:
        """Fold up to the next decision."""
        self._next = None
        for record, message in self._records:
            if isinstance(message, Turn):
                self._history.end(message)
            else:
                self._next = record, message
                return


def replay_gates(
    snapshots: Iterator[Record], agents: Sequence[GatedAgent], result: TurnReplayResult
) -> None:
    """Check every decision of the gates that can be made again.

    Args:
        snapshots: The records of `market.snapshots`, oldest first.
        agents: The gated agents.
        result: Gets counts and differences.
    """
    for record in snapshots:
        due = [agent for agent in agents if agent.offset is not None]
        if not due:
            return
        for agent in due:
            while agent.offset is not None and agent.offset < record.offset:
                agent.skip()
        waiting = [agent for agent in due if agent.offset == record.offset]
        snapshot = record.message_or_none() if waiting else None
        for agent in waiting:
            while agent.offset == record.offset:
                if isinstance(snapshot, MarketSnapshot):
                    agent.check(snapshot, result)
                else:
                    agent.skip()


def _only_reason(skipped: SkippedSnapshots) -> str:
    """The reason of a record of one snapshot that a gate held back, else ""."""
    reasons = [*skipped.counts]
    single = skipped.first_offset == skipped.snapshot_offset and len(reasons) == 1
    return reasons[0] if single and reasons[0] not in MISSED else ""


def _text(reason: str, *, asked: bool) -> str:
    return f"asked for {reason}" if asked else f"skipped for {reason}"
