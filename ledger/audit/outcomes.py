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
from ledger.audit.decoding import ORDER_TOOL, DecodedRecord, Json, when
from ledger.audit.invalid_calls import is_invalid_call
from ledger.audit.turns import TurnIndex

TIMESTAMP_MS_MAX = 253_402_300_799_000
"""The end of the year 9999: a later timestamp is not a time of this arena."""
CLOCKS_DIFFER_MS = 5_000
"""Who asks and who answers may be two hosts, and both put their own time on their records."""
COMMANDS, CALLS, EVENTS = topics.COMMANDS.name, topics.TOOL_CALLS.name, topics.EVENTS.name


@dataclass(slots=True)
class CallOutcome:
    """One request or call, and what is known of its end.

    Attributes:
        location: Where it stood first. times_asked: how many records asked for it.
        deadline: ISO time past which nobody waits. proper: it is where its router writes.
        asked_ms: Timestamp of the first record that asked for it.
        ends: Effective events that decide it. answers: replies or results. first: the first one's
            outcome. told: what the turn says of it, "" where the turn says nothing.
    """

    call_id: str
    topic: str
    partition: int
    offset: int
    location: str
    subject: str
    agent: str
    turn_id: str
    tool: str
    deadline_at: str
    issued_at: str
    is_proper: bool = False
    times_asked: int = 1
    decisions: int = 0
    answers: int = 0
    first_outcome: str = ""
    outcome_in_turn: str = ""
    asked_at_ms: int = 0


@dataclass(slots=True)
class DecidedOrder:
    """An effective event, and the command that it says it decides."""

    location: str
    subject: str
    partition: int
    offset: int


