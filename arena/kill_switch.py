"""The kill switch: whose orders are halted, folded from the records of `arena.control`. Pure.

The scope of a record is its key: "all", or "agent/<name>". The newest record of a key counts, so a
compacted topic folds to the same. A record of a scope that cannot be read halts that scope: what
was meant by it is unknown, and a halt may have been. Records under other keys change nothing.

At most `SCOPES_MAX` scopes are kept. One more halts everybody until the topic is folded again.
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime

from arena.bus.base import Record
from arena.errors import Malformed, UsageError
from arena.ids import check_name
from arena.messages import Halt, Message, PassOver, Resume

ALL_AGENTS = "all"
AGENT_KEY = "agent/"
CONFIRMED = "control"
"""The detail of an executor's heartbeat that says how far the owner of each shard has read the
topic: shard -> {"epoch": int, "read_to": {partition: offset}}."""
HALTED_COUNT = "halted_count"
"""The detail that says how many scopes are halted, if "halted" does not name all of them."""
WHY_CHARS_MAX = 300
"""Characters of a reason or an error in a refusal, which is kept in `account.events`."""
SCOPES_MAX = 10_000
"""Scopes that are halted at once."""
LINES_MAX = 50
CONTROL_READ = "control_read"
"""The detail of an executor's heartbeat that says how far it has read the topic: partition ->
[offset, offset of the newest record, its digest]."""
CONTROL_LOST = "control_lost"
"""The detail that carries on, until a resume, how far another executor had read before the topic
lost records, and when it said so: partition -> [offset, Unix milliseconds]."""
TOO_MANY = f"more than {SCOPES_MAX:,} scopes are halted at once, so everybody is"


LOST = re.compile(r"cannot be read, (\S{1,100}) \(it is gone: .* to offset ([0-9]{1,18});")


@dataclass(frozen=True, slots=True)
class ActiveHalt:
    """What halts a scope.

    Attributes:
        scope: The key: "all", or "agent/<name>".
        why: The reason that was given; for a record that cannot be read, what is wrong with it.
        by: Who asked; "" if the record cannot be read.
        at: When it was asked for; None if the record cannot be read.
        unread: The place of the record that cannot be read, "" for a `Halt`.
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
        """What is halted and why, for an operator."""
        whose = "everybody" if self.scope == ALL_AGENTS else self.name
        why = f" ({self.why})" if self.why else ""
        if self.at is None:
            return f"halted: {whose} by a record that cannot be read, {self.unread}{why}"
        return f"halted: {whose} since {self.at:%Y-%m-%d %H:%M:%S} UTC by {self.by}{why}"

    @property
    def sentence(self) -> str:
        """Why no order is taken, for the agent and in `account.events`."""
        whose = "trading" if self.scope == ALL_AGENTS else f"trading of {self.name}"
        why = f" ({self.why})" if self.why else ""
        if self.at is None:
            cause = f"{whose} is halted by a record that cannot be read, {self.unread}{why}"
        else:
            cause = f"{whose} was halted at {self.at:%H:%M:%S} UTC{why}"
        return f"{cause}; no order is taken until resumed"


@dataclass(frozen=True, slots=True)
class ControlEffect:
    """What became of a record.

    Attributes:
        message: What it says, None if it cannot be read or changes nothing.
        error: Why it cannot be read, "" if it can.
        scope: Which it halts or resumes, "" for a record that changes nothing.
    """

    message: Halt | Resume | None = None
    error: str = ""
    scope: str = ""


class KillSwitch:
    """Who is halted.

    Attributes:
        halts: Scope -> what halts it, the newest last.
        overflow: What halts everybody because there was no room for its own scope.
        lost: What halts everybody because records of the topic are lost.
        resumed_ms: When everybody was last resumed, by the broker's clock; Unix milliseconds.
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
        """Take in a record of `arena.control`; the newest of a scope counts."""
        scope, self.read_to = scope_of(record.key), record.offset + 1
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
        """Take in a message whose key fits it; the newest of a scope counts."""
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
        """What stops an agent's orders, or None."""
        return self.halt_of_all() or self.halts.get(key_of(agent))

    def halt_of_all(self) -> ActiveHalt | None:
        """What stops everybody's orders, or None."""
        return self.halts.get(ALL_AGENTS) or self.lost or self.overflow

    def active_halts(self) -> list[ActiveHalt]:
        """Everything that halts, everybody's first, then by name."""
        found = sorted(self.halts.values(), key=lambda stop: (stop.scope != ALL_AGENTS, stop.scope))
        return [*filter(None, (self.lost, self.overflow)), *found]

    def scopes(self) -> list[str]:
        """What is halted, for people: agents by name, "all" for everybody."""
        return sorted({stop.name for stop in self.active_halts()})

    def newest_scopes(self, limit: int) -> list[str]:
        """The same, but only those halted last, and "all"."""
        found = {stop.name for stop in [*self.halts.values()][-limit:]}
        if self.halt_of_all() is not None:
            found.add(ALL_AGENTS)
        return sorted(found)

    def lines(self, limit: int = LINES_MAX) -> list[str]:
        """What is halted and why, one line each, for an operator.

        Args:
            limit: Most lines; one more says how many halts are left out.
        """
        return _bounded([stop.line for stop in self.active_halts()], limit)

    def unread_lines(self, limit: int = LINES_MAX) -> list[str]:
        """The same of the halts whose record cannot be read."""
        return _bounded([stop.line for stop in self.active_halts() if stop.unread], limit)

    def unread(self) -> list[str]:
        """The halts whose record cannot be read, for people: "<scope>: <place> (<why>)"."""
        return [f"{s.name}: {s.unread} ({s.why})" for s in self.active_halts() if s.unread]


def _bounded(lines: list[str], limit: int) -> list[str]:
    left = len(lines) - limit
    more = [f"halted: {left:,} more; `arena tail arena.control` shows every record"]
    return lines if left <= 0 else lines[:limit] + more


def lost_records_halt(place: str, read_to: int) -> ActiveHalt:
    """What halts everybody when the topic ends before what an executor had read.

    Args:
        place: Where it ends: the first record that is gone.
        read_to: Offset that an executor had read to.
    """
    why = f"it is gone: an executor had read to offset {read_to}; `arena resume` ends this halt"
    return ActiveHalt(ALL_AGENTS, why=why, unread=place)


def parse_lost_records_halt(sentence: str) -> ActiveHalt | None:
    """The same, from the sentence of a refusal; None for another sentence."""
    found = LOST.search(sentence)
    stop = found and lost_records_halt(found[1], int(found[2]))
    return stop if stop and stop.sentence == sentence else None


def key_of(agent: str | None) -> str:
    """The key of a `Halt` or `Resume` of an agent, or of everybody for None."""
    return ALL_AGENTS if agent is None else AGENT_KEY + agent


def scope_of(key: bytes | None) -> str | None:
    """The key of a scope as text; None for a key that names no scope."""
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
