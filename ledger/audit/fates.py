"""What became of everything that was asked: requests to models, orders and calls of tools. Pure.

One fold for four invariants: 3 (every order has one end), 10 (every request one effective answer),
12 (nothing waits for ever) and 13 (everything that was consumed has a fate).
"""

from base64 import b64decode
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime

from arena import topics
from arena.bus.dead_letters import VALUE_BYTES_MAX
from arena.topics import partition_of
from ledger.audit.envelopes import is_refused
from ledger.audit.reading import ORDER_TOOL, Json, Seen, when
from ledger.audit.turns import Turns

TIMESTAMP_MS_MAX = 253_402_300_799_000
"""The end of the year 9999: a later timestamp is not a time of this arena."""
CLOCKS_DIFFER_MS = 5_000
"""Who asks and who answers may be two hosts, and both put their own time on their records."""
COMMANDS, CALLS, EVENTS = topics.COMMANDS.name, topics.TOOL_CALLS.name, topics.EVENTS.name


@dataclass(slots=True)
class Fate:
    """One request or call, and what is known of its end.

    Attributes:
        place: Where it stood first. asked: how many records asked for it.
        deadline: ISO time past which nobody waits. proper: it is where its router writes.
        asked_ms: Timestamp of the first record that asked for it.
        ends: Effective events that decide it. answers: replies or results. first: the first one's
            outcome. told: what the turn says of it, "" where the turn says nothing.
    """

    call_id: str
    topic: str
    partition: int
    offset: int
    place: str
    subject: str
    agent: str
    turn_id: str
    tool: str
    deadline: str
    issued: str
    proper: bool = False
    asked: int = 1
    ends: int = 0
    answers: int = 0
    first: str = ""
    told: str = ""
    asked_ms: int = 0


@dataclass(slots=True)
class Event:
    """An effective event, and the command that it says it decides."""

    place: str
    subject: str
    partition: int
    offset: int


