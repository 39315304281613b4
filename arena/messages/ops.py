"""Running the arena: heartbeats, the kill switch, and messages nobody could read."""

from typing import Literal

from pydantic import Field, JsonValue

from arena.messages.base import Message, Utc


class Heartbeat(Message):
    """A process is alive, and how it fares.

    Attributes:
        node: "<kind>/<name>/<host>/<pid>", the key. kind: the command, such as "router".
        status: "starting", "running", "standby" or "stopping".
        interval_s: Seconds until the next one; None where an older process did not say.
        counters: Whole numbers that only grow, such as "turns" or "llm_errors".
        gauges: Values of now: "lag", "feed_age_ms", ...
        details: A few words for people, such as the model's name.
    """

    node: str
    kind: str
    name: str
    host: str
    pid: int
    status: Literal["starting", "running", "standby", "stopping"] = "running"
    started_at: Utc
    at: Utc
    interval_s: float | None = None
    counters: dict[str, int] = Field(default_factory=dict)
    gauges: dict[str, float] = Field(default_factory=dict)
    details: dict[str, JsonValue] = Field(default_factory=dict)


class Halt(Message):
    """No new order is taken until a `Resume` of the same scope; the newest of a scope counts.

    Attributes:
        agent: Whose orders; None for everybody's. The key is "agent/<name>" or "all".
        reason: For people; agents read it in the refusal.
        by: Who asked, such as "cli/<host>".
    """

    agent: str | None = None
    reason: str = ""
    by: str
    at: Utc


class Resume(Message):
    """Orders of a scope are taken again, as far as no other halt covers them."""

    agent: str | None = None
    reason: str = ""
    by: str
    at: Utc


class PassOver(Message):
    """A record of `account.events` that stops the fold, and that an operator says to pass over.

    The key is "pass-over/account.events/<partition>/<offset>". It holds for exactly these bytes: a
    record that counted cannot be passed over, because the next event's `prev` would not follow.

    Attributes:
        sha256: Of the record's value, in hex; of no bytes where it has none.
        error: Why the fold stops at it.
        by: Who asked, such as "cli/<host>".
    """

    topic: str
    partition: int
    offset: int
    sha256: str
    error: str
    by: str
    at: Utc


class DeadLetter(Message):
    """Bytes that were no message of the arena, and where they stood.

    Attributes:
        value_base64: The untouched value; key_base64: the key; both base64 of the bytes.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key_base64: str | None = None
    value_base64: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    error: str
    reader: str
    at: Utc
