"""Where an owner begins to read commands: proved by the newest decided order, never by an offset.

Reads `account.commands[shard]`. An offset fits any log that is long enough: one that lost its tail
and grew again, or one that was deleted and made anew. So the record at the offset of the newest
decided order must be that order. If it is not, the place is found by order id, and what was lost is
said. Nothing can be decided twice by it: the desk knows orders by their ids.
"""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

import orjson

from arena import topics
from arena.account_state import Decided
from arena.accounts import OPENED, Shard
from arena.bus.base import LogReader, Record
from arena.errors import BrokenLog

COMMANDS = topics.COMMANDS.name
FIND_S = 20.0
"""How long a scan may get nothing from a log that has not ended."""


class Place(NamedTuple):
    """Where to go on in the commands of a shard.

    Attributes:
        first: The offset to read first.
        buried_to: What cannot be read up to this offset was buried in an earlier life.
        loss: What was lost, in words; "" where nothing was.
    """

    first: int
    buried_to: int
    loss: str = ""


async def find_place(reader: LogReader, shard: Shard, partition: int, rewind: int) -> Place:
    """The place behind the newest decided order; the reader stands there then.

    Args:
        reader: Of the shard's commands, at the first record.
        shard: Folded to the end of its events.
        partition: The shard.
        rewind: Commands before the place to read again, whose answers may be missing.

    Raises:
        BrokenLog: The log has records that cannot be read.
    """
    place = await _find(reader, shard, partition, rewind)
    reader.seek(COMMANDS, partition, place.first)
    return place


async def _find(reader: LogReader, shard: Shard, partition: int, rewind: int) -> Place:
    begin = reader.position(COMMANDS, partition)
    end = (await reader.end_offsets())[COMMANDS, partition]
    last = shard.last_order()
    if last is None:
        return Place(begin, min(shard.source_offset, end - 1))
    order_id, source = last
    decided = max(source, shard.source_offset)
    if source < begin:
        return Place(begin, decided, deleted_unread(decided, begin))
    if source < end:
        reader.seek(COMMANDS, partition, source)
        record = await _next(reader, partition, end)
        if record is not None and is_order(record, order_id, source):
            return Place(max(begin, source + 1 - rewind), min(decided, end - 1))
    reader.seek(COMMANDS, partition, begin)
    match = begin - 1
    while (record := await _next(reader, partition, end)) is not None:
        known = shard.orders.get(call_id_of(record))
        if known is not None and known.source == record.offset:
            match = record.offset
    first = max(begin, match + 1 - rewind)
    return Place(first, match, commands_gone(shard.orders, match, source, end))


async def _next(reader: LogReader, partition: int, end: int) -> Record | None:
    """The next record before `end`, or None."""
    waited_s = 0.0
    while reader.position(COMMANDS, partition) < end:
        records = await reader.read(timeout_s=0.5, max_records=1)
        if records:
            return records[0] if records[0].offset < end else None
        waited_s += 0.5
        if waited_s > FIND_S:
            raise BrokenLog(
                f"{COMMANDS}[{partition}] ends at {end} but gives nothing behind"
                f" {reader.position(COMMANDS, partition)}",
                remedy="see whether the brokers are whole, then start again",
            )
        await asyncio.sleep(0)
    return None


def call_id_of(record: Record) -> str:
    """The id that a command carries, "" where it carries none that can be read."""
    try:
        body = orjson.loads(record.value or b"")
    except orjson.JSONDecodeError:
        return ""
    found = body.get("call_id") if isinstance(body, dict) else None
    return found if isinstance(found, str) else ""


def is_order(record: Record, order_id: str, offset: int) -> bool:
    """True where a record is the command of an order, at its offset."""
    return record.offset == offset and call_id_of(record) == order_id


def deleted_unread(decided: int, begin: int) -> str:
    """What is lost where the log begins behind the newest decided command; "" for nothing."""
    if begin <= decided + 1:
        return ""
    return (
        f"{begin - decided - 1} records at offsets {decided + 1} to {begin - 1} were deleted before"
        " they were read: commands among them are undecided; keep the topic longer than a stop"
    )


def commands_gone(orders: Mapping[str, Decided], match: int, source: int, end: int) -> str:
    """What is lost where the log is not the one that was read.

    Args:
        orders: Decided ones by id.
        match: Offset of the newest command that is still the one that was decided.
        source: Offset of the newest decided order.
        end: Behind the log's last record.
    """
    gone = sum(1 for known in orders.values() if known.outcome != OPENED and known.source > match)
    what = f"ends at {end}" if end <= source else "holds another record there"
    return (
        f"the newest decided order was at offset {source}, the log {what}: it was cut, or deleted"
        f" and made anew; the commands of {gone} decided orders are gone (their events count), and"
        " commands that were not decided yet may be among the lost; reading goes on behind offset"
        f" {match}"
    )
