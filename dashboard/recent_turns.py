"""What agents did and thought, from the newest records of `agent.turns`. Pure.

A turn that was appended twice counts once: the later record replaces the earlier.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime

from arena.agent_health import AgentHealth, is_decision
from arena.messages import Turn, TurnStarted
from dashboard.offset_window import OffsetWindow

TURNS_WINDOW = 4_000
"""Newest records read of each partition; a turn is two records of together 10 to 50 KB."""
TURNS_KEPT = 24
"""Whole turns kept per agent, for the screen that shows them."""

Outcome = tuple[int, str, int, bool]
"""Of a turn: offset, outcome, skipped snapshots, and whether it was a decision."""


@dataclass(slots=True)
class AgentTurns:
    """One agent's turns within the window.

    Attributes:
        newest_turns: The newest whole turns by turn id, oldest first.
        outcomes: Turn id -> offset, outcome, skipped snapshots, and whether it was a decision, of
            every turn in the window.
        started: The newest turn that was begun: its id, when, and the offset.
        aborted: RecentTurns in the window that a crash cut off.
        skipped: Snapshots that were passed over for newer ones, in the window.
        decided: RecentTurns in the window that hold a decision.
    """

    newest_turns: OrderedDict[str, Turn] = field(default_factory=OrderedDict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    started: tuple[str, datetime, int] | None = None
    aborted: int = 0
    skipped: int = 0
    decided: int = 0

    @property
    def newest(self) -> Turn | None:
        """The turn that ended last."""
        return next(reversed(self.newest_turns.values()), None)

    @property
    def count(self) -> int:
        """RecentTurns that ended."""
        return len(self.outcomes)

    def count_turn(self, turn_id: str, offset: int, turn: Turn) -> None:
        """Count a turn; one of the same id is forgotten first."""
        self.forget(turn_id)
        decided = is_decision(turn)
        self.outcomes[turn_id] = (offset, turn.outcome, turn.skipped_snapshots, decided)
        self.decided += decided
        self.aborted += turn.outcome == "aborted"
        self.skipped += turn.skipped_snapshots
        self.newest_turns[turn_id] = turn
        if len(self.newest_turns) > TURNS_KEPT:
            self.newest_turns.popitem(last=False)

    def forget(self, turn_id: str) -> None:
        """Take a turn out of the counts."""
        if turn_id in self.outcomes:
            _, outcome, skipped, decided = self.outcomes.pop(turn_id)
            self.decided -= decided
            self.aborted -= outcome == "aborted"
            self.skipped -= skipped
            self.newest_turns.pop(turn_id, None)

    def vital(self, agent: str) -> AgentHealth:
        """The health of the agent, from the turns in the window."""
        run = 0
        for _, outcome, _, decided in reversed(self.outcomes.values()):
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
        vital = AgentHealth(agent, turns=turns - 1, decisions=self.decided, failed_run=run - 1)
        vital.apply(newest)
        return vital

    def deciding_since(self) -> datetime | None:
        """When the turn under way began; None where the newest turn has ended."""
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
        """Note a record, and forget what falls out of the window."""
        for agent, turn_id, at in self.window.advance(partition, offset):
            self._forget(agent, turn_id, at)

    def _forget(self, agent: str, turn_id: str, offset: int) -> None:
        turns = self.agents[agent]
        if turns.outcomes.get(turn_id, (None,))[0] == offset:
            turns.forget(turn_id)
        if turns.started is not None and turns.started[2] == offset:
            turns.started = None
        if not turns.outcomes and turns.started is None:
            del self.agents[agent]

    def ended(self, partition: int, offset: int, turn: Turn) -> None:
        """Take a whole turn."""
        turns = self.agents.setdefault(turn.agent, AgentTurns())
        turns.count_turn(turn.turn_id, offset, turn)
        self.window.add(partition, offset, (turn.agent, turn.turn_id, offset))

    def started(self, partition: int, offset: int, turn: TurnStarted) -> None:
        """Take the evidence that a turn was begun."""
        turns = self.agents.setdefault(turn.agent, AgentTurns())
        turns.started = (turn.turn_id, turn.started_at, offset)
        self.window.add(partition, offset, (turn.agent, turn.turn_id, offset))
