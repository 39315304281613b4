"""Records as the checkers see them, and the order in which they come. Pure."""

import json
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from functools import cache, cached_property
from hashlib import sha256
from typing import Any

import orjson

from arena import topics
from arena.bus.base import Record
from arena.errors import ArenaError, Malformed, UsageError
from arena.money import PriceUnits, to_price_units, to_units

Json = dict[str, Any]  # Any: decoded JSON of whatever shape stands in the topics

ORDER = (
    topics.ROSTER.name,
    topics.CONTROL.name,
    topics.COMMANDS.name,
    topics.EVENTS.name,
    topics.TICKERS.name,
    topics.SNAPSHOTS.name,
    topics.TOOL_CALLS.name,
    topics.PROMPTED.name,
    topics.LLM_CALLS.name,
    topics.INBOX.name,
    topics.TURNS.name,
    topics.EVALUATIONS.name,
    topics.HEARTBEATS.name,
    topics.DEAD_LETTERS.name,
)
"""What is asked for comes before what answers it: a checker keeps only what it must look for."""

ORDER_TOOL = "execute_trade"
"""The tool whose calls are orders."""


class DecodedRecord:
    """One record, and its body where that is a JSON object.

    Attributes:
        effective: For `account.events`: True where the event counts by the rules of the fold.
    """

    def __init__(self, record: Record, *, effective: bool = True) -> None:
        """Decode nothing yet."""
        self.record = record
        self.effective = effective

    @property
    def topic(self) -> str:
        """The topic's name without prefix."""
        return self.record.topic

    @property
    def location(self) -> str:
        """Where it stands: "account.events[0]@17"."""
        return location_of(self.record.topic, self.record.partition, self.record.offset)

    @cached_property
    def kind(self) -> str:
        """The message type its header names, "" where it names none."""
        return self.record.kind

    @cached_property
    def foreign(self) -> bool:
        """True if no process of the arena takes it for a message of this topic.

        It has no body, or a type that its topic does not carry. Readers pass over it or bury it.
        """
        return self.body is None or self.kind not in kinds_of(self.topic)

    @cached_property
    def malformed(self) -> bool:
        """True if its bytes are not the message that its header names: it is a dead letter."""
        try:
            self.record.message()
        except (Malformed, ValueError, ArenaError):
            return True
        return False

    @cached_property
    def body(self) -> Json | None:
        """The body; None where it is no JSON object."""
        value = self.record.value or b""
        try:
            found = orjson.loads(value)
        except (orjson.JSONDecodeError, RecursionError):
            found = _lenient(value)
        return found if isinstance(found, dict) else None


def _lenient(value: bytes) -> object:
    """JSON that processes of the arena take all the same, such as whole numbers of any size."""
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


@cache
def kinds_of(topic: str) -> frozenset[str]:
    """The messages that a topic carries; none if the arena does not know it."""
    try:
        return frozenset(topics.spec_of(topic).messages)
    except UsageError:
        return frozenset()


def location_of(topic: str, partition: int, offset: int) -> str:
    """A place in a topic, for people."""
    return f"{topic}[{partition}]@{offset}"


def in_order(names: Iterable[str]) -> list[str]:
    """Topics in the order of `ORDER`, families by name; others are left out."""
    known = list(names)
    found: list[str] = []
    for name in ORDER:
        if name.endswith("."):
            found += sorted(n for n in known if n.startswith(name))
        elif name in known:
            found.append(name)
    return found


def prompt_sha256(messages: list[Json]) -> str:
    """Hash of the system and the user message that open a conversation, as they were sent."""
    texts = [str(m.get("content", "")) for m in messages[:2]]
    system, user = (*texts, "", "")[:2]
    return sha256(f"{system}\x00{user}".encode()).hexdigest()


def units(text: str | None) -> int:
    """Whole units of 10^-8 of a decimal text; nothing is zero.

    Raises:
        ValueError: It is not a decimal, or has more than eight digits behind the point.
        ArithmeticError: Likewise.
    """
    return 0 if text is None else to_units(Decimal(text))


def prices(text: str | None) -> PriceUnits:
    """The price of a decimal text; nothing is zero.

    Raises:
        ValueError: It is not a decimal, or has more digits after the point than are carried.
        ArithmeticError: Likewise.
    """
    return PriceUnits(0) if text is None else to_price_units(Decimal(text))


def when(text: str) -> datetime:
    """A time of a message."""
    return datetime.fromisoformat(text)
