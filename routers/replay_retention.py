"""Which records of a turn retention has left: most topics keep 7 to 90 days, turns forever. Pure.

A turn whose request or replies were deleted by retention cannot be replayed, but it is part of the
agent's history. A turn without its request is not always forged: retention deletes the oldest
records, so turns that are as old as the oldest record left may have lost theirs.
"""

from collections.abc import Container, Iterator, Mapping
from datetime import UTC, datetime

from arena import ids, topics
from arena.bus.base import Record
from arena.export_files import TopicFile
from arena.messages import Turn
from arena.topics import partition_of

CALL_TOPICS = (topics.COMMANDS.name, topics.TOOL_CALLS.name)
NEVER = datetime.max.replace(tzinfo=UTC)
"""Since when a partition is complete if it has no record left."""

PartitionKey = tuple[str, int]


class RetainedRecords:
    """Since when the requests and replies of the agents are complete.

    Args:
        topic_files: Topic -> its part in the export.
        request_ids: Ids of all requests and tool calls in the export.
    """

    def __init__(self, topic_files: Mapping[str, TopicFile], request_ids: Container[str]) -> None:
        """Start without records; `add` takes them."""
        self._files = topic_files
        self._request_ids = request_ids
        self._first: dict[PartitionKey, datetime] = {}

    def add(self, record: Record) -> None:
        """Add a record of a request, tool call or reply, oldest first in each partition."""
        part = (record.topic, record.partition)
        if part not in self._first:
            self._first[part] = datetime.fromtimestamp(record.timestamp_ms / 1000, UTC)

    def has_all(self, turn: Turn) -> bool:
        """True if the turn's requests and replies are complete."""
        return self._has_requests(turn) and turn.started_at > self._complete_since(
            topics.inbox(turn.agent), 0
        )

    def is_forged(self, turn: Turn) -> bool:
        """True if a turn has a prompt without a request, and retention does not explain it."""
        first = (turn.rounds[0].stage, turn.rounds[0].role) if turn.rounds else ()
        if not turn.messages or ids.model_call_id(turn.turn_id, 0, *first) in self._request_ids:
            return False
        return turn.started_at > self._complete_since(*next(self._partitions(turn)))

    def _has_requests(self, turn: Turn) -> bool:
        wanted = (i for r in turn.rounds for i in (r.call_id, *r.tool_call_ids))
        if all(call in self._request_ids for call in wanted):
            return True
        return turn.started_at > max(self._complete_since(*part) for part in self._partitions(turn))

    def _partitions(self, turn: Turn) -> Iterator[PartitionKey]:
        for topic in (topics.prompted(turn.node), *CALL_TOPICS):
            topic_files = self._files.get(topic)
            yield topic, partition_of(turn.agent, len(topic_files.partitions)) if topic_files else 0

    def _complete_since(self, topic: str, partition: int) -> datetime:
        """Since when a partition is complete."""
        topic_files = self._files.get(topic)
        span = topic_files.partitions.get(partition) if topic_files else None
        if span is None or not span.first:
            return datetime.min.replace(tzinfo=UTC)
        return self._first.get((topic, partition), NEVER)
