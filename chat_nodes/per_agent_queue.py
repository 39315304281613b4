"""One queue of requests per asker and role: its requests run in order, different ones' at once.

A record waits in the queue of its partition, asker, stage and role until the record before it is
done and a worker is free: the roles of one turn are answered at once, and a request that was sent
twice runs once before it is answered again. The number of waiting records is bounded: when the
queues are full the caller pauses reading. This module reads and writes nothing itself.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from arena.bus.base import Assignment, Record
from arena.clock import Clock
from arena.messages import ChatRequest

WAITING_PER_WORKER = 8
"""Records per worker that may wait or run before the queues are full."""


@dataclass(frozen=True, slots=True)
class Job:
    """A request and the record it came in.

    Attributes:
        repeated: True if it was in the topic before this node gained the partition, so it may have
            been answered.
    """

    record: Record
    request: ChatRequest
    repeated: bool = False

    @property
    def partition(self) -> tuple[str, int]:
        """Topic and partition."""
        return self.record.topic, self.record.partition


QueueKey = tuple[tuple[str, int], str, str, str]


@dataclass(slots=True)
class _AgentQueue:
    jobs: deque[Job] = field(default_factory=deque)
    task: asyncio.Task[None] | None = None


class AgentQueues:
    """The queues of all agents, and their workers.

    Args:
        workers: How many jobs run at once.
        work: Runs one job; an exception from it ends the node.
        clock: The clock of time-outs.
    """

    def __init__(self, workers: int, work: Callable[[Job], Awaitable[None]], clock: Clock) -> None:
        """Start without queues; `add` creates them."""
        self._work = work
        self._clock = clock
        self._slots = asyncio.Semaphore(workers)
        self._queues: dict[QueueKey, _AgentQueue] = {}
        self._capacity = workers * WAITING_PER_WORKER
        self._jobs = 0
        self._error: BaseException | None = None
        self._changed = asyncio.Event()
        self.running = 0

    @property
    def full(self) -> bool:
        """True if no more records should be read."""
        return self._jobs >= self._capacity

    def add(self, job: Job) -> None:
        """Put a job at the end of the queue of its asker and role."""
        request = job.request
        key = (job.partition, request.asked_by, request.stage, request.role)
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = _AgentQueue()
            queue.jobs.append(job)
            queue.task = asyncio.create_task(self._drain(key, queue))
        else:
            queue.jobs.append(job)
        self._jobs += 1

    def retain(self, assignment: Assignment) -> None:
        """Cancel and drop the queues of every partition that is not in the assignment."""
        for key, queue in list(self._queues.items()):
            if key[0] not in assignment and queue.task is not None:
                del self._queues[key]
                self._jobs -= len(queue.jobs)
                queue.jobs.clear()
                queue.task.cancel()
        self._changed.set()

    async def wait_for_space(self, timeout_s: float) -> None:
        """Wait until a job has ended, for at most `timeout_s` seconds."""
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with self._clock.timeout(timeout_s):
                await self._changed.wait()

    def check(self) -> None:
        """Raise the exception of a failed job, if there is one."""
        if self._error is not None:
            raise self._error

    async def close(self) -> None:
        """Cancel every queue and wait until its task has ended."""
        tasks = [queue.task for queue in self._queues.values() if queue.task is not None]
        self.retain(frozenset())
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _drain(self, key: QueueKey, queue: _AgentQueue) -> None:
        try:
            while queue.jobs:
                async with self._slots:
                    self.running += 1
                    try:
                        await self._work(queue.jobs[0])
                    finally:
                        self.running -= 1
                queue.jobs.popleft()
                self._jobs -= 1
                self._changed.set()
            del self._queues[key]
        except Exception as error:  # this task is never awaited: `check` raises it to the caller
            self._error = error
            self._changed.set()
