"""The agents' newest turns, from the newest records of `agent.turns`. Pure.

A turn that was appended twice counts once: the later record replaces the earlier one.
"""

from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from arena.agent_health import AgentHealth, is_decision
from arena.gate_counts import GateFigures, covers_new_snapshots, skipped_by_reason
from arena.messages import SkippedSnapshots, Turn, TurnStarted
from dashboard.model.offset_window import OffsetWindow

TURNS_WINDOW = 4_000
"""Newest records of each partition that are used; a turn is two records of 10 to 50 KB in total."""
TURNS_KEPT = 24
"""Whole turns kept per agent, for the screen that shows them."""

Outcome = tuple[int, str, int, bool, int, int, Decimal | None, tuple[str, ...]]
"""Offset, outcome and skipped snapshots of a turn, whether it holds a decision, its end in Unix
milliseconds, its model calls and their cost (None if a price is unknown), and the ids of feedback
that it used."""
Skip = tuple[datetime, int, dict[str, int]]
"""Venue time and last snapshot of a record of skipped ones, and their number by reason."""


@dataclass(slots=True)
class AgentTurns:
    """One agent's turns within the window.

    Attributes:
        newest_turns: The newest whole turns by turn id, oldest first.
        outcomes: Turn id -> outcome, for every turn in the window.
        started: The newest started turn: its id, wall time and offset; None if there is none.
        aborted: Turns in the window that a crash aborted.
        skipped: Snapshots in the window that were skipped for newer ones.
        decided: Turns in the window that hold a decision.
        skips: Offset -> record of skipped snapshots, for those in the window.
    """

    newest_turns: OrderedDict[str, Turn] = field(default_factory=OrderedDict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    started: tuple[str, datetime, int] | None = None
    aborted: int = 0
    skipped: int = 0
    decided: int = 0
    skips: dict[int, Skip] = field(default_factory=dict)

    @property
    def newest(self) -> Turn | None:
        """The turn that ended last."""
        return next(reversed(self.newest_turns.values()), None)

    @property
    def count(self) -> int:
        """Number of turns that ended."""
        return len(self.outcomes)

    def count_turn(self, turn_id: str, offset: int, turn: Turn) -> None:
        """Count a turn, in place of an earlier record of it."""
        self.forget(turn_id)
        decided = is_decision(turn)
        ended_ms = int(turn.ended_at.timestamp() * 1000)
        cost = Decimal(0) if turn.scripted or not turn.rounds else turn.usage.cost_usd
        used = turn.owner.feedback if decided and turn.owner is not None else ()
        spent = len(turn.rounds), cost, used
        missed = turn.skipped_snapshots
        self.outcomes[turn_id] = (offset, turn.outcome, missed, decided, ended_ms, *spent)
        self.decided += decided
        self.aborted += turn.outcome == "aborted"
        self.skipped += turn.skipped_snapshots
        self.newest_turns[turn_id] = turn
        if len(self.newest_turns) > TURNS_KEPT:
            self.newest_turns.popitem(last=False)

    def forget(self, turn_id: str) -> None:
        """Remove a turn from the counts."""
        if turn_id in self.outcomes:
            _, outcome, skipped, decided, *_ = self.outcomes.pop(turn_id)
            self.decided -= decided
            self.aborted -= outcome == "aborted"
            self.skipped -= skipped
            self.newest_turns.pop(turn_id, None)

    def add_skip(self, offset: int, skipped: SkippedSnapshots) -> bool:
        """Add a record of skipped snapshots; False if the one before covers them."""
        as_of, newest, _ = next(reversed(self.skips.values()), (None, -1, {}))
        if not covers_new_snapshots(skipped, newest, as_of):
            return False
        self.skips[offset] = (skipped.as_of, skipped.snapshot_offset, dict(skipped.counts))
        return True

    def gates(self, settings: str) -> GateFigures:
        """What the gates did in the window, with their settings as text."""
        recorded: Counter[str] = Counter()
        for _, _, counts in self.skips.values():
            recorded.update(counts)
        costs = [one[6] for one in self.outcomes.values()]
        known = [cost for cost in costs if cost is not None]
        return GateFigures(
            gates=settings,
            asked=self.count,
            skipped=skipped_by_reason(recorded, self.skipped),
            calls=sum(one[5] for one in self.outcomes.values()),
            cost_usd=sum(known, Decimal(0)) if len(known) == len(costs) else None,
        )

    def health(self, agent: str) -> AgentHealth:
        """The health of the agent, from the turns in the window."""
        run = 0
        for _, outcome, _, decided, *_ in reversed(self.outcomes.values()):
            if decided:
                break
            run += outcome != "aborted"
        if not run:
            return AgentHealth(agent, turns=self.decided, decisions=self.decided)
        ended = ((one[1], one[3]) for one in self.outcomes.values())
        turns = sum(decided or outcome != "aborted" for outcome, decided in ended)
        failed = (
            turn for turn in reversed(self.newest_turns.values()) if turn.outcome != "aborted"
        )
        if (newest := next(failed, None)) is None:
            return AgentHealth(agent, turns=turns, decisions=self.decided, failed_run=run)
        health = AgentHealth(agent, turns=turns - 1, decisions=self.decided, failed_run=run - 1)
        health.apply(newest)
        return health

    def failing_since(self) -> datetime | None:
        """End of the first turn of those without a decision up to the newest; None without one."""
        first_ms: int | None = None
        for _, outcome, _, decided, ended_ms, *_ in reversed(self.outcomes.values()):
            if decided:
                break
            first_ms = first_ms if outcome == "aborted" else ended_ms
        return None if first_ms is None else datetime.fromtimestamp(first_ms / 1000, UTC)

    def used_feedback(self) -> set[str]:
        """Ids of the feedback that turns in the window used."""
        return {one for outcome in self.outcomes.values() for one in outcome[7]}

    def nothing_waited_before_ms(self) -> int:
        """Feedback that was sent before this Unix millisecond does not wait; 0 if unknown.

        A decision without feedback had none to show, so what came two turns before was used, also
        by turns that have left the window. Two: words may be read before the turn before ended.
        """
        ended = list(self.outcomes.values())
        blank = (n for n in range(len(ended) - 1, 1, -1) if ended[n][3] and not ended[n][7])
        newest = next(blank, None)
        return 0 if newest is None else ended[newest - 2][4]

    def deciding_since(self) -> datetime | None:
        """Wall time at which the turn in progress started; None if there is none."""
        if self.started is None or self.started[0] in self.outcomes:
            return None
        return self.started[1]


class RecentTurns:
    """The turns of every agent."""

    def __init__(self) -> None:
        """Start empty."""
        self.window: OffsetWindow[tuple[str, str, int]] = OffsetWindow(TURNS_WINDOW)
        self.agents: dict[str, AgentTurns] = {}

    def advance(self, partition: int, offset: int) -> None:
        """Note a record, and remove the turns that leave the window."""
        for agent, turn_id, at in self.window.advance(partition, offset):
            self._forget(agent, turn_id, at)

    def _forget(self, agent: str, turn_id: str, offset: int) -> None:
        turns = self.agents[agent]
        turns.skips.pop(offset, None)
        if turns.outcomes.get(turn_id, (None,))[0] == offset:
            turns.forget(turn_id)
        if turns.started is not None and turns.started[2] == offset:
            turns.started = None
        if not (turns.outcomes or turns.skips or turns.started):
            del self.agents[agent]

    def ended(self, partition: int, offset: int, turn: Turn) -> None:
        """Add a turn that ended."""
        turns = self.agents.setdefault(turn.agent, AgentTurns())
        turns.count_turn(turn.turn_id, offset, turn)
        self.window.add(partition, offset, (turn.agent, turn.turn_id, offset))

    def started(self, partition: int, offset: int, turn: TurnStarted) -> None:
        """Add the record of a turn's start."""
        turns = self.agents.setdefault(turn.agent, AgentTurns())
        turns.started = (turn.turn_id, turn.started_at, offset)
        self.window.add(partition, offset, (turn.agent, turn.turn_id, offset))

    def skipped(self, partition: int, offset: int, skipped: SkippedSnapshots) -> None:
        """Add a record of skipped snapshots."""
        turns = self.agents.setdefault(skipped.agent, AgentTurns())
        if turns.add_skip(offset, skipped):
            self.window.add(partition, offset, (skipped.agent, "", offset))
