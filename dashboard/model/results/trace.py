"""The records of an order, and how to check them. Pure.

A browser can check a trace by itself: each check names texts inside the recorded bytes, how they
are joined and hashed, and the text in the bytes that the result must equal.
"""

from typing import Literal

from arena.messages.base import Utc
from dashboard.model.results.base import Result

Algorithm = Literal["sha256", "uuid5", "text"]


class TracePart(Result):
    """A text: a literal, or a value in the record of a step.

    Attributes:
        literal: The text; None if it is in a record.
        step: Name of the step whose record has it.
        path: Keys and indexes from the top of the record's JSON to the value; () for all bytes of
            the record. Numbers are their digits; null and a missing value are "".
        z_as_offset: True if a "Z" at the end of the value counts as "+00:00".
    """

    literal: str | None = None
    step: str = ""
    path: tuple[str | int, ...] = ()
    z_as_offset: bool = False


class TraceCheck(Result):
    """One comparison.

    Attributes:
        what: What is compared, in words.
        algorithm: What is made of the joined parts: "sha256", their SHA-256 in hex; "uuid5", the
            UUIDv5 in `Trace.namespace`; "text", the text itself.
        parts: The parts in UTF-8, in their order, joined by `separator`.
        expected: What the result must equal.
        holds: True if this server found it so; a browser finds out itself.
    """

    what: str
    algorithm: Algorithm
    parts: tuple[TracePart, ...]
    separator: str = ""
    expected: TracePart
    holds: bool


class TraceStep(Result):
    """One record.

    Attributes:
        name: "previous event", "order", "command", "turn", "model reply", "model call", "request",
            "snapshot" or "ticker used".
        kind: Type of the message.
        at: The broker's time of the record.
        value: The bytes of the record, in base64; "" if they are missing or hidden.
        sha256: SHA-256 of the bytes; "" likewise.
        missing: Why there is no record; "" if there is.
        hidden: True if the bytes are left out because they contain a prompt.
        checks: The comparisons; a comparison that needs a missing record is left out.
    """

    name: str
    topic: str = ""
    partition: int | None = None
    offset: int | None = None
    kind: str = ""
    at: Utc | None = None
    value: str = ""
    sha256: str = ""
    missing: str = ""
    hidden: bool = False
    checks: tuple[TraceCheck, ...] = ()


class Trace(Result):
    """The records of an order, from the event that decided it back to the snapshot.

    Attributes:
        namespace: Namespace of the arena's UUIDs.
    """

    order_id: str
    agent: str
    namespace: str
    steps: tuple[TraceStep, ...]
