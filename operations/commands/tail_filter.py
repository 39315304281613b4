"""The start position, the filter and the lines of `arena tail`. Pure.

Text is one line per record; JSON is one object per line with the keys topic, partition, offset,
timestamp, key, type, message (and, if the bytes are not a message, malformed and size_bytes).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from arena.bus.base import EARLIEST, LATEST, Record, Start
from arena.errors import Malformed, UsageError
from arena.messages import Message
from arena.visible_text import visible_json, visible_line
from operations.commands.message_format import describe

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
FROM_REMEDY = (
    "write earliest, latest, an offset such as 120, '20 ago' for the last 20 records of each "
    "partition, or '10m ago' (s, m, h, d)"
)
TYPE_WIDTH = 14


@dataclass(frozen=True, slots=True)
class StartPosition:
    """The position at which reading starts.

    Attributes:
        at: "earliest", "latest", "offset", "records" (back from the end) or "seconds" (ago).
        count: The offset, number of records, or seconds.
    """

    at: Literal["earliest", "latest", "offset", "records", "seconds"]
    count: int = 0

    def for_bus(self, ends: Mapping[tuple[str, int], int], now_ms: int) -> Start:
        """Return the position for the bus.

        Args:
            ends: The ends of the partitions, for "offset" and "records".
            now_ms: Unix milliseconds, for "seconds".
        """
        match self.at:
            case "earliest":
                return EARLIEST
            case "latest":
                return LATEST
            case "seconds":
                return Start.since(now_ms - self.count * 1000)
            case "offset":
                return Start(offsets={pair: min(self.count, end) for pair, end in ends.items()})
            case "records":
                return Start(offsets={p: max(0, end - self.count) for p, end in ends.items()})


def parse_start(text: str) -> StartPosition:
    """Parse the value of `--from`.

    Raises:
        UsageError: The text has none of the forms.
    """
    if text in ("earliest", "latest"):
        return StartPosition("earliest" if text == "earliest" else "latest")
    if re.fullmatch(r"\d{1,18}", text):
        return StartPosition("offset", int(text))
    if found := re.fullmatch(r"(\d{1,12})\s*([smhd]?)\s+ago", text):
        count, unit = int(found[1]), found[2]
        return (
            StartPosition("seconds", count * UNITS_S[unit])
            if unit
            else StartPosition("records", count)
        )
    raise UsageError(f"--from {text!r} is not a position in a topic", remedy=FROM_REMEDY)


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """Which records are shown; None passes all.

    Attributes:
        agent: The agent that the message is about.
        type_name: The message's type; case does not matter.
        key: The record's whole key.
        pattern: A pattern to search in the recorded body.
    """

    agent: str | None = None
    type_name: str | None = None
    key: str | None = None
    pattern: re.Pattern[str] | None = None

    def passes(self, record: Record, message: Message | None) -> bool:
        """True if a record is shown; `message` is None if it is malformed."""
        if self.key is not None and record.key_text != self.key:
            return False
        if self.type_name is not None:
            name = record.kind
            if name.casefold() != self.type_name.casefold():
                return False
        if self.agent is not None and getattr(message, "agent", None) != self.agent:
            return False
        body = (record.value or b"").decode("utf-8", "replace")
        return self.pattern is None or self.pattern.search(body) is not None


def record_line(record: Record, record_filter: RecordFilter, *, as_json: bool) -> str | None:
    """The line of a record, or None if the filter drops it. Never raises."""
    message: Message | None = None
    malformed = ""
    try:
        message = record.message()
    except Malformed as error:
        malformed = str(error)
    if not record_filter.passes(record, message):
        return None
    return json_line(record, malformed) if as_json else text_line(record, message, malformed)


def text_line(record: Record, message: Message | None, malformed: str) -> str:
    """Local time, partition, offset, type and content of the message."""
    at = datetime.fromtimestamp(record.timestamp_ms / 1000, UTC).astimezone()
    head = f"{at:%m-%d %H:%M:%S}.{record.timestamp_ms % 1000:03d} {record.partition}@"
    if message is None:
        text = f"MALFORMED, {len(record.value or b''):,} bytes: {malformed}"
        return visible_line(f"{head}{record.offset:<6} {text}")
    text = f"{message.type_name():<{TYPE_WIDTH}} {describe(message)}"
    return visible_line(f"{head}{record.offset:<6} {text}")


def json_line(record: Record, malformed: str) -> str:
    """One JSON object; the message is the body as it is in the topic."""
    body: dict[str, object] = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": datetime.fromtimestamp(record.timestamp_ms / 1000, UTC).isoformat(),
        "key": record.key_text or None,
        "type": record.kind or None,
        "message": None if malformed else json.loads(record.value or b"null"),
    }
    if malformed:
        body |= {"malformed": malformed, "size_bytes": len(record.value or b"")}
    return visible_json(json.dumps(body, ensure_ascii=False))
