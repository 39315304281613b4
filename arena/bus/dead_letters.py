"""Where unreadable bytes go: nothing that came in may vanish, and nothing may crash a loop."""

from base64 import b64encode
from datetime import datetime

from arena import topics
from arena.bus.base import Bus, Record
from arena.messages import DeadLetter

HEADER_CHARS_MAX = 200
VALUE_BYTES_MAX = 600_000
"""Base64 grows by a third and a record has a bound; a longer value is cut and says so."""


def dead_letter(record: Record, error: str, reader: str, now: datetime) -> DeadLetter:
    """The dead letter of a record.

    Args:
        record: As it was read.
        error: Why it could not be read.
        reader: Which process could not read it.
        now: Wall time.
    """
    value = record.value
    if value is not None and len(value) > VALUE_BYTES_MAX:
        error = f"{error} (value cut from {len(value):,} bytes)"
        value = value[:VALUE_BYTES_MAX]
    headers = {k: v.decode("utf-8", "replace") for k, v in record.headers.items()}
    return DeadLetter(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp_ms=record.timestamp_ms,
        key_base64=None if record.key is None else b64encode(record.key).decode(),
        value_base64=None if value is None else b64encode(value).decode(),
        headers={k[:HEADER_CHARS_MAX]: v[:HEADER_CHARS_MAX] for k, v in headers.items()},
        error=error,
        reader=reader,
        at=now,
    )


async def bury(bus: Bus, record: Record, error: str, reader: str, now: datetime) -> None:
    """Append a record to `dead_letters` and wait for the ack; only then may it be passed over."""
    letter = dead_letter(record, error, reader, now)
    await bus.append(topics.DEAD_LETTERS.name, letter, key=record.topic)
