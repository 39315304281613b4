"""The answers of one turn on their way to its machine: the first of each call counts.

An answer may come before its call is made, where a turn is run again and the process that made the
call first is no more. Pure: reads and writes nothing.
"""

from collections.abc import Collection, Iterable

from arena.messages import ChatReply, Message, ToolResult

MAIL_MAX = 256
"""Answers that may wait for a turn; more are dropped."""

Answer = ChatReply | ToolResult


class Mail:
    """Replies and results of the turn that is played, by the id of their call."""

    def __init__(self) -> None:
        """No turn is played."""
        self._turn_id = ""
        self._waiting: dict[str, Answer] = {}
        self._taken: set[str] = set()

    def __bool__(self) -> bool:
        """True where an answer waits."""
        return bool(self._waiting)

    def begin(self, turn_id: str) -> None:
        """From now on keep the answers of this turn."""
        self._turn_id = turn_id
        self._waiting = {}
        self._taken = set()

    def put(self, message: Message) -> bool:
        """Keep an answer; False where nobody waits for it: a second one, or another turn's."""
        if not isinstance(message, ChatReply | ToolResult) or message.turn_id != self._turn_id:
            return False
        call_id = message.call_id
        if call_id in self._waiting or call_id in self._taken or len(self._waiting) >= MAIL_MAX:
            return False
        self._waiting[call_id] = message
        return True

    def put_before(self, older: Iterable[Answer]) -> None:
        """Keep answers that were in the inbox before everything that was put so far."""
        found: dict[str, Answer] = {}
        for answer in older:
            if answer.turn_id == self._turn_id:
                found.setdefault(answer.call_id, answer)
        self._waiting = found | {k: v for k, v in self._waiting.items() if k not in found}

    def has(self, call_id: str) -> bool:
        """True where the answer of a call is here."""
        return call_id in self._waiting

    def take(self, awaited: Collection[str]) -> Answer | None:
        """The oldest answer to one of these calls, or None."""
        call_id = next((c for c in self._waiting if c in awaited), None)
        if call_id is None:
            return None
        self._taken.add(call_id)
        return self._waiting.pop(call_id)

    def end(self) -> int:
        """The turn is over: keep nothing more; returns how many answers nobody waited for."""
        unread = len(self._waiting)
        self.begin("")
        return unread
