"""Takes the fold up again where the books stand, held against the log.

The books note the digest of the chain at the last event they hold. The log must still give that
digest at that place; where it does not, the process stops. Nothing is folded twice but what came
since the fold was kept last. Whoever can write the database could write other balances into that
fold, so it is used only if the log holds the digest of its state (`arena.checkpoint.why_unproven`).
"""

import asyncio
import contextlib
from collections.abc import Mapping

from arena.account_log import decode_event
from arena.accounts import Shard, chain
from arena.bus.base import LogReader, Record, Start
from arena.checkpoint import is_head_of, unpack_shard, why_unproven
from arena.errors import BrokenLog, Malformed
from arena.node import Node
from ledger.batch import BookedOffset
from ledger.posting import EVENTS, booked_offset_of

STALL_S = 20.0
READ_MAX = 100
REMEDY = (
    "these books were kept of another log, or the log was changed: compare it with an export, or"
    " give this arena books of its own"
)


async def resume_shard(
    node: Node,
    number: int,
    booked: BookedOffset,
    kept: bytes | None,
    passed_over: Mapping[int, str] | None = None,
) -> tuple[Shard, int]:
    """The fold of a shard up to where the books stand, and the offset at which it began.

    Args:
        node: Connected.
        number: The partition of `account.events`.
        place: What the books say of it.
        kept: The packed fold as it was kept last, if there is one.
        passed_over: Records of the partition that an operator named.

    Raises:
        BrokenLog: The log does not follow.
    """
    start = Start(offsets={(EVENTS, number): 0})
    reader = await node.bus.partition_reader(EVENTS, number, start)
    try:
        end = (await reader.end_offsets())[EVENTS, number]
        if end < booked.next_offset:
            raise BrokenLog(
                f"{EVENTS}[{number}] ends at {end}, the books stand at {booked.next_offset}",
                remedy=REMEDY,
            )
        await _check_head(reader, number, booked)
        shard = await _proved(node, reader, number, booked, kept) or Shard()
        shard.passed_over = passed_over or {}
        began = shard.next_offset
        await fold_to(reader, number, shard, booked.next_offset)
    finally:
        await reader.close()
    if booked_offset_of(shard) != booked:
        raise BrokenLog(
            f"{EVENTS}[{number}] folds to {booked_offset_of(shard)}, the books stand at {booked}",
            remedy=REMEDY,
        )
    return shard, began


async def fold_to(reader: LogReader, number: int, shard: Shard, offset: int) -> None:
    """Fold a shard on until everything before an offset was read.

    Raises:
        BrokenLog: Nothing comes, or what comes cannot stand in a sound log.
    """
    reader.seek(EVENTS, number, shard.next_offset)
    while shard.next_offset < offset:
        for record in await _read(reader, number, READ_MAX):
            if record.offset < offset:
                fold(shard, record)


def fold(shard: Shard, record: Record) -> None:
    """Fold one record of `account.events`.

    Raises:
        BrokenLog: It cannot stand in a sound log at this place.
    """
    shard.apply(record.kind, record.value, record.offset)


async def _check_head(reader: LogReader, number: int, booked: BookedOffset) -> None:
    if booked.head_offset < 0:
        return
    record = await _record_at(reader, number, booked.head_offset)
    value = record.value or b""
    event = decode_event(record.kind, value, record.offset)
    if chain(event.prev, value) != booked.head:
        raise BrokenLog(
            f"{EVENTS}[{number}]@{booked.head_offset} is not the event in the books: the digest"
            f" there is {booked.head[:12]}, the log gives {chain(event.prev, value)[:12]}",
            remedy=REMEDY,
        )


async def _proved(
    node: Node, reader: LogReader, number: int, booked: BookedOffset, packed: bytes | None
) -> Shard | None:
    """The kept fold, if the log proves it."""
    if packed is None:
        return None
    try:
        kept = unpack_shard(packed)
        why = await _why_unproven(reader, number, booked, kept, packed)
    except Malformed as error:
        why = str(error)
    if why:
        node.log.warning("kept fold thrown away", shard=number, why=why)
        return None
    return kept


async def _why_unproven(
    reader: LogReader, number: int, booked: BookedOffset, kept: Shard, packed: bytes
) -> str:
    if not 0 <= kept.head_offset < kept.next_offset < booked.next_offset:
        return f"it ends at offset {kept.next_offset}, the books at {booked.next_offset}"
    head = await _record_at(reader, number, kept.head_offset)
    if not is_head_of(kept, head.kind, head.value or b"", head.offset):
        return f"offset {kept.head_offset} holds another record"
    record = await _record_at(reader, number, kept.next_offset)
    return why_unproven(packed, kept, record.kind, record.value or b"", record.offset)


async def _record_at(reader: LogReader, number: int, offset: int) -> Record:
    record = await reader.record_at(EVENTS, number, offset, timeout_s=STALL_S)
    if record is None:
        raise _stalled(number)
    return record


async def _read(reader: LogReader, number: int, max_records: int) -> list[Record]:
    """At least one record.

    Raises:
        BrokenLog: None comes.
    """
    records: list[Record] = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STALL_S):
            while not records:
                records = await reader.read(timeout_s=0.5, max_records=max_records)
    if not records:
        raise _stalled(number)
    return records


def _stalled(number: int) -> BrokenLog:
    return BrokenLog(
        f"{EVENTS}[{number}] gives nothing for {STALL_S:.0f} s",
        remedy="compare the log with an export",
    )
