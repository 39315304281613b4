"""Input and findings of the checker. Defined here, because the checker imports no arena code."""

import json
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

SHOWN_MAX = 20

# Any: decoded JSON of any shape that may be in the topics.
Json = dict[str, Any]


@dataclass(frozen=True)
class TopicRecord:
    """A record of a topic: its position, its `type` header, its bytes.

    Attributes:
        kind: Its `type` header. key: Its key; b"" if it is not needed.
        written_ms: Timestamp in Unix milliseconds; 0 if unknown.
    """

    partition: int
    offset: int
    kind: str
    value: bytes
    key: bytes = b""
    written_ms: int = 0


@dataclass(frozen=True)
class AckedCommand:
    """A command that was acked, from the oracle file of its sender.

    Attributes:
        offset: Offset in `account.commands`.
        sha256: Digest of the sent bytes, in hex.
        order_id: Id of an order; "" for other commands.
    """

    offset: int
    sha256: str
    order_id: str = ""


@dataclass(frozen=True)
class ExecutorSettings:
    """The settings of the executors under test.

    Attributes:
        remembered: Number of ids of decided orders and openings that an executor keeps.
    """

    cash: Decimal
    fee_bps: Decimal
    slippage_bps: Decimal
    price_age_ms: int
    collar_bps: Decimal
    remembered: int = 65_536


@dataclass
class RecomputedAccount:
    """An agent's cash and positions, recomputed."""

    cash: Decimal
    positions: dict[str, Decimal] = field(default_factory=dict)
    sources: list[int] = field(default_factory=list)
    """Source offset of each effective event, ascending."""
    cashes: list[Decimal] = field(default_factory=list)
    """Cash after each of them."""

    def note(self, source: int) -> None:
        """Record the cash after the event of a command."""
        self.sources.append(source)
        self.cashes.append(self.cash)

    def before(self, offset: int) -> Decimal | None:
        """Return the cash after all events of earlier commands; None before the first."""
        count = bisect_left(self.sources, offset)
        return self.cashes[count - 1] if count else None

    def from_offset(self, offset: int) -> list[Decimal]:
        """Return the cash after each event of that command and of later ones."""
        return self.cashes[bisect_left(self.sources, offset) :]


@dataclass
class Findings:
    """Counts, and the list of what is wrong."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def add(self, what: str) -> None:
        """Add a finding."""
        self.wrong.append(what)

    def expect(self, true: bool, what: str) -> None:
        """Add a finding unless a condition is true."""
        self.counts["checks"] += 1
        if not true:
            self.add(what)

    def summary(self) -> str:
        """Return the first findings, one per line."""
        return "\n".join(self.wrong[:SHOWN_MAX]) + f"\n({len(self.wrong)} in all)"


@dataclass
class TopicRecords:
    """The raw records of one shard and of related topics, each list in offset order.

    Attributes:
        control: Records with keys; None if the topic was not read: halts cannot be checked then.
    """

    commands: list[TopicRecord]
    events: list[TopicRecord]
    tickers: list[TopicRecord]
    inboxes: dict[str, list[TopicRecord]]
    dead_letters: list[TopicRecord]
    control: list[TopicRecord] | None = None


def read_time(text: str) -> datetime:
    """Parse a time of a message."""
    return datetime.fromisoformat(text)


def parse(value: bytes) -> Json | None:
    """Return a JSON object, or None."""
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
