"""Folds the records of `arena.control` into the kill switch: the halts in force. Pure.

The scope of a record is its key: "all", or "agent/<name>". The newest record of a key counts, so a
compacted topic folds to the same state. An unreadable record halts its scope, because it may have
been a halt. Records with other keys change nothing; those of risk limits, of preferences and of
requests for evaluations are read elsewhere.

At most `SCOPES_MAX` scopes are kept. One more halts all agents until the topic is folded again.
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime

from arena.bus.base import Record
from arena.errors import Malformed, UsageError
from arena.ids import check_name
from arena.messages import Halt, Message, PassOver, Resume
from arena.owner_words import is_coaching_key
from arena.risk_requests import scope_of_request

ALL_AGENTS = "all"
AGENT_KEY = "agent/"
CONFIRMED = "control"
"""The detail of an executor's heartbeat with the offset up to which the owner of each shard has
read the topic: shard -> {"epoch": int, "read_to": {partition: offset}}."""
HALTED_COUNT = "halted_count"
"""The detail with the number of halted scopes, if "halted" does not name all of them."""
WHY_CHARS_MAX = 300
"""Limit of a reason or an error in a refusal, which is recorded in `account.events`."""
SCOPES_MAX = 10_000
"""Limit of the scopes that are halted at once."""
LINES_MAX = 50
CONTROL_READ = "control_read"
"""The detail of an executor's heartbeat with its position in the topic: partition -> [offset,
offset of the newest record, its digest]."""
CONTROL_LOST = "control_lost"
"""The detail that repeats, until a resume, the position of another executor before the topic lost
records, and when it was reported: partition -> [offset, Unix milliseconds]."""
TOO_MANY = f"more than {SCOPES_MAX:,} scopes are halted at once, so everybody is"


LOST = re.compile(r"cannot be read, (\S{1,100}) \(it is gone: .* to offset ([0-9]{1,18});")


@dataclass(frozen=True, slots=True)
class ActiveHalt:
    """A halt in force.

    Attributes:
        scope: The key: "all", or "agent/<name>".
        why: The given reason; for an unreadable record, the error.
        by: User or process that asked; "" if the record is unreadable.
        at: Time of the halt; None if the record is unreadable.
        unread: Position of the unreadable record; "" for a `Halt`.
    """

    scope: str
    why: str = ""
    by: str = ""
    at: datetime | None = None
    unread: str = ""

    @property
    def name(self) -> str:
        """The agent, or "all", for people."""
        return self.scope.removeprefix(AGENT_KEY)

    @property
    def line(self) -> str:
        """Scope and reason, for an operator."""
        whose = "everybody" if self.scope == ALL_AGENTS else self.name
        why = f" ({self.why})" if self.why else ""
        if self.at is None:
            return f"halted: {whose} by a record that cannot be read, {self.unread}{why}"
        return f"halted: {whose} since {self.at:%Y-%m-%d %H:%M:%S} UTC by {self.by}{why}"

    @property
    def sentence(self) -> str:
        """Why no order is taken, for the agent; recorded in `account.events`, so never changed."""
        whose = "trading" if self.scope == ALL_AGENTS else f"trading of {self.name}"
        why = f" ({self.why})" if self.why else ""
        if self.at is None:
            cause = f"{whose} is halted by a record that cannot be read, {self.unread}{why}"
        else:
            cause = f"{whose} was halted at {self.at:%H:%M:%S} UTC{why}"
        return f"{cause}; no order is taken until resumed"


@dataclass(frozen=True, slots=True)
class ControlEffect:
    """The effect of a record on the kill switch.

    Attributes:
        message: The message; None if the record is unreadable or changes nothing.
        error: Why the record is unreadable; "" if it is readable.
        scope: The scope that it halts or resumes; "" if it changes nothing.
    """

    message: Halt | Resume | None = None
    error: str = ""
    scope: str = ""


class KillSwitch:
    """The halts in force.

    Attributes:
        halts: Scope -> its halt, the newest last.
        overflow: Halt of all agents because there were too many scopes; None if there is none.
        lost: Halt of all agents because the topic lost records; None if there is none.
        resumed_ms: Newest resume of all agents, by the broker's clock; Unix milliseconds.
        read_to: Offset after the newest record.
    """

    def __init__(self) -> None:
        """Start with no halts."""
        self.halts: dict[str, ActiveHalt] = {}
        self.overflow: ActiveHalt | None = None
        self.lost: ActiveHalt | None = None
        self.resumed_ms = 0
        self.read_to = 0

    def take(self, record: Record) -> ControlEffect:
        """Fold a record of `arena.control`; the newest of a scope counts."""
        scope, self.read_to = scope_of(record.key), record.offset + 1
        if scope is None and (scope_of_request(record.key) or is_coaching_key(record.key)):
            return ControlEffect()
        try:
            message = record.message()
            error = "" if scope is None else _objection(message, scope)
        except Malformed as malformed:
            message, error = None, str(malformed)
        if scope is None:
            if isinstance(message, Halt | Resume):
                error = f"a {message.type_name()} under the key {record.key_text[:100]!r}"
            elif message is not None and not isinstance(message, PassOver):
                error = f"{record.topic} holds a {message.type_name()}"
            return ControlEffect(error=error)
        if isinstance(message, Halt | Resume) and not error:
            self.note(message)
            if scope == ALL_AGENTS and isinstance(message, Resume):
                self.resumed_ms = record.timestamp_ms
            return ControlEffect(message, scope=scope)
        place = f"{record.topic}[{record.partition}]@{record.offset}"
        self._halt(ActiveHalt(scope, why=error[:WHY_CHARS_MAX], unread=place))
        return ControlEffect(error=error, scope=scope)

    def note(self, message: Halt | Resume) -> None:
        """Fold a message whose key matches; the newest of a scope counts."""
        scope = key_of(message.agent)
        if isinstance(message, Halt):
            why = message.reason[:WHY_CHARS_MAX]
            self._halt(ActiveHalt(scope, why, message.by[:WHY_CHARS_MAX], message.at))
        else:
            self.halts.pop(scope, None)
            self.lost = None if scope == ALL_AGENTS else self.lost

    def _halt(self, stop: ActiveHalt) -> None:
        self.halts.pop(stop.scope, None)
        if len(self.halts) < SCOPES_MAX or stop.scope == ALL_AGENTS:
            self.halts[stop.scope] = stop
        elif self.overflow is None:
            self.overflow = replace(stop, scope=ALL_AGENTS, why=TOO_MANY)

    def halt_of(self, agent: str) -> ActiveHalt | None:
        """The halt that covers an agent, or None."""
        return self.halt_of_all() or self.halts.get(key_of(agent))

    def halt_of_all(self) -> ActiveHalt | None:
        """The halt of all agents, or None."""
        return self.halts.get(ALL_AGENTS) or self.lost or self.overflow

    def active_halts(self) -> list[ActiveHalt]:
        """All halts in force, those of all agents first, then by name."""
        found = sorted(self.halts.values(), key=lambda stop: (stop.scope != ALL_AGENTS, stop.scope))
        return [*filter(None, (self.lost, self.overflow)), *found]

    def scopes(self) -> list[str]:
        """The halted scopes, for people: agents by name, "all" for all agents."""
        return sorted({stop.name for stop in self.active_halts()})

    def newest_scopes(self, limit: int) -> list[str]:
        """The scopes halted last, and "all" if all agents are halted."""
        found = {stop.name for stop in [*self.halts.values()][-limit:]}
        if self.halt_of_all() is not None:
            found.add(ALL_AGENTS)
        return sorted(found)

    def lines(self, limit: int = LINES_MAX) -> list[str]:
        """The halts in force, one line each, for an operator.

        Args:
            limit: Number of lines; one more line counts the halts that are left out.
        """
        return _bounded([stop.line for stop in self.active_halts()], limit)

    def unread_lines(self, limit: int = LINES_MAX) -> list[str]:
        """The halts of unreadable records, one line each, for an operator."""
        return _bounded([stop.line for stop in self.active_halts() if stop.unread], limit)

    def unread(self) -> list[str]:
        """The halts of unreadable records: "<scope>: <position> (<error>)"."""
        return [f"{s.name}: {s.unread} ({s.why})" for s in self.active_halts() if s.unread]


def _bounded(lines: list[str], limit: int) -> list[str]:
    left = len(lines) - limit
    more = [f"halted: {left:,} more; `arena tail arena.control` shows every record"]
    return lines if left <= 0 else lines[:limit] + more


def lost_records_halt(place: str, read_to: int) -> ActiveHalt:
    """The halt of all agents if the topic ends before an offset that an executor had read.

    Args:
        place: Position of the first lost record.
        read_to: Offset up to which an executor had read.
    """
    why = f"it is gone: an executor had read to offset {read_to}; `arena resume` ends this halt"
    return ActiveHalt(ALL_AGENTS, why=why, unread=place)


def parse_lost_records_halt(sentence: str) -> ActiveHalt | None:
    """Parse such a halt from the sentence of a refusal; None for another sentence."""
    found = LOST.search(sentence)
    stop = found and lost_records_halt(found[1], int(found[2]))
    return stop if stop and stop.sentence == sentence else None


def key_of(agent: str | None) -> str:
    """The key of a `Halt` or `Resume` of an agent, or of all agents for None."""
    return ALL_AGENTS if agent is None else AGENT_KEY + agent


def scope_of(key: bytes | None) -> str | None:
    """The scope of a key; None if the key is not a scope."""
    try:
        text = (key or b"").decode()
        if text.startswith(AGENT_KEY):
            name = check_name("agent", text.removeprefix(AGENT_KEY))
            return None if name == ALL_AGENTS else text  # A list of names would be ambiguous.
        if text == ALL_AGENTS:
            return text
    except (UnicodeDecodeError, UsageError):
        return None
    return None


def _objection(message: Message, scope: str) -> str:
    if not isinstance(message, Halt | Resume):
        return f"a {message.type_name()} under the key of a halt"
    if key_of(message.agent) == scope:
        return ""
    about = "everybody" if message.agent is None else repr(message.agent[:100])
    return f"a {message.type_name()} of {about} under the key of {scope}"
