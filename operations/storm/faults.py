"""Carries the faults of a plan out, each at its time, and counts what really happened."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from operations.storm.brokers import Brokers
from operations.storm.house import House
from operations.storm.plan import KIND_OF, Fault, Plan

RETRY_S = 0.25
RETRIES_MAX = 24
"""A process that is just being started again is waited for this often."""


@dataclass
class Faults:
    """The faults of one storm.

    Attributes:
        house: Whose processes suffer. brokers: likewise.
        kills: By kind of process. counts: all other faults, by kind.
        now: What happens just now, in words.
    """

    plan: Plan
    house: House
    brokers: Brokers
    kills: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    async def run(self) -> None:
        """Begin every fault at its time; return when the last has ended."""
        began_s = time.monotonic()
        try:
            for fault in self.plan.faults:
                await asyncio.sleep(max(0.0, began_s + fault.at_s - time.monotonic()))
                task = asyncio.create_task(self._carry_out(fault))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            rest_s = began_s + self.plan.seconds - time.monotonic()
            await asyncio.sleep(max(0.0, rest_s))
            await asyncio.gather(*self._tasks)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _carry_out(self, fault: Fault) -> None:
        acts: dict[str, Callable[[Fault], Awaitable[bool]]] = {
            "kill": self._kill,
            "freeze": self._freeze,
            "broker_kill": self._broker,
            "leader_kill": self._broker,
        }
        act = acts.get(fault.kind)
        if act is None or not await act(fault):
            self.skipped[fault.kind] += 1

    async def _kill(self, fault: Fault) -> bool:
        for _ in range(RETRIES_MAX):
            if self.house.kill(fault.target):
                self.kills[KIND_OF[fault.target]] += 1
                return True
            await asyncio.sleep(RETRY_S)
        return False

    async def _freeze(self, fault: Fault) -> bool:
        for _ in range(RETRIES_MAX):
            found = self.house.find(fault.target)
            if found is not None and found.signal(signal.SIGSTOP):
                break
            await asyncio.sleep(RETRY_S)
        else:
            return False
        try:
            await asyncio.sleep(fault.seconds)
        finally:
            lived = found.signal(signal.SIGCONT)
        # One that was killed meanwhile was a kill, not a freeze past its session.
        self.counts["freeze" if lived else "freeze_cut_short"] += 1
        return True

    async def _broker(self, fault: Fault) -> bool:
        for _ in range(RETRIES_MAX):
            if await self.brokers.kill_and_restart(fault.seconds):
                self.counts[fault.kind] += 1
                return True
            await asyncio.sleep(RETRY_S)
        return False
