"""Invariant 9: order, turn, reply, request and snapshot name each other, by the same hash. Pure."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from arena import ids, topics
from ledger.audit.findings import Checker, Scope
from ledger.audit.reading import ORDER_TOOL, Json, Seen, prompt_sha256
from ledger.audit.turns import Told, Turns

COMMANDS, EVENTS, TURNS = topics.COMMANDS.name, topics.EVENTS.name, topics.TURNS.name
SNAPSHOTS, PROMPTED, INBOX = topics.SNAPSHOTS.name, topics.PROMPTED.name, topics.INBOX.name


FOREIGN_NAMED_MAX = 5
LIVE_GRACE_MS = 5_000
"""The ends of live topics are not taken at one instant: so much of the newest is let be."""


@dataclass(slots=True)
class _Order:
    """An order on its way back to the snapshot it was decided on.

    Attributes:
        faults: Expected and found, of ids that do not follow from each other.
        replied, told: A reply that asks for it, a turn that tells of it is there.
        named: A turn names its id, at this place or another.
    """

    place: str
    subject: str
    agent: str
    turn_id: str
    round: int
    index: int
    snapshot_id: str
    at_ms: int
    arguments: str | None = None
    faults: list[tuple[str, str]] = field(default_factory=list)
    replied: bool = False
    told: bool = False
    named: bool = False


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request to a model; `prompt` is the hash of the first round's, else ""."""

    place: str
    snapshot_id: str
    turn_id: str
    prompt: str


