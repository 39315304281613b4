"""Finds the offset at which an owner starts to read commands, proved by the newest decided order.

Reads `account.commands[shard]`. An offset alone proves nothing: it also exists in a log that lost
its end and grew again, or that was deleted and created again. So the record at the offset of the
newest decided order must be that order. If it is not, the offset is found by order id, and the loss
is reported. No order can be decided twice by this: the command handler knows orders by their ids.
"""

import logging
from collections.abc import AsyncIterator, Mapping
from typing import NamedTuple

import orjson

from arena import topics
from arena.account_state import OrderOutcome
from arena.accounts import OPENED, Shard
from arena.bus.base import LogReader, Record
from arena.errors import BrokenLog

COMMANDS = topics.COMMANDS.name
FIND_S = 20.0
"""How long a search may get no records before the end of the log."""
READ_S = 0.5
BATCH_MAX = 2_000
SAY_EVERY = 50_000
"""Commands between two log lines of a long search."""

logger = logging.getLogger(__name__)


class CommandStart(NamedTuple):
    """Where an owner starts to read the commands of its shard.

    Attributes:
        first: The offset to read first.
        dead_lettered_to: Unreadable records up to this offset are in the dead letters already.
        loss: Describes what was lost; "" for nothing.
        unproven: Describes what may have been lost; "" for nothing.
    """

    first: int
    dead_lettered_to: int
    loss: str = ""
    unproven: str = ""


async def find_start(reader: LogReader, shard: Shard, partition: int, rewind: int) -> CommandStart:
    """Find the offset after the newest decided order.

    Args:
        reader: Reads the shard's commands, from the first record; its position changes.
        shard: Folded to the end of its events.
        partition: The number of the shard.
        rewind: How many commands before that offset to read again; their replies may be missing.

    Raises:
        BrokenLog: The log has records that cannot be read.
    """
    begin = reader.position(COMMANDS, partition)
    end = (await reader.end_offsets())[COMMANDS, partition]
    last = shard.last_order()
    if last is None:
        return CommandStart(begin, min(shard.source_offset, end - 1))
    order_id, source = last
    decided_offset = max(source, shard.source_offset)
    if source < begin:
        return CommandStart(
            begin, decided_offset, unproven=possible_loss_text(decided_offset, begin)
        )
    if source < end:
        async for record in _records(reader, partition, source, source + 1):
            if is_order(record, order_id, source):
                first = max(begin, source + 1 - rewind)
                return CommandStart(first, min(decided_offset, end - 1))
    match = await _newest_match(reader, shard.orders, partition, begin, end)
    first = max(begin, match + 1 - rewind)
    return CommandStart(first, match, loss_text(shard.orders, match, source, end))


async def _newest_match(
    reader: LogReader, orders: Mapping[str, OrderOutcome], partition: int, begin: int, end: int
) -> int:
    """Offset of the newest record that is a decided command at its offset; `begin - 1` if none."""
    sources = [known.source for known in orders.values() if begin <= known.source < end]
    match = begin - 1
    if not sources:
        return match
    logged_offset = first = min(sources)
    async for record in _records(reader, partition, first, max(sources) + 1):
        known = orders.get(call_id_of(record))
        if known is not None and known.source == record.offset:
            match = record.offset
        if record.offset - logged_offset >= SAY_EVERY:
            logged_offset = record.offset
            logger.info("searching %s[%d]: at %d of %d", COMMANDS, partition, logged_offset, end)
    return match


async def _records(
    reader: LogReader, partition: int, first: int, until: int
) -> AsyncIterator[Record]:
    """The records from one offset to before another.

    Raises:
        BrokenLog: No record came for too long.
    """
    reader.seek(COMMANDS, partition, first)
    waited_s = 0.0
    while (place := reader.position(COMMANDS, partition)) < until:
        records = await reader.read(timeout_s=READ_S, max_records=min(BATCH_MAX, until - place))
        for record in records:
            if record.offset < until:
                yield record
        waited_s = 0.0 if records else waited_s + READ_S
        if waited_s > FIND_S:
            raise BrokenLog(
                f"{COMMANDS}[{partition}] has records up to {until} but gives none from {place} on",
                remedy="check the brokers, then start again",
            )
        await reader.clock.sleep(0)


def call_id_of(record: Record) -> str:
    """The call id of a command; "" if it has none that can be read."""
    try:
        body = orjson.loads(record.value or b"")
    except orjson.JSONDecodeError:
        return ""
    found = body.get("call_id") if isinstance(body, dict) else None
    return found if isinstance(found, str) else ""


def is_order(record: Record, order_id: str, offset: int) -> bool:
    """True if a record is the command of an order, at its offset."""
    return record.offset == offset and call_id_of(record) == order_id


def possible_loss_text(decided_offset: int, begin: int) -> str:
    """Describe what may be lost if the log starts after the newest decided command; "" for nothing.

    Args:
        decided_offset: Offset of that command.
        begin: Offset of the log's first record.
    """
    if begin <= decided_offset + 1:
        return ""
    first = decided_offset + 1
    return (
        f"{begin - first} records at offsets {first} to {begin - 1} were deleted by the"
        " topic's retention after the newest decided command; calls that only read the account"
        " leave no trace, so it is unknown whether all of them had been read; an order that had not"
        " been read is not decided; keep the topic for longer than any stop"
    )


def loss_text(orders: Mapping[str, OrderOutcome], match: int, source: int, end: int) -> str:
    """Describe what is lost if the log is not the one that was read.

    Args:
        orders: Decided orders by id.
        match: Offset of the newest command that is still the one that was decided.
        source: Offset of the newest decided order.
        end: The offset after the log's last record.
    """
    gone = sum(1 for known in orders.values() if known.outcome != OPENED and known.source > match)
    what = f"ends at {end}" if end <= source else "holds another record there"
    return (
        f"the newest decided order was at offset {source}, the log {what}: it was cut, or deleted"
        f" and created again; the commands of {gone} decided orders are gone (their events count),"
        " and commands that were not decided yet may be lost, too; reading continues after"
        f" offset {match}"
    )
