"""Coroutines that run together end together, with the error of the first."""

import asyncio

import pytest

from arena.clock import SystemClock
from arena.tasks import run_until_all_end, run_until_first_ends, task_group, wait_for_tasks


async def _fail(after_s: float, text: str) -> None:
    await asyncio.sleep(after_s)
    raise ValueError(text)


async def test_first_end_cancels_the_others() -> None:
    """The one that ends first ends all; the others see a cancellation."""
    cancelled = []

    async def wait() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    await run_until_first_ends(asyncio.sleep(0.01), wait())

    assert [True] == cancelled


async def test_first_error_is_raised() -> None:
    """An error is raised as it is."""
    with pytest.raises(ValueError, match="early"):
        await run_until_first_ends(_fail(0.01, "early"), _fail(60, "late"))


async def test_all_run_to_their_end() -> None:
    """An end cancels nothing in `run_until_all_end`; an error cancels all tasks."""
    ended = []

    async def work(number: int) -> None:
        await asyncio.sleep(0.01 * number)
        ended.append(number)

    await run_until_all_end(work(2), work(1))
    with pytest.raises(ValueError, match="early"):
        await run_until_all_end(_fail(0.01, "early"), asyncio.sleep(60))

    assert [1, 2] == ended


async def test_time_out_ends_all() -> None:
    """Without an end of their own they end after the time."""
    await run_until_first_ends(asyncio.sleep(60), timeout_s=0.01)


async def test_wait_for_tasks_raises_and_cancels_nothing() -> None:
    """It returns at the first end, even if that is an error, or after the time-out."""
    failing = asyncio.ensure_future(_fail(0, "early"))
    waiting = asyncio.ensure_future(asyncio.sleep(60))

    await wait_for_tasks([failing, waiting], 10.0, SystemClock())
    await wait_for_tasks([waiting], 0.01, SystemClock())

    assert (True, False) == (failing.done(), waiting.done())
    waiting.cancel()
    await asyncio.gather(failing, waiting, return_exceptions=True)


async def test_task_group_raises_the_error_itself() -> None:
    """A group inside a group is unpacked, too; the other tasks are cancelled."""
    with pytest.raises(ValueError, match="inner"):
        async with task_group() as outer:
            outer.create_task(asyncio.sleep(60))
            async with asyncio.TaskGroup() as inner:
                inner.create_task(_fail(0.01, "inner"))


async def test_task_group_waits_for_all() -> None:
    """The block ends when every task has ended."""
    ended = []

    async def work(number: int) -> None:
        await asyncio.sleep(0.01 * number)
        ended.append(number)

    async with task_group() as tasks:
        for number in (2, 1):
            tasks.create_task(work(number))

    assert [1, 2] == ended