@dataclass(slots=True)
class CallOutcomes:
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

    turns: TurnIndex
    requests: dict[str, CallOutcome] = field(default_factory=dict)
    calls: dict[str, CallOutcome] = field(default_factory=dict)
    events: dict[str, DecidedOrder] = field(default_factory=dict)
    newest_done: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(lambda: -1))
    dead_lettered: set[tuple[str, int, int]] = field(default_factory=set)
    unreadable: list[tuple[str, int, int, str]] = field(default_factory=list)
    opened: set[str] = field(default_factory=set)
    openings: list[tuple[str, int, int, str, str]] = field(default_factory=list)
    turn_outcomes: dict[str, str] = field(default_factory=dict)
    unasked_answers: list[tuple[str, str]] = field(default_factory=list)
    claimed_calls: set[str] = field(default_factory=set)
    lost_from: dict[int, int] = field(default_factory=dict)
    newest_decided: dict[int, int] = field(default_factory=dict)
    newest_record_ms: int = 0
    oldest_kept_ms: dict[str, int] = field(default_factory=dict)
    unmatched_letters: int = 0
    _marks: set[int] = field(default_factory=set)

    def take(self, decoded: DecodedRecord) -> None:
        """Take in one record."""
        if not decoded.foreign and decoded.record.timestamp_ms <= TIMESTAMP_MS_MAX:
            self.newest_record_ms = max(self.newest_record_ms, decoded.record.timestamp_ms)
        topic = decoded.topic
        if topic.startswith(topics.INBOX.name):
            self.oldest_kept_ms.setdefault(topic, decoded.record.timestamp_ms)
        if topic in (COMMANDS, CALLS) or topic.startswith(topics.PROMPTED.name):
            self._note_request(decoded)
        elif topic == EVENTS and decoded.effective:
            self._note_event(decoded)
        elif decoded.foreign and topic != EVENTS:
            return
        elif topic == topics.LLM_CALLS.name:
            self.claimed_calls.add((decoded.body or {})["call_id"])
        elif topic.startswith(topics.INBOX.name):
            self._note_answer(decoded)
        elif topic == topics.DEAD_LETTERS.name and (body := decoded.body) is not None:
            self._note_dead_letter(body)

    def finish(self) -> None:
        """Everything was seen: what the turns that count say is known now."""
        self.turns.finish()
        for turn_id, turn in self.turns.effective.items():
            self.turn_outcomes[turn_id] = turn.outcome
            for call_id, outcome, tool_calls in turn.rounds:
                self.claimed_calls.update((call_id, *tool_calls))
                call = self.requests.get(call_id)
                if call is not None and call.turn_id == turn_id:
                    call.outcome_in_turn = outcome

    def _note_dead_letter(self, letter: Json) -> None:
        """A dead letter counts if it holds the bytes of its record."""
        if not all(isinstance(letter[name], int) for name in ("partition", "offset")):
            raise TypeError("a dead letter of no place")
        location = (letter["topic"], letter["partition"], letter["offset"])
        if location[0] not in (COMMANDS, CALLS) and not location[0].startswith(
            topics.PROMPTED.name
        ):
            return
        text = letter["value_base64"]
        try:
            value = None if text is None else b64decode(text)
        except ValueError:
            value = b""  # Not by `arena.bus.dead_letters`.
        if _mark(location, value) not in self._marks:
            self.unmatched_letters += 1
            return
        self.dead_lettered.add(location)
        self._note_done(*location)

    def _note_done(self, topic: str, partition: int, offset: int) -> None:
        pair = (topic, partition)
        self.newest_done[pair] = max(self.newest_done[pair], offset)

    def _note_request(self, decoded: DecodedRecord) -> None:
        record, body = decoded.record, decoded.body
        location = (record.topic, record.partition, record.offset)
        self._marks.add(_mark(location, record.value))
        shards = len(self.turns.scope.spans.get(COMMANDS, {}))
        if (
            decoded.foreign
            or decoded.malformed
            or body is None
            or is_invalid_call(decoded, body, shards)
        ):
            self.unreadable.append((*location, decoded.kind))
            return
        if decoded.kind == "OpenAccount":
            ids = (body["agent"], body["call_id"])
            self.openings.append((decoded.location, record.partition, record.offset, *ids))
            return
        by_id = self.requests if decoded.kind == "ChatRequest" else self.calls
        call_id = str(body["call_id"])
        known, is_proper = by_id.get(call_id), self._is_proper(decoded, str(body["agent"]))
        if known is not None and (known.is_proper or not is_proper):
            known.times_asked += 1
            return
        tool = str(body.get("tool", ""))
        by_id[call_id] = CallOutcome(
            call_id=call_id,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            location=decoded.location,
            subject=_subject(call_id, tool, body),
            agent=str(body["agent"]),
            turn_id=str(body.get("turn_id")),
            tool=tool,
            deadline_at=str(body.get("deadline_at")),
            issued_at=str(body.get("issued_at")),
            is_proper=is_proper,
            times_asked=1 if known is None else known.times_asked + 1,
            asked_at_ms=record.timestamp_ms,
        )

    def _is_proper(self, decoded: DecodedRecord, agent: str) -> bool:
        """True if a record is where a router writes for an agent: under its key, its partition."""
        record = decoded.record
        number = partition_of(agent, len(self.turns.scope.spans.get(record.topic, {})) or 1)
        return (record.key_text, record.partition) == (agent, number)

    def _note_event(self, decoded: DecodedRecord) -> None:
        body = decoded.body or {}
        if decoded.kind == "AccountOpened":
            self.opened |= {body["agent"], body["order_id"]}
        if decoded.kind != "OrderDecided":
            return
        source, order_id = body["source"], body["order_id"]
        self._note_rewind(source["partition"], source["offset"])
        self._note_done(COMMANDS, source["partition"], source["offset"])
        subject = f"order {order_id}, agent {body['agent']}"
        event = DecidedOrder(decoded.location, subject, source["partition"], source["offset"])
        self.events.setdefault(order_id, event)
        if (call := self.calls.get(order_id)) is not None:
            call.decisions += 1
            call.first_outcome = call.first_outcome or body["outcome"]

    def _note_rewind(self, partition: int, offset: int) -> None:
        """Commands are decided in order: an earlier one after a later means that some were lost."""
        newest = self.newest_decided.get(partition, -1)
        self.newest_decided[partition] = max(newest, offset)
        if offset < newest:
            lost = self.lost_from.get(partition, offset)
            self.lost_from[partition] = min(lost, offset)

    def _note_answer(self, decoded: DecodedRecord) -> None:
        body = decoded.body or {}
        by_id = self.requests if decoded.kind == "ChatReply" else self.calls
        call = by_id.get(body["call_id"])
        if call is None:
            self.unasked_answers.append((decoded.location, body["call_id"]))
            return
        call.answers += 1
        if not call.first_outcome and decoded.kind == "ChatReply":
            call.first_outcome = str(body.get("outcome"))
        self._note_done(call.topic, call.partition, call.offset)

    def is_order(self, call: CallOutcome) -> bool:
        """True where a call asks for an order that must be decided by one event."""
        return call.topic == COMMANDS and call.tool == ORDER_TOOL

    def is_dead_lettered(self, call: CallOutcome) -> bool:
        """True where the record of a call is a dead letter."""
        return (call.topic, call.partition, call.offset) in self.dead_lettered

    def newest(self) -> datetime:
        """When the newest record of any topic was written."""
        return datetime.fromtimestamp(self.newest_record_ms / 1000, UTC)

    def in_flight(self, call: CallOutcome) -> bool:
        """True where somebody still waits for an answer, and it may still come.

        Calls of several agents are answered side by side: a later one may be done before.
        """
        return call.turn_id not in self.turn_outcomes and self.newest() <= when(call.deadline_at)

    def may_be_deleted(self, call: CallOutcome) -> bool:
        """True if retention deleted answers of the agent, and that of a call may be among them.

        An answer is written after its call: one to a newer call than the oldest answer is kept.
        """
        inbox = topics.inbox(call.agent)
        span = self.turns.scope.spans.get(inbox, {}).get(0)
        if span is None or span.first == 0:
            return False
        return (
            call.asked_at_ms <= self.oldest_kept_ms.get(inbox, call.asked_at_ms) + CLOCKS_DIFFER_MS
        )

    def is_waiting(self, call: CallOutcome) -> bool:
        """True where it stands behind everything of its partition whose end is known."""
        return call.offset > self.newest_done[call.topic, call.partition]


def _mark(location: tuple[str, int, int], value: bytes | None) -> int:
    """A number for a place and what a dead letter holds of the value there."""
    return hash((location, value if value is None else value[:VALUE_BYTES_MAX]))


def _subject(call_id: str, tool: str, body: Json) -> str:
    name = f"order {call_id}" if tool == ORDER_TOOL else f"call {call_id}"
    return f"{name}, agent {body['agent']}"
