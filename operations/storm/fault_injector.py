"""Injects the faults of a plan, each at its time, and counts those that took effect."""

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
PAUSE_AFTER_S = 10.0
DURATION_FACTOR_MAX = 2.0
"""A storm takes at most this many times its planned duration."""
DISK_POLL_S = 0.2
GIVEN_UP_POLL_S = 2.0
SETTLE_S = 0.5
NOT_RUNNING = "it did not run, or had no connection"


@dataclass
class FaultInjector:
    """The faults of one storm.

    Attributes:
        processes: The processes to disturb. brokers: The brokers to kill.
        links: The proxy that cuts links; None if links cannot be cut.
        clocks: The folder that `ARENA_FAULT_CLOCK` names.
        is_deciding: True if orders were decided since the last broker came back. Otherwise no
            broker is killed: a busy machine would be without brokers for the whole storm.
        since_decision_s: Seconds since an order was decided.
        kills: Kills by kind of process. counts: All other faults that took effect, by kind.
        not_injected: The faults that did not take effect, as text.
    """

    plan: StormPlan
    processes: StormProcesses
    brokers: Brokers
    links: ProxyClient | None
    clocks: Path
    is_deciding: Callable[[], bool] = lambda: True
    since_decision_s: Callable[[], float] = lambda: 0.0
    kills: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    not_injected: list[str] = field(default_factory=list)
    _until_s: float = 0.0
    _plan_s: float = 0.0
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)
    _restart_task: "asyncio.Task[None] | None" = None

    async def run(self) -> None:
        """Start every fault at its time; return when the last has ended.

        The time of the plan stops while no order was decided for `PAUSE_AFTER_S`: a busy machine
        would spend the whole storm on starting processes. A fault whose target is being restarted,
        or waits for a broker, waits for it until the storm is over.
        """
        self._until_s = time.monotonic() + DURATION_FACTOR_MAX * self.plan.seconds
        restart_task = self._restart_task = asyncio.create_task(self._restart_supervisor())
        try:
            for fault in self.plan.faults:
                if not await self._wait_for_plan_time(fault.at_s):
                    self._note_not_injected(fault, "the arena decided no orders for too long")
                    continue
                task = asyncio.create_task(self._carry_out(fault))
                self._tasks.add(task)
                task.add_done_callback(self._discard_if_succeeded)
            await self._wait_for_plan_time(self.plan.seconds)
            self._until_s = time.monotonic()
            await asyncio.gather(*self._tasks)
        finally:
            for task in (*self._tasks, restart_task):
                task.cancel()
            await asyncio.gather(*self._tasks, restart_task, return_exceptions=True)

    def _discard_if_succeeded(self, task: "asyncio.Task[None]") -> None:
        """Forget a fault that ended; one that failed stays until `run` sees its error."""
        if task.cancelled() or task.exception() is None:
            self._tasks.discard(task)

    async def _wait_for_plan_time(self, to_s: float) -> bool:
        """Wait for a time of the plan; return False if the storm takes too long."""
        now_s = time.monotonic()
        while self._plan_s < to_s:
            if now_s > self._until_s:
                return False
            await asyncio.sleep(min(TICK_S, to_s - self._plan_s))
            raise_failed((*self._tasks, *filter(None, [self._restart_task])))
            before_s, now_s = now_s, time.monotonic()
            if self.since_decision_s() < PAUSE_AFTER_S:
                self._plan_s += now_s - before_s
        return True

    async def _carry_out(self, fault: PlannedFault) -> None:
        handlers: dict[str, Callable[[PlannedFault], Awaitable[str]]] = {
            "kill": self._kill,
            "freeze": self._freeze,
            "broker_kill": self._kill_broker,
            "leader_kill": self._kill_broker,
            "link_cut": self._cut_link,
            "full_disk": self._fill_disk,
            "clock_jump": self._shift_clock,
        }
        why = "the storm was over"
        try:
            why = await handlers[fault.kind](fault)
        finally:
            if not why and fault.kind != "kill":
                self.counts[fault.kind] += 1
            elif why:
                self._note_not_injected(fault, why)

    def _note_not_injected(self, fault: PlannedFault, why: str) -> None:
        name = " ".join(filter(None, (fault.kind, fault.variant, fault.target)))
        self.not_injected.append(f"{name} at {fault.at_s:.0f} s: {why}")

    async def _wait_for_process(self, fault: PlannedFault) -> ProcessHandle | None:
        """Return the target of a fault; None if it is not restarted in time."""
        while time.monotonic() < self._until_s:
            if (process := self.processes.find(fault.target)) is not None:
                return process
            await asyncio.sleep(RETRY_S)
        return None

    async def _kill(self, fault: PlannedFault) -> str:
        """Kill a process. Each handler returns why the fault had no effect, or ""."""
        while await self._wait_for_process(fault) is not None:
            if self.processes.kill(fault.target):
                self.kills[KIND_OF[fault.target]] += 1
                return ""
            await asyncio.sleep(RETRY_S)
        return NOT_RUNNING

    async def _freeze(self, fault: PlannedFault) -> str:
        while (process := await self._wait_for_process(fault)) is not None:
            if process.signal(signal.SIGSTOP):
                break
            await asyncio.sleep(RETRY_S)
        else:
            return NOT_RUNNING
        continued = False
        try:
            await asyncio.sleep(fault.seconds)
        finally:
            continued = process.signal(signal.SIGCONT)
        return "" if continued else "it was killed meanwhile"

    async def _kill_broker(self, fault: PlannedFault) -> str:
        while time.monotonic() < self._until_s:
            if self.is_deciding() and await self.brokers.kill_and_restart(fault.seconds):
                return ""
            await asyncio.sleep(RETRY_S)
        return "the arena had not recovered from the previous one"

    async def _cut_link(self, fault: PlannedFault) -> str:
        if self.links is None:
            return "no link can be cut here"
        while (process := await self._wait_for_process(fault)) is not None:
            cut = await self.links.cut(process.pid, fault.variant, fault.seconds)
            if cut.links:
                break
            await asyncio.sleep(RETRY_S)
        else:
            return NOT_RUNNING
        await asyncio.sleep(fault.seconds + SETTLE_S)
        cut = await self.links.finish(cut)
        if not cut.effects:
            return "no request was sent"
        self.counts[f"link {fault.variant}"] += 1
        return ""

    async def _fill_disk(self, fault: PlannedFault) -> str:
        """Let no file of a process grow, also after it is restarted."""
        until_s = time.monotonic() + fault.seconds
        limited: set[int] = set()
        try:
            while time.monotonic() < until_s:
                process = self.processes.find(fault.target)
                if process is not None and _limit_files(process.pid, 0):
                    limited.add(process.pid)
                await asyncio.sleep(DISK_POLL_S)
        finally:
            for pid in limited:
                _limit_files(pid, None)
        return "" if limited else NOT_RUNNING

    async def _shift_clock(self, fault: PlannedFault) -> str:
        if (process := await self._wait_for_process(fault)) is None:
            return NOT_RUNNING
        path = self.clocks / str(process.pid)
        path.write_text(fault.variant, encoding="ascii")
        try:
            await asyncio.sleep(fault.seconds)
        finally:
            path.unlink(missing_ok=True)
        return ""

    async def _restart_supervisor(self) -> None:
        """Restart a supervisor that gave up a process, as an operator would."""
        while True:
            await asyncio.sleep(GIVEN_UP_POLL_S)
            if self.processes.given_up() and self.processes.kill(SUPERVISOR):
                self.counts["given_up"] += 1


def _limit_files(pid: int, bytes_max: int | None) -> bool:
    """Limit the size of a process's files, or end the limit; return False if that fails."""
    limit = getattr(psutil, "RLIMIT_FSIZE", None)
    if limit is None:
        return False
    with suppress(psutil.Error, OSError):
        process = psutil.Process(pid)
        _, hard = process.rlimit(limit)
        process.rlimit(limit, (hard if bytes_max is None else bytes_max, hard))
        return True
    return False
