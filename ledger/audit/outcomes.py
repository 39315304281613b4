"""Folds the outcome of every request to a model, order and tool call. Pure.

One fold for four invariants: 3 (every order has one event), 10 (every request one effective reply),
12 (nothing waits forever) and 13 (every consumed record has an outcome).
"""

from base64 import b64decode
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime

from arena import topics
from arena.bus.dead_letters import VALUE_BYTES_MAX
from arena.messages import AGENT
from arena.messages.tools import TRADE_TOOL
from arena.topics import partition_of
from ledger.audit.decoding import (
    CLOSING,
    ORDER_CALLS,
    DecodedRecord,
    Json,
    asker_of,
    call_decided_by,
    decides_its_command,
    parse_time,
)
from ledger.audit.invalid_calls import is_invalid_call
from ledger.audit.turns import TurnIndex

TIMESTAMP_MS_MAX = 253_402_300_799_000
"""The end of the year 9999; later timestamps are ignored."""
INBOXES = (topics.INBOX.name, topics.JUDGE_INBOX.name, topics.CHAT_INBOX.name)
CLOCKS_DIFFER_MS = 5_000
"""The difference to allow between the clocks of two hosts, which stamp request and answer."""
COMMANDS, CALLS, EVENTS = topics.COMMANDS.name, topics.TOOL_CALLS.name, topics.EVENTS.name


@dataclass(slots=True)
class CallOutcome:
    """One request or call, and what is known of its outcome.

    Attributes:
        location: The location of its first record. times_asked: how many records asked for it.
        deadline_at: ISO time after which no process waits for it.
        agent: Who asked: an agent, or "judge" or "chat". inbox: the topic of its answer.
        is_proper: True if its record is in the partition that its router writes to.
        asked_at_ms: Timestamp of the first record that asked for it.
        decisions: Effective events that decide it. answers: replies or results.
        first_outcome: The outcome of the first event or reply.
        outcome_in_turn: The outcome that its turn names; "" if the turn does not name the call.
    """

    call_id: str
    topic: str
    partition: int
    offset: int
    location: str
    subject: str
    agent: str
    inbox: str
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

    @property
    def has_turn(self) -> bool:
        """True if an agent asked, in a turn."""
        return self.inbox.startswith(topics.INBOX.name)


@dataclass(slots=True)
class DecidedOrder:
    """An effective event, and the partition and offset of the command that it decides."""

    location: str
    subject: str
    partition: int
    offset: int


