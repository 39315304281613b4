"""Proves the places of the topics beside `account.events`, and finds those that were cut.

The books note the last record of each partition and its SHA-256. A log that ends before it, or
holds another record there, lost its tail or was created again: new records may have taken offsets
that are in the books already. Such a partition is read again from its first record. Rows are keyed
by place and id, so what is in the books stays once, what was lost stays, and what is new comes in.
A record that retention deleted proves nothing and is not a cut.
"""

import asyncio
from collections.abc import Mapping
from hashlib import sha256

from arena.bus.base import LogReader, Record
from arena.errors import BrokenLog
from ledger.batch import BookedOffset, TopicPartition

PROOF_TIMEOUT_S = 20.0


def offset_after(record: Record) -> BookedOffset:
    """The place after a record, with what proves it."""
    return BookedOffset(record.offset + 1, record.offset, sha256(record.value or b"").hexdigest())


async def seek_to_booked(
    reader: LogReader, booked_offsets: Mapping[TopicPartition, BookedOffset]
) -> dict[TopicPartition, str]:
    """Let a reader continue where the books are; a partition that was cut stays at its beginning.

    Args:
        reader: Just opened at the first records.
        places: As the books note them, of any topics. Without a head they are taken as they are.

    Returns:
        Why a partition is read again.

    Raises:
        BrokenLog: The log gives nothing.
    """
    ends = await reader.end_offsets()
    begins = {part: reader.position(*part) for part in ends}
    why: dict[TopicPartition, str] = {}
    proofs: dict[TopicPartition, BookedOffset] = {}
    for part, end in ends.items():
        booked = booked_offsets.get(part)
        if booked is None:
            continue
        if end < booked.next_offset:
            why[part] = f"ends at {end}, the books are at {booked.next_offset}"
        elif booked.head_offset >= begins[part]:
            proofs[part] = booked
            reader.seek(*part, booked.head_offset)
    why |= await _disproved(reader, proofs)
    for part, begin in begins.items():
        booked = None if part in why else booked_offsets.get(part)
        reader.seek(*part, begin if booked is None else max(begin, booked.next_offset))
    return why


async def find_deleted_unbooked(
    reader: LogReader, booked_offsets: Mapping[TopicPartition, BookedOffset]
) -> dict[TopicPartition, str]:
    """What the topics' retention has deleted before the books had it, in words.

    Args:
        reader: As `resume_side` left it.
        places: As the books note them, of any topics.
    """
    found = {}
    for part in await reader.end_offsets():
        booked, begin = booked_offsets.get(part), reader.position(*part)
        if booked is not None and begin > booked.next_offset:
            count = begin - booked.next_offset
            found[part] = (
                f"{count} records at offsets {booked.next_offset} to {begin - 1} were deleted by the"
                " topic's retention before the books had them; accounts are complete without them"
            )
    return found


async def _disproved(
    reader: LogReader, proofs: dict[TopicPartition, BookedOffset]
) -> dict[TopicPartition, str]:
    left, why = dict(proofs), {}
    try:
        async with asyncio.timeout(PROOF_TIMEOUT_S):
            while left:
                for record in await reader.read(timeout_s=0.5, max_records=max(1, len(left))):
                    part = (record.topic, record.partition)
                    booked = left.pop(part, None)
                    if booked is not None and offset_after(record) != booked:
                        why[part] = f"holds another record at offset {booked.head_offset}"
    except TimeoutError:
        (topic, number), booked = next(iter(left.items()))
        raise BrokenLog(
            f"{topic}[{number}] gives nothing at offset {booked.head_offset}"
            f" for {PROOF_TIMEOUT_S:.0f} s",
            remedy="start the ledger again when the broker answers",
        ) from None
    return why
