"""Ends a process whose reader lags and receives nothing, so that it is started again.

A consumer can hang without an error: a fetch without an answer, a dead connection, a bug in the
client. The process would then send heartbeats and do nothing. So the positions of all open readers
are checked regularly. A reader is stuck if, in many checks in a row, its process asked for records,
the log had some after its position, and the position did not move. A reader that is not read, and a
paused partition, are not stuck.

Readers follow the partitions that existed when they were opened. If a topic gets more partitions
later, the process ends, too, so that it reads all of them.

Reads end offsets, on a connection without fetches, and numbers of partitions.
"""

from collections.abc import Mapping
from weakref import WeakKeyDictionary

from arena.bus.base import Bus, Reader, ReaderPosition
from arena.errors import BrokerUnavailable, Stuck

CHECKS = 6
"""Checks without progress after which a reader is stuck; a count, because a process that was frozen
for a while is not stuck."""

Pair = tuple[str, int]


class ReadProgress:
    """Counts checks in a row in which a reader asked for records and did not move. Pure."""

    def __init__(self) -> None:
        """Start without checks."""
        self._asked = 0
        self._known: dict[Pair, tuple[int, int]] = {}

    def note(
        self, asked: int, waiting: int, positions: Mapping[Pair, ReaderPosition]
    ) -> Pair | None:
        """Note a check.

        Args:
            asked: Number of reads so far.
            waiting: Number of reads that have not returned.
            positions: The reader's positions in the partitions that may deliver.

        Returns:
            A partition that is stuck, or None.
        """
        wanted = waiting > 0 or asked != self._asked
        self._asked = asked
        known, self._known = self._known, {}
        if not wanted:
            return None
        for pair, (position, end) in positions.items():
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
        bus: A connected bus.
        stuck_s: How long a reader may receive nothing, in seconds of the bus's clock.

    Raises:
        Stuck: A reader is stuck, or a topic has other partitions than its readers follow.
    """
    progress: WeakKeyDictionary[Reader, ReadProgress] = WeakKeyDictionary()
    while True:
        await bus.clock.sleep(stuck_s / CHECKS)
        await _check_partitions(bus, stuck_s)
        for reader in list(bus.readers):
            if reader.closed:
                continue
            try:
                async with bus.clock.timeout(stuck_s):
                    positions = await reader.positions()
            except (BrokerUnavailable, TimeoutError):
                continue  # Without the ends of the log its reader cannot be judged.
            pair = progress.setdefault(reader, ReadProgress()).note(
                reader.reads_asked, reader.reads_waiting, positions
            )
            if pair is not None:
                raise Stuck(_words(pair, positions[pair], stuck_s))


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
        async with bus.clock.timeout(stuck_s):
            now = await bus.all_partitions_now({topic for topic, _ in followed})
    except (BrokerUnavailable, TimeoutError):
        return  # The readers themselves report a missing broker or a deleted topic.
    for topic, count in followed:
        if now[topic] != count:
            raise Stuck(
                f"{topic} has {now[topic]} partitions now, and had {count} when this process opened"
                " it: restarting to read all of them"
            )


def _words(pair: Pair, position: ReaderPosition, stuck_s: float) -> str:
    topic, partition = pair
    since = f"after offset {position.position}" if position.position >= 0 else "from its position"
    return (
        f"{topic}[{partition}] gave nothing {since} for {stuck_s:g} s,"
        f" and its log ends at {position.end}: this reader is stuck"
    )
