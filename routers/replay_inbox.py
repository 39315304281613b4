"""The answers that an agent was given, as a replay reads them. Pure."""

from collections.abc import Container, Iterator

from arena.bus.base import Record
from arena.errors import Malformed
from arena.messages import ChatReply, Message, ToolResult

LOOK_AHEAD_MAX = 512
"""Answers of an inbox that are read ahead of the turn that wants one of them."""

Answer = ChatReply | ToolResult


class Inbox:
    """An agent's answers, read forward as far as one is asked for.

    Args:
        records: Of its topic.
        asked: Ids of what was asked; other answers are passed over.
    """

    def __init__(self, records: Iterator[Record], asked: Container[str]) -> None:
        """Read nothing yet."""
        self._records = records
        self._wanted = asked
        self._kept: dict[str, tuple[int, Answer]] = {}
        self._count = 0

    def pull(self, call_id: str) -> tuple[int, Answer] | None:
        """The first answer to a call."""
        while call_id not in self._kept and len(self._kept) < LOOK_AHEAD_MAX:
            record = next(self._records, None)
            if record is None:
                break
            message = message_in(record)
            if isinstance(message, ChatReply | ToolResult) and message.call_id in self._wanted:
                self._count += 1
                self._kept.setdefault(message.call_id, (self._count, message))
        return self._kept.get(call_id)

    def forget(self, turn_id: str) -> None:
        """A turn is over, and so is everything older: its answers are no longer wanted."""
        newest = max((n for n, a in self._kept.values() if a.turn_id == turn_id), default=0)
        self._kept = {i: (n, a) for i, (n, a) in self._kept.items() if n > newest}


def message_in(record: Record) -> Message | None:
    """The message in a record; None if there is none that can be read."""
    if record.value is None:
        return None
    try:
        return record.message()
    except Malformed:
        return None
