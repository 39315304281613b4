"""One agent in a replay: its recorded turns in log order, and its history so far. Pure."""

from collections.abc import Iterator

from arena import topics
from arena.bus.base import Record
from arena.messages import SkippedSnapshots, Turn, TurnStarted
from arena.versions import VersionsInOrder, recorded_by
from routers.memory import AgentHistory
from routers.replay_inbox import RecordedInbox
from routers.replay_roster import RosterHistory

TURNS = topics.TURNS.name


class RecordedAgent:
    """One agent: its turns in log order, its inbox, and its history so far.

    Args:
        name: The agent.
        roster: The roster over time.
        turns: Its records of `agent.turns` that count.
        inbox: Its inbox, if the export has it.

    Attributes:
        history: What the agent remembers before the next turn.
        skipped: Snapshots that it missed before the next turn.
        version: The version that recorded the next turn; "" for this one.
        next: The next turn that counts, and its position in the log; None after the last.
    """

    def __init__(
        self,
        name: str,
        roster: RosterHistory,
        turns: Iterator[tuple[Record, TurnStarted | Turn | SkippedSnapshots]],
        inbox: RecordedInbox | None,
    ) -> None:
        """Read up to the first turn."""
        self.name = name
        self.inbox = inbox
        self._roster = roster
        self.history = AgentHistory()
        self.skipped = 0
        self._turns = turns
        self._versions = VersionsInOrder()
        self.version = ""
        self.next: tuple[str, Turn] | None = self._advance()

    def end(self, turn: Turn) -> None:
        """Add a turn to the history, and go to the next one."""
        self.history.end(turn)
        if self.inbox is not None:
            self.inbox.forget(turn.turn_id)
        self.next = self._advance()

    def _advance(self) -> tuple[str, Turn] | None:
        """The next turn that counts, and its position in the log."""
        for record, message in self._turns:
            if isinstance(message, SkippedSnapshots):
                self.history.skip(message)
            elif isinstance(message, TurnStarted):
                spec = self._roster.spec_at(self.name, message.started_at)
                offset = message.snapshot_offset
                self.skipped = self.history.skipped_before(offset, spec.cadence)
                self.history.begin(message)
            else:
                today = self._versions.is_current(record)
                self.version = "" if today else recorded_by(record)
                return f"{TURNS}[{record.partition}]@{record.offset}", message
        return None
