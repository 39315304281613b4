"""An agent's recorded inbox, as a replay reads it. Pure."""

from collections.abc import Container, Iterator

from arena.bus.base import Record
from arena.messages import ChatReply, ToolResult
from routers.reply_buffer import Reply

LOOK_AHEAD_MAX = 512
"""How many replies are read ahead of the turn that needs one of them."""


class RecordedInbox:
    """The replies to an agent, read forward only as far as needed.

    Args:
        records: The records of the inbox.
        request_ids: Ids of all recorded requests; replies to anything else are skipped.
    """

    def __init__(self, records: Iterator[Record], request_ids: Container[str]) -> None:
        """Take the records; `find` reads them."""
        self._records = records
        self._request_ids = request_ids
        self._found: dict[str, tuple[int, Reply]] = {}
        self._count = 0

    def find(self, call_id: str) -> tuple[int, Reply] | None:
        """The first reply to a call and its position among all replies, or None."""
        while call_id not in self._found and len(self._found) < LOOK_AHEAD_MAX:
            record = next(self._records, None)
            if record is None:
                break
            message = record.message_or_none()
            if isinstance(message, ChatReply | ToolResult) and message.call_id in self._request_ids:
                self._count += 1
                self._found.setdefault(message.call_id, (self._count, message))
        return self._found.get(call_id)

    def forget(self, turn_id: str) -> None:
        """Drop the replies to a turn that has ended, and all older ones."""
        newest = max((n for n, a in self._found.values() if a.turn_id == turn_id), default=0)
        self._found = {i: (n, a) for i, (n, a) in self._found.items() if n > newest}