class LineageChecker(Checker):
    """Follows every order back, and every prompt to its hash."""

    number = 9
    title = "order, turn, reply, request and snapshot resolve"
    needs = (COMMANDS, EVENTS, SNAPSHOTS, TURNS)
    counted = "turns"

    def __init__(self, scope: Scope, turns: Turns) -> None:
        """Take the fold of the turns."""
        super().__init__(scope)
        self._turns = turns
        self._orders: dict[str, _Order] = {}
        self._commands: dict[str, tuple[str, Json]] = {}
        self._by_call: dict[str, list[str]] = defaultdict(list)
        self._snapshots: dict[str, int] = {}
        self._requests: dict[str, dict[tuple[str, int], _Asked]] = defaultdict(dict)
        self._answered: set[str] = set()
        self._foreign: list[_Order] = []
        self._foreign_turns: list[Told] = []
        self._newest_ms = 0

    def take(self, seen: Seen) -> None:
        """Take in one record."""
        body = seen.body
        self._newest_ms = max(self._newest_ms, seen.record.timestamp_ms)
        if body is None:
            return
        if seen.topic == COMMANDS and seen.kind == "ToolCall" and body.get("tool") == ORDER_TOOL:
            kept = ("agent", "turn_id", "round", "index", "snapshot_id", "arguments")
            call = {name: body.get(name) for name in kept}
            self._commands.setdefault(str(body.get("call_id")), (seen.place, call))
        elif seen.topic == EVENTS and seen.effective and seen.kind == "OrderDecided":
            self._order(seen, body)
        elif seen.topic == SNAPSHOTS:
            self._snapshots.setdefault(body["snapshot_id"], seen.record.offset)
        elif seen.topic.startswith(PROMPTED) and seen.kind == "ChatRequest":
            self._request(seen, body)
        elif seen.topic.startswith(INBOX) and seen.kind == "ChatReply":
            self._reply(seen, body)

    def _order(self, seen: Seen, event: Json) -> None:
        order_id, call = event["order_id"], self._commands.pop(event["order_id"], None)
        subject = f"order {order_id}, agent {event['agent']}"
        order = _Order(
            seen.place,
            subject,
            event["agent"],
            event["turn_id"],
            event["round"],
            event["index"],
            event["snapshot_id"],
            seen.record.timestamp_ms,
        )
        self.looked["orders"] += 1
        if call is not None:
            place, body = call
            order.arguments = body["arguments"]
            for name in ("agent", "turn_id", "round", "index", "snapshot_id"):
                text = f"{name} {body[name]} of {place}"
                self.expect(event[name] == body[name], seen.place, subject, text, event[name])
        if not order.snapshot_id:
            self.looked["orders by hand"] += 1
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

    def _request(self, seen: Seen, request: Json) -> None:
        """Keep the first request under an id in each partition: the one its chat node answers."""
        self.looked["requests"] += 1
        call_id, turn_id = str(request["call_id"]), str(request["turn_id"])
        first = request["round"] == 0
        if not first and call_id not in self._by_call:
            return
        part = (seen.record.topic, seen.record.partition)
        prompt = prompt_sha256(request["messages"]) if first else ""
        asked = _Asked(seen.place, str(request["snapshot_id"]), turn_id, prompt)
        known = self._requests[call_id].setdefault(part, asked)
        if (known.snapshot_id, known.prompt) != (asked.snapshot_id, asked.prompt):
            self.looked["foreign requests, under an id that was asked before"] += 1

    def _reply(self, seen: Seen, reply: Json) -> None:
        self.looked["replies"] += 1
        call_id = str(reply["call_id"])
        known = [self._orders[order_id] for order_id in self._by_call.get(call_id, ())]
        known = [order for order in known if seen.topic == INBOX + order.agent]
        if not known or call_id in self._answered:
            return
        self._answered.add(call_id)
        for order in known:
            calls = reply.get("tool_calls") or []
            if order.index >= len(calls):
                order.faults.append((f"call {order.index} of the reply to be an order", "nothing"))
                continue
            order.replied = True
            asked = calls[order.index]
            text = f"call {order.index} of the reply to be an order"
            found = str(asked.get("name", "nothing"))
            self.expect(found == ORDER_TOOL, seen.place, order.subject, text, found)
            if order.arguments is not None:
                text = f"the arguments of the command, {order.arguments}"
                found = str(asked.get("arguments"))
                self.expect(found == order.arguments, seen.place, order.subject, text, found)

    def _turn(self, turn: Told) -> None:
        self.looked["turns"] += 1
        faults = [*self._snapshot_faults(turn), *self._prompt_faults(turn)]
        if faults and not self._turns.has_trace(turn.turn_id):
            self._foreign_turns.append(turn)
            return
        for text, found in faults:
            self.expect(False, turn.place, turn.subject, text, found)
        for round_, (_, _, tool_calls) in enumerate(turn.rounds):
            for index, call_id in enumerate(tool_calls):
                if (order := self._orders.get(call_id)) is not None:
                    order.named = True
                    place = (order.turn_id, order.round, order.index)
                    order.told = order.told or place == (turn.turn_id, round_, index)

    def _snapshot_faults(self, turn: Told) -> Iterator[tuple[str, str]]:
        first, end = self.scope.first(SNAPSHOTS, 0), self.scope.end(SNAPSHOTS, 0)
        if self.scope.live and turn.snapshot_offset >= end:
            self.looked["snapshots newer than these records"] += 1
        elif turn.snapshot_offset < first:
            self.looked["snapshots no longer kept"] += 1
        else:
            offset = self._snapshots.get(turn.snapshot_id)
            found = "none" if offset is None else f"offset {offset}"
            if offset != turn.snapshot_offset:
                yield f"snapshot {turn.snapshot_id} at offset {turn.snapshot_offset}", found

    def _prompt_faults(self, turn: Told) -> Iterator[tuple[str, str]]:
        if not turn.found:
            return
        self.looked["prompts hashed"] += 1
        if turn.found != turn.prompt:
            yield f"prompt {turn.prompt}", turn.found
        asked = self._requests.get(ids.model_call_id(turn.turn_id, 0), {})
        sent = [one.prompt for one in asked.values() if one.turn_id == turn.turn_id]
        if not sent:
            return
        self.looked["requests of the same hash"] += 1
        if turn.prompt not in sent:
            yield f"request of prompt {turn.prompt}", sent[0]

    def finish(self) -> None:
        """Name every order that does not lead back all the way."""
        if not (self.scope.has(PROMPTED) and self.scope.has(INBOX)):
            self.notes.append("requests and replies: not checkable without ai_prompted and inbox")
        for turn in self._turns.counted.values():
            self._turn(turn)
        for order in self._orders.values():
            if self.scope.live and order.at_ms > self._newest_ms - LIVE_GRACE_MS:
                self.looked["orders too new to be followed"] += 1
                continue
            if self._is_foreign(order):
                self._foreign.append(order)
                continue
            self._way(order)
        self._finish_foreign()

    def _is_foreign(self, order: _Order) -> bool:
        """True if no turn tells of an order, no reply asks for it, and no turn was cut off in it.

        Such an order was sent by hand, under ids that it made up. What was lost of an agent's own
        order leaves a trace: the turn that began, the model's reply, or what the turn tells.
        """
        if order.named:
            return False
        if order.faults:
            return True
        if order.replied or not self._turns.whole(INBOX) or self.scope.first(TURNS, 0) > 0:
            return False
        known = order.turn_id in self._turns.started or order.turn_id in self._turns.counted
        return not known and not self._was_cut_off(order)

    def _was_cut_off(self, order: _Order) -> bool:
        turn = self._turns.counted.get(order.turn_id)
        return turn is not None and turn.outcome == "aborted"

    def _finish_foreign(self) -> None:
        self.looked["foreign orders"] = len(self._foreign)
        self._name(
            "foreign orders, which no agent's turn or reply asked for",
            [f"{order.place} ({order.subject})" for order in self._foreign],
        )
        self.looked["foreign turns"] = len(self._foreign_turns)
        self._name(
            "foreign turns, of which no request and no model call tells",
            [f"{turn.place} ({turn.subject})" for turn in self._foreign_turns],
        )
        self.looked += self._turns.counts
        self._name("turns told again, otherwise", self._turns.others)

    def _name(self, what: str, places: list[str]) -> None:
        if places:
            more = len(places) - FOREIGN_NAMED_MAX
            named = ", ".join(places[:FOREIGN_NAMED_MAX])
            self.notes.append(f"{what}: {named}" + (f" and {more:,} more" if more > 0 else ""))

    def _way(self, order: _Order) -> None:
        def expect(true: bool, text: str) -> None:
            self.expect(true, order.place, order.subject, text, "none")

        for text, found in order.faults:
            self.expect(False, order.place, order.subject, text, found)
        kept = self.scope.first(SNAPSHOTS, 0) == 0
        if kept:
            expect(order.snapshot_id in self._snapshots, f"snapshot {order.snapshot_id}")
        if self._turns.whole(PROMPTED):
            asked = self._requests.get(ids.model_call_id(order.turn_id, order.round), {})
            text = f"a request of round {order.round} of turn {order.turn_id}"
            expect(bool(asked), text)
            if asked and order.snapshot_id not in {one.snapshot_id for one in asked.values()}:
                one = next(iter(asked.values()))
                text = f"snapshot {order.snapshot_id} of {order.place}"
                self.expect(False, one.place, order.subject, text, one.snapshot_id)
        if self._turns.whole(INBOX):
            expect(order.replied, f"a reply of round {order.round} of turn {order.turn_id}")
        if order.turn_id in self._turns.counted:
            expect(order.told or self._was_cut_off(order), f"the order in turn {order.turn_id}")
        else:
            self.looked["orders of turns without an end"] += 1
