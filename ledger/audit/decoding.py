"""Decodes records for the checkers, and defines the order in which they come. Pure."""

import json
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from functools import cache, cached_property
from hashlib import sha256
from typing import Any

import orjson

from arena import ids, topics
from arena.bus.base import Record
from arena.errors import ArenaError, Malformed, UsageError
from arena.messages import AGENT
from arena.messages.tools import TRADE_TOOL
from arena.money import PriceUnits, to_price_units, to_units

Json = dict[str, Any]  # Any: decoded JSON of any shape
FILLED = frozenset({"filled", "part_filled"})
CLOSING = frozenset({"filled", "rejected", "cancelled", "expired"})
"""Outcomes after which an order has no further step."""
CANCELLED = "cancelled"
"""Outcome, and cause, of a step by which an agent cancels an order."""
ORDER_CALLS = frozenset({TRADE_TOOL, "set_exit", "cancel_order"})
"""Tools whose calls are each decided by one event."""

ORDER = (
    topics.ROSTER.name,
    topics.CONTROL.name,
    topics.PROMPTS.name,
    topics.FEEDBACK.name,
    topics.COMMANDS.name,
    topics.EVENTS.name,
    topics.INTENTS.name,
    topics.TICKERS.name,
    topics.CANDLES.name,
    topics.CONTEXT.name,
    topics.SNAPSHOTS.name,
    topics.TOOL_CALLS.name,
    topics.PROMPTED.name,
    topics.LLM_CALLS.name,
    topics.INBOX.name,
    topics.JUDGE_INBOX.name,
    topics.CHAT_INBOX.name,
    topics.TURNS.name,
    topics.EVALUATIONS.name,
    topics.SUPERVISION.name,
    topics.HEARTBEATS.name,
    topics.DEAD_LETTERS.name,
)
"""Requests come before their answers, so that a checker only keeps what it still has to find."""


class DecodedRecord:
    """One record, decoded when it is needed.

    Attributes:
        record: The record.
        effective: For `account.events`: True if the event counts by the rules of the fold.
    """

    def __init__(self, record: Record, *, effective: bool = True) -> None:
        """Wrap a record.

        Args:
            record: The record.
            effective: See the attribute.
        """
        self.record = record
        self.effective = effective

    @property
    def topic(self) -> str:
        """The name of the topic without prefix."""
        return self.record.topic

    @property
    def location(self) -> str:
        """The location of the record, such as "account.events[0]@17"."""
        return location_of(self.record.topic, self.record.partition, self.record.offset)

    @cached_property
    def kind(self) -> str:
        """The message type in its header, or ""."""
        return self.record.kind

    @cached_property
    def foreign(self) -> bool:
        """True if it is not a message of its topic.

        It has no body, or a type that its topic does not carry. Readers skip or dead-letter it.
        """
        return self.body is None or self.kind not in kinds_of(self.topic)

    @cached_property
    def malformed(self) -> bool:
        """True if its bytes are not the message that its header names; it must be a dead letter."""
        try:
            self.record.message()
        except (Malformed, ValueError, ArenaError):
            return True
        return False

    @cached_property
    def body(self) -> Json | None:
        """The body; None if it is not a JSON object."""
        value = self.record.value or b""
        try:
            found = orjson.loads(value)
        except (orjson.JSONDecodeError, RecursionError):
            found = _lenient(value)
        return found if isinstance(found, dict) else None


def _lenient(value: bytes) -> object:
    """Decode JSON that the arena accepts and orjson does not, such as integers of any size."""
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


@cache
def kinds_of(topic: str) -> frozenset[str]:
    """Return the message types of a topic; none if the arena does not know it."""
    try:
        return frozenset(topics.spec_of(topic).messages)
    except UsageError:
        return frozenset()


def is_fill(event: Json) -> bool:
    """True for an event that moves money because an order filled, whole or in part."""
    return event.get("outcome") in FILLED


def call_decided_by(event: Json) -> str:
    """Return the id of the call that an `OrderDecided` decides; "" for a step without a call.

    A call of `cancel_order` is decided by the last record of an order that it cancels.
    """
    if event.get("cause") == CANCELLED:
        return str(event.get("by_call") or "")
    own = not event.get("step") and not event.get("cause")
    return str(event["order_id"]) if own else ""


def decides_its_command(event: Json) -> bool:
    """True if an `OrderDecided` decides the command that it names; other steps repeat its place."""
    return event.get("cause") == CANCELLED or call_decided_by(event) != ""


def location_of(topic: str, partition: int, offset: int) -> str:
    """Format the location of a record, for people."""
    return f"{topic}[{partition}]@{offset}"


def in_order(names: Iterable[str]) -> list[str]:
    """Return topics in the order of `ORDER`, families by name; unknown topics are left out."""
    known = list(names)
    found: list[str] = []
    for name in ORDER:
        if name.endswith("."):
            found += sorted(n for n in known if n.startswith(name))
        elif name in known:
            found.append(name)
    return found


def prompt_sha256(messages: list[Json]) -> str:
    """Return the hash of the system and the user message that open a conversation."""
    texts = [str(m.get("content", "")) for m in messages[:2]]
    system, user = (*texts, "", "")[:2]
    return sha256(f"{system}\x00{user}".encode()).hexdigest()


def asker_of(decoded: DecodedRecord, body: Json) -> str:
    """Return the kind of process that sent a request or call; tools are called by agents only."""
    return str(body.get("asker", AGENT)) if decoded.kind == "ChatRequest" else AGENT


def plain_call_id(body: Json) -> str:
    """Return the id of a model call, as if its stage and role had no name.

    Orders name turn and round, and no role; a round of a turn has one model call.

    Args:
        body: A request or a reply.
    """
    call_id, stage, role = str(body["call_id"]), body.get("stage", ""), body.get("role", "")
    if not stage and not role:
        return call_id
    turn_id, round_ = str(body["turn_id"]), int(body["round"])
    named = call_id == ids.model_call_id(turn_id, round_, str(stage), str(role))
    return ids.model_call_id(turn_id, round_) if named else call_id


def units(text: str | None) -> int:
    """Convert a decimal text to units of 10^-8; None is zero.

    Raises:
        ValueError: It is not a decimal, or has more than eight decimals.
        ArithmeticError: Likewise.
    """
    return 0 if text is None else to_units(Decimal(text))


def prices(text: str | None) -> PriceUnits:
    """Convert a decimal text to a price; None is zero.

    Raises:
        ValueError: It is not a decimal, or has too many decimals.
        ArithmeticError: Likewise.
    """
    return PriceUnits(0) if text is None else to_price_units(Decimal(text))


def parse_time(text: str) -> datetime:
    """Parse a time of a message."""
    return datetime.fromisoformat(text)
