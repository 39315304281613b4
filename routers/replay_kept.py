"""What of a recorded turn is still there: topics are kept for 7 to 90 days, turns forever. Pure.

A turn whose request or answers were deleted by a topic's retention cannot be played again, but the
agent remembered it. Without its request it is not forged: retention deletes a beginning, so only
turns that are as old as the oldest record that is left can have lost theirs.
"""

from collections.abc import Container, Iterator, Mapping
from datetime import UTC, datetime

from arena import ids, topics
from arena.bus.base import Record
from arena.export_files import TopicFile
from arena.messages import Turn
from arena.topics import partition_of

ASKED_IN = (topics.COMMANDS.name, topics.TOOL_CALLS.name)
NEVER = datetime.max.replace(tzinfo=UTC)
"""Since when a partition is whole of which nothing is left."""

Part = tuple[str, int]


class KeptRecords:
    """Since when the requests and answers of the agents are there.

    Args:
        held: What of every topic is in the export.
        asked: Ids of all requests and tool calls that are there.
    """

    def __init__(self, held: Mapping[str, TopicFile], asked: Container[str]) -> None:
        """Know of no record."""
        self._held = held
        self._asked = asked
        self._first: dict[Part, datetime] = {}

    def note(self, record: Record) -> None:
        """Take a record of requests, tool calls or answers, oldest first in each partition."""
        part = (record.topic, record.partition)
        if part not in self._first:
            self._first[part] = datetime.fromtimestamp(record.timestamp_ms / 1000, UTC)

    def has_all(self, turn: Turn) -> bool:
        """True if what the turn asked and was answered is there."""
        return self._was_asked(turn) and turn.started_at > self._since(topics.inbox(turn.agent), 0)

    def is_forged(self, turn: Turn) -> bool:
        """True if a turn has a prompt that no model was asked, and that was not deleted."""
        if not turn.messages or ids.model_call_id(turn.turn_id, 0) in self._asked:
            return False
        return turn.started_at > self._since(*next(self._parts(turn)))

    def _was_asked(self, turn: Turn) -> bool:
        wanted = (i for r in turn.rounds for i in (r.call_id, *r.tool_call_ids))
        if all(call in self._asked for call in wanted):
            return True
        return turn.started_at > max(self._since(*part) for part in self._parts(turn))

    def _parts(self, turn: Turn) -> Iterator[Part]:
        for topic in (topics.prompted(turn.node), *ASKED_IN):
            held = self._held.get(topic)
            yield topic, partition_of(turn.agent, len(held.partitions)) if held else 0

    def _since(self, topic: str, partition: int) -> datetime:
        """Since when a partition is whole."""
        held = self._held.get(topic)
        span = held.partitions.get(partition) if held else None
        if span is None or not span.first:
            return datetime.min.replace(tzinfo=UTC)
        return self._first.get((topic, partition), NEVER)
