"""Runs coroutines together: if one fails, the others are cancelled."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

# Any: a coroutine's send and yield types do not matter here.
Work = Coroutine[Any, Any, None]


async def run_until_first_ends(*work: Work, timeout_s: float | None = None) -> None:
    """Run coroutines until the first one ends or fails, then cancel the others and wait for them.

    Args:
        work: The coroutines.
        timeout_s: Cancel all after this time, without an error; None for no limit.

    Raises:
        Exception: The error of the one that ended first; of several at once, the leftmost.
    """
    await _run(work, asyncio.FIRST_COMPLETED, timeout_s)


async def run_until_all_end(*work: Work) -> None:
    """Run coroutines until all have ended; the first that fails cancels the others.

    Raises:
        Exception: The error of the first that failed; of several at once, the leftmost.
    """
    await _run(work, asyncio.FIRST_EXCEPTION)


async def _run(work: Sequence[Work], return_when: str, timeout_s: float | None = None) -> None:
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        await asyncio.wait(tasks, timeout=timeout_s, return_when=return_when)
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def task_group() -> AsyncGenerator[asyncio.TaskGroup, None]:
    """Yield a task group that raises the first error itself instead of an exception group.

    The block ends when all tasks have ended; the first that fails cancels the others.

    Raises:
        Exception: The first error of a task; else that of the block.
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
