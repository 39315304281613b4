"""Reads topics up to their current ends, for state that is loaded before the topic is followed."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing

from arena.bus.base import Bus, LogReader, Record
from arena.errors import BrokerUnavailable
from arena.topics import TopicSpec

READ_TIMEOUT_S = 0.5
BATCH_MAX = 1_000
GROWTH = 4
"""Factor by which the next chunk of `read_backwards` is longer."""
STALL_S = 20.0
"""Longest time without progress while a partition has more records."""


async def read_to_ends(
    reader: LogReader,
    ends: Mapping[tuple[str, int], int] | None = None,
    *,
    stall_s: float = STALL_S,
    max_records: int = BATCH_MAX,
) -> AsyncGenerator[list[Record], None]:
    """Yield the records between a reader's positions and the ends of its partitions, in batches.

    Records that are appended meanwhile may be in the last batches. Progress is measured by
    positions: the end marker of a transaction has an offset but is not a record.

    Args:
        reader: An open reader; it stays open.
        ends: (topic, partition) -> the offset to reach; the current ends if None.
        stall_s: Longest time without progress, in seconds.
        max_records: Largest number of records in a batch.

    Raises:
        BrokerUnavailable: No progress for `stall_s` although a partition has more records.
    """
    clock = reader.clock
    targets = await reader.end_offsets() if ends is None else ends
    progress_s = clock.monotonic()
    while left := [pair for pair, end in targets.items() if reader.position(*pair) < end]:
        before = [reader.position(*pair) for pair in left]
        missing = sum(targets[pair] - offset for pair, offset in zip(left, before, strict=True))
        records = await reader.read(timeout_s=READ_TIMEOUT_S, max_records=min(max_records, missing))
        if records:
            yield records
        else:
            await clock.sleep(0)  # A reader need not wait; a time-out of the caller must be seen.
        if before != [reader.position(*pair) for pair in left]:
            progress_s = clock.monotonic()
        elif clock.monotonic() - progress_s > stall_s:
            topic, partition = left[0]
            raise BrokerUnavailable(
                f"{topic}[{partition}] returned no record after offset {reader.position(*left[0])},"
                f" but ends at {targets[left[0]]}",
                remedy="check that all brokers run (`arena broker status`), then try again",
            )


async def read_list(
    reader: LogReader,
    ends: Mapping[tuple[str, int], int] | None = None,
    *,
    stall_s: float = STALL_S,
) -> list[Record]:
    """The records that `read_to_ends` yields, as one list.

    Raises:
        BrokerUnavailable: As for `read_to_ends`.
    """
    async with aclosing(read_to_ends(reader, ends, stall_s=stall_s)) as batches:
        return [record async for records in batches for record in records]


async def read_backwards(
    reader: LogReader, pair: tuple[str, int], end: int, *, chunk: int
) -> AsyncGenerator[list[Record], None]:
    """Yield the records of a partition in growing chunks, the newest chunk first.

    Within a chunk the oldest record comes first. The caller stops when it has enough.

    Args:
        reader: An open reader of this partition alone, at the first offset that is kept.
        pair: Topic and partition.
        end: The offset after the newest record that is read.
        chunk: Number of offsets in the first chunk.

    Raises:
        BrokerUnavailable: As for `read_to_ends`.
    """
    first, until = reader.position(*pair), end
    while until > first:
        begin = max(first, until - chunk)
        reader.seek(*pair, begin)
        records = await read_list(reader, {pair: until})
        yield [record for record in records if record.offset < until]
        until, chunk = begin, chunk * GROWTH


async def for_each_record(bus: Bus, spec: TopicSpec, take: Callable[[Record], object]) -> None:
    """Call a function with every record of a topic, oldest first within a partition.

    Args:
        bus: The bus.
        spec: The topic, which is created if it does not exist.
        take: Called with each record; records that are appended meanwhile may be included.

    Raises:
        BrokerUnavailable: As for `read_to_ends`.
    """
    await bus.ensure_topics([spec])
    reader = await bus.log_reader(spec.name)
    try:
        async with aclosing(read_to_ends(reader, stall_s=STALL_S)) as batches:
            async for records in batches:
                for record in records:
                    take(record)
    finally:
        await reader.close()
