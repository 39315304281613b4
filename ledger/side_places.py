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
from ledger.batch import Part, Place

PROOF_TIMEOUT_S = 20.0


def side_place(record: Record) -> Place:
    """The place after a record, with what proves it."""
    return Place(record.offset + 1, record.offset, sha256(record.value or b"").hexdigest())


async def resume_side(reader: LogReader, places: Mapping[Part, Place]) -> dict[Part, str]:
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
    why: dict[Part, str] = {}
    proofs: dict[Part, Place] = {}
    for part, end in ends.items():
        place = places.get(part)
        if place is None:
            continue
        if end < place.next_offset:
            why[part] = f"ends at {end}, the books are at {place.next_offset}"
        elif place.head_offset >= begins[part]:
            proofs[part] = place
            reader.seek(*part, place.head_offset)
    why |= await _disproved(reader, proofs)
    for part, begin in begins.items():
        place = None if part in why else places.get(part)
        reader.seek(*part, begin if place is None else max(begin, place.next_offset))
    return why


async def deleted_unread(reader: LogReader, places: Mapping[Part, Place]) -> dict[Part, str]:
    """What the topics' retention has deleted before the books had it, in words.

    Args:
        reader: As `resume_side` left it.
        places: As the books note them, of any topics.
    """
    found = {}
    for part in await reader.end_offsets():
        place, begin = places.get(part), reader.position(*part)
        if place is not None and begin > place.next_offset:
            count = begin - place.next_offset
            found[part] = (
                f"{count} records at offsets {place.next_offset} to {begin - 1} were deleted by the"
                " topic's retention before the books had them; accounts are complete without them"
            )
    return found


async def _disproved(reader: LogReader, proofs: dict[Part, Place]) -> dict[Part, str]:
    left, why = dict(proofs), {}
    try:
        async with asyncio.timeout(PROOF_TIMEOUT_S):
            while left:
                for record in await reader.read(timeout_s=0.5, max_records=max(1, len(left))):
                    part = (record.topic, record.partition)
                    place = left.pop(part, None)
                    if place is not None and side_place(record) != place:
                        why[part] = f"holds another record at offset {place.head_offset}"
    except TimeoutError:
        (topic, number), place = next(iter(left.items()))
        raise BrokenLog(
            f"{topic}[{number}] gives nothing at offset {place.head_offset}"
            f" for {PROOF_TIMEOUT_S:.0f} s",
            remedy="start the ledger again when the broker answers",
        ) from None
    return why
