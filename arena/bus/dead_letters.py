"""Sends unreadable records to `dead_letters`, so that none is lost and none stops a loop."""

from base64 import b64encode
from datetime import datetime

from arena import topics
from arena.bus.base import Bus, Record
from arena.messages import DeadLetter

HEADER_CHARS_MAX = 200
HEADERS_MAX = 50
KEY_BYTES_MAX = 45_000
VALUE_BYTES_MAX = 525_000
"""Base64 grows by a third, a header's character may take six bytes in JSON, and a record has a size
limit: longer values are cut, and the error says so."""
ERROR_CHARS_MAX = 2_000


def dead_letter(record: Record, error: str, reader: str, now: datetime) -> DeadLetter:
    """Create the dead letter of a record, within the size limit for any record.

    Args:
        record: The unreadable record.
        error: Why it could not be read.
        reader: Id of the process that could not read it.
        now: Wall time.
    """
    key, value, headers = record.key, record.value, list(record.headers.items())
    cuts = []
    if value is not None and len(value) > VALUE_BYTES_MAX:
        cuts.append(f"value cut from {len(value):,} bytes")
    if key is not None and len(key) > KEY_BYTES_MAX:
        cuts.append(f"key cut from {len(key):,} bytes")
    if len(headers) > HEADERS_MAX:
        cuts.append(f"headers cut from {len(headers):,}")
    error = error[:ERROR_CHARS_MAX].encode("utf-8", "backslashreplace").decode()
    return DeadLetter(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp_ms=record.timestamp_ms,
        key_base64=None if key is None else b64encode(key[:KEY_BYTES_MAX]).decode(),
        value_base64=None if value is None else b64encode(value[:VALUE_BYTES_MAX]).decode(),
        headers={k[:HEADER_CHARS_MAX]: _text(v) for k, v in headers[:HEADERS_MAX]},
        error=f"{error} ({'; '.join(cuts)})" if cuts else error,
        reader=reader,
        at=now,
    )


def _text(value: bytes) -> str:
    """A header's value as text; bytes that are not UTF-8 are escaped."""
    cut = value[: HEADER_CHARS_MAX * 4]  # No character has more bytes.
    return cut.decode("utf-8", "backslashreplace")[:HEADER_CHARS_MAX]


async def send_dead_letter(
    bus: Bus, record: Record, error: str, reader: str, now: datetime
) -> None:
    """Append a record to `dead_letters` and wait for the ack; only then may it be skipped."""
    letter = dead_letter(record, error, reader, now)
    await bus.append(topics.DEAD_LETTERS.name, letter, key=record.topic)
