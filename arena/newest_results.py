"""Reads the newest tool results in the agents' inboxes, which prove events of their accounts.

A result is sent only after its event was acked, and has the event's sequence number. So an inbox
proves that an event counted, even if `account.events` has lost it. Reads `agent.inbox.<name>`.
"""

import orjson

from arena.bus.base import LogReader, Record
from arena.read_topic import read_list

INBOX_TAIL = 50
"""Number of the newest records of an inbox that are read."""


async def newest_records(reader: LogReader) -> list[Record]:
    """The newest `INBOX_TAIL` records of every partition of a reader."""
    ends = await reader.end_offsets()
    for pair, end in ends.items():
        reader.seek(*pair, max(reader.position(*pair), end - INBOX_TAIL))
    return await read_list(reader, ends)


def account_seq_of(record: Record) -> int:
    """The sequence number of the account event of a result; -1 if the record has none."""
    if record.kind != "ToolResult":
        return -1
    found = json_body(record).get("account_seq")
    return found if isinstance(found, int) and not isinstance(found, bool) else -1


def json_body(record: Record) -> dict[str, object]:
    """The JSON object in a record; empty if there is none."""
    try:
        body = orjson.loads(record.value or b"")
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}
