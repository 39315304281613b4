"""Records in, a season out: incremental, and the same in whatever order topics are read. Pure.

Within a partition records come in order; between partitions and topics any order gives the same
season. What cannot be read is counted and named in the season's assumptions, never fatal.
"""

from collections import defaultdict

from arena import topics
from arena.bus.base import Record
from arena.errors import Malformed
from arena.messages import AgentSpec, LlmCall, MarketSnapshot, Message, Rules, Turn, TurnStarted
from judge.season.assemble import Folded, assemble
from judge.season.books import Books
from judge.season.market import Market
from judge.season.model import Season
from judge.season.thinking import Thinking

_TOPICS = frozenset(
    spec.name
    for spec in (topics.ROSTER, topics.SNAPSHOTS, topics.EVENTS, topics.TURNS, topics.LLM_CALLS)
)


class SeasonBuilder:
    """Folds the records of a contest; `season` may be asked for at any time.

    Args:
        pacing: What the competition says of its pacing, or None where nobody told.

    Attributes:
        folded: The parts, each folded from its topic.
        ends: Topic -> partition -> offset behind the last record that was applied.
    """

    def __init__(self, pacing: str | None = None) -> None:
        """Know nothing yet."""
        self.folded = Folded(market=Market(), books=Books(), thinking=Thinking(), pacing=pacing)
        self.ends: dict[str, dict[int, int]] = defaultdict(dict)

    def apply(self, record: Record) -> None:
        """Fold one record; one of another topic is passed over."""
        if record.topic not in _TOPICS:
            return
        self.ends[record.topic][record.partition] = record.offset + 1
        if record.topic == topics.SNAPSHOTS.name:
            self.folded.first_offsets.setdefault(record.partition, record.offset)
        if record.topic == topics.EVENTS.name:
            self.folded.books.apply(record)
            return
        if record.value is None:
            self._forget(record)
            return
        try:
            message = record.message()
        except Malformed as error:
            where = f"{record.topic}[{record.partition}]@{record.offset}"
            self.folded.note_malformed(record.topic, f"{where}: {error}")
            return
        self._take(message, record)

    def _take(self, message: Message, record: Record) -> None:
        folded = self.folded
        match message:
            case MarketSnapshot():
                folded.market.apply(record.partition, record.offset, message)
            case Turn():
                folded.thinking.ended(message)
            case TurnStarted():
                folded.thinking.started(message)
            case LlmCall():
                folded.thinking.called(message)
            case AgentSpec():
                folded.roster[message.agent] = message
            case Rules():
                folded.rules = message

    def _forget(self, record: Record) -> None:
        if record.topic == topics.ROSTER.name and record.key_text.startswith("agent/"):
            self.folded.roster.pop(record.key_text.removeprefix("agent/"), None)

    @property
    def snapshots(self) -> int:
        """Snapshots that count, so far."""
        return len(self.folded.market.points)

    def season(self, upto: int | None = None) -> Season:
        """The season as it is known now.

        Args:
            upto: Index of the last snapshot of a part of it: the season then holds what was
                decided on the snapshots up to that one, and the entries that had decided.

        Raises:
            IndexError: There is no snapshot `upto` yet.
        """
        if upto is not None and not 0 <= upto < self.snapshots:
            raise IndexError(f"snapshot {upto} of {self.snapshots}")
        ends = {topic: dict(sorted(found.items())) for topic, found in sorted(self.ends.items())}
        return assemble(self.folded, ends, upto)
