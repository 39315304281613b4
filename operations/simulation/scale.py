"""Counts what an arena of many agents sends and reads: lock-step over a bus in memory, no faults.

A record that is read by many processes is counted once as a message and once per reader as a
delivery. Virtual time stands nearly still in such a run, so what is sent by the clock (heartbeats)
is counted once per process, and not in proportion.
"""

import asyncio
import resource
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, MutableSequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from random import Random
from typing import SupportsIndex, overload

from arena import topics
from arena.bus.base import EARLIEST, Assignment, GroupReader, LogReader, Record, Start
from arena.bus.memory import MemoryAck, MemoryBus, MemoryCluster, milliseconds_of
from arena.clock import Clock
from arena.settings import Settings
from arena.threads import InlineThreads, Threads
from arena.virtual_time import VirtualClock, VirtualTimeLoop
from operations.one_process import Member, run_members
from operations.simulation.members import NODE, START, STRATEGIES, ArenaPlan, members_of

AGENTS_PER_ROUTER = 50
"""Agents of one router process."""
DEADLINE_S = 3_600.0
TURN = "Turn"
"""Type of the record that ends a turn."""


@dataclass(slots=True)
class TopicFigures:
    """What happened in a topic, or in all topics of a family.

    Attributes:
        topics: Number of topics.
        messages: Records that were appended.
        bytes: Bytes of their keys and values.
        deliveries: Records that were handed to readers.
        delivered_bytes: Bytes of their keys and values.
        readers: Most readers of one topic.
    """

    topics: int = 0
    messages: int = 0
    bytes: int = 0
    deliveries: int = 0
    delivered_bytes: int = 0
    readers: int = 0


@dataclass(frozen=True, slots=True)
class ScaleFigures:
    """What a run took.

    Attributes:
        agents, snapshots, router_processes: The arena.
        groups: Number of consumer groups.
        turns: Turns that ended.
        seconds, cpu_s: Wall and CPU seconds of the run after the first snapshot.
        start_cpu_s: CPU seconds until the first snapshot.
        peak_mb: Largest resident memory of the process that ran all of it.
        at_start: Messages, bytes, deliveries and delivered bytes before the first snapshot.
        by_topic: Name of a topic, or of a family -> its figures, with the start.
    """

    agents: int
    snapshots: int
    router_processes: int
    groups: int
    turns: int
    seconds: float
    cpu_s: float
    start_cpu_s: float
    peak_mb: int
    at_start: dict[str, int]
    by_topic: dict[str, TopicFigures]

    def per_turn(self) -> dict[str, float]:
        """Messages, bytes, deliveries, delivered bytes and CPU milliseconds, without the start."""
        turns = max(1, self.turns)
        totals = sums_of(self.by_topic.values())
        found = {name: (total - self.at_start[name]) / turns for name, total in totals.items()}
        return {**found, "cpu_ms": 1000 * self.cpu_s / turns}

    def widest(self) -> tuple[str, int]:
        """The topic whose records are handed to the most readers, and their number."""
        name = max(self.by_topic, key=lambda name: self.by_topic[name].readers)
        return name, self.by_topic[name].readers

    def document(self) -> dict[str, object]:
        """The figures for programs."""
        topic, readers = self.widest()
        return {
            **asdict(self),
            "per_turn": {name: round(value, 2) for name, value in self.per_turn().items()},
            "widest_fan_out": {"topic": topic, "readers": readers},
        }


def sums_of(figures: Iterable[TopicFigures]) -> dict[str, int]:
    """Messages, bytes, deliveries and delivered bytes of several topics together."""
    rows = list(figures)
    return {
        "messages": sum(row.messages for row in rows),
        "bytes": sum(row.bytes for row in rows),
        "deliveries": sum(row.deliveries for row in rows),
        "delivered_bytes": sum(row.delivered_bytes for row in rows),
    }


class _CountedLog(list[Record]):
    """A log that counts the records that readers take from it."""

    def __init__(self, figures: TopicFigures) -> None:
        super().__init__()
        self._figures = figures

    @overload
    def __getitem__(self, at: SupportsIndex) -> Record: ...
    @overload
    def __getitem__(self, at: slice) -> list[Record]: ...
    def __getitem__(self, at: SupportsIndex | slice) -> Record | list[Record]:
        found = super().__getitem__(at)
        if isinstance(at, slice) and isinstance(found, list):
            self._figures.deliveries += len(found)
            self._figures.delivered_bytes += sum(map(_size, found))
        return found


def _size(record: Record) -> int:
    return len(record.key or b"") + len(record.value or b"")


