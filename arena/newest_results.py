"""What agents were told of their account's events: the newest results in their inboxes.

A result is sent only once its event was acked, and carries the event's sequence number. So an inbox
proves that an event counted, also where `account.events` does not hold it any more.
"""

import orjson

from arena.bus.base import LogReader, Record

INBOX_TAIL = 50
"""Records of an inbox that are looked at: its newest ones."""
READ_TIMEOUT_S = 0.2


async def newest_records(reader: LogReader) -> list[Record]:
    """The newest `INBOX_TAIL` records of every partition of a reader; it never ends by itself."""
    ends = await reader.end_offsets()
    for pair, end in ends.items():
        reader.seek(*pair, max(reader.position(*pair), end - INBOX_TAIL))
    found: list[Record] = []
    while any(reader.position(*pair) < end for pair, end in ends.items()):
        found += await reader.read(timeout_s=READ_TIMEOUT_S)
    return found


def account_seq_of(record: Record) -> int:
    """The sequence number of the event that a result is about; -1 where a record names none."""
    if record.kind != "ToolResult":
        return -1
    found = json_body(record).get("account_seq")
    return found if isinstance(found, int) and not isinstance(found, bool) else -1


def json_body(record: Record) -> dict[str, object]:
    """The JSON object of a record; an empty one if it holds none."""
    try:
        body = orjson.loads(record.value or b"")
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}
