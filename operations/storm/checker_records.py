"""What the checker reads and what it finds, in words of its own: nothing here is the arena's."""

import json
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

SHOWN_MAX = 20

# Any: everything here is decoded JSON of whatever shape is in the topics.
Json = dict[str, Any]


@dataclass(frozen=True)
class RawRecord:
    """A record as it is in a topic: where, its `type` header, its bytes.

    Attributes:
        key: If it matters. written_ms: when, Unix milliseconds; 0 if unknown.
    """

    partition: int
    offset: int
    kind: str
    value: bytes
    key: bytes = b""
    written_ms: int = 0


@dataclass(frozen=True)
class AckedCommand:
    """A command that was acked, as its sender wrote it down.

    Attributes:
        offset: In `account.commands`.
        sha256: Of the bytes that were sent, in hex.
        order_id: Of an order; "" for anything else.
    """

    offset: int
    sha256: str
    order_id: str = ""


@dataclass(frozen=True)
class ExecutorSettings:
    """What the executors under test were told.

    Attributes:
        remembered: How many ids of decided orders and openings an executor keeps.
    """

    cash: Decimal
    fee_bps: Decimal
    slippage_bps: Decimal
    price_age_ms: int
    collar_bps: Decimal
    remembered: int = 65_536


@dataclass
class RecomputedAccount:
    """An agent's money, recomputed."""

    cash: Decimal
    positions: dict[str, Decimal] = field(default_factory=dict)
    sources: list[int] = field(default_factory=list)
    """Source offset of each effective event, ascending."""
    cashes: list[Decimal] = field(default_factory=list)
    """Cash after each of them."""

    def note(self, source: int) -> None:
        """Remember the cash after the event of a command."""
        self.sources.append(source)
        self.cashes.append(self.cash)

    def before(self, offset: int) -> Decimal | None:
        """Cash after every event of an earlier command; None before the first."""
        place = bisect_left(self.sources, offset)
        return self.cashes[place - 1] if place else None

    def since(self, offset: int) -> list[Decimal]:
        """Cash after each event of that command or a later one."""
        return self.cashes[bisect_left(self.sources, offset) :]


@dataclass
class Findings:
    """What was counted, and what is wrong (nothing should be)."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def say(self, what: str) -> None:
        """Note something wrong."""
        self.wrong.append(what)

    def expect(self, true: bool, what: str) -> None:
        """Note something wrong unless it is true."""
        self.counts["checks"] += 1
        if not true:
            self.say(what)

    def summary(self) -> str:
        """The first wrong things, one per line."""
        return "\n".join(self.wrong[:SHOWN_MAX]) + f"\n({len(self.wrong)} in all)"


@dataclass
class TopicRecords:
    """The raw records of one shard and its surroundings, each list in offset order.

    Attributes:
        control: With keys; None if the topic was not read, so that halts cannot be judged.
    """

    commands: list[RawRecord]
    events: list[RawRecord]
    tickers: list[RawRecord]
    inboxes: dict[str, list[RawRecord]]
    dead_letters: list[RawRecord]
    control: list[RawRecord] | None = None


def when(text: str) -> datetime:
    """A time of a message."""
    return datetime.fromisoformat(text)


def parse(value: bytes) -> Json | None:
    """A JSON object, or None."""
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
