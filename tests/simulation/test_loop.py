"""The loop of simulations: one step at a time, an order drawn by the seed, virtual time."""

import asyncio
import os
import subprocess
import sys
from contextvars import Context
from pathlib import Path

import pytest

from arena.virtual_time import Deadlock
from operations.simulation.loop import PROCESS, Incarnation, SimulationLoop, TooManySteps

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "from tests.simulation.test_loop import lost_updates; print(lost_updates(range(20))[1])"


async def racing() -> int:
    """Three tasks that read a count, wait, and write it back plus one."""
    count = 0

    async def add() -> None:
        nonlocal count
        for _ in range(2):
            seen = count
            await asyncio.sleep(0)
            count = seen + 1

    async with asyncio.TaskGroup() as tasks:
        for _ in range(3):
            tasks.create_task(add())
    return count


def lost_updates(seeds: range) -> tuple[set[int], list[str]]:
    """The counts that seeds end with, and the digests of their traces."""
    counts, digests = set(), []
    for seed in seeds:
        loop = SimulationLoop(seed)
        counts.add(loop.run_until_complete(racing()))
        digests.append(loop.digest())
        loop.close()
    return counts, digests


def test_seeds_find_different_orders_and_each_is_the_same_again() -> None:
    """Some lose updates and some do not; another process and hash seed gives the same traces."""
    counts, digests = lost_updates(range(20))
    again = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert len(counts) > 2
    assert str(digests) == again.stdout.strip()
    assert len(digests) == len(set(digests))


def test_time_outs_and_deadlocks_are_of_virtual_time() -> None:
    """An hour passes at once; what waits for nothing is an error with its time."""
    loop = SimulationLoop(1)

    async def work() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3_600):
                await asyncio.sleep(7_200)
        await loop.create_future()

    with pytest.raises(Deadlock, match="after 3600 s"):
        loop.run_until_complete(work())


def test_endless_work_is_stopped() -> None:
    """The number of steps is bounded."""
    loop = SimulationLoop(1, steps_max=10_000)

    async def spin() -> None:
        while True:
            await asyncio.sleep(0)

    with pytest.raises(TooManySteps, match="steps after 0 s"):
        loop.run_until_complete(spin())


def test_frozen_process_waits_and_dead_process_never_runs() -> None:
    """What a frozen process was to do comes when it wakes, also its timers."""
    loop, seen = SimulationLoop(1), list[str]()
    lives = {name: Incarnation(name, number) for number, name in enumerate(("one", "two"), 1)}

    async def work(name: str) -> None:
        while True:
            await asyncio.sleep(1.0)
            seen.append(f"{name} at {loop.time():g}")

    async def world() -> None:
        for name, life in lives.items():
            context = Context()
            context.run(PROCESS.set, life)
            loop.create_task(work(name), context=context)
        await asyncio.sleep(1.5)
        lives["one"].frozen = lives["two"].dead = True
        await asyncio.sleep(3.0)
        loop.release(lives["one"])
        await asyncio.sleep(1.2)

    loop.run_until_complete(world())

    assert ["one at 1", "one at 4.5", "one at 5.5", "two at 1"] == sorted(seen)
