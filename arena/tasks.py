"""Coroutines that run together: what ends one of them ends all."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

# Any: a coroutine's send and yield types do not matter here.
Work = Coroutine[Any, Any, None]


async def run_until_first_ends(*work: Work, timeout_s: float | None = None) -> None:
    """Run all until the first one ends or fails, then cancel the others and wait for them.

    Args:
        work: The coroutines.
        timeout_s: End all after this time; None for never.

    Raises:
        Exception: The error of the one that ended first.
    """
    await _run(work, asyncio.FIRST_COMPLETED, timeout_s)


async def run_until_all_end(*work: Work) -> None:
    """Run all until all have ended; the first that fails cancels the others.

    Raises:
        Exception: The error of the first that failed.
    """
    await _run(work, asyncio.FIRST_EXCEPTION)


async def _run(work: Sequence[Work], return_when: str, timeout_s: float | None = None) -> None:
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        done, _ = await asyncio.wait(tasks, timeout=timeout_s, return_when=return_when)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def task_group() -> AsyncGenerator[asyncio.TaskGroup, None]:
    """A task group that raises the first error itself, not a group with it.

    The block ends when all tasks have ended; the first that fails cancels the others.

    Raises:
        Exception: The first error of a task or of the block.
    """
    try:
        async with asyncio.TaskGroup() as tasks:
            yield tasks
    except BaseExceptionGroup as group:
        raise _first(group) from group


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
