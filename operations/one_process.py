"""Runs many processes of an arena as tasks of one event loop, over one bus in memory.

On virtual time a run takes no longer than its work, and depends only on its members, settings and
seed: not on the machine's clock, nor on the order in which processes or threads run. On the
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
from arena.outside import Outside
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
    outside: Outside | None = None,
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
        outside: Where work takes real time, if the clock is virtual.
        seed: Seed of the members' randomness.

    Raises:
        ArenaError: A member failed, or another than the first one ended.
    """
    tasks: dict[asyncio.Task[None], Member] = {}
    for number, member in enumerate(members):
        kind = kind_of(member)
        node = Node(
            command_of(kind),
            member.name,
            settings,
            open_bus(member),
            clock,
            rng=Random(f"{seed} {member.kind} {member.name}"),
            threads=threads,
            outside=outside,
            pid=number,
            host=HOST,
        )
        work = serve_node(node, entry_of(kind), member.options)
        tasks[asyncio.create_task(work, name=f"{member.kind}/{member.name}")] = member
    try:
        await _wait_for_first(list(tasks))
    finally:
        last = [task for task, member in tasks.items() if kind_of(member).stops_last]
        errors = [*await _stop(task for task in tasks if task not in last), *await _stop(last)]
    if errors:
        raise errors[0]


async def _wait_for_first(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Wait until the first task ends.

    Raises:
        ArenaError: A task failed, or another one ended before it.
    """
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    ended = [task for task in tasks if task in done]
    for task in ended:
        task.result()
    if tasks[0] not in done:
        names = ", ".join(task.get_name() for task in ended)
        raise ArenaError(f"{names} ended before {tasks[0].get_name()}")


async def _stop(tasks: Iterable[asyncio.Task[None]]) -> list[Exception]:
    """Cancel tasks, wait for them, and return their errors."""
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    return [end for end in ends if isinstance(end, Exception)]


def kind_of(member: Member) -> ProcessKind:
    """The kind of a member.

    Raises:
        ArenaError: The kind is unknown, or it is not a process.
    """
    for kind in KINDS:
        if kind.name == member.kind and kind.serve:
            return kind
    raise ArenaError(f"{member.kind!r} is not a kind of process")


def command_of(kind: ProcessKind) -> str:
    """The first command that runs a kind, alone or as a part of another kind."""
    runs = [kind, *(other for other in KINDS if other.includes == kind.name)]
    return next(command.name for one in runs for command in one.commands)


# Any: each kind has options of its own; `arena.process_kinds` says which function takes them.
def entry_of(kind: ProcessKind) -> Serve[Any]:
    """Load the function that does the work of a kind."""
    module, _, function = kind.serve.partition(":")
    entry: Serve[Any] = getattr(import_module(module), function)
    return entry