@dataclass(slots=True)
class Fates:
    """The fold.

    Attributes:
        requests: By call id. calls: likewise, orders among them.
        events: Order id -> its effective event; openings are not among them.
        done: (topic, partition) -> offset of the newest record with a known end.
        buried: Places of records whose bytes a dead letter holds.
        unreadable: Records that ask for nothing that can be done, which must be dead letters.
        letters: Dead letters without their record: of other bytes, or of a place beyond the end.
        ended: Turns that have an end -> its outcome.
        turns: What turns tell of themselves.
        claimed: Calls that a turn or a chat node's log names.
        opened: Agents that have an account, and the ids of the commands that opened one.
        decided_to: Shard -> offset of the newest command that an event decides.
        lost_from: Shard -> the offset at which `account.commands` was cut, and written again.
        newest_ms: Timestamp of the newest record of any topic.
        oldest_ms: Inbox -> timestamp of the oldest record that is kept.
    """

    turns: Turns
    requests: dict[str, Fate] = field(default_factory=dict)
    calls: dict[str, Fate] = field(default_factory=dict)
    events: dict[str, Event] = field(default_factory=dict)
    twice: list[tuple[Event, Event]] = field(default_factory=list)
    done: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(lambda: -1))
    buried: set[tuple[str, int, int]] = field(default_factory=set)
    unreadable: list[tuple[str, int, int, str]] = field(default_factory=list)
    opened: set[str] = field(default_factory=set)
    openings: list[tuple[str, int, int, str, str]] = field(default_factory=list)
    ended: dict[str, str] = field(default_factory=dict)
    unasked: list[tuple[str, str]] = field(default_factory=list)
    claimed: set[str] = field(default_factory=set)
    lost_from: dict[int, int] = field(default_factory=dict)
    decided_to: dict[int, int] = field(default_factory=dict)
    newest_ms: int = 0
    oldest_ms: dict[str, int] = field(default_factory=dict)
    letters: int = 0
    _marks: set[int] = field(default_factory=set)

    def take(self, seen: Seen) -> None:
        """Take in one record."""
        if not seen.foreign and seen.record.timestamp_ms <= TIMESTAMP_MS_MAX:
            self.newest_ms = max(self.newest_ms, seen.record.timestamp_ms)
        topic = seen.topic
        if topic.startswith(topics.INBOX.name):
            self.oldest_ms.setdefault(topic, seen.record.timestamp_ms)
        if topic in (COMMANDS, CALLS) or topic.startswith(topics.PROMPTED.name):
            self._asked(seen)
        elif topic == EVENTS and seen.effective:
            self._decided(seen)
        elif seen.foreign and topic != EVENTS:
            return
        elif topic == topics.LLM_CALLS.name:
            self.claimed.add((seen.body or {})["call_id"])
        elif topic.startswith(topics.INBOX.name):
            self._answered(seen)
        elif topic == topics.DEAD_LETTERS.name and (body := seen.body) is not None:
            self._buried(body)

    def settle(self) -> None:
        """Everything was seen: what the turns that count say is known now."""
        self.turns.settle()
        for turn_id, turn in self.turns.counted.items():
            self.ended[turn_id] = turn.outcome
            for call_id, outcome, tool_calls in turn.rounds:
                self.claimed.update((call_id, *tool_calls))
                fate = self.requests.get(call_id)
                if fate is not None and fate.turn_id == turn_id:
                    fate.told = outcome

    def _buried(self, letter: Json) -> None:
        """A dead letter counts if it holds the bytes of its record."""
        if not all(isinstance(letter[name], int) for name in ("partition", "offset")):
            raise TypeError("a dead letter of no place")
        place = (letter["topic"], letter["partition"], letter["offset"])
        if place[0] not in (COMMANDS, CALLS) and not place[0].startswith(topics.PROMPTED.name):
            return
        text = letter["value_base64"]
        try:
            value = None if text is None else b64decode(text)
        except ValueError:
            value = b""  # Not by `arena.bus.dead_letters`.
        if _mark(place, value) not in self._marks:
            self.letters += 1
            return
        self.buried.add(place)
        self._done(*place)

    def _done(self, topic: str, partition: int, offset: int) -> None:
        pair = (topic, partition)
        self.done[pair] = max(self.done[pair], offset)

    def _asked(self, seen: Seen) -> None:
        record, body = seen.record, seen.body
        place = (record.topic, record.partition, record.offset)
        self._marks.add(_mark(place, record.value))
        shards = len(self.turns.scope.spans.get(COMMANDS, {}))
        if seen.foreign or seen.malformed or body is None or is_refused(seen, body, shards):
            self.unreadable.append((*place, seen.kind))
            return
        if seen.kind == "OpenAccount":
            ids = (body["agent"], body["call_id"])
            self.openings.append((seen.place, record.partition, record.offset, *ids))
            return
        by_id = self.requests if seen.kind == "ChatRequest" else self.calls
        call_id = str(body["call_id"])
        known, proper = by_id.get(call_id), self._is_proper(seen, str(body["agent"]))
        if known is not None and (known.proper or not proper):
            known.asked += 1
            return
        tool = str(body.get("tool", ""))
        by_id[call_id] = Fate(
            call_id=call_id,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            place=seen.place,
            subject=_subject(call_id, tool, body),
            agent=str(body["agent"]),
            turn_id=str(body.get("turn_id")),
            tool=tool,
            deadline=str(body.get("deadline_at")),
            issued=str(body.get("issued_at")),
            proper=proper,
            asked=1 if known is None else known.asked + 1,
            asked_ms=record.timestamp_ms,
        )

    def _is_proper(self, seen: Seen, agent: str) -> bool:
        """True if a record is where a router writes for an agent: under its key, its partition."""
        record = seen.record
        number = partition_of(agent, len(self.turns.scope.spans.get(record.topic, {})) or 1)
        return (record.key_text, record.partition) == (agent, number)

    def _decided(self, seen: Seen) -> None:
        body = seen.body or {}
        if seen.kind == "AccountOpened":
            self.opened |= {body["agent"], body["order_id"]}
        if seen.kind != "OrderDecided":
            return
        source, order_id = body["source"], body["order_id"]
        self._went_back(source["partition"], source["offset"])
        self._done(COMMANDS, source["partition"], source["offset"])
        subject = f"order {order_id}, agent {body['agent']}"
        event = Event(seen.place, subject, source["partition"], source["offset"])
        if order_id in self.events:
            self.twice.append((self.events[order_id], event))
        self.events.setdefault(order_id, event)
        if (fate := self.calls.get(order_id)) is not None:
            fate.ends += 1
            fate.first = fate.first or body["outcome"]

    def _went_back(self, partition: int, offset: int) -> None:
        """Commands are decided in order: an earlier one after a later means that some were lost."""
        newest = self.decided_to.get(partition, -1)
        self.decided_to[partition] = max(newest, offset)
        if offset < newest:
            lost = self.lost_from.get(partition, offset)
            self.lost_from[partition] = min(lost, offset)

    def _answered(self, seen: Seen) -> None:
        body = seen.body or {}
        by_id = self.requests if seen.kind == "ChatReply" else self.calls
        fate = by_id.get(body["call_id"])
        if fate is None:
            self.unasked.append((seen.place, body["call_id"]))
            return
        fate.answers += 1
        if not fate.first and seen.kind == "ChatReply":
            fate.first = str(body.get("outcome"))
        self._done(fate.topic, fate.partition, fate.offset)

    def is_order(self, fate: Fate) -> bool:
        """True where a call asks for an order that must be decided by one event."""
        return fate.topic == COMMANDS and fate.tool == ORDER_TOOL

    def was_buried(self, fate: Fate) -> bool:
        """True where the record of a call is a dead letter."""
        return (fate.topic, fate.partition, fate.offset) in self.buried

    def newest(self) -> datetime:
        """When the newest record of any topic was written."""
        return datetime.fromtimestamp(self.newest_ms / 1000, UTC)

    def in_flight(self, fate: Fate) -> bool:
        """True where somebody still waits for an answer, and it may still come.

        Calls of several agents are answered side by side: a later one may be done before.
        """
        return fate.turn_id not in self.ended and self.newest() <= when(fate.deadline)

    def may_be_deleted(self, fate: Fate) -> bool:
        """True if retention deleted answers of the agent, and that of a call may be among them.

        An answer is written after its call: one to a newer call than the oldest answer is kept.
        """
        inbox = topics.inbox(fate.agent)
        span = self.turns.scope.spans.get(inbox, {}).get(0)
        if span is None or span.first == 0:
            return False
        return fate.asked_ms <= self.oldest_ms.get(inbox, fate.asked_ms) + CLOCKS_DIFFER_MS

    def waits(self, fate: Fate) -> bool:
        """True where it stands behind everything of its partition whose end is known."""
        return fate.offset > self.done[fate.topic, fate.partition]


def _mark(place: tuple[str, int, int], value: bytes | None) -> int:
    """A number for a place and what a dead letter holds of the value there."""
    return hash((place, value if value is None else value[:VALUE_BYTES_MAX]))


def _subject(call_id: str, tool: str, body: Json) -> str:
    name = f"order {call_id}" if tool == ORDER_TOOL else f"call {call_id}"
    return f"{name}, agent {body['agent']}"
