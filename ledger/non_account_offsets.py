"""Checks the booked offsets of all topics but `account.events`, and finds truncated partitions.

The books store the last record of each partition and its SHA-256. A log that ends before it, or
holds another record there, lost its tail or was created again: new records may have offsets that
are already in the books. Such a partition is read again from its first record. The keys of the rows
are offset and id, so booked rows are not doubled, lost records stay, and new ones are added. A
record that retention deleted is not a truncation.
"""

from collections.abc import Mapping
from hashlib import sha256

from arena.bus.base import LogReader, Record
from arena.errors import BrokenLog
from ledger.batch import BookedOffset, TopicPartition

PROOF_TIMEOUT_S = 20.0


def offset_after(record: Record) -> BookedOffset:
    """Return the booked offset after a record, with the SHA-256 that proves it."""
    return BookedOffset(record.offset + 1, record.offset, sha256(record.value or b"").hexdigest())


async def seek_to_booked(
    reader: LogReader, booked_offsets: Mapping[TopicPartition, BookedOffset]
) -> dict[TopicPartition, str]:
    """Seek a reader to the booked offsets; a truncated partition stays at its beginning.

    Args:
        reader: A reader at the first records.
        booked_offsets: The booked offsets of any topics. One without a head is not checked.

    Returns:
        Partition -> the reason that it is read again.

    Raises:
        BrokenLog: The log returns nothing.
    """
    ends = await reader.end_offsets()
    begins = {part: reader.position(*part) for part in ends}
    why: dict[TopicPartition, str] = {}
    to_check: dict[TopicPartition, BookedOffset] = {}
    for part, end in ends.items():
        booked = booked_offsets.get(part)
        if booked is None:
            continue
        if end < booked.next_offset:
            why[part] = f"ends at {end}, the books are at {booked.next_offset}"
        elif booked.head_offset >= begins[part]:
            to_check[part] = booked
            reader.seek(*part, booked.head_offset)
    why |= await _find_mismatches(reader, to_check)
    for part, begin in begins.items():
        booked = None if part in why else booked_offsets.get(part)
        reader.seek(*part, begin if booked is None else max(begin, booked.next_offset))
    return why


async def find_deleted_unbooked(
    reader: LogReader, booked_offsets: Mapping[TopicPartition, BookedOffset]
) -> dict[TopicPartition, str]:
    """Describe what retention deleted before it was booked: partition -> text.

    Args:
        reader: A reader after `seek_to_booked`.
        booked_offsets: The booked offsets of any topics.
    """
    found = {}
    for part in await reader.end_offsets():
        booked, begin = booked_offsets.get(part), reader.position(*part)
        if booked is not None and begin > booked.next_offset:
            count = begin - booked.next_offset
            found[part] = (
                f"{count} records at offsets {booked.next_offset} to {begin - 1} were deleted by"
                " the topic's retention before they were booked; accounts are complete without them"
            )
    return found


async def _find_mismatches(
    reader: LogReader, to_check: dict[TopicPartition, BookedOffset]
) -> dict[TopicPartition, str]:
    left, why = dict(to_check), {}
    try:
        async with reader.clock.timeout(PROOF_TIMEOUT_S):
            while left:
                for record in await reader.read(timeout_s=0.5, max_records=max(1, len(left))):
                    part = (record.topic, record.partition)
                    booked = left.pop(part, None)
                    if booked is not None and offset_after(record) != booked:
                        why[part] = f"holds another record at offset {booked.head_offset}"
    except TimeoutError:
        (topic, number), booked = next(iter(left.items()))
        raise BrokenLog(
            f"{topic}[{number}] returned nothing at offset {booked.head_offset}"
            f" for {PROOF_TIMEOUT_S:.0f} s",
            remedy="start the ledger again when the broker answers",
        ) from None
    return why
