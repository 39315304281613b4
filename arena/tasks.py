"""Runs coroutines together: if one fails, the others are cancelled."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from arena.clock import Clock, SystemClock

# Any: a coroutine's send and yield types do not matter here.
Work = Coroutine[Any, Any, None]


async def run_until_first_ends(
    *work: Work, timeout_s: float | None = None, clock: Clock | None = None
) -> None:
    """Run coroutines until the first one ends or fails, then cancel the others and wait for them.

    Args:
        work: The coroutines.
        timeout_s: Cancel all after this time, without an error; None for no limit.
        clock: The clock of the time-out; None for the system's.

    Raises:
        Exception: The error of the one that ended first; of several at once, the leftmost.
    """
    await _run(work, asyncio.FIRST_COMPLETED, timeout_s, clock)


async def run_until_all_end(*work: Work) -> None:
    """Run coroutines until all have ended; the first that fails cancels the others.

    Raises:
        Exception: The error of the first that failed; of several at once, the leftmost.
    """
    await _run(work, asyncio.FIRST_EXCEPTION)


async def _run(
    work: Sequence[Work],
    return_when: str,
    timeout_s: float | None = None,
    clock: Clock | None = None,
) -> None:
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        await wait_for_tasks(tasks, timeout_s, clock or SystemClock(), return_when=return_when)
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def wait_for_tasks(
    tasks: Iterable["asyncio.Future[Any]"],
    timeout_s: float | None,
    clock: Clock,
    *,
    return_when: str = asyncio.FIRST_COMPLETED,
) -> None:
    """Wait until one of some tasks has ended, or the timeout; their errors are not raised.

    Args:
        tasks: The tasks; they are not cancelled.
        timeout_s: The longest wait; None for no limit.
        clock: The clock of the timeout.
        return_when: Which of them to wait for, as for `asyncio.wait`.
    """
    with contextlib.suppress(TimeoutError):
        async with clock.timeout(timeout_s):
            await asyncio.wait(list(tasks), return_when=return_when)


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
