"""Checks invariant 9: order, turn, reply, request and snapshot refer to each other. Pure."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from arena import ids, topics
from arena.messages import AGENT
from ledger.audit.checker import Checker, Scope
from ledger.audit.decoding import (
    CANCELLED,
    ORDER_CALLS,
    DecodedRecord,
    Json,
    call_decided_by,
    plain_call_id,
    prompt_sha256,
)
from ledger.audit.prompt_versions import PromptVersionsCheck
from ledger.audit.turns import TurnIndex, TurnRecord

COMMANDS, EVENTS, TURNS = topics.COMMANDS.name, topics.EVENTS.name, topics.TURNS.name
SNAPSHOTS, PROMPTED, INBOX = topics.SNAPSHOTS.name, topics.PROMPTED.name, topics.INBOX.name


FOREIGN_NAMED_MAX = 5
LIVE_GRACE_MS = 5_000
"""How much of the newest records is not checked: live topics are not read at one instant."""


@dataclass(slots=True)
class _TracedOrder:
    """An order, to be traced back to its snapshot.

    Attributes:
        faults: Expected and found value of ids that do not follow from each other.
        has_reply: A reply asks for it.
        is_in_turn: Its turn names it, in the right round and at the right index.
        is_named: A turn names its id, in this or another round.
    """

    location: str
    subject: str
    agent: str
    turn_id: str
    round: int
    index: int
    snapshot_id: str
    at_ms: int
    arguments: str | None = None
    faults: list[tuple[str, str]] = field(default_factory=list)
    has_reply: bool = False
    is_in_turn: bool = False
    is_named: bool = False


@dataclass(frozen=True, slots=True)
class _SentRequest:
    """A request to a model; `prompt` is the prompt hash in the first round, else ""."""

    location: str
    snapshot_id: str
    turn_id: str
    prompt: str


class LineageChecker(Checker):
    """Traces every order back, and checks the hash of every prompt."""

    number = 9
    title = "order, turn, reply, request and snapshot resolve"
    needs = (COMMANDS, EVENTS, SNAPSHOTS, TURNS)
    required_count = "turns"

    def __init__(self, scope: Scope, turns: TurnIndex) -> None:
        """Check lineage on the common index of turns.

        Args:
            scope: What records will come.
            turns: The index of turns, which the auditor feeds.
        """
        super().__init__(scope)
        self._turns = turns
        self._orders: dict[str, _TracedOrder] = {}
        self._commands: dict[str, tuple[str, Json]] = {}
        self._by_call: dict[str, list[str]] = defaultdict(list)
        self._exits: dict[str, tuple[str, str, str]] = {}
        self._turn_of: dict[str, tuple[str, str]] = {}
        self._snapshots: dict[str, int] = {}
        self._requests: dict[str, dict[tuple[str, int], _SentRequest]] = defaultdict(dict)
        self._answered: set[str] = set()
        self._foreign: list[_TracedOrder] = []
        self._foreign_turns: list[TurnRecord] = []
        self._newest_ms = 0
        self._versions = PromptVersionsCheck(scope, turns, self.expect, self.counts)

    def take(self, decoded: DecodedRecord) -> None:
        """Note what one record refers to."""
        body = decoded.body
        self._newest_ms = max(self._newest_ms, decoded.record.timestamp_ms)
        if body is None:
            return
        self._versions.take(decoded, body)
        if (
            decoded.topic == COMMANDS
            and decoded.kind == "ToolCall"
            and body.get("tool") in ORDER_CALLS
        ):
            kept = ("agent", "turn_id", "round", "index", "snapshot_id", "arguments")
            call = {name: body.get(name) for name in kept}
            self._commands.setdefault(str(body.get("call_id")), (decoded.location, call))
        elif decoded.topic == EVENTS and decoded.effective and decoded.kind == "OrderDecided":
            self._order(decoded, body)
        elif decoded.topic == SNAPSHOTS:
            self._snapshots.setdefault(body["snapshot_id"], decoded.record.offset)
        elif decoded.topic.startswith(PROMPTED) and decoded.kind == "ChatRequest":
            self._request(decoded, body)
        elif decoded.topic.startswith(INBOX) and decoded.kind == "ChatReply":
            self._reply(decoded, body)

    def _order(self, decoded: DecodedRecord, event: Json) -> None:
        subject = f"order {event['order_id']}, agent {event['agent']}"
        self._expect_exits(event)
        order_id = call_decided_by(event)
        if not order_id:
            self._step(decoded, event, subject)
            return
        call = self._commands.pop(order_id, None)
        order = _TracedOrder(
            decoded.location,
            subject,
            event["agent"],
            event["turn_id"],
            event["round"],
            event["index"],
            event["snapshot_id"],
            decoded.record.timestamp_ms,
        )
        self.counts["orders"] += 1
        if call is not None:
            location, body = call
            order.arguments = body["arguments"]
            for name in ("agent", "turn_id", "round", "index", "snapshot_id"):
                text = f"{name} {body[name]} of {location}"
                self.expect(event[name] == body[name], decoded.location, subject, text, event[name])
        if not order.snapshot_id:
            self.counts["orders by hand"] += 1
            return
        call_id: str = ids.tool_call_id(order.turn_id, order.round, order.index)
        if call_id != order_id:
            order.faults.append((f"order id {call_id}", order_id))
        turn_id: str = ids.turn_id(order.agent, order.snapshot_id)
        if turn_id != order.turn_id:
            order.faults.append((f"turn {turn_id} of its snapshot", order.turn_id))
        self._orders[order_id] = order
        if not order.faults:
            self._by_call[ids.model_call_id(order.turn_id, order.round)].append(order_id)

    def _expect_exits(self, event: Json) -> None:
        """Note the exits that an order brings, and whose turn each is of."""
        if event.get("step", 0) == 0 and event.get("cause") != "armed":
            self._turn_of[event["order_id"]] = event["agent"], event["turn_id"]
        for wanted in event.get("exits") or ():
            self._exits[wanted["order_id"]] = event["order_id"], event["agent"], event["turn_id"]

    def _step(self, decoded: DecodedRecord, event: Json, subject: str) -> None:
        """Check that a step without a call is one of an order that a call placed."""
        self.counts["steps without a call"] += 1
        order_id = event["order_id"]
        if str(event.get("cause", "")).startswith("flatten:"):
            return
        if event.get("cause") == "armed":
            parent, *known = self._exits.get(order_id, ("", "", ""))
            named = (event.get("terms") or {}).get("parent", "")
            text = f"an order {named} that brought this exit"
            found = f"order {parent}" if parent else "none"
            self.expect(parent == named != "", decoded.location, subject, text, found)
            self._turn_of[order_id] = event["agent"], event["turn_id"]
        else:
            known = list(self._turn_of.get(order_id, ()))
        if event.get("cause") == CANCELLED and known:
            known[1] = event["turn_id"]  # That of the call that cancelled it, with others.
        text = f"the agent and turn of the order, {' and '.join(known) or 'unknown'}"
        found = f"{event['agent']} and {event['turn_id']}"
        self.expect(
            [event["agent"], event["turn_id"]] == known, decoded.location, subject, text, found
        )

    def _request(self, decoded: DecodedRecord, request: Json) -> None:
        """Keep the first request per id and partition: the one that the chat node answers."""
        if request.get("asker", AGENT) != AGENT:
            return
        self.counts["requests"] += 1
        call_id, turn_id = plain_call_id(request), str(request["turn_id"])
        first = request["round"] == 0
        if not first and call_id not in self._by_call:
            return
        part = (decoded.record.topic, decoded.record.partition)
        # A role may have a prompt of its own, beside that of the turn.
        plain = first and not request.get("role")
        prompt = prompt_sha256(request["messages"]) if plain else ""
        asked = _SentRequest(decoded.location, str(request["snapshot_id"]), turn_id, prompt)
        known = self._requests[call_id].setdefault(part, asked)
        if (known.snapshot_id, known.prompt) != (asked.snapshot_id, asked.prompt):
            self.counts["foreign requests, under an id that was asked before"] += 1

    def _reply(self, decoded: DecodedRecord, reply: Json) -> None:
        self.counts["replies"] += 1
        call_id = plain_call_id(reply)
        known = [self._orders[order_id] for order_id in self._by_call.get(call_id, ())]
        known = [order for order in known if decoded.topic == INBOX + order.agent]
        if not known or call_id in self._answered:
            return
        self._answered.add(call_id)
        for order in known:
            calls = reply.get("tool_calls") or []
            if order.index >= len(calls):
                order.faults.append((f"call {order.index} of the reply to be an order", "nothing"))
                continue
            order.has_reply = True
            asked = calls[order.index]
            text = f"call {order.index} of the reply to be an order"
            found = str(asked.get("name", "nothing"))
            self.expect(found in ORDER_CALLS, decoded.location, order.subject, text, found)
            if order.arguments is not None:
                text = f"the arguments of the command, {order.arguments}"
                found = str(asked.get("arguments"))
                self.expect(found == order.arguments, decoded.location, order.subject, text, found)

    def _turn(self, turn: TurnRecord) -> None:
        self.counts["turns"] += 1
        faults = [*self._snapshot_faults(turn), *self._prompt_faults(turn)]
        if faults and not self._turns.has_trace(turn.turn_id):
            self._foreign_turns.append(turn)
            return
        for text, found in faults:
            self.expect(False, turn.location, turn.subject, text, found)
        for round_, (_, _, tool_calls) in enumerate(turn.rounds):
            for index, call_id in enumerate(tool_calls):
                if (order := self._orders.get(call_id)) is not None:
                    order.is_named = True
                    location = (order.turn_id, order.round, order.index)
                    order.is_in_turn |= location == (turn.turn_id, round_, index)

    def _snapshot_faults(self, turn: TurnRecord) -> Iterator[tuple[str, str]]:
        first, end = self.scope.first(SNAPSHOTS, 0), self.scope.end(SNAPSHOTS, 0)
        if self.scope.live and turn.snapshot_offset >= end:
            self.counts["snapshots newer than these records"] += 1
        elif turn.snapshot_offset < first:
            self.counts["snapshots no longer kept"] += 1
        else:
            offset = self._snapshots.get(turn.snapshot_id)
            found = "none" if offset is None else f"offset {offset}"
            if offset != turn.snapshot_offset:
                yield f"snapshot {turn.snapshot_id} at offset {turn.snapshot_offset}", found

    def _prompt_faults(self, turn: TurnRecord) -> Iterator[tuple[str, str]]:
        if not turn.found:
            return
        self.counts["prompts hashed"] += 1
        if turn.found != turn.prompt:
            yield f"prompt {turn.prompt}", turn.found
        asked = self._requests.get(ids.model_call_id(turn.turn_id, 0), {})
        sent = [one.prompt for one in asked.values() if one.turn_id == turn.turn_id and one.prompt]
        if not sent:
            return
        self.counts["requests of the same hash"] += 1
        if turn.prompt not in sent:
            yield f"request of prompt {turn.prompt}", sent[0]

    def finish(self) -> None:
        """Report every order that cannot be traced to its snapshot."""
        if not (self.scope.has(PROMPTED) and self.scope.has(INBOX)):
            self.notes.append(
                "requests and replies: not checkable without ai_prompted.* and agent.inbox.*"
            )
        for turn in self._turns.effective.values():
            self._turn(turn)
        for order in self._orders.values():
            if self.scope.live and order.at_ms > self._newest_ms - LIVE_GRACE_MS:
                self.counts["orders too new to be followed"] += 1
                continue
            if self._is_foreign(order):
                self._foreign.append(order)
                continue
            self._check_lineage(order)
        self._finish_foreign()
        self._versions.finish()

    def _is_foreign(self, order: _TracedOrder) -> bool:
        """True if no turn names an order, no reply asks for it, and its turn was not interrupted.

        Such an order was sent manually, with made-up ids. An order of an agent always leaves a
        trace, even if records were lost: the start of the turn, the reply, or the turn.
        """
        if order.is_named:
            return False
        if order.faults:
            return True
        if order.has_reply or not self._turns.whole(INBOX) or self.scope.first(TURNS, 0) > 0:
            return False
        known = order.turn_id in self._turns.started or order.turn_id in self._turns.effective
        return not known and not self._was_interrupted(order)

    def _was_interrupted(self, order: _TracedOrder) -> bool:
        turn = self._turns.effective.get(order.turn_id)
        return turn is not None and turn.outcome == "aborted"

    def _finish_foreign(self) -> None:
        self.counts["foreign orders"] = len(self._foreign)
        self._note_locations(
            "foreign orders, which no agent's turn or reply asked for",
            [f"{order.location} ({order.subject})" for order in self._foreign],
        )
        self.counts["foreign turns"] = len(self._foreign_turns)
        self._note_locations(
            "foreign turns, which no request and no model call names",
            [f"{turn.location} ({turn.subject})" for turn in self._foreign_turns],
        )
        self.counts += self._turns.counts
        self._note_locations("turns told again, otherwise", self._turns.others)

    def _note_locations(self, what: str, locations: list[str]) -> None:
        if locations:
            more = len(locations) - FOREIGN_NAMED_MAX
            listed = ", ".join(locations[:FOREIGN_NAMED_MAX])
            self.notes.append(f"{what}: {listed}" + (f" and {more:,} more" if more > 0 else ""))

    def _check_lineage(self, order: _TracedOrder) -> None:
        def expect(holds: bool, text: str) -> None:
            self.expect(holds, order.location, order.subject, text, "none")

        for text, found in order.faults:
            self.expect(False, order.location, order.subject, text, found)
        kept = self.scope.first(SNAPSHOTS, 0) == 0
        if kept:
            expect(order.snapshot_id in self._snapshots, f"snapshot {order.snapshot_id}")
        if self._turns.whole(PROMPTED):
            asked = self._requests.get(ids.model_call_id(order.turn_id, order.round), {})
            text = f"a request of round {order.round} of turn {order.turn_id}"
            expect(bool(asked), text)
            if asked and order.snapshot_id not in {one.snapshot_id for one in asked.values()}:
                one = next(iter(asked.values()))
                text = f"snapshot {order.snapshot_id} of {order.location}"
                self.expect(False, one.location, order.subject, text, one.snapshot_id)
        if self._turns.whole(INBOX):
            expect(order.has_reply, f"a reply of round {order.round} of turn {order.turn_id}")
        if order.turn_id in self._turns.effective:
            expect(
                order.is_in_turn or self._was_interrupted(order),
                f"the order in turn {order.turn_id}",
            )
        else:
            self.counts["orders of turns without an end"] += 1
