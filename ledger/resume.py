"""Resumes the fold at the booked offset, and checks it against the log.

The books store the digest of the chain at their last event. The log must still give that digest at
that offset; if it does not, the process stops. Only the events after the stored fold are folded
again. A process that can write the database could change the balances in that fold, so it is used
only if the log holds the digest of its state (`arena.checkpoint.why_unproven`).
"""

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
    "these books belong to another log, or the log was changed: compare it with an export, or"
    " use other books for this arena"
)


async def resume_shard(
    node: Node,
    number: int,
    booked: BookedOffset,
    packed: bytes | None,
    passed_over: Mapping[int, str] | None = None,
) -> tuple[Shard, int]:
    """Return the fold of a shard at the booked offset, and the offset at which folding began.

    Args:
        node: A connected node.
        number: The partition of `account.events`.
        booked: The booked offset of the partition.
        packed: The stored fold, or None.
        passed_over: Records of the partition that an operator told every reader to skip.

    Raises:
        BrokenLog: The log does not match the books.
    """
    start = Start(offsets={(EVENTS, number): 0})
    reader = await node.bus.partition_reader(EVENTS, number, start)
    try:
        end = (await reader.end_offsets())[EVENTS, number]
        if end < booked.next_offset:
            raise BrokenLog(
                f"{EVENTS}[{number}] ends at {end}, the books are at {booked.next_offset}",
                remedy=REMEDY,
            )
        await _check_head(reader, number, booked)
        shard = await _proven_fold(node, reader, number, booked, packed) or Shard()
        shard.passed_over = passed_over or {}
        began_at = shard.next_offset
        await fold_to(reader, number, shard, booked.next_offset)
    finally:
        await reader.close()
    if booked_offset_of(shard) != booked:
        raise BrokenLog(
            f"{EVENTS}[{number}] folds to {booked_offset_of(shard)}, the books are at {booked}",
            remedy=REMEDY,
        )
    return shard, began_at


async def fold_to(reader: LogReader, number: int, shard: Shard, offset: int) -> None:
    """Fold a shard up to an offset.

    Raises:
        BrokenLog: The log returns nothing, or a record that a sound log cannot hold.
    """
    reader.seek(EVENTS, number, shard.next_offset)
    while shard.next_offset < offset:
        for record in await _read(reader, number, READ_MAX):
            if record.offset < offset:
                fold(shard, record)


def fold(shard: Shard, record: Record) -> None:
    """Fold one record of `account.events`.

    Raises:
        BrokenLog: It cannot be at this offset of a sound log.
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


async def _proven_fold(
    node: Node, reader: LogReader, number: int, booked: BookedOffset, packed: bytes | None
) -> Shard | None:
    """Return the stored fold, if the log proves it."""
    if packed is None:
        return None
    try:
        stored = unpack_shard(packed)
        why = await _why_unproven(reader, number, booked, stored, packed)
    except Malformed as error:
        why = str(error)
    if why:
        node.log.warning("stored fold discarded", shard=number, why=why)
        return None
    return stored


async def _why_unproven(
    reader: LogReader, number: int, booked: BookedOffset, stored: Shard, packed: bytes
) -> str:
    if not 0 <= stored.head_offset < stored.next_offset < booked.next_offset:
        return f"it ends at offset {stored.next_offset}, the books at {booked.next_offset}"
    head = await _record_at(reader, number, stored.head_offset)
    if not is_head_of(stored, head.kind, head.value or b"", head.offset):
        return f"offset {stored.head_offset} holds another record"
    record = await _record_at(reader, number, stored.next_offset)
    return why_unproven(packed, stored, record.kind, record.value or b"", record.offset)


async def _record_at(reader: LogReader, number: int, offset: int) -> Record:
    record = await reader.record_at(EVENTS, number, offset, timeout_s=STALL_S)
    if record is None:
        raise _stalled(number)
    return record


async def _read(reader: LogReader, number: int, max_records: int) -> list[Record]:
    """Read at least one record.

    Raises:
        BrokenLog: The log returns nothing.
    """
    records: list[Record] = []
    with contextlib.suppress(TimeoutError):
        async with reader.clock.timeout(STALL_S):
            while not records:
                records = await reader.read(timeout_s=0.5, max_records=max_records)
    if not records:
        raise _stalled(number)
    return records


def _stalled(number: int) -> BrokenLog:
    return BrokenLog(
        f"{EVENTS}[{number}] returned nothing for {STALL_S:.0f} s",
        remedy="compare the log with an export",
    )