class _CountingCluster(MemoryCluster):
    """Counts what is appended.

    Attributes:
        figures: Name of a topic, or of a family -> its figures.
        first_snapshot_s: Wall and CPU time of the first snapshot; None before.
    """

    def __init__(self, clock_ms: Callable[[], int]) -> None:
        super().__init__(clock_ms)
        self.figures: defaultdict[str, TopicFigures] = defaultdict(TopicFigures)
        self.first_snapshot_s: tuple[float, float] | None = None
        self.at_start = sums_of(())
        self.turns = 0

    def grow(self, topic: str, partitions: int) -> None:
        self.figures[_family(topic)].topics += topic not in self.partitions
        super().grow(topic, partitions)

    def new_log(self, topic: str, partition: int) -> MutableSequence[Record]:
        return _CountedLog(self.figures[_family(topic)])

    def append(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: Iterable[tuple[str, bytes | None]],
    ) -> MemoryAck:
        if topic == topics.SNAPSHOTS.name and self.first_snapshot_s is None:
            self.first_snapshot_s = time.monotonic(), time.process_time()
            self.at_start = sums_of(self.figures.values())
        acked = super().append(topic, partition, key, value, headers)
        record = self.newest
        assert record is not None, "it was just appended"
        figures = self.figures[_family(topic)]
        figures.messages += 1
        figures.bytes += _size(record)
        self.turns += topic == topics.TURNS.name and record.kind == TURN
        return acked


class _CountingBus(MemoryBus):
    """Counts readers."""

    def __init__(
        self, cluster: _CountingCluster, clock: Clock, threads: Threads, opened: dict[str, int]
    ) -> None:
        super().__init__(cluster, clock, threads)
        self._opened = opened

    async def log_reader(self, *topics: str, start: Start = EARLIEST) -> LogReader:
        self._count(topics)
        return await super().log_reader(*topics, start=start)

    async def group_reader(
        self,
        group: str,
        *topics: str,
        start: Start = EARLIEST,
        on_change: Callable[[Assignment], None] | None = None,
        old_group: str = "",
    ) -> GroupReader:
        self._count(topics)
        return await super().group_reader(
            group, *topics, start=start, on_change=on_change, old_group=old_group
        )

    def _count(self, names: Iterable[str]) -> None:
        for name in names:
            self._opened[name] += 1


def _family(topic: str) -> str:
    """The family of a topic, or its name."""
    for spec in topics.TOPICS:
        if spec.is_family and topic.startswith(spec.name):
            return spec.name
    return topic


def plan_of_many(agents: int, snapshots: int) -> ArenaPlan:
    """An arena with many agents: one executor, one chat node with scripted rules.

    Args:
        agents: Number of agents.
        snapshots: Number of snapshots.
    """
    random, named = Random(0), []
    for number in range(agents):
        strategy = STRATEGIES[number % len(STRATEGIES)]
        seed = f"#{random.randrange(100)}" if strategy in ("random", "scalper") else ""
        named.append(f"a{number}={strategy}@{NODE}{seed}")
    return ArenaPlan(
        agents=tuple(named),
        snapshots=snapshots,
        market=0,
        products=1,
        pacing="lock-step",
        deadline_s=DEADLINE_S,
        executors=1,
        chat_nodes=1,
        shards=1,
        checkpoint_events=50_000,
    )


def measure(agents: int, snapshots: int, folder: Path) -> ScaleFigures:
    """Run an arena of many agents, and count.

    Args:
        agents: Number of agents.
        snapshots: Number of snapshots.
        folder: Holds its checkpoints.

    Raises:
        ArenaError: A process of it failed.
    """
    made = members_of(plan_of_many(agents, snapshots), agents_per_router=AGENTS_PER_ROUTER)
    members = [member() for member in made.values()]
    opened: defaultdict[str, int] = defaultdict(int)
    began_cpu_s = time.process_time()
    cluster = _run(members, Settings(home=folder, log_level="ERROR"), START, opened)
    ended_s, ended_cpu_s = time.monotonic(), time.process_time()
    first_s, first_cpu_s = cluster.first_snapshot_s or (ended_s, ended_cpu_s)
    for name, readers in opened.items():
        figures = cluster.figures[_family(name)]
        figures.readers = max(figures.readers, readers)
    return ScaleFigures(
        agents=agents,
        snapshots=snapshots,
        router_processes=sum(member.kind == "router" for member in members),
        groups=len(cluster.groups),
        turns=cluster.turns,
        seconds=round(ended_s - first_s, 1),
        cpu_s=round(ended_cpu_s - first_cpu_s, 2),
        start_cpu_s=round(first_cpu_s - began_cpu_s, 2),
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        at_start=cluster.at_start,
        by_topic=dict(sorted(cluster.figures.items())),
    )


def _run(
    members: list[Member], settings: Settings, start: datetime, opened: dict[str, int]
) -> _CountingCluster:
    loop = VirtualTimeLoop()
    clock, threads = VirtualClock(loop, start), InlineThreads()
    cluster = _CountingCluster(milliseconds_of(clock))

    def open_bus(member: Member) -> MemoryBus:
        return _CountingBus(cluster, clock, threads, opened)

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(run_members(members, settings, open_bus, clock, threads))
    return cluster
