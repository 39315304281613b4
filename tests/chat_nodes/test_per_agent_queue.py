"""The queues: one job per agent at a time, lost partitions cancelled, failures raised."""

import asyncio
from dataclasses import replace

import pytest

from arena.bus.base import Record
from arena.clock import SystemClock
from chat_nodes.per_agent_queue import WAITING_PER_WORKER, AgentQueues, Job
from tests.chat_nodes.example_requests import request
from tests.chat_nodes.running_node import until


def job(agent: str, offset: int, partition: int = 0) -> Job:
    """A job of an agent."""
    record = Record("ai_prompted.gpt", partition, offset, 0, agent.encode(), b"")
    return Job(record, request(agent=agent, turn=str(offset)))


async def test_queues_are_full_at_their_bound() -> None:
    """A number of jobs per worker may wait or run, and a finished job makes space."""
    gate = asyncio.Event()

    async def work(_: Job) -> None:
        await gate.wait()

    queues = AgentQueues(2, work, SystemClock())
    for offset in range(2 * WAITING_PER_WORKER):
        before = queues.full
        queues.add(job("a", offset))
    after = queues.full
    gate.set()
    await queues.wait_for_space(5.0)
    await until(lambda: not queues.full)
    await queues.close()

    assert (False, True) == (before, after)


async def test_roles_of_one_turn_run_at_once() -> None:
    """Requests of one role run in order; another role of the same agent does not wait for them."""
    started: list[tuple[str, int]] = []
    gate = asyncio.Event()

    async def work(one: Job) -> None:
        started.append((one.request.role, one.record.offset))
        await gate.wait()

    queues = AgentQueues(4, work, SystemClock())
    for offset, role in enumerate(("bull", "bull", "bear")):
        asked = job("a", offset)
        request_ = asked.request.model_copy(update={"stage": "opinion", "role": role})
        queues.add(replace(asked, request=request_))
    await until(lambda: queues.running == 2)
    assert [("bull", 0), ("bear", 2)] == started
    gate.set()
    await until(lambda: not queues.running)
    await queues.close()

    assert ("bull", 1) == started[-1]


async def test_lost_partitions_are_cancelled_at_once() -> None:
    """Jobs of other partitions continue; those of a lost partition never finish."""
    done: list[str] = []
    gate = asyncio.Event()

    async def work(one: Job) -> None:
        await gate.wait()
        done.append(one.request.agent)

    queues = AgentQueues(4, work, SystemClock())
    for offset, agent in enumerate(("kept", "lost", "lost")):
        queues.add(job(agent, offset, partition=agent == "lost"))
    await until(lambda: queues.running == 2)
    queues.retain(frozenset({("ai_prompted.gpt", 0)}))
    gate.set()
    await until(lambda: queues.running == 0)

    assert ["kept"] == done
    await queues.close()


async def test_job_exception_is_raised_by_check() -> None:
    """It is not lost in the job's task."""

    async def work(_: Job) -> None:
        raise RuntimeError("append failed")

    queues = AgentQueues(1, work, SystemClock())
    queues.add(job("a", 0))
    await queues.wait_for_space(5.0)

    with pytest.raises(RuntimeError, match="append failed"):
        queues.check()


async def test_waiting_for_space_times_out() -> None:
    """Polling continues although no job ends."""

    async def work(_: Job) -> None:
        await asyncio.sleep(3600)

    queues = AgentQueues(1, work, SystemClock())
    queues.add(job("a", 0))
    async with asyncio.timeout(5):
        await queues.wait_for_space(0.01)
    await queues.close()

    assert 0 == queues.running
