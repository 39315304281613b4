"""Buffers the replies to one turn until its state machine takes them: the first per call counts.

A reply can arrive before its call is made: when a turn is run again, the process that made the call
first is gone. Pure: reads and writes nothing.
"""

from collections.abc import Collection, Iterable

from arena.messages import ChatReply, Message, ToolResult

REPLIES_MAX = 256
"""Replies that may wait for a turn; more are dropped."""

Reply = ChatReply | ToolResult


class ReplyBuffer:
    """Model replies and tool results of the current turn, by the id of their call."""

    def __init__(self) -> None:
        """Start without a turn: everything is dropped until `begin`."""
        self._turn_id = ""
        self._waiting: dict[str, Reply] = {}
        self._taken: set[str] = set()

    def __bool__(self) -> bool:
        """True if a reply is waiting."""
        return bool(self._waiting)

    def begin(self, turn_id: str) -> None:
        """Accept the replies of this turn from now on."""
        self._turn_id = turn_id
        self._waiting = {}
        self._taken = set()

    def put(self, message: Message) -> bool:
        """Buffer a reply; False if it is not wanted: a duplicate, or one of another turn."""
        if not isinstance(message, ChatReply | ToolResult) or message.turn_id != self._turn_id:
            return False
        call_id = message.call_id
        if call_id in self._waiting or call_id in self._taken or len(self._waiting) >= REPLIES_MAX:
            return False
        self._waiting[call_id] = message
        return True

    def put_earlier(self, older: Iterable[Reply]) -> None:
        """Buffer replies that were in the inbox before everything that was put so far."""
        found: dict[str, Reply] = {}
        for reply in older:
            if reply.turn_id == self._turn_id:
                found.setdefault(reply.call_id, reply)
        self._waiting = found | {k: v for k, v in self._waiting.items() if k not in found}

    def has(self, call_id: str) -> bool:
        """True if the reply to a call is waiting."""
        return call_id in self._waiting

    def take(self, awaited: Collection[str]) -> Reply | None:
        """Remove and return the oldest reply to one of these calls, or None."""
        call_id = next((c for c in self._waiting if c in awaited), None)
        if call_id is None:
            return None
        self._taken.add(call_id)
        return self._waiting.pop(call_id)

    def end(self) -> int:
        """End the turn and return how many replies were left over."""
        unread = len(self._waiting)
        self.begin("")
        return unread
