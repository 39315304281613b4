"""Invariant 9: order, turn, reply, request and snapshot name each other, by the same hash. Pure."""

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field

from arena import ids, topics
from ledger.audit.findings import Checker, Scope
from ledger.audit.reading import ORDER_TOOL, Json, Seen

COMMANDS, EVENTS, TURNS = topics.COMMANDS.name, topics.EVENTS.name, topics.TURNS.name
SNAPSHOTS, PROMPTED, INBOX = topics.SNAPSHOTS.name, topics.PROMPTED.name, topics.INBOX.name


FOREIGN_NAMED_MAX = 5
LIVE_GRACE_MS = 5_000
"""The ends of live topics are not taken at one instant: so much of the newest is let be."""


def prompt_sha256(messages: list[Json]) -> str:
    """Hash of the system and the user message that open a conversation, as they were sent."""
    system, user = (str(m.get("content", "")) for m in messages[:2])
    return hashlib.sha256(f"{system}\x00{user}".encode()).hexdigest()


@dataclass(slots=True)
class _Order:
    """An order on its way back to the snapshot it was decided on.

    Attributes:
        faults: Expected and found, of ids that do not follow from each other.
        asked, replied, told: A request, a reply that asks, a turn that tells of it is there.
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
    asked: bool = False
    replied: bool = False
    told: bool = False


class LineageChecker(Checker):
    """Follows every order back, and every prompt to its hash."""

    number = 9
    title = "order, turn, reply, request and snapshot resolve"
    needs = (COMMANDS, EVENTS, SNAPSHOTS, TURNS)
    counted = "turns"

    def __init__(self, scope: Scope) -> None:
        """Nothing seen yet."""
        super().__init__(scope)
        self._orders: dict[str, _Order] = {}
        self._commands: dict[str, tuple[str, Json]] = {}
        self._by_call: dict[str, list[str]] = defaultdict(list)
        self._snapshots: dict[str, int] = {}
        self._requests: dict[str, str] = {}
        self._turns: set[str] = set()
        self._started: set[str] = set()
        self._foreign: list[_Order] = []
        self._cut_off: set[str] = set()
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
        elif seen.kind == "MarketSnapshot":
            self._snapshots.setdefault(body["snapshot_id"], seen.record.offset)
        elif seen.topic.startswith(PROMPTED) and seen.kind == "ChatRequest":
            self._request(seen, body)
        elif seen.topic.startswith(INBOX) and seen.kind == "ChatReply":
            self._reply(seen, body)
        elif seen.kind == "TurnStarted":
            self._started.add(str(body["turn_id"]))
        elif seen.kind == "Turn":
            self._turn(seen, body)

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
        self._by_call[ids.model_call_id(order.turn_id, order.round)].append(order_id)

    def _request(self, seen: Seen, request: Json) -> None:
        self.looked["requests"] += 1
        for order_id in self._by_call.get(request["call_id"], ()):
            order = self._orders[order_id]
            order.asked = True
            text = f"snapshot {order.snapshot_id} of {order.place}"
            found = request["snapshot_id"]
            self.expect(found == order.snapshot_id, seen.place, order.subject, text, found)
        if request["round"] == 0:
            self._requests.setdefault(request["turn_id"], prompt_sha256(request["messages"]))

    def _reply(self, seen: Seen, reply: Json) -> None:
        self.looked["replies"] += 1
        for order_id in self._by_call.get(reply["call_id"], ()):
            order = self._orders[order_id]
            if order.replied:
                continue
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

    def _turn(self, seen: Seen, turn: Json) -> None:
        turn_id = turn["turn_id"]
        if turn_id in self._turns:
            return
        self._turns.add(turn_id)
        self.looked["turns"] += 1
        if turn["outcome"] == "aborted":
            self._cut_off.add(turn_id)
        subject = f"turn {turn_id}, agent {turn['agent']}"
        offset = self._snapshots.get(turn["snapshot_id"])
        first, end = self.scope.first(SNAPSHOTS, 0), self.scope.end(SNAPSHOTS, 0)
        if self.scope.live and turn["snapshot_offset"] >= end:
            self.looked["snapshots newer than these records"] += 1
        elif turn["snapshot_offset"] >= first:
            text = f"snapshot {turn['snapshot_id']} at offset {turn['snapshot_offset']}"
            found = "none" if offset is None else f"offset {offset}"
            self.expect(offset == turn["snapshot_offset"], seen.place, subject, text, found)
        else:
            self.looked["snapshots no longer kept"] += 1
        if turn["messages"]:
            self._prompt(seen, turn, subject)
        for round_, told in enumerate(turn["rounds"]):
            for index, call_id in enumerate(told["tool_call_ids"]):
                order = self._orders.get(call_id)
                if order is not None:
                    order.told = (order.turn_id, order.round, order.index) == (
                        turn_id,
                        round_,
                        index,
                    )

    def _prompt(self, seen: Seen, turn: Json, subject: str) -> None:
        self.looked["prompts hashed"] += 1
        found = prompt_sha256(turn["messages"])
        text = f"prompt {turn['prompt_sha256']}"
        self.expect(found == turn["prompt_sha256"], seen.place, subject, text, found)
        sent = self._requests.get(turn["turn_id"])
        if sent is not None:
            self.looked["requests of the same hash"] += 1
            text = f"request of prompt {turn['prompt_sha256']}"
            self.expect(sent == turn["prompt_sha256"], seen.place, subject, text, sent)

    def finish(self) -> None:
        """Name every order that does not lead back all the way."""
        if not (self.scope.has(PROMPTED) and self.scope.has(INBOX)):
            self.notes.append("requests and replies: not checkable without ai_prompted and inbox")
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
        if order.told or order.replied or not self._whole(INBOX):
            return False
        if self.scope.first(TURNS, 0) > 0 or order.turn_id in self._cut_off:
            return False
        return bool(order.faults) or order.turn_id not in self._started | self._turns

    def _finish_foreign(self) -> None:
        if not self._foreign:
            return
        self.looked["foreign orders"] = len(self._foreign)
        named = ", ".join(f"{o.place} ({o.subject})" for o in self._foreign[:FOREIGN_NAMED_MAX])
        more = len(self._foreign) - FOREIGN_NAMED_MAX
        self.notes.append(
            f"foreign orders, which no agent's turn or reply asked for: {named}"
            + (f" and {more:,} more" if more > 0 else "")
        )

    def _way(self, order: _Order) -> None:
        def expect(true: bool, text: str) -> None:
            self.expect(true, order.place, order.subject, text, "none")

        for text, found in order.faults:
            self.expect(False, order.place, order.subject, text, found)
        kept = self.scope.first(SNAPSHOTS, 0) == 0
        if kept:
            expect(order.snapshot_id in self._snapshots, f"snapshot {order.snapshot_id}")
        if self._whole(PROMPTED):
            expect(order.asked, f"a request of round {order.round} of turn {order.turn_id}")
        if self._whole(INBOX):
            expect(order.replied, f"a reply of round {order.round} of turn {order.turn_id}")
        if order.turn_id in self._turns:
            expect(
                order.told or order.turn_id in self._cut_off, f"the order in turn {order.turn_id}"
            )
        else:
            self.looked["orders of turns without an end"] += 1

    def _whole(self, family: str) -> bool:
        """True where every topic of a family is there from its first record."""
        spans = [s for t, s in self.scope.spans.items() if t.startswith(family)]
        return bool(spans) and all(span.first == 0 for found in spans for span in found.values())
