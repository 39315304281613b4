"""What a backtest has done so far, read from the lengths of its logs and its records."""

from collections.abc import Iterator
from dataclasses import dataclass

from arena import topics
from arena.bus.base import Record
from arena.bus.memory import MemoryCluster
from arena.bus.memory_cursor import MARKER
from arena.durations import elapsed_text
from arena.plural import counted

FOLDED = (topics.ROSTER.name, topics.TURNS.name, topics.LLM_CALLS.name)
"""The topics from which the counts at the end are made, besides the number of snapshots."""
RATE_AFTER_S = 1.0


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of a run.

    Attributes:
        snapshots: Published snapshots.
        bars: Closed bars of all products, with those before the first snapshot.
        turns: Records of `agent.turns`: turns, their starts and skipped snapshots.
    """

    snapshots: int
    bars: int
    turns: int

    @classmethod
    def of(cls, cluster: MemoryCluster) -> "Counts":
        """Count the records of a cluster."""
        names = (topics.SNAPSHOTS.name, topics.CANDLES.name, topics.TURNS.name)
        return cls(*(records_in(cluster, name) for name in names))


def records_in(cluster: MemoryCluster, topic: str) -> int:
    """Number of records of a topic; 0 if it does not exist."""
    count = cluster.partitions.get(topic, 0)
    return sum(len(cluster.logs[(topic, p)]) for p in range(count))


def records_of(cluster: MemoryCluster, topic: str) -> Iterator[Record]:
    """The records of a topic, partition by partition."""
    for p in range(cluster.partitions.get(topic, 0)):
        yield from (record for record in cluster.logs[(topic, p)] if record is not MARKER)


def counts_line(counts: Counts, planned: int, elapsed_s: float) -> str:
    """One line of progress: snapshots, time left, bars and their rate.

    Args:
        counts: The counts so far.
        planned: Snapshots of the whole run.
        elapsed_s: Seconds since it began.
    """
    done = min(counts.snapshots, planned)
    parts = [f"{done:,}/{planned:,} snapshots {done / planned:4.0%}"]
    if done and elapsed_s >= RATE_AFTER_S:
        parts.append(f"{elapsed_text((planned - done) * elapsed_s / done)} left")
        parts.append(f"{counted(counts.bars, 'bar')}, {counts.bars / elapsed_s:,.0f}/s")
    return "  ".join(parts)
