"""Carries the faults of a plan out, each at its time, and counts what really happened."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from operations.storm.brokers import Brokers
from operations.storm.client_errors import raise_failed
from operations.storm.fault_plan import KIND_OF, SUPERVISOR, PlannedFault, StormPlan
from operations.storm.processes import ProcessHandle, StormProcesses
from operations.storm.proxy_client import ProxyClient

RETRY_S = 0.25
TICK_S = 0.1
LET_UP_S = 10.0
SLOWER_MAX = 2.0
"""A storm takes at most so many times as long as planned."""
DISK_POLL_S = 0.2
GIVEN_UP_POLL_S = 2.0
SETTLE_S = 0.5
NOT_RUNNING = "it did not run, or had no connection"


@dataclass
class FaultInjector:
    """The faults of one storm.

    Attributes:
        house: Whose processes suffer. brokers: likewise. links: None if none can be cut.
        clocks: The folder that `ARENA_FAULT_CLOCK` names.
        works: True if orders were decided since the last broker came back; otherwise no broker is
            killed, or a busy machine would spend the whole storm without any.
        still_s: Seconds since an order was decided.
        kills: By kind of process. counts: all other faults that took effect, by kind.
        unsent: Faults that did not, in words.
    """

    plan: StormPlan
    house: StormProcesses
    brokers: Brokers
    links: ProxyClient | None
    clocks: Path
    works: Callable[[], bool] = lambda: True
    still_s: Callable[[], float] = lambda: 0.0
    kills: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    unsent: list[str] = field(default_factory=list)
    _until_s: float = 0.0
    _plan_s: float = 0.0
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)
    _nurse: "asyncio.Task[None] | None" = None

    async def run(self) -> None:
        """Begin every fault at its time; return when the last has ended.

        The time of the plan does not pass while nothing was decided for `LET_UP_S`: a busy machine
        would spend the whole storm on starting processes. A fault whose target is just being
        started again, or waits for a broker, waits for it until the storm is over.
        """
        self._until_s = time.monotonic() + SLOWER_MAX * self.plan.seconds
        nurse = self._nurse = asyncio.create_task(self._revive())
        try:
            for fault in self.plan.faults:
                if not await self._pass_time(fault.at_s):
                    self._miss(fault, "the arena was still for too long")
                    continue
                task = asyncio.create_task(self._carry_out(fault))
                self._tasks.add(task)
                task.add_done_callback(self._forget)
            await self._pass_time(self.plan.seconds)
            self._until_s = time.monotonic()
            await asyncio.gather(*self._tasks)
        finally:
            for task in (*self._tasks, nurse):
                task.cancel()
            await asyncio.gather(*self._tasks, nurse, return_exceptions=True)

    def _forget(self, task: "asyncio.Task[None]") -> None:
        """A fault that was carried out; one that failed stays until `run` sees it."""
        if task.cancelled() or task.exception() is None:
            self._tasks.discard(task)

    async def _pass_time(self, to_s: float) -> bool:
        """Wait for a time of the plan; False if the storm has taken too long before it came."""
        now_s = time.monotonic()
        while self._plan_s < to_s:
            if now_s > self._until_s:
                return False
            await asyncio.sleep(min(TICK_S, to_s - self._plan_s))
            raise_failed((*self._tasks, *filter(None, [self._nurse])))
            before_s, now_s = now_s, time.monotonic()
            if self.still_s() < LET_UP_S:
                self._plan_s += now_s - before_s
        return True

    async def _carry_out(self, fault: PlannedFault) -> None:
        acts: dict[str, Callable[[PlannedFault], Awaitable[str]]] = {
            "kill": self._kill,
            "freeze": self._freeze,
            "broker_kill": self._broker,
            "leader_kill": self._broker,
            "link_cut": self._link,
            "full_disk": self._disk,
            "clock_jump": self._clock,
        }
        why = "the storm was over"
        try:
            why = await acts[fault.kind](fault)
        finally:
            if not why and fault.kind != "kill":
                self.counts[fault.kind] += 1
            elif why:
                self._miss(fault, why)

    def _miss(self, fault: PlannedFault, why: str) -> None:
        name = " ".join(filter(None, (fault.kind, fault.way, fault.target)))
        self.unsent.append(f"{name} at {fault.at_s:.0f} s: {why}")

    async def _found(self, fault: PlannedFault) -> ProcessHandle | None:
        """The process that a fault is for, None if it does not come back in time."""
        while time.monotonic() < self._until_s:
            if (found := self.house.find(fault.target)) is not None:
                return found
            await asyncio.sleep(RETRY_S)
        return None

    async def _kill(self, fault: PlannedFault) -> str:
        """Each of these returns why a fault had no effect, "" if it had."""
        while await self._found(fault) is not None:
            if self.house.kill(fault.target):
                self.kills[KIND_OF[fault.target]] += 1
                return ""
            await asyncio.sleep(RETRY_S)
        return NOT_RUNNING

    async def _freeze(self, fault: PlannedFault) -> str:
        while (found := await self._found(fault)) is not None:
            if found.signal(signal.SIGSTOP):
                break
            await asyncio.sleep(RETRY_S)
        else:
            return NOT_RUNNING
        lived = False
        try:
            await asyncio.sleep(fault.seconds)
        finally:
            lived = found.signal(signal.SIGCONT)
        return "" if lived else "it was killed meanwhile"

    async def _broker(self, fault: PlannedFault) -> str:
        while time.monotonic() < self._until_s:
            if self.works() and await self.brokers.kill_and_restart(fault.seconds):
                return ""
            await asyncio.sleep(RETRY_S)
        return "the arena had not come back from the one before"

    async def _link(self, fault: PlannedFault) -> str:
        if self.links is None:
            return "no link can be cut here"
        while (found := await self._found(fault)) is not None:
            cut = await self.links.cut(found.pid, fault.way, fault.seconds)
            if cut.links:
                break
            await asyncio.sleep(RETRY_S)
        else:
            return NOT_RUNNING
        await asyncio.sleep(fault.seconds + SETTLE_S)
        cut = await self.links.after(cut)
        if not cut.effects:
            return "no request came"
        self.counts[f"link {fault.way}"] += 1
        return ""

    async def _disk(self, fault: PlannedFault) -> str:
        """No file of a process can grow; one that is started again meets the same."""
        until_s = time.monotonic() + fault.seconds
        limited: set[int] = set()
        try:
            while time.monotonic() < until_s:
                found = self.house.find(fault.target)
                if found is not None and _limit_files(found.pid, 0):
                    limited.add(found.pid)
                await asyncio.sleep(DISK_POLL_S)
        finally:
            for pid in limited:
                _limit_files(pid, None)
        return "" if limited else NOT_RUNNING

    async def _clock(self, fault: PlannedFault) -> str:
        if (found := await self._found(fault)) is None:
            return NOT_RUNNING
        path = self.clocks / str(found.pid)
        path.write_text(fault.way, encoding="ascii")
        try:
            await asyncio.sleep(fault.seconds)
        finally:
            path.unlink(missing_ok=True)
        return ""

    async def _revive(self) -> None:
        """A supervisor that gave a process up is started again, as its operator would."""
        while True:
            await asyncio.sleep(GIVEN_UP_POLL_S)
            if self.house.given_up() and self.house.kill(SUPERVISOR):
                self.counts["given_up"] += 1


def _limit_files(pid: int, bytes_max: int | None) -> bool:
    """Let no file of a process grow over a size, or lift that; False if it cannot be done."""
    limit = getattr(psutil, "RLIMIT_FSIZE", None)
    if limit is None:
        return False
    with suppress(psutil.Error, OSError):
        process = psutil.Process(pid)
        _, hard = process.rlimit(limit)
        process.rlimit(limit, (hard if bytes_max is None else bytes_max, hard))
        return True
    return False
