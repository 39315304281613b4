"""A reader that is behind and gets nothing: its process must end, and start again.

A consumer can hang without an error: a fetch that is never answered, a connection that is open and
dead, a client that lost track. Its process then beats on, and does nothing. So every reader in use
is asked now and then where it stands. It is stuck where, over and over, its process asked for
records, the log had some behind its place, and the place did not move. A reader that nobody asks,
and a partition that is paused, are slow on purpose and not stuck.

A topic that was given partitions has records that its readers do not get either: they follow those
that were there when they were opened. So that ends the process, too.

Reads the ends of the logs, on a connection without fetches, and how many partitions there are.
"""

import asyncio
from collections.abc import Mapping
from weakref import WeakKeyDictionary

from arena.bus.base import Bus, Reader, ReaderPosition
from arena.errors import BrokerUnavailable, Stuck

CHECKS = 6
"""A reader is stuck after so many checks without progress; counted, because a process that was
stopped for a while must not be found guilty by the clock."""

Pair = tuple[str, int]


class ReadProgress:
    """Checks in a row in which a reader got nothing of what it asked for. Pure."""

    def __init__(self) -> None:
        """Nothing was checked yet."""
        self._asked = 0
        self._known: dict[Pair, tuple[int, int]] = {}

    def note(
        self, asked: int, waiting: int, standing: Mapping[Pair, ReaderPosition]
    ) -> Pair | None:
        """Take in a check.

        Args:
            asked: How often records were asked for so far.
            waiting: Reads that have not returned.
            standing: Where the reader stands in each partition that may deliver.

        Returns:
            A partition that is stuck, or None.
        """
        wanted = waiting > 0 or asked != self._asked
        self._asked = asked
        known, self._known = self._known, {}
        if not wanted:
            return None
        for pair, (position, end) in standing.items():
            if end <= position:
                continue
            before, checks = known.get(pair, (position, 0))
            checks = checks + 1 if before == position else 1
            self._known[pair] = (position, checks)
            if checks > CHECKS:
                return pair
        return None


async def watch_readers(bus: Bus, stuck_s: float) -> None:
    """Check all readers of a bus until one is stuck.

    Args:
        bus: Connected.
        stuck_s: How long a reader may get nothing, in seconds of this machine: what is watched is
            the real connection, whatever clock the process lives by.

    Raises:
        Stuck: A reader is, or a topic has other partitions than its readers follow.
    """
    progress: WeakKeyDictionary[Reader, ReadProgress] = WeakKeyDictionary()
    while True:
        await asyncio.sleep(stuck_s / CHECKS)
        await _check_partitions(bus, stuck_s)
        for reader in list(bus.readers):
            if reader.closed:
                continue
            try:
                async with asyncio.timeout(stuck_s):
                    standing = await reader.positions()
            except (BrokerUnavailable, TimeoutError):
                continue  # Without an answer about the log nothing can be said of its reader.
            pair = progress.setdefault(reader, ReadProgress()).note(
                reader.reads_asked, reader.reads_waiting, standing
            )
            if pair is not None:
                raise Stuck(_words(pair, standing[pair], stuck_s))


async def _check_partitions(bus: Bus, stuck_s: float) -> None:
    followed = [
        pair
        for reader in list(bus.readers)
        if not reader.closed
        for pair in reader.partition_counts.items()
    ]
    if not followed:
        return
    try:
        async with asyncio.timeout(stuck_s):
            now = await bus.all_partitions_now({topic for topic, _ in followed})
    except (BrokerUnavailable, TimeoutError):
        return  # Their own reads tell of a broker that is gone, or of a topic that was deleted.
    for topic, count in followed:
        if now[topic] != count:
            raise Stuck(
                f"{topic} has {now[topic]} partitions now, and had {count} when this process began"
                " to read it: it starts again, to read them all"
            )


def _words(pair: Pair, standing: ReaderPosition, stuck_s: float) -> str:
    topic, partition = pair
    place = f"behind offset {standing.position}" if standing.position >= 0 else "from its place"
    return (
        f"{topic}[{partition}] gave nothing {place} for {stuck_s:g} s,"
        f" and its log ends at {standing.end}: this reader is stuck"
    )