@dataclass(slots=True)
class CallOutcomes:
    """The fold.

    Attributes:
        turns: The turns, from which the outcomes of their rounds are read.
        requests: Requests to models by call id. calls: tool calls by call id, with the orders.
        events: Id of a call -> the effective event that decides it; openings of accounts are not
            included.
        open_orders: Orders that have no last step yet.
        steps_without_call: Steps of orders that the executor took without a call.
        newest_done: (topic, partition) -> offset of the newest record with a known outcome.
        dead_lettered: Locations of records whose bytes a dead letter holds.
        unreadable: Records that no process can execute, which must be dead letters.
        opened: Agents that have an account, and the ids of the commands that opened one.
        openings: Commands that open an account: location, partition, offset, agent, call id.
        turn_outcomes: Turn id -> the outcome of a turn that has ended.
        unasked_answers: Location and call id of answers without a call.
        claimed_calls: Calls that a turn or the log of a chat node names.
        lost_from: Shard -> the offset at which `account.commands` was truncated.
        newest_decided: Shard -> offset of the newest command that an event decides.
        newest_record_ms: Timestamp of the newest record of any topic.
        oldest_kept_ms: Inbox -> timestamp of the oldest record that is kept.
        unmatched_letters: Dead letters whose record is not there, or has other bytes.
    """

    turns: TurnIndex
    requests: dict[str, CallOutcome] = field(default_factory=dict)
    calls: dict[str, CallOutcome] = field(default_factory=dict)
    events: dict[str, DecidedOrder] = field(default_factory=dict)
    open_orders: set[str] = field(default_factory=set)
    steps_without_call: int = 0
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
        if topic.startswith(INBOXES):
            self.oldest_kept_ms.setdefault(topic, decoded.record.timestamp_ms)
        if topic in (COMMANDS, CALLS) or topic.startswith(topics.PROMPTED.name):
            self._note_request(decoded)
        elif topic == EVENTS and decoded.effective:
            self._note_event(decoded)
        elif decoded.foreign and topic != EVENTS:
            return
        elif topic == topics.LLM_CALLS.name:
            self.claimed_calls.add((decoded.body or {})["call_id"])
        elif topic.startswith(INBOXES):
            self._note_answer(decoded)
        elif topic == topics.DEAD_LETTERS.name and (body := decoded.body) is not None:
            self._note_dead_letter(body)

    def finish(self) -> None:
        """Read the outcomes of the effective turns, after the last record."""
        self.turns.finish()
        for turn_id, turn in self.turns.effective.items():
            self.turn_outcomes[turn_id] = turn.outcome
            for call_id, outcome, tool_calls in turn.rounds:
                self.claimed_calls.update((call_id, *tool_calls))
                call = self.requests.get(call_id)
                if call is not None and call.turn_id == turn_id:
                    call.outcome_in_turn = outcome

    def _note_dead_letter(self, letter: Json) -> None:
        """Note a dead letter; it counts only if it holds the bytes of its record."""
        if not all(isinstance(letter[name], int) for name in ("partition", "offset")):
            raise TypeError("a dead letter without partition and offset")
        location = (letter["topic"], letter["partition"], letter["offset"])
        if location[0] not in (COMMANDS, CALLS) and not location[0].startswith(
            topics.PROMPTED.name
        ):
            return
        text = letter["value_base64"]
        try:
            value = None if text is None else b64decode(text)
        except ValueError:
            value = b""  # Not written by `arena.bus.dead_letters`.
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
        asker = asker_of(decoded, body)
        agent = str(body["agent"]) if asker == AGENT else asker
        known, is_proper = by_id.get(call_id), self._is_proper(decoded, agent)
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
            subject=_subject(call_id, tool, agent),
            agent=agent,
            inbox=topics.inbox_of_asker(asker, agent),
            turn_id=str(body.get("turn_id")),
            tool=tool,
            deadline_at=str(body.get("deadline_at")),
            issued_at=str(body.get("issued_at")),
            is_proper=is_proper,
            times_asked=1 if known is None else known.times_asked + 1,
            asked_at_ms=record.timestamp_ms,
        )

    def _is_proper(self, decoded: DecodedRecord, agent: str) -> bool:
        """True if a record has the key and the partition that a router uses for an agent."""
        record = decoded.record
        number = partition_of(agent, len(self.turns.scope.spans.get(record.topic, {})) or 1)
        return (record.key_text, record.partition) == (agent, number)

    def _note_event(self, decoded: DecodedRecord) -> None:
        body = decoded.body or {}
        if decoded.kind == "AccountOpened":
            self.opened |= {body["agent"], body["order_id"]}
        if decoded.kind != "OrderDecided":
            return
        order_id = body["order_id"]
        if body["outcome"] in CLOSING:
            self.open_orders.discard(order_id)
        else:
            self.open_orders.add(order_id)
        if not decides_its_command(body):
            self.steps_without_call += 1
            return
        source, call_id = body["source"], call_decided_by(body)
        self._note_rewind(source["partition"], source["offset"])
        self._note_done(COMMANDS, source["partition"], source["offset"])
        if not call_id:
            return
        subject = f"order {order_id}, agent {body['agent']}"
        event = DecidedOrder(decoded.location, subject, source["partition"], source["offset"])
        self.events.setdefault(call_id, event)
        if (call := self.calls.get(call_id)) is not None:
            call.decisions += 1
            call.first_outcome = call.first_outcome or body["outcome"]

    def _note_rewind(self, partition: int, offset: int) -> None:
        """Note the offset of a decided command; one before the newest shows that some were lost.

        Commands are decided in the order of their offsets.
        """
        newest = self.newest_decided.get(partition, -1)
        self.newest_decided[partition] = max(newest, offset)
        if offset < newest:
            lost = self.lost_from.get(partition, offset)
            self.lost_from[partition] = min(lost, offset)

    def _note_answer(self, decoded: DecodedRecord) -> None:
        body = decoded.body or {}
        by_id = self.requests if decoded.kind == "ChatReply" else self.calls
        call = by_id.get(body["call_id"])
        if call is None or not (call.has_turn or decoded.topic == call.inbox):
            self.unasked_answers.append((decoded.location, body["call_id"]))
            return
        call.answers += 1
        if not call.first_outcome and decoded.kind == "ChatReply":
            call.first_outcome = str(body.get("outcome"))
        self._note_done(call.topic, call.partition, call.offset)

    def is_order(self, call: CallOutcome) -> bool:
        """True if a call asks for an order, exits or a cancellation, which one event decides."""
        return call.topic == COMMANDS and call.tool in ORDER_CALLS

    def is_dead_lettered(self, call: CallOutcome) -> bool:
        """True if a dead letter holds the record of a call."""
        return (call.topic, call.partition, call.offset) in self.dead_lettered

    def newest(self) -> datetime:
        """Return the time of the newest record of any topic."""
        return datetime.fromtimestamp(self.newest_record_ms / 1000, UTC)

    def in_flight(self, call: CallOutcome) -> bool:
        """True if its turn still waits for an answer before the deadline.

        Calls of several agents are answered in parallel, so a later one may be done earlier.
        """
        return call.turn_id not in self.turn_outcomes and self.newest() <= parse_time(
            call.deadline_at
        )

    def may_be_deleted(self, call: CallOutcome) -> bool:
        """True if retention may have deleted the answer to a call.

        An answer is written after its call, so the answer to a call that is newer than the oldest
        answer is kept.
        """
        inbox = call.inbox
        span = self.turns.scope.spans.get(inbox, {}).get(0)
        if span is None or span.first == 0:
            return False
        return (
            call.asked_at_ms <= self.oldest_kept_ms.get(inbox, call.asked_at_ms) + CLOCKS_DIFFER_MS
        )

    def is_waiting(self, call: CallOutcome) -> bool:
        """True if a call comes after every record of its partition with a known outcome."""
        return call.offset > self.newest_done[call.topic, call.partition]


def _mark(location: tuple[str, int, int], value: bytes | None) -> int:
    """Return a hash of a location and the part of its value that a dead letter holds."""
    return hash((location, value if value is None else value[:VALUE_BYTES_MAX]))


def _subject(call_id: str, tool: str, agent: str) -> str:
    name = f"order {call_id}" if tool == TRADE_TOOL else f"call {call_id}"
    return f"{name}, agent {agent}"
