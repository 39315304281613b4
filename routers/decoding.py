"""Decodes records that may be unreadable. Pure."""

from arena.bus.base import Record
from arena.errors import Malformed
from arena.messages import Message


def message_or_none(record: Record) -> Message | None:
    """The message in a record, or None if it has none that can be read."""
    if record.value is None:
        return None
    try:
        return record.message()
    except Malformed:
        return None
