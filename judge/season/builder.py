"""Folds records into a season, incrementally and independently of the topic order. Pure.

Records of a partition must come in order; partitions and topics may be interleaved in any way.
Unreadable records are counted and named in the season's assumptions; they are never fatal.
"""

from collections import defaultdict
from collections.abc import Callable

from arena import topics
from arena.bus.base import Record
from arena.errors import Malformed
from arena.messages import (
    AGENT,
    AgentSpec,
    LlmCall,
    MarketSnapshot,
    Message,
    Rules,
    SkippedSnapshots,
    Turn,
    TurnStarted,
)
from judge.season.accounts_fold import AccountsFold
from judge.season.assemble import SeasonFolds, assemble
from judge.season.market_fold import MarketFold
from judge.season.turns_fold import TurnsFold
from judge.season.types import Season

_TOPICS = frozenset(
    spec.name
    for spec in (topics.ROSTER, topics.SNAPSHOTS, topics.EVENTS, topics.TURNS, topics.LLM_CALLS)
)


class SeasonBuilder:
    """Folds the records of a contest; `season` can be called at any time.

    Attributes:
        folds: The folds of the topics.
        ends: Topic -> partition -> offset after the last applied record.
    """

    def __init__(
        self, pacing: str | None = None, take_turn: Callable[[Turn], None] | None = None
    ) -> None:
        """Create an empty season.

        Args:
            pacing: The competition's pacing; None if it is not known.
            take_turn: Called with every turn that was not read before.
        """
        self._take_turn = take_turn
        self.folds = SeasonFolds(
            market=MarketFold(), accounts=AccountsFold(), turns=TurnsFold(), pacing=pacing
        )
        self.ends: dict[str, dict[int, int]] = defaultdict(dict)

    def apply(self, record: Record) -> None:
        """Fold one record; a record of another topic is ignored."""
        if record.topic not in _TOPICS:
            return
        self.ends[record.topic][record.partition] = record.offset + 1
        if record.topic == topics.SNAPSHOTS.name:
            self.folds.first_offsets.setdefault(record.partition, record.offset)
        if record.topic == topics.EVENTS.name:
            self.folds.accounts.apply(record)
            return
        if record.value is None:
            self._remove_from_roster(record)
            return
        try:
            message = record.message()
        except Malformed as error:
            where = f"{record.topic}[{record.partition}]@{record.offset}"
            self.folds.note_malformed(record.topic, f"{where}: {error}")
            return
        self._take(message, record)

    def _take(self, message: Message, record: Record) -> None:
        folds = self.folds
        match message:
            case MarketSnapshot():
                folds.market.apply(record.partition, record.offset, message)
            case Turn():
                if folds.turns.note_ended(message) and self._take_turn is not None:
                    self._take_turn(message)
            case TurnStarted():
                folds.turns.note_started(message)
            case SkippedSnapshots():
                folds.turns.note_skipped(message)
            case LlmCall() if message.asker == AGENT:
                folds.turns.note_called(message)
            case AgentSpec():
                folds.roster[message.agent] = message
            case Rules():
                folds.rules = message

    def _remove_from_roster(self, record: Record) -> None:
        if record.topic == topics.ROSTER.name and record.key_text.startswith("agent/"):
            self.folds.roster.pop(record.key_text.removeprefix("agent/"), None)

    @property
    def snapshots(self) -> int:
        """Number of snapshots that count so far."""
        return len(self.folds.market.snapshots)

    def season(self, upto: int | None = None) -> Season:
        """Return the season read so far.

        Args:
            upto: Index of the last snapshot to include: the season then holds the decisions on the
                snapshots up to that one, and the entries that made them. None for all.

        Raises:
            IndexError: Snapshot `upto` does not exist yet.
        """
        if upto is not None and not 0 <= upto < self.snapshots:
            raise IndexError(f"snapshot {upto} of {self.snapshots}")
        ends = {topic: dict(sorted(found.items())) for topic, found in sorted(self.ends.items())}
        return assemble(self.folds, ends, upto)
