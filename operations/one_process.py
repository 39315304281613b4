"""Runs many processes of an arena as tasks of one event loop, over one bus in memory.

On virtual time a run takes no longer than its work, and depends on nothing but its members and
its seed: not on the machine's clock, nor on the order in which processes or threads run. On the
system's time the same members run over Kafka, each with a connection of its own.

A run ends when its first member ends, usually a connector that has replayed its prices.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from random import Random
from typing import Any

from arena.bus.base import Bus
from arena.bus.memory import MemoryBus, MemoryCluster, milliseconds_of
from arena.clock import Clock
from arena.errors import ArenaError
from arena.node import Node, Serve, serve_node
from arena.process_kinds import KINDS, ProcessKind
from arena.settings import Settings
from arena.threads import InlineThreads, Threads
from arena.virtual_time import VirtualClock, VirtualTimeLoop

HOST = "one-process"
"""The host in the ids of the members: ids are the same on every machine."""


@dataclass(frozen=True, slots=True)
class Member:
    """A process to run.

    Attributes:
        kind: Name of its kind in `arena.process_kinds`.
        name: Its name.
        options: The options that the kind's `serve` takes.
    """

    kind: str
    name: str
    options: object


def run_on_virtual_time(
    members: Sequence[Member], settings: Settings, *, start: datetime, seed: int = 0
) -> MemoryCluster:
    """Run members over a bus in memory until the first of them ends.

    Args:
        members: The processes; the run ends with the first.
        settings: Settings of all members; their home holds checkpoints.
        start: Wall time at the start (aware UTC).
        seed: Seed of the members' randomness.

    Returns:
        All records of the run.

    Raises:
        ArenaError: A member failed, or another than the first one ended.
        Deadlock: All members wait for each other.
    """
    loop = VirtualTimeLoop()
    clock = VirtualClock(loop, start)
    cluster = MemoryCluster(milliseconds_of(clock))
    threads = InlineThreads()

    def open_bus(member: Member) -> Bus:
        return MemoryBus(cluster, clock, threads)

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(run_members(members, settings, open_bus, clock, threads, seed=seed))
    return cluster


async def run_members(
    members: Sequence[Member],
    settings: Settings,
    open_bus: Callable[[Member], Bus],
    clock: Clock,
    threads: Threads | None = None,
    *,
    seed: int = 0,
) -> None:
    """Run members in this loop until the first of them ends; then stop the others.

    Members whose kind stops last, because they read what the others wrote, are stopped last.

    Args:
        members: The processes; the run ends with the first.
        settings: Settings of all members.
        open_bus: Returns the bus of a member, not started.
        clock: The clock of all members.
        threads: Runs blocking work; None for threads of this process.
        seed: Seed of the members' randomness.

    Raises:
        ArenaError: A member failed, or another than the first one ended.
    """
    tasks: dict[asyncio.Task[None], Member] = {}
    for number, member in enumerate(members):
        kind = kind_of(member)
        node = Node(
            kind.commands[0].name,
            member.name,
            settings,
            open_bus(member),
            clock,
            rng=Random(f"{seed} {member.kind} {member.name}"),
            threads=threads,
            pid=number,
            host=HOST,
        )
        work = serve_node(node, entry_of(kind), member.options)
        tasks[asyncio.create_task(work, name=f"{member.kind}/{member.name}")] = member
    first = next(iter(tasks))
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task in done:
                task.result()
        if first not in done:
            names = ", ".join(task.get_name() for task in tasks if task in done)
            raise ArenaError(f"{names} ended before {first.get_name()}")
    finally:
        await _stop(task for task, member in tasks.items() if not kind_of(member).stops_last)
        await _stop(task for task, member in tasks.items() if kind_of(member).stops_last)


def kind_of(member: Member) -> ProcessKind:
    """The kind of a member.

    Raises:
        ArenaError: There is no such kind, or it is no process.
    """
    for kind in KINDS:
        if kind.name == member.kind and kind.serve and kind.commands:
            return kind
    raise ArenaError(f"{member.kind!r} is not a kind of process with a command of its own")


# Any: each kind has options of its own; `arena.process_kinds` says which function takes them.
def entry_of(kind: ProcessKind) -> Serve[Any]:
    """Load the function that does the work of a kind."""
    module, _, function = kind.serve.partition(":")
    entry: Serve[Any] = getattr(import_module(module), function)
    return entry


async def _stop(tasks: Iterable[asyncio.Task[None]]) -> None:
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
