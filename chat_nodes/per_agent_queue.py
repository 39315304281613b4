"""Work in lanes: one request at a time per agent, so many at once over all agents.

A record waits in its lane (partition and agent) until the one before it is done and a worker is
free. What waits is bounded: when the lanes are full their owner pauses reading. Reads and writes
nothing itself.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from arena.bus.base import Assignment, Record
from arena.messages import ChatRequest

WAITING_PER_WORKER = 8
"""Records that may wait or run per worker before the lanes are full."""


@dataclass(frozen=True, slots=True)
class Job:
    """A request and the record it came in.

    Attributes:
        repeated: It was there before this node was given its partition: it may have been answered.
    """

    record: Record
    request: ChatRequest
    repeated: bool = False

    @property
    def partition(self) -> tuple[str, int]:
        """Topic and partition."""
        return self.record.topic, self.record.partition


QueueKey = tuple[tuple[str, int], str]


@dataclass(slots=True)
class _AgentQueue:
    jobs: deque[Job] = field(default_factory=deque)
    task: asyncio.Task[None] | None = None


class AgentQueues:
    """The lanes and their workers.

    Args:
        workers: How many jobs run at once.
        work: Does one job; an exception from it ends the node.
    """

    def __init__(self, workers: int, work: Callable[[Job], Awaitable[None]]) -> None:
        """No lane yet."""
        self._work = work
        self._slots = asyncio.Semaphore(workers)
        self._lanes: dict[QueueKey, _AgentQueue] = {}
        self._capacity = workers * WAITING_PER_WORKER
        self._jobs = 0
        self._error: BaseException | None = None
        self._moved = asyncio.Event()
        self.running = 0

    @property
    def full(self) -> bool:
        """True where nothing more should be read."""
        return self._jobs >= self._capacity

    def add(self, job: Job) -> None:
        """Put a job at the end of its lane."""
        key = (job.partition, job.request.agent)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _AgentQueue()
            lane.jobs.append(job)
            lane.task = asyncio.create_task(self._drain(key, lane))
        else:
            lane.jobs.append(job)
        self._jobs += 1

    def keep(self, assignment: Assignment) -> None:
        """Cancel and forget the lanes of every partition that is not in the assignment."""
        for key, lane in list(self._lanes.items()):
            if key[0] not in assignment and lane.task is not None:
                del self._lanes[key]
                self._jobs -= len(lane.jobs)
                lane.jobs.clear()
                lane.task.cancel()
        self._moved.set()

    async def room(self, timeout_s: float) -> None:
        """Return when a job ended, or after `timeout_s` seconds."""
        self._moved.clear()
        try:
            await asyncio.wait_for(self._moved.wait(), timeout_s)
        except TimeoutError:
            return

    def check(self) -> None:
        """Raise what a job raised."""
        if self._error is not None:
            raise self._error

    async def close(self) -> None:
        """Cancel every lane and wait until they have ended."""
        tasks = [lane.task for lane in self._lanes.values() if lane.task is not None]
        self.keep(frozenset())
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _drain(self, key: QueueKey, lane: _AgentQueue) -> None:
        try:
            while lane.jobs:
                async with self._slots:
                    self.running += 1
                    try:
                        await self._work(lane.jobs[0])
                    finally:
                        self.running -= 1
                lane.jobs.popleft()
                self._jobs -= 1
                self._moved.set()
            del self._lanes[key]
        except Exception as error:  # nobody awaits this task: `check` raises it to the owner
            self._error = error
            self._moved.set()
